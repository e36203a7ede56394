import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { API_VERSION, fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import {
  ADMISSION_RECORD_LABEL,
  AIDE_CONF_LABEL,
  FINDINGS_LABEL,
  HISTORY_LABEL,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  RECORD_LABEL,
  REINIT_REQUEST_ANNOTATION,
  RESULT_LOG_LABEL,
  SET_ASIDE_LABEL,
  UPDATED_ANNOTATION,
} from '../../src/api/keys.ts';
import { failedName, partName, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { MESSAGE_ANNOTATION } from '../../src/evidence/kept.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, leases, namespaces } from '../../src/kube/resources.ts';

import { enforcePolicies, refusal } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { eventually } from '../support/eventually.ts';
import { accountName, clientOf } from '../support/impersonate.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings, serviceAccounts } from '../support/scraper.ts';

// What an administrator, who may do everything as far as RBAC goes, may not write: what the operator has on record.
let namespace: string;
let admin: Client;
let operator: Client;
let daemon: Client;
/** By a token of the operator's account that belongs to no pod, as one is that somebody asked for. */
let stranger: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const kubeconfig = inject('kubeconfig');
  admin = stack.use(createClient(await connectKubeconfig(kubeconfig)));
  await installCrds(admin);
  namespace = await createNamespace(admin, 'records');
  const as = async (serviceAccount: string, node?: string) => {
    await admin.create(serviceAccounts, { metadata: { name: serviceAccount, namespace } });
    await admin.create(roleBindings, {
      metadata: { name: serviceAccount, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    });
    const owner = { namespace, serviceAccount, ...(node !== undefined && { node }) };
    return stack.use(await clientAs(kubeconfig, admin, owner));
  };
  [operator, daemon] = [await as('file-integrity-operator', 'node-o'), await as('file-integrity-daemon', 'node-a')];
  stranger = stack.use(await clientAs(kubeconfig, admin, { namespace, serviceAccount: 'file-integrity-operator' }));
  stack.use(
    await enforcePolicies(admin, 'records-policy.yaml', [namespace], async () => {
      const refused = await refusal(admin.create(configMaps, map('probe', { [RESULT_LOG_LABEL]: '' })));
      if (refused === '') await admin.remove(configMaps, { namespace, name: 'probe' });
      return refused !== '';
    }),
  );
});

afterAll(() => stack.disposeAsync());

describe('the status of a node', () => {
  test('is written and removed by the operator only', async () => {
    const forged = status('worker-node-a');
    expect(await refusal(admin.create(nodeStatuses, forged))).toContain('by the operator only');
    await operator.create(nodeStatuses, forged);
    const ref = { namespace, name: 'worker-node-a' };
    for (const patch of [
      { lastResult: { lastProbeTime: '2026-01-01T00:00:00Z', condition: 'Succeeded' } },
      { orders: null },
      { metadata: { annotations: { any: '' } } },
    ]) {
      const attempt = admin.patch(nodeStatuses, ref, patch, { type: 'merge' });
      expect(await refusal(attempt)).toContain('by the operator only');
      const byDaemon = daemon.patch(nodeStatuses, ref, patch, { type: 'merge' });
      expect(await refusal(byDaemon)).toContain('by the operator only');
    }
    expect(await refusal(admin.remove(nodeStatuses, ref))).toContain('by the operator only');
    await operator.patch(nodeStatuses, ref, { metadata: { annotations: { any: '' } } }, { type: 'merge' });
    expect(await operator.remove(nodeStatuses, ref)).toBe(true);
  });

  test('goes with its FileIntegrity', async () => {
    const metadata = { name: 'owner', namespace };
    const owner = await admin.create(fileIntegrities, { metadata, spec: { config: {} } } as unknown as FileIntegrity);
    const { name = '', uid = '' } = owner.metadata;
    const owned = status('owner-node-a');
    owned.metadata.ownerReferences = [{ apiVersion: API_VERSION, kind: 'FileIntegrity', name, uid, controller: true }];
    await operator.create(nodeStatuses, owned);
    await admin.remove(fileIntegrities, { namespace, name }, { propagation: 'Foreground' });
    await eventually('it is gone', async () => !(await admin.find(nodeStatuses, { namespace, name: 'owner-node-a' })));
  });
});

describe.each([RESULT_LOG_LABEL, HISTORY_LABEL, FINDINGS_LABEL, SET_ASIDE_LABEL])('a config map with %s', (label) => {
  const name = `kept-${label.replace(/.*\//, '')}`;
  const ref = () => ({ namespace, name });

  test('is written by the operator only, and may be deleted', async () => {
    expect(await refusal(admin.create(configMaps, map(name, { [label]: '' })))).toContain('by the operator only');
    await operator.create(configMaps, map(name, { [label]: '' }));
    for (const patch of [{ data: { integritylog: 'nothing' } }, { metadata: { labels: { [label]: null } } }]) {
      const attempt = admin.patch(configMaps, ref(), patch, { type: 'merge' });
      expect(await refusal(attempt)).toContain('by the operator only');
    }
    await operator.patch(configMaps, ref(), { data: { integritylog: 'more' } }, { type: 'merge' });
    expect(await admin.remove(configMaps, ref())).toBe(true);
  });

  test('is not made of one that is there', async () => {
    await admin.create(configMaps, map(name, {}));
    const attempt = admin.patch(configMaps, ref(), { metadata: { labels: { [label]: '' } } }, { type: 'merge' });
    expect(await refusal(attempt)).toContain('by the operator only');
    await admin.remove(configMaps, ref());
  });
});

test('the later parts of a kept failure are written by the operator only', async () => {
  const part = map(partName(failedName('worker', 'node-a'), 2), { [PART_LABEL]: '2' });
  part.metadata.annotations = { [MESSAGE_ANNOTATION]: 'm' };
  expect(await refusal(admin.create(configMaps, part))).toContain('by the operator only');
  await operator.create(configMaps, part);
  const attempt = admin.patch(configMaps, part.metadata, { data: { integritylog: '' } }, { type: 'merge' });
  expect(await refusal(attempt)).toContain('by the operator only');
});

test('the record of a re-initialisation is written and removed by the operator only', async () => {
  const record = map('aide-worker-reinit-1', { [RECORD_LABEL]: '' });
  expect(await refusal(admin.create(configMaps, record))).toContain('by the operator only');
  await operator.create(configMaps, record);
  const attempt = admin.patch(configMaps, record.metadata, { data: { 'record.json': '{}' } }, { type: 'merge' });
  expect(await refusal(attempt)).toContain('by the operator only');
  expect(await refusal(admin.remove(configMaps, record.metadata))).toContain('by the operator only');
  expect(await operator.remove(configMaps, record.metadata)).toBe(true);
});

test('the record of the admission policies is written and removed by the operator only, and its name is kept for it', async () => {
  const record = map('file-integrity-admission', { [ADMISSION_RECORD_LABEL]: '' });
  expect(await refusal(admin.create(configMaps, record))).toContain('by the operator only');
  expect(await refusal(admin.create(configMaps, map('file-integrity-admission', {})))).toContain(
    'by the operator only',
  );
  await operator.create(configMaps, record);
  for (const patch of [
    { data: { 'record.json': '{}' } },
    { metadata: { labels: { [ADMISSION_RECORD_LABEL]: null } } },
  ]) {
    const attempt = admin.patch(configMaps, record.metadata, patch, { type: 'merge' });
    expect(await refusal(attempt)).toContain('by the operator only');
  }
  expect(await refusal(admin.remove(configMaps, record.metadata))).toContain('by the operator only');
  expect(await operator.remove(configMaps, record.metadata)).toBe(true);
});

describe('an effective configuration', () => {
  test('is made, changed and removed by the operator only', async () => {
    const configuration = map('worker', { [AIDE_CONF_LABEL]: '', [OWNER_LABEL]: 'worker' });
    expect(await refusal(admin.create(configMaps, configuration))).toContain('by the operator only');
    await operator.create(configMaps, configuration);
    for (const patch of [
      { data: { 'aide.conf': '!/hostroot' } },
      { binaryData: { any: 'AAAA' } },
      { metadata: { annotations: { [UPDATED_ANNOTATION]: '' } } },
      { metadata: { annotations: { [REINIT_REQUEST_ANNOTATION]: '{}' } } },
      { immutable: true },
      { metadata: { finalizers: ['mallory.example/stay'] } },
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'nothing', uid: 'none' }] } },
    ]) {
      const attempt = admin.patch(configMaps, configuration.metadata, patch, { type: 'merge' });
      expect(await refusal(attempt)).toContain('by the operator only');
    }
    expect(await refusal(admin.remove(configMaps, configuration.metadata))).toContain('by the operator only');
  });

  test('may lose its label, which the operator puts back', async () => {
    const patch = (labels: object) => [{ namespace, name: 'worker' }, { metadata: { labels } }] as const;
    await admin.patch(configMaps, ...patch({ [AIDE_CONF_LABEL]: null }), { type: 'merge' });
    const forged = admin.patch(configMaps, ...patch({ [AIDE_CONF_LABEL]: '' }), { type: 'merge' });
    expect(await refusal(forged)).toContain('by the operator only');
    await operator.patch(configMaps, ...patch({ [AIDE_CONF_LABEL]: '' }), { type: 'merge' });
  });
});

