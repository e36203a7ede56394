import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import {
  FORGET_ANNOTATION,
  HOLDOFF_ANNOTATION,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REQUESTED_BY_ANNOTATION,
} from '../../src/api/keys.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { serviceAccounts } from '../../src/kube/resources.ts';
import { enforcePolicies } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings } from '../support/scraper.ts';

// deploy/admission/who-asked, on an API server that has MutatingAdmissionPolicy.
let namespace: string;
let admin: Client;
let alice: Client;
let bob: Client;
let operator: Client;
const stack = new AsyncDisposableStack();
const name = (account: string) => `system:serviceaccount:${namespace}:${account}`;

beforeAll(async () => {
  const kubeconfig = inject('kubeconfig');
  admin = stack.use(createClient(await connectKubeconfig(kubeconfig)));
  await installCrds(admin);
  namespace = await createNamespace(admin, 'who');
  const as = async (serviceAccount: string) => {
    await admin.create(serviceAccounts, { metadata: { name: serviceAccount, namespace } });
    await admin.create(roleBindings, {
      metadata: { name: serviceAccount, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    });
    // The operator is its pod.
    const node = serviceAccount === 'file-integrity-operator' ? { node: 'node-o' } : {};
    return stack.use(await clientAs(kubeconfig, admin, { namespace, serviceAccount, ...node }));
  };
  [alice, bob, operator] = [await as('alice'), await as('bob'), await as('file-integrity-operator')];
  stack.use(
    await enforcePolicies(admin, 'who-asked/policy.yaml', [namespace], async () => {
      const { metadata } = await make('probe', { [REINIT_ANNOTATION]: '' }, admin);
      await admin.remove(fileIntegrities, { namespace, name: 'probe' });
      return metadata.annotations?.[REQUESTED_BY_ANNOTATION] !== undefined;
    }),
  );
});

afterAll(() => stack.disposeAsync());

describe('who asks for a re-initialisation', () => {
  test.each([REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION, FORGET_ANNOTATION])(
    'by %s is written beside it',
    async (annotation) => {
      const integrity = `asked-${annotation.replace(/.*\//, '')}`;
      await make(integrity, undefined, alice);
      expect(await annotate(bob, integrity, { [annotation]: '' })).toEqual(name('bob'));
      // The same again is no new request; another list is one.
      expect(await annotate(alice, integrity, { [annotation]: '' })).toEqual(name('bob'));
      expect(await annotate(alice, integrity, { [annotation]: 'node-a' })).toEqual(name('alice'));
    },
  );

  test('is known when the FileIntegrity is made with the annotation, by an administrator, too', async () => {
    const made = await make('made', { [REINIT_ANNOTATION]: '' }, admin);
    expect(made.metadata.annotations?.[REQUESTED_BY_ANNOTATION]).toBe('admin');
  });

  test('cannot be forged, changed or taken away', async () => {
    const forged = await make('forged', { [REQUESTED_BY_ANNOTATION]: 'bob' }, alice);
    expect(forged.metadata.annotations?.[REQUESTED_BY_ANNOTATION]).toBeUndefined();
    expect(await annotate(alice, 'forged', { [REQUESTED_BY_ANNOTATION]: 'bob' })).toBeUndefined();
    const both = { [REINIT_ANNOTATION]: '', [REQUESTED_BY_ANNOTATION]: name('bob') };
    expect(await annotate(alice, 'forged', both)).toBe(name('alice'));
    expect(await annotate(bob, 'forged', { [REQUESTED_BY_ANNOTATION]: 'x' })).toBe(name('alice'));
    expect(await annotate(bob, 'forged', { [REQUESTED_BY_ANNOTATION]: null })).toBe(name('alice'));
    const without = { metadata: { annotations: null } };
    const { metadata } = await bob.patch(fileIntegrities, { namespace, name: 'forged' }, without, { type: 'merge' });
    expect(metadata.annotations).toEqual({ [REQUESTED_BY_ANNOTATION]: name('alice') });
  });

  test('is left alone by what asks for nothing', async () => {
    const held = await make('held', { [HOLDOFF_ANNOTATION]: '' }, alice);
    expect(held.metadata.annotations).toEqual({ [HOLDOFF_ANNOTATION]: '' });
  });

  test('is taken away by the operator, with the request', async () => {
    await make('taken-up', { [REINIT_ANNOTATION]: '' }, alice);
    expect(await annotate(operator, 'taken-up', { [REINIT_ANNOTATION]: null })).toBe(name('alice'));
    expect(await annotate(operator, 'taken-up', { [REQUESTED_BY_ANNOTATION]: null })).toBeUndefined();
  });
});

async function make(integrity: string, annotations: Record<string, string> | undefined, by: Client) {
  const metadata = { name: integrity, namespace, ...(annotations && { annotations }) };
  return await by.create(fileIntegrities, { metadata, spec: { config: {} } } as unknown as FileIntegrity);
}

/** Returns who is named then. */
async function annotate(by: Client, integrity: string, annotations: Record<string, string | null>) {
  const ref = { namespace, name: integrity };
  const { metadata } = await by.patch(fileIntegrities, ref, { metadata: { annotations } }, { type: 'merge' });
  return metadata.annotations?.[REQUESTED_BY_ANNOTATION];
}
