import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import {
  failedName,
  findingsName,
  historyName,
  partName,
  recordName,
  resultName,
  setAsideName,
} from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { clientOfOperator, clientWithRoles, makeAccounts } from '../support/edit-user.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings } from '../support/scraper.ts';

// Names that are taken before there is an object of that name.
const LONG = 'l'.repeat(63);
const LONGEST = `${'y'.repeat(120)}.${'z'.repeat(120)}`;

let namespace: string;
let admin: Client;
let operator: Client;
let daemon: Client;
/** Has the role `edit` in the namespace. */
let mallory: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const kubeconfig = inject('kubeconfig');
  admin = stack.use(createClient(await connectKubeconfig(kubeconfig)));
  await installCrds(admin);
  namespace = await createNamespace(admin, 'names');
  await makeAccounts(admin, namespace);
  operator = stack.use(await clientOfOperator(admin, namespace));
  mallory = stack.use(await clientWithRoles(admin, namespace, `mallory-${namespace}`));
  await admin.create(roleBindings, {
    metadata: { name: 'daemon', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'file-integrity-daemon', namespace }],
  });
  const serviceAccount = 'file-integrity-daemon';
  daemon = stack.use(await clientAs(kubeconfig, admin, { namespace, serviceAccount, node: 'node-a' }));
  for (const name of ['worker', LONG, LONGEST]) await makeIntegrity(name);
  const isRefused = async () => (await mapBy(mallory, resultName('worker', 'probe'))) !== '';
  stack.use(await enforcePolicies(admin, 'names-policy.yaml', [namespace], isRefused));
});

afterAll(() => stack.disposeAsync());

test.each(['worker', LONG, LONGEST])(
  'what operator and daemons write of the FileIntegrity %s is squatted by nobody',
  async (integrity) => {
    await eventually('the FileIntegrity is known', async () => (await mapBy(mallory, integrity)) !== '');
    const message = resultName(integrity, 'node-a');
    const failed = failedName(integrity, 'node-a');
    for (const name of [
      message,
      partName(message, 2),
      failed,
      partName(failed, 2),
      historyName(failed, 3),
      findingsName(failed),
      setAsideName(integrity, 'node-a'),
      recordName(integrity, 'x'),
    ]) {
      for (const other of [mallory, admin]) expect(await mapBy(other, name)).toContain('are for what the operator');
      for (const owner of [operator, daemon]) expect(await mapBy(owner, name)).toBe('');
      expect(await refusal(mallory.create(leases, { metadata: { name, namespace } }))).toContain('are for what');
    }
    expect(await mapBy(mallory, integrity)).toContain('give yours another name');
    expect(await mapBy(operator, integrity)).toBe('');
  },
);

test('a user’s own configuration has any other name, aide-… included', async () => {
  for (const name of ['aide-conf', 'aide-config-2026', 'my-aide', 'aide-worker', 'worker-aide', 'aide-workers-conf']) {
    expect(await mapBy(mallory, name)).toBe('');
  }
  await mallory.create(leases, { metadata: { name: 'aide-worker', namespace } });
});

test('a name is taken as long as there is the FileIntegrity', async () => {
  expect(await mapBy(mallory, 'aide-later-node-a')).toBe('');
  await makeIntegrity('later');
  await eventually('it is taken', async () => (await mapBy(mallory, 'aide-later-node-a')) !== '');
  await admin.remove(fileIntegrities, { namespace, name: 'later' });
  await eventually('it is free', async () => (await mapBy(mallory, 'aide-later-node-a')) === '');
});

test('without a FileIntegrity, and in another namespace, all names are free', async () => {
  const elsewhere = await createNamespace(admin, 'elsewhere');
  await admin.create(configMaps, { metadata: { name: resultName('worker', 'node-a'), namespace: elsewhere } });
});

async function makeIntegrity(name: string): Promise<void> {
  const integrity = { metadata: { name, namespace }, spec: { config: {} } };
  await admin.create(fileIntegrities, integrity as unknown as FileIntegrity);
}

/** Makes a config map as a user has a configuration in one, if it were let. */
async function mapBy(by: Client, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { 'aide.conf': '/etc R' } };
  return await refusal(by.raw(path, { method: 'POST', body }));
}
