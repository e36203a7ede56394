import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { nodes } from '../../src/kube/resources.ts';
import { UPDATING_LABEL } from '../../src/operator/nodes/update.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { createNamespace } from '../support/namespace.ts';

// What whoever has a kubelet's credentials cannot say of its node: that it is being updated.
const config = (name: string) => `machineconfiguration.openshift.io/${name}`;
const stack = new AsyncDisposableStack();
let admin: Client;
let kubelet: Client;
let name: string;

const desiredIs = (value: string | null) => ({ metadata: { annotations: { [config('desiredConfig')]: value } } });
const says = (patch: object, subresource?: 'status') =>
  refusal(kubelet.patch(nodes, { name }, patch, { type: 'merge', ...(subresource && { subresource }) }));

beforeAll(async () => {
  const connection = await connectKubeconfig(inject('kubeconfig'));
  admin = stack.use(createClient(connection));
  const namespace = await createNamespace(admin, 'nodes');
  name = `node-of-${namespace}`;
  await admin.create(nodes, { metadata: { name, annotations: { [config('desiredConfig')]: 'rendered-1' } } });
  stack.defer(async () => void (await admin.remove(nodes, { name })));
  const { tls } = await connection.credentials();
  const credentials = {
    tls,
    headers: { 'impersonate-user': `system:node:${name}`, 'impersonate-group': 'system:nodes' },
  };
  kubelet = stack.use(createClient({ ...connection, credentials: async () => credentials, forget() {} }));
  const probe = desiredIs('probe');
  stack.use(
    await enforcePolicies(admin, 'nodes-policy.yaml', [namespace], async () => {
      const isRefused = (await says(probe)) !== '';
      if (!isRefused) await admin.patch(nodes, { name }, desiredIs('rendered-1'), { type: 'merge' });
      return isRefused;
    }),
  );
});
afterAll(() => stack.disposeAsync());

describe('a kubelet', () => {
  test.each([
    ['another', 'rendered-2'],
    ['no', null],
  ])('says by no way that %s configuration is desired for its node', async (_, value) => {
    for (const way of [undefined, 'status'] as const) {
      expect(await says(desiredIs(value), way)).toContain('does not change or remove which configuration is desired');
    }
  });

  test('does not say that its node is being updated', async () => {
    for (const way of [undefined, 'status'] as const) {
      const refused = await says({ metadata: { labels: { [UPDATING_LABEL]: '' } } }, way);
      expect(refused).toMatch(/does not say of itself|is not allowed to modify labels/);
    }
  });

  test('says all else, as the daemon of the Machine Config Operator does with its credentials', async () => {
    const annotations = { [config('state')]: 'Working', [config('currentConfig')]: 'rendered-1', other: 'x' };
    expect(await says({ metadata: { annotations } })).toBe('');
    expect(await says({ status: { nodeInfo: { kernelVersion: '6.12' } } }, 'status')).toBe('');
  });

  test('sets which configuration is desired where nobody has, as that daemon does on a new node', async () => {
    await admin.patch(nodes, { name }, desiredIs(null), { type: 'merge' });
    expect(await says(desiredIs('rendered-1'))).toBe('');
    expect(await says(desiredIs('rendered-2'))).not.toBe('');
  });
});

test('whoever is no node is not concerned', async () => {
  for (const patch of [desiredIs('rendered-3'), { metadata: { labels: { [UPDATING_LABEL]: '' } } }]) {
    expect(await refusal(admin.patch(nodes, { name }, patch, { type: 'merge' }))).toBe('');
  }
});
