import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import {
  CHANGED_BY_ANNOTATION,
  CONFIGURATION_LABEL,
  FORGET_ANNOTATION,
  HOLDOFF_ANNOTATION,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REINIT_ONCE_ANNOTATION,
  REQUESTED_BY_ANNOTATION,
} from '../../src/api/keys.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { enforcePolicies } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings, serviceAccounts } from '../support/scraper.ts';

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
      const { metadata } = await make('probe', { [REINIT_ANNOTATION]: '' }, admin, { name: 'x' });
      await admin.remove(fileIntegrities, { namespace, name: 'probe' });
      const configured = await configure('probe', { 'aide.conf': '' }, admin);
      await admin.remove(configMaps, { namespace, name: 'probe' });
      const { [REQUESTED_BY_ANNOTATION]: asked, [CHANGED_BY_ANNOTATION]: named } = metadata.annotations ?? {};
      return [asked, named, configured].every((who) => who !== undefined);
    }),
  );
});

afterAll(() => stack.disposeAsync());

describe('who asks for a re-initialisation', () => {
  test.each([REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION, REINIT_ONCE_ANNOTATION, FORGET_ANNOTATION])(
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

describe('who changes a configuration', () => {
  const change = async (by: Client, map: string, patch: object) => {
    const { metadata } = await by.patch(configMaps, { namespace, name: map }, patch, { type: 'merge' });
    return metadata?.annotations?.[CHANGED_BY_ANNOTATION];
  };
  const annotated = (value: string | null) => ({ metadata: { annotations: { [CHANGED_BY_ANNOTATION]: value } } });

  test('is written on the config map when its data change, and not by what changes none', async () => {
    expect(await configure('mine', { 'aide.conf': '/etc R' }, alice)).toBe(name('alice'));
    expect(await change(bob, 'mine', { metadata: { labels: { a: 'b' } } })).toBe(name('alice'));
    expect(await change(bob, 'mine', { data: { 'aide.conf': '/etc/a R' } })).toBe(name('bob'));
    expect(await change(alice, 'mine', { data: { other: 'x' } })).toBe(name('alice'));
  });

  test('cannot be forged, changed or taken away', async () => {
    await configure('forged', { 'aide.conf': '/etc R' }, alice);
    expect(await change(bob, 'forged', annotated('x'))).toBe(name('alice'));
    expect(await change(bob, 'forged', annotated(null))).toBe(name('alice'));
    expect(await change(bob, 'forged', { ...annotated(name('alice')), data: { 'aide.conf': '' } })).toBe(name('bob'));
  });

  test('is written with any key where the label asks for it, and what was written before that is no word', async () => {
    expect(await configure('other', { mine: '/etc R' }, alice)).toBeUndefined();
    const labelled = (value: string | null) => ({ metadata: { labels: { [CONFIGURATION_LABEL]: value } } });
    // A name that was forged while there was no label goes with the label.
    await change(bob, 'other', annotated(name('alice')));
    expect(await change(bob, 'other', labelled(''))).toBe(name('bob'));
    expect(await change(alice, 'other', { data: { mine: '/etc/a R' } })).toBe(name('alice'));
    expect(await change(bob, 'other', labelled(null))).toBe(name('alice'));
    await change(bob, 'other', { data: { mine: '' } });
    expect(await change(bob, 'other', labelled(''))).toBe(name('bob'));
  });

  test('leaves all other config maps alone', async () => {
    expect(await configure('any', { 'any.conf': '' }, alice)).toBeUndefined();
    expect(await change(bob, 'any', { data: { 'any.conf': 'x' } })).toBeUndefined();
    const bare = await alice.create(configMaps, { metadata: { name: 'bare', namespace } });
    expect(bare.metadata?.annotations).toBeUndefined();
  });

  test('or says which one it is, is written on the FileIntegrity', async () => {
    const made = await make('names', undefined, alice, { name: 'mine' });
    const who = ({ metadata }: FileIntegrity) => metadata.annotations?.[CHANGED_BY_ANNOTATION];
    expect(who(made)).toBe(name('alice'));
    const ref = { namespace, name: 'names' };
    const patch = async (by: Client, change: object) =>
      who(await by.patch(fileIntegrities, ref, change, { type: 'merge' }));
    expect(await patch(bob, { spec: { config: { gracePeriod: 60 } } })).toBe(name('alice'));
    expect(await patch(bob, annotated('x'))).toBe(name('alice'));
    expect(await patch(bob, { spec: { config: { key: 'other.conf' } } })).toBe(name('bob'));
    expect(await patch(alice, { spec: { config: { name: null } } })).toBe(name('alice'));
  });
});

async function make(
  integrity: string,
  annotations: Record<string, string> | undefined,
  by: Client,
  config: { name?: string } = {},
) {
  const metadata = { name: integrity, namespace, ...(annotations && { annotations }) };
  return await by.create(fileIntegrities, { metadata, spec: { config } } as unknown as FileIntegrity);
}

/** Makes a config map and returns who is named then. */
async function configure(map: string, data: Record<string, string>, by: Client): Promise<string | undefined> {
  const { metadata } = await by.create(configMaps, { metadata: { name: map, namespace }, data });
  return metadata?.annotations?.[CHANGED_BY_ANNOTATION];
}

/** Returns who is named then. */
async function annotate(by: Client, integrity: string, annotations: Record<string, string | null>) {
  const ref = { namespace, name: integrity };
  const { metadata } = await by.patch(fileIntegrities, ref, { metadata: { annotations } }, { type: 'merge' });
  return metadata.annotations?.[REQUESTED_BY_ANNOTATION];
}
