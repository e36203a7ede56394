import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings, roles, serviceAccounts } from '../support/scraper.ts';

// A user who may edit FileIntegrities, and read one config map of another namespace, but not the one beside it.
let admin: Client;
let user: Client;
let namespace: string;
let other: string;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const kubeconfig = inject('kubeconfig');
  admin = stack.use(createClient(await connectKubeconfig(kubeconfig)));
  await installCrds(admin);
  namespace = await createNamespace(admin, 'configuration');
  other = await createNamespace(admin, 'other');
  const serviceAccount = 'user';
  const subjects = [{ kind: 'ServiceAccount', name: serviceAccount, namespace }];
  await admin.create(serviceAccounts, { metadata: { name: serviceAccount, namespace } });
  const grant = async (where: string, rules: object[]) => {
    const metadata = { name: 'user', namespace: where };
    await admin.create(roles, { metadata, rules: rules as never });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'user' };
    await admin.create(roleBindings, { metadata, roleRef, subjects });
  };
  const verbs = ['get', 'create', 'update', 'patch'];
  await grant(namespace, [
    { apiGroups: ['fileintegrity.openshift.io'], resources: ['fileintegrities'], verbs },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['mine'], verbs: ['get'] },
  ]);
  await grant(other, [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['shared'], verbs: ['get'] }]);
  const data = { password: 'hunter2' };
  for (const name of ['shared', 'secret'])
    await admin.create(configMaps, { metadata: { name, namespace: other }, data });
  user = stack.use(await clientAs(kubeconfig, admin, { namespace, serviceAccount }));
  const probe = () => refusal(make('probe', { name: 'secret', namespace: other }));
  stack.use(
    await enforcePolicies(admin, 'configuration-policy.yaml', [namespace], async () => {
      const said = await probe();
      if (said === '') await admin.remove(fileIntegrities, { namespace, name: 'probe' });
      return said !== '';
    }),
  );
});
afterAll(() => stack.disposeAsync());

interface Named {
  name?: string | null;
  namespace?: string | null;
  key?: string | null;
  gracePeriod?: number;
}

function make(name: string, config: Named, client = user): Promise<unknown> {
  const nodeSelector = { none: '' };
  const object: unknown = { metadata: { name, namespace }, spec: { nodeSelector, config } };
  return client.create(fileIntegrities, object as FileIntegrity);
}

function change(name: string, config: Named, client = user): Promise<unknown> {
  return client.patch(fileIntegrities, { namespace, name }, { spec: { config } }, { type: 'merge' });
}

const sentence = (where: string) => new RegExp(`names the config map ${where}, which you may not read`);

test('a FileIntegrity names a config map that its user may read', async () => {
  expect(await refusal(make('none', {}))).toBe('');
  expect(await refusal(make('own', { name: 'mine' }))).toBe('');
  expect(await refusal(make('shared', { name: 'shared', namespace: other, key: 'password' }))).toBe('');
});

test('one that the user may not read is refused, there or not, in another namespace and in this one', async () => {
  expect(await refusal(make('x', { name: 'secret', namespace: other }))).toMatch(sentence(`${other}/secret`));
  expect(await refusal(make('x', { name: 'nowhere', namespace: other }))).toMatch(sentence(`${other}/nowhere`));
  expect(await refusal(make('x', { name: 'theirs' }))).toMatch(sentence(`${namespace}/theirs`));
  expect(await refusal(make('x', { name: 'theirs', namespace: '' }))).toMatch(sentence(`${namespace}/theirs`));
});

test('is not named by a change either, in one step or in several', async () => {
  await make('changed', { name: 'mine' });
  expect(await refusal(change('changed', { name: 'secret', namespace: other }))).toMatch(sentence(`${other}/secret`));
  expect(await refusal(change('changed', { namespace: other }))).toMatch(sentence(`${other}/mine`));
  // The namespace first, without a name.
  expect(await refusal(change('changed', { name: null, namespace: other }))).toBe('');
  expect(await refusal(change('changed', { name: 'secret' }))).toMatch(sentence(`${other}/secret`));
  expect(await refusal(change('changed', { name: 'shared' }))).toBe('');
});

test('one that somebody else has named may stay, and not be read by another key', async () => {
  await make('named', { name: 'secret', namespace: other }, admin);
  expect(await refusal(change('named', { gracePeriod: 60 }))).toBe('');
  expect(await refusal(change('named', { key: 'password' }))).toMatch(sentence(`${other}/secret`));
  expect(await refusal(change('named', { key: 'password' }, admin))).toBe('');
  expect(await refusal(change('named', { name: null, namespace: null, key: null }))).toBe('');
});
