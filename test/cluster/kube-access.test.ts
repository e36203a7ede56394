import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import { type Connection, connectInCluster } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { serviceAccounts } from '../support/scraper.ts';

let connection: Connection;
let admin: Client;
let namespace: string;
let directory: string;

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  admin = createClient(connection);
  namespace = await createNamespace(admin, 'kube-access');
  directory = await mkdtemp(join(tmpdir(), 'fio-access-'));
  await writeFile(join(directory, 'ca.crt'), String((await connection.credentials()).tls.ca));
});

afterAll(async () => {
  await admin.close();
  await rm(directory, { recursive: true });
});

/** A token of a new service account. */
async function issueToken(name: string): Promise<string> {
  await admin.create(serviceAccounts, { metadata: { namespace, name } });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } };
  return JSON.parse(await admin.raw(path, { method: 'POST', body })).status.token;
}

/** Who the server thinks that the client is. */
async function whoAmI(client: Client): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await client.raw('/apis/authentication.k8s.io/v1/selfsubjectreviews', { method: 'POST', body });
  return JSON.parse(answer).status.userInfo.username;
}

function podConnection(clock: () => number): Connection {
  const { hostname, port } = new URL(connection.server);
  return connectInCluster({
    directory,
    clock,
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  });
}

describe('the token of a pod', () => {
  test('is used, and the rotated one after it, without a new client', async () => {
    let now = 0;
    await using client = createClient(podConnection(() => now));
    await writeFile(join(directory, 'token'), await issueToken('first'));
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:first`);
    await writeFile(join(directory, 'token'), await issueToken('second'));
    now = 60_000;
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:second`);
  });

  test('that the server refuses is read again at once, as it may have rotated', async () => {
    await using client = createClient(podConnection(() => 0));
    await writeFile(join(directory, 'token'), 'not-a-token');
    await expect(whoAmI(client)).rejects.toMatchObject({ status: 401, reason: 'Unauthorized' });
    await writeFile(join(directory, 'token'), await issueToken('third'));
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:third`);
  });

  test('does not allow what nobody has granted', async () => {
    await using client = createClient(podConnection(() => 0));
    await writeFile(join(directory, 'token'), await issueToken('fourth'));
    await expect(client.list(serviceAccounts, { namespace })).rejects.toMatchObject({
      status: 403,
      reason: 'Forbidden',
    });
  });
});

describe('a kubeconfig', () => {
  /** The shared kubeconfig's cluster with another user. */
  async function writeConfig(name: string, user: object): Promise<string> {
    const { tls } = await connection.credentials();
    const ca = Buffer.from(String(tls.ca)).toString('base64');
    const path = join(directory, name);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      clusters: [{ name: 'c', cluster: { server: connection.server, 'certificate-authority-data': ca } }],
      users: [{ name: 'u', user }],
      contexts: [
        { name: 'one', context: { cluster: 'c', user: 'u' } },
        { name: 'two', context: { cluster: 'c', user: 'u', namespace: 'elsewhere' } },
      ],
    };
    await writeFile(path, JSON.stringify(config));
    return path;
  }

  test('with a token and a context is used as it says', async () => {
    const path = await writeConfig('token.json', { token: await issueToken('by-token') });
    const own = await connectKubeconfig(path, 'two');
    expect(own.namespace).toBe('elsewhere');
    await using client = createClient(own);
    expect(await whoAmI(client)).toBe(`system:serviceaccount:${namespace}:by-token`);
  });

  test('with a plugin asks it once, and again when the server refused its token', async () => {
    const token = join(directory, 'plugin-token');
    const calls = join(directory, 'plugin-calls');
    const script = [
      `echo >> ${calls}`,
      `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ${token})"`,
    ].join('\n');
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: ['-c', script],
      interactiveMode: 'Never',
    };
    await writeFile(token, await issueToken('by-plugin'));
    await using client = createClient(await connectKubeconfig(await writeConfig('plugin.json', { exec })));
    const many = await Promise.all(Array.from({ length: 5 }, () => whoAmI(client)));
    expect(new Set(many)).toEqual(new Set([`system:serviceaccount:${namespace}:by-plugin`]));
    expect(await readFile(calls, 'utf8')).toBe('\n');
    await writeFile(token, 'expired');
    await using refused = createClient(await connectKubeconfig(join(directory, 'plugin.json')));
    await expect(whoAmI(refused)).rejects.toMatchObject({ status: 401 });
    await writeFile(token, await issueToken('by-plugin-again'));
    expect(await whoAmI(refused)).toBe(`system:serviceaccount:${namespace}:by-plugin-again`);
  });

  test('with a plugin that fails says so at the call', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'false', interactiveMode: 'Never' };
    await using client = createClient(await connectKubeconfig(await writeConfig('failing.json', { exec })));
    await expect(whoAmI(client)).rejects.toMatchObject({ code: 'KUBE_NO_CREDENTIALS' });
  });

  test('that is not there, is none, or has no such context, is an error with a sentence', async () => {
    const path = await writeConfig('fine.json', {});
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, '{ not yaml');
    for (const attempt of [
      connectKubeconfig(join(directory, 'absent')),
      connectKubeconfig(broken),
      connectKubeconfig(path, 'three'),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'KUBE_CONFIG_INVALID', cause: expect.any(Error) });
    }
  });
});

test('calls that a busy server rejects are made again when it said so, and all succeed', async () => {
  // Priority and fairness with one seat for this user and no queue: a real 429 with a real Retry-After.
  const level = resource('PriorityLevelConfiguration', 'prioritylevelconfigurations');
  const schema = resource('FlowSchema', 'flowschemas');
  const ref = { name: namespace };
  const user = `system:serviceaccount:${namespace}:busy`;
  await writeFile(join(directory, 'token'), await issueToken('busy'));
  await admin.create(level, {
    metadata: ref,
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 0,
        lendablePercent: 0,
        borrowingLimitPercent: 0,
        limitResponse: { type: 'Reject' },
      },
    },
  } as KubeObject);
  await admin.create(schema, {
    metadata: ref,
    spec: {
      priorityLevelConfiguration: ref,
      matchingPrecedence: 2,
      rules: [
        {
          subjects: [{ kind: 'User', user: { name: user } }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  } as KubeObject);
  await using client = createClient(
    podConnection(() => 0),
    { maxSockets: 40 },
  );
  const wasRejected = async () => {
    const lines = (await admin.raw('/metrics')).split('\n');
    return lines.some((line) => line.includes('rejected_requests_total') && line.includes(`"${namespace}"`));
  };
  await eventually('the server has rejected some', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => whoAmI(client))); // none may fail
    expect(new Set(answers)).toEqual(new Set([user]));
    return wasRejected();
  });
  await admin.remove(schema, ref);
  await admin.remove(level, ref);
});

function resource(kind: string, plural: string): Resource {
  return { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', kind, plural, namespaced: false };
}