test('a message to the operator is written by a daemon only, and may be deleted', async () => {
  for (const [number, label] of [
    [1, LOG_LABEL],
    [2, PART_LABEL],
  ] as const) {
    const name = partName(resultName('worker', 'node-a'), number);
    const message = map(name, { ...owned(), [label]: number === 1 ? '' : '2' });
    expect(await refusal(admin.create(configMaps, message))).toContain('by a daemon only');
    await daemon.create(configMaps, message);
    const attempt = admin.patch(configMaps, message.metadata, { data: { integritylog: '' } }, { type: 'merge' });
    expect(await refusal(attempt)).toContain('by a daemon only');
    expect(await admin.remove(configMaps, message.metadata)).toBe(true);
  }
});

test('a heartbeat is made by the operator and renewed by a daemon only', async () => {
  const metadata = { name: resultName('worker', 'node-a'), namespace, labels: owned() };
  expect(await refusal(admin.create(leases, { metadata }))).toContain('by its daemon only');
  await operator.create(leases, { metadata });
  const beat = { metadata: { annotations: { [OUTCOME_ANNOTATION]: '{}' } } };
  expect(await refusal(admin.patch(leases, metadata, beat, { type: 'merge' }))).toContain('by its daemon only');
  await daemon.patch(leases, metadata, beat, { type: 'merge' });
  expect(await refusal(admin.remove(leases, metadata))).toContain('by its daemon only');
});

