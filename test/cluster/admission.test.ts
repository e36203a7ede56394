import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { NODE_LABEL, OWNER_LABEL } from '../../src/api/keys.ts';
import { resultName } from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, leases, namespaces } from '../../src/kube/resources.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { clientAs } from '../support/node-token.ts';

// Root on node-a has the daemon's token of node-a. What can it write?
const namespace = 'admission';
const policies = cluster('admissionregistration.k8s.io', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies');
const bindings = cluster(
  'admissionregistration.k8s.io',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
);
const roles = { ...cluster('rbac.authorization.k8s.io', 'Role', 'roles'), namespaced: true };
const roleBindings = { ...cluster('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings'), namespaced: true };
const serviceAccounts = { ...cluster('', 'ServiceAccount', 'serviceaccounts'), namespaced: true };

let admin: Client;
let daemonOnA: Client;
let unboundDaemon: Client;

beforeAll(async () => {
  const kubeconfig = inject('kubeconfig');
  admin = createClient(await connectKubeconfig(kubeconfig));
  await apply(namespaces, { metadata: { name: namespace } });
  for (const name of ['file-integrity-daemon', 'default'])
    await apply(serviceAccounts, { metadata: { name, namespace } });
  // More than the daemons' own role gives, so that it is the policy and not RBAC that refuses.
  await apply(roles, {
    metadata: { name: 'daemon', namespace },
    rules: [{ apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'leases'], verbs: ['*'] }],
  });
  await apply(roleBindings, {
    metadata: { name: 'daemon', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'daemon' },
    subjects: [{ kind: 'ServiceAccount', name: 'file-integrity-daemon', namespace }],
  });
  const manifest = await readFile(new URL('../../deploy/admission/daemon-policy.yaml', import.meta.url), 'utf8');
  for (const document of parseAllDocuments(manifest)) {
    const object = document.toJS() as KubeObject;
    await apply(object.kind === policies.kind ? policies : bindings, object);
  }
  const serviceAccount = 'file-integrity-daemon';
  daemonOnA = await clientAs(kubeconfig, admin, { namespace, serviceAccount, node: 'node-a' });
  unboundDaemon = await clientAs(kubeconfig, admin, { namespace, serviceAccount });
  await policyIsInForce();
});

afterAll(async () => {
  for (const client of [daemonOnA, unboundDaemon, admin]) await client?.close();
});

