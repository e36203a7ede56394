import { readFile } from 'node:fs/promises';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { namespaces, nodes, pods, secrets } from '../../src/kube/resources.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { clientWithRoles, makeAccounts, makeActAsRole } from '../support/edit-user.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf } from '../support/impersonate.ts';
import { createNamespace } from '../support/namespace.ts';
import { clusterRoles, serviceAccounts } from '../support/scraper.ts';

// The rights that Kubernetes's role `edit` brings in the operator's namespace, and which are as good as being the operator.
const OURS = ['file-integrity-operator', 'file-integrity-daemon'];

let namespace: string;
let admin: Client;
/** Has the role `edit` in the namespace. */
let mallory: Client;
/** The same, and may act as the operator. */
let keeper: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
  namespace = await createNamespace(admin, 'accounts');
  await makeAccounts(admin, namespace);
  mallory = stack.use(await clientWithRoles(admin, namespace, `mallory-${namespace}`));
  await makeActAsRole(admin, `act-as-${namespace}`);
  keeper = stack.use(await clientWithRoles(admin, namespace, `keeper-${namespace}`, ['edit', `act-as-${namespace}`]));
  const isRefused = async () => (await token(mallory, 'file-integrity-operator')) !== '';
  stack.use(await enforcePolicies(admin, 'accounts-policy.yaml', [namespace], isRefused));
});

afterAll(() => stack.disposeAsync());

describe('somebody with the role edit', () => {
  test('gets no token of our accounts, and those of others; who may act as the operator gets them', async () => {
    for (const account of OURS) {
      expect(await token(mallory, account)).toContain('for its pods only');
      expect(await token(keeper, account)).toBe('');
      expect(await token(admin, account)).toBe('');
    }
    expect(await token(mallory, 'default')).toBe('');
  });

  test('has Kubernetes make no secret with such a token', async () => {
    for (const account of OURS) {
      expect(await refusal(mallory.create(secrets, tokenSecret(account)))).toContain('secret with a token');
    }
    await mallory.create(secrets, tokenSecret('default'));
    const patch = { metadata: { annotations: { [ACCOUNT]: 'file-integrity-operator' } } };
    const ref = { namespace, name: 'of-default' };
    expect(await refusal(mallory.patch(secrets, ref, patch, { type: 'merge' }))).toContain('secret with a token');
    await mallory.create(secrets, { metadata: { name: 'any', namespace }, data: {} });
    // An administrator's is filled in by Kubernetes's controller.
    await admin.create(secrets, tokenSecret('file-integrity-operator'));
    await eventually('it is filled in', async () => {
      const found = await admin.get(secrets, { namespace, name: 'of-file-integrity-operator' });
      return found.data?.token !== undefined;
    });
  });

  test('removes none of our accounts', async () => {
    for (const name of OURS) {
      expect(await refusal(mallory.remove(serviceAccounts, { namespace, name }))).toContain(
        'account is changed and removed by',
      );
    }
    const all = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    expect(await refusal(mallory.raw(all, { method: 'DELETE' }))).toContain('account is changed and removed by');
    for (const name of OURS) await admin.get(serviceAccounts, { namespace, name });
  });

  test('changes none of our accounts, so that none goes with an owner that is not there, or gives no token', async () => {
    const nobody = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'nothing',
      uid: '00000000-0000-0000-0000-000000000000',
    };
    for (const name of OURS) {
      for (const patch of [
        { metadata: { ownerReferences: [nobody] } },
        { metadata: { finalizers: ['mallory.example/stay'] } },
        { automountServiceAccountToken: false },
        { imagePullSecrets: [{ name: 'none' }] },
      ]) {
        const attempt = (by: Client) => by.patch(serviceAccounts, { namespace, name }, patch, { type: 'merge' });
        expect(await refusal(attempt(mallory))).toContain('account is changed and removed by');
      }
      const label = { metadata: { labels: { any: '' } } };
      expect(await refusal(keeper.patch(serviceAccounts, { namespace, name }, label, { type: 'merge' }))).toBe('');
    }
  });

  test.each(['exec', 'attach', 'portforward'])(
    'does not %s into the pods of the operator and its daemons',
    async (what) => {
      const query = what === 'portforward' ? '?ports=8081' : '?command=sh&stdin=true&container=any';
      const connect = (by: Client, pod: string) =>
        by.raw(`/api/v1/namespaces/${namespace}/pods/${pod}/${what}${query}`, { method: 'POST' }).then(
          () => '',
          (error: unknown) => String(error),
        );
      for (const name of ['aide-worker-abcde', 'file-integrity-operator-abcde-abcde']) {
        await podCalled(name);
        expect(await connect(mallory, name)).toContain('gets who may act-as');
        // There is no node with a kubelet: that is all that is wrong.
        expect(await connect(keeper, name)).not.toMatch(/act-as|forbidden/i);
      }
      await podCalled('another');
      expect(await connect(mallory, 'another')).not.toMatch(/act-as|forbidden/i);
    },
  );

  test('does not scale the operator', async () => {
    const group = '/apis/apps/v1/namespaces';
    for (const name of ['file-integrity-operator', 'another']) {
      const labels = { app: name };
      const template = { metadata: { labels }, spec: { containers: [{ name: 'any', image: 'any' }] } };
      const spec = { replicas: 0, selector: { matchLabels: labels }, template };
      const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec };
      await admin.raw(`${group}/${namespace}/deployments`, { method: 'POST', body });
    }
    const scale = (by: Client, name: string) => {
      const body = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name, namespace },
        spec: { replicas: 0 },
      };
      return refusal(by.raw(`${group}/${namespace}/deployments/${name}/scale`, { method: 'PUT', body }));
    };
    expect(await scale(mallory, 'file-integrity-operator')).toContain('is scaled by');
    expect(await scale(keeper, 'file-integrity-operator')).toBe('');
    expect(await scale(mallory, 'another')).toBe('');
  });

  test('does not cut off the operator by network policies', async () => {
    const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
    const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [] };
    const body = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'cut' }, spec };
    expect(await refusal(mallory.raw(path, { method: 'POST', body }))).toContain('could cut off the operator');
    await keeper.raw(path, { method: 'POST', body });
    expect(await refusal(mallory.raw(`${path}/cut`, { method: 'DELETE' }))).toContain('could cut off the operator');
  });
});