test('the operator is its pod: its account by any other way writes nothing that is on record', async () => {
  const forged = map('forged', { [RESULT_LOG_LABEL]: '' });
  expect(await refusal(stranger.create(configMaps, forged))).toContain("token of the operator's pod only");
  expect(await refusal(stranger.create(nodeStatuses, status('forged')))).toContain("token of the operator's pod only");
  const user = accountName(namespace, 'file-integrity-operator');
  await using impersonator = await clientOf(user);
  expect(await refusal(impersonator.create(configMaps, forged))).toContain("token of the operator's pod only");
  // What `edit` does not give and cluster administrators have: the right to name a pod as well.
  await using whole = await clientOf(user, { pod: 'file-integrity-operator-x' });
  await whole.create(configMaps, forged);
  await operator.remove(configMaps, forged.metadata);
});

test('the status of a FileIntegrity is written by the operator only, and the FileIntegrity not by its account without its pod', async () => {
  const name = 'watched';
  const made = await admin.create(fileIntegrities, {
    apiVersion: API_VERSION,
    kind: 'FileIntegrity',
    metadata: { name, namespace },
    spec: { config: {} },
  } as unknown as FileIntegrity);
  const status = { status: { freshUntil: '2099-01-01T00:00:00Z' } };
  const write = (by: Client) =>
    by.patch(fileIntegrities, { namespace, name }, status, { type: 'merge', subresource: 'status' });
  expect(await refusal(write(admin))).toContain('is written by the operator only');
  expect(await refusal(write(stranger))).toContain("token of the operator's pod only");
  expect(await refusal(write(operator))).toBe('');
  const nobody = { apiVersion: 'v1', kind: 'ConfigMap', name: 'nothing', uid: made.metadata.uid };
  for (const metadata of [
    { ownerReferences: [nobody] },
    { annotations: { 'file-integrity.openshift.io/re-init': '' } },
  ]) {
    const patch = (by: Client) => by.patch(fileIntegrities, { namespace, name }, { metadata }, { type: 'merge' });
    expect(await refusal(patch(stranger))).toContain("token of the operator's pod only");
  }
  const any = admin.patch(fileIntegrities, { namespace, name }, { spec: { debug: true } }, { type: 'merge' });
  expect(await refusal(any)).toBe('');
});