describe('the daemon on node-a', () => {
  test('creates, changes and deletes the result of its own node', async () => {
    const created = await daemonOnA.create(configMaps, result('node-a'));
    await daemonOnA.replace(configMaps, { ...created, data: { integritylog: 'b' } });
    expect(await daemonOnA.remove(configMaps, { namespace, name: resultName('worker', 'node-a') })).toBe(true);
  });

  test('creates the numbered parts of a large report', async () => {
    const part = result('node-a', { name: `${resultName('worker', 'node-a')}-2` });
    await daemonOnA.create(configMaps, part);
    await daemonOnA.remove(configMaps, { namespace, name: part.metadata.name });
  });

  test('does not create a result for node-b', async () => {
    expect(await refusal(daemonOnA.create(configMaps, result('node-b')))).toContain('aide-<FileIntegrity>-node-a');
  });

  test('does not create a result in its own name that says it is of node-b', async () => {
    const forged = result('node-a', { labels: { [OWNER_LABEL]: 'worker', [NODE_LABEL]: 'node-b' } });
    expect(await refusal(daemonOnA.create(configMaps, forged))).toContain('must be node-a');
  });

  test('does not change or delete the result of node-b', async () => {
    const other = await admin.create(configMaps, result('node-b'));
    const forged = { ...other, data: { integritylog: 'nothing to see' } };
    expect(await refusal(daemonOnA.replace(configMaps, forged))).toContain('not aide-worker-node-b');
    const ref = { namespace, name: resultName('worker', 'node-b') };
    expect(await refusal(daemonOnA.remove(configMaps, ref))).toContain('not aide-worker-node-b');
  });

  test('does not relabel the result of node-b as its own', async () => {
    const squatted = await admin.create(configMaps, {
      ...result('node-a', { name: 'aide-other-node-a' }),
      metadata: { name: 'aide-other-node-a', namespace, labels: { [OWNER_LABEL]: 'other', [NODE_LABEL]: 'node-b' } },
    });
    const labels = { [OWNER_LABEL]: 'other', [NODE_LABEL]: 'node-a' };
    const forged = { ...squatted, metadata: { ...squatted.metadata, labels } };
    expect(await refusal(daemonOnA.replace(configMaps, forged))).toContain('may not take over');
  });

  test('does not overwrite a kept failure, not even of its own node', async () => {
    const kept = result('node-a', { name: 'aide-worker-node-a-failed' });
    await admin.create(configMaps, kept);
    expect(await refusal(daemonOnA.replace(configMaps, { ...kept, data: {} }))).toContain(
      'not aide-worker-node-a-failed',
    );
    expect(await refusal(daemonOnA.remove(configMaps, { namespace, name: kept.metadata.name }))).toContain('not aide-');
  });

  test('does not write the effective configuration', async () => {
    const configuration = { ...result('node-a', { name: 'worker' }), data: { 'aide.conf': '' } };
    expect(await refusal(daemonOnA.create(configMaps, configuration))).toContain('not worker');
  });

  test('does not carry other keys or labels in a result', async () => {
    const withKey = { ...result('node-a'), data: { 'aide.conf': '' } };
    expect(await refusal(daemonOnA.create(configMaps, withKey))).toContain('integritylog and report.json only');
  });

  test('renews the heartbeat of its own node, and neither makes nor removes one', async () => {
    const name = resultName('worker', 'node-a');
    expect(await refusal(daemonOnA.create(leases, heartbeat('node-a')))).toContain('made and removed by the operator');
    await admin.create(leases, heartbeat('node-a'));
    await daemonOnA.patch(leases, { namespace, name }, { spec: { holderIdentity: 'node-a' } }, { type: 'merge' });
    expect(await refusal(daemonOnA.remove(leases, { namespace, name }))).toContain('made and removed by the operator');
  });

  test('does not renew the heartbeat of node-b', async () => {
    await admin.create(leases, heartbeat('node-b'));
    const ref = { namespace, name: resultName('worker', 'node-b') };
    const forged = daemonOnA.patch(leases, ref, { spec: { holderIdentity: 'x' } }, { type: 'merge' });
    expect(await refusal(forged)).toContain('not aide-worker-node-b');
  });
});

test('a token of the daemons that names no node writes nothing', async () => {
  expect(await refusal(unboundDaemon.create(configMaps, result('node-a')))).toContain('bound to its pod');
});

test('others are not bound by the policy', async () => {
  await admin.create(configMaps, { metadata: { name: 'anything', namespace }, data: { any: 'thing' } });
});

function cluster(group: string, kind: string, plural: string): Resource {
  return { group, version: 'v1', kind, plural, namespaced: false };
}

async function apply<T extends KubeObject>(resource: Resource, object: T): Promise<void> {
  await admin.apply(resource, object, { fieldManager: 'test' });
}

function result(node: string, metadata: { name?: string; labels?: Record<string, string> } = {}) {
  const labels = { [OWNER_LABEL]: 'worker', [NODE_LABEL]: node };
  return {
    metadata: { name: resultName('worker', node), namespace, labels, ...metadata },
    data: { integritylog: 'a' },
  };
}

function heartbeat(node: string) {
  return { metadata: result(node).metadata, spec: { holderIdentity: '' } };
}

/** The API server's sentence when it refuses; empty when it does not. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return '';
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 422)) return error.message;
    throw error;
  }
}

/** A new policy takes the API server a moment to load. */
async function policyIsInForce(): Promise<void> {
  const ref = { namespace, name: resultName('worker', 'probe') };
  for (const until = Date.now() + 30_000; Date.now() < until; ) {
    if ((await refusal(unboundDaemon.create(configMaps, result('probe')))) !== '') return;
    await admin.remove(configMaps, ref);
  }
  throw new Error('The policy is not in force after 30 s.');
}