test('a kubelet gets tokens for pods on its node', async () => {
  const node = `node-${namespace}`;
  await admin.create(nodes, { metadata: { name: node } });
  stack.defer(() => admin.remove(nodes, { name: node }).then(() => {}));
  const spec = {
    nodeName: node,
    serviceAccountName: 'file-integrity-operator',
    containers: [{ name: 'any', image: 'any' }],
  };
  const { metadata } = await admin.create(pods, { metadata: { name: 'here', namespace }, spec });
  await using kubelet = await clientOf(`system:node:${node}`, { groups: ['system:nodes'] });
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'here', uid: metadata?.uid ?? '' };
  expect(await token(kubelet, 'file-integrity-operator', { boundObjectRef })).toBe('');
  expect(await token(kubelet, 'file-integrity-operator')).not.toBe('');
});

test('our accounts go with the namespace', async () => {
  const own = await createNamespace(admin, 'accounts-end');
  await makeAccounts(admin, own);
  const isRefused = async () => (await token(await mallorys(own), 'file-integrity-operator', {}, own)) !== '';
  await using _ = await enforcePolicies(admin, 'accounts-policy.yaml', [own], isRefused);
  await admin.remove(namespaces, { name: own });
  await eventually('the namespace is gone', async () => !(await admin.find(namespaces, { name: own })));
});

describe('SECURITY.md', () => {
  test('names each right that the roles edit and admin of this Kubernetes bring', async () => {
    const text = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8');
    const given = new Set<string>();
    for (const name of ['edit', 'admin']) {
      for (const right of rightsOf((await admin.get(clusterRoles, { name })).rules ?? [])) given.add(right);
    }
    const missing = [...given].filter((right) => !text.includes(`\`${right}\``));
    expect(missing.sort()).toEqual([]);
  });
});

/** What rules let somebody do but reading, a text for each resource; secrets are as good as what is in them. */
function rightsOf(rules: readonly PolicyRule[]): string[] {
  return rules.flatMap(({ apiGroups = [], resources = [], verbs }) => {
    const does = verbs.some((verb) => !['get', 'list', 'watch'].includes(verb));
    return apiGroups.flatMap((group) =>
      resources
        .filter((resource) => does || resource === 'secrets')
        .map((resource) => (group === '' ? resource : `${resource}.${group}`)),
    );
  });
}

const ACCOUNT = 'kubernetes.io/service-account.name';

function tokenSecret(account: string) {
  const metadata = { name: `of-${account}`, namespace, annotations: { [ACCOUNT]: account } };
  return { metadata, type: 'kubernetes.io/service-account-token' };
}

async function token(by: Client, account: string, spec: object = {}, where = namespace): Promise<string> {
  const path = `/api/v1/namespaces/${where}/serviceaccounts/${account}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  return await refusal(by.raw(path, { method: 'POST', body }));
}

let others = 0;
async function mallorys(where: string): Promise<Client> {
  others += 1;
  return stack.use(await clientWithRoles(admin, where, `mallory-${where}-${others}`));
}

async function podCalled(name: string): Promise<void> {
  if (await admin.find(pods, { namespace, name })) return;
  const spec = { nodeSelector: { [namespace]: 'none' }, containers: [{ name: 'any', image: 'any' }] };
  await admin.create(pods, { metadata: { name, namespace }, spec });
}