test('the lease by which the operator leads is written by the operator only', async () => {
  const lease = { metadata: { name: 'file-integrity-operator', namespace }, spec: { holderIdentity: 'thief' } };
  expect(await refusal(admin.create(leases, lease))).toContain('leads is written by the operator only');
  await operator.create(leases, lease);
  const patch = { spec: { leaseDurationSeconds: 2_147_483_647 } };
  for (const other of [admin, daemon, stranger]) {
    const attempt = other.patch(leases, lease.metadata, patch, { type: 'merge' });
    const why = other === stranger ? "token of the operator's pod only" : 'leads is written by the operator only';
    expect(await refusal(attempt)).toContain(why);
    expect(await refusal(other.remove(leases, lease.metadata))).toContain(why);
  }
  await operator.patch(leases, lease.metadata, patch, { type: 'merge' });
  expect(await operator.remove(leases, lease.metadata)).toBe(true);
});

test('the authority by which pods know the API server is written by Kubernetes only, which makes it anew', async () => {
  const ref = { namespace, name: 'kube-root-ca.crt' };
  await eventually('it is there', () => admin.find(configMaps, ref));
  const attempt = admin.patch(configMaps, ref, { data: { 'ca.crt': 'mine' } }, { type: 'merge' });
  expect(await refusal(attempt)).toContain('by Kubernetes only');
  expect(await refusal(admin.remove(configMaps, ref))).toContain('by Kubernetes only');
  await operator.patch(configMaps, ref, { data: { 'ca.crt': 'mine' } }, { type: 'merge' });
  await eventually('it is mended', async () => (await admin.get(configMaps, ref)).data?.['ca.crt'] !== 'mine');
});

test('nobody is bound beside that: a user’s own objects, and those of other namespaces', async () => {
  const mine = await admin.create(configMaps, map('mine', { [OWNER_LABEL]: 'worker' }));
  await admin.replace(configMaps, { ...mine, data: { 'aide.conf': '/etc R' } });
  await admin.remove(configMaps, { namespace, name: 'mine' });
  await admin.create(leases, { metadata: { name: 'mine', namespace } });
  const elsewhere = await createNamespace(admin, 'elsewhere');
  const kept = map('kept', { [RESULT_LOG_LABEL]: '' });
  await admin.create(configMaps, { ...kept, metadata: { ...kept.metadata, namespace: elsewhere } });
});

test('what is on record goes with the namespace', async () => {
  await operator.create(configMaps, map('last', { [RECORD_LABEL]: '' }));
  await operator.create(nodeStatuses, status('last'));
  // No kubelet ends the pod of the daemon's token, and a namespace's pods go first.
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await admin.raw(pods, { method: 'DELETE', body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 } });
  await admin.remove(namespaces, { name: namespace });
  await eventually('the namespace is gone', async () => !(await admin.find(namespaces, { name: namespace })));
});

function owned(): Record<string, string> {
  return { [OWNER_LABEL]: 'worker', [NODE_LABEL]: 'node-a' };
}

type Map = ConfigMap & { metadata: { name: string; namespace: string; annotations?: Record<string, string> } };

function map(name: string, labels: Record<string, string>): Map {
  return { metadata: { name, namespace, labels }, data: { integritylog: 'a' } };
}

function status(name: string): FileIntegrityNodeStatus {
  return { metadata: { name, namespace }, nodeName: 'node-a' };
}
