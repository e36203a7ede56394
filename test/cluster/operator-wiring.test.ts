import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { API_VERSION, fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { LOG_LABEL, NODE_LABEL, OWNER_LABEL, PART_LABEL, POD_LABEL, RESULT_LOG_LABEL } from '../../src/api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { MESSAGE_ANNOTATION } from '../../src/evidence/kept.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, daemonSets, leases, nodes, pods, priorityClasses } from '../../src/kube/resources.ts';
import { createStores, type Stores, storesOf } from '../../src/operator/stores.ts';
import { wire } from '../../src/operator/wiring.ts';
import { installCrds, installMachineConfigs } from '../support/crds.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { serviceAccounts } from '../support/scraper.ts';

// Real informers, and for the queues a list: who is asked to look at what when something changes in the cluster.
let client: Client;
let namespace: string;
let node: string;
let stores: Stores;
let integrity: FileIntegrity;
const ended = new AbortController();
let asked: string[] = [];

beforeAll(async () => {
  client = createClient(await connectKubeconfig(inject('kubeconfig')), { userAgent: 'test' });
  await installCrds(client);
  await installMachineConfigs(client);
  namespace = await createNamespace(client, 'wiring');
  node = `node-${namespace}`;
  await client.create(nodes, { metadata: { name: node } });
  integrity = await client.create(fileIntegrities, {
    metadata: { name: 'fleet', namespace },
    spec: { config: {} },
  } as FileIntegrity);
  stores = createStores(client, namespace, () => {});
  // Nodes and priority classes are the whole cluster's: those of other tests do not count.
  let isOther = false;
  stores.nodes.onChange(({ object }) => {
    isOther = object.metadata?.name !== node;
  });
  stores.priorityClasses.onChange(({ object }) => {
    isOther = object.metadata?.name !== namespace;
  });
  wire(stores, {
    integrity: (key) => isOther || asked.push(`integrity ${key.replace(namespace, 'ns')}`),
    results: (key) => asked.push(`results ${key.replace(namespace, 'ns').replace(node, 'node')}`),
  });
  for (const store of [stores.nodes, stores.priorityClasses]) {
    store.onChange(() => {
      isOther = false;
    });
  }
  void Promise.all(storesOf(stores).map((store) => store.run(ended.signal)));
  await Promise.all(storesOf(stores).map((store) => store.synced()));
  await client.create(nodeStatuses, aStatus());
  await settled();
});
afterAll(async () => {
  ended.abort();
  await client.remove(nodes, { name: node });
  await client.close();
});
beforeEach(settled);

function aStatus(): FileIntegrityNodeStatus {
  const owner = { apiVersion: API_VERSION, kind: 'FileIntegrity', name: 'fleet', uid: integrity.metadata.uid ?? '' };
  return {
    metadata: {
      name: `fleet-${node}`,
      namespace,
      labels: { [OWNER_LABEL]: 'fleet' },
      ownerReferences: [{ ...owner, controller: true }],
    },
    nodeName: node,
  };
}

let marks = 0;
/** Waits until all that was done before has come in: the API server tells the changes of a resource in order. */
async function settled(): Promise<void> {
  const name = `mark-${marks++}`;
  // What is none of a daemon’s or of the operator’s own never comes in.
  const metadata = { name, namespace, labels: { [OWNER_LABEL]: 'mark', [NODE_LABEL]: 'mark', [LOG_LABEL]: '' } };
  await client.create(configMaps, { metadata });
  await client.create(leases, { metadata });
  await client.patch(nodes, { name: node }, { metadata: { annotations: { mark: name } } }, { type: 'merge' });
  await client.create(nodeStatuses, { metadata, nodeName: 'mark' });
  await eventually('all has come in', () => {
    const there = [stores.configMaps, stores.leases, stores.statuses].every((store) =>
      store.get(`${namespace}/${name}`),
    );
    return there && isSeen(name);
  });
  asked = [];
}
/** The store keeps no such annotations of nodes; the version must do. */
function isSeen(mark: string): Promise<boolean> {
  return client.get(nodes, { name: node }).then(({ metadata }) => {
    const seen = stores.nodes.get(node)?.metadata?.resourceVersion;
    return metadata?.annotations?.mark === mark && metadata.resourceVersion === seen;
  });
}

/** Who is asked, once each, in order of name; the marks left out. */
async function askedAfter(change: () => Promise<unknown>): Promise<string[]> {
  await change();
  const before = asked;
  await settled();
  return [...new Set(before)].filter((key) => !key.includes('mark') && !key.includes('undefined')).sort();
}

const patch = (changes: object) =>
  client.patch(nodeStatuses, { namespace, name: `fleet-${node}` }, changes, { type: 'merge' });
const map = (name: string, labels: Record<string, string>, annotations: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, namespace, labels: { [OWNER_LABEL]: 'fleet', [NODE_LABEL]: node, ...labels }, annotations },
  data: { integritylog: 'a report' },
});

const kubelet = (...conditions: object[]) =>
  client.patch(nodes, { name: node }, { status: { conditions } }, { type: 'merge', subresource: 'status' });
const heartbeat = () => ({ lastHeartbeatTime: new Date().toISOString() });

test('whether a node is ready concerns its statuses; what else its kubelet says again and again concerns nobody', async () => {
  const ready = { type: 'Ready', status: 'True' };
  // Kubernetes takes away a taint of its own after that, which concerns all.
  const isAdmitted = () => eventually('it has no taint', () => !stores.nodes.get(node)?.spec?.taints?.length);
  await kubelet(ready);
  await isAdmitted();
  await settled();
  const other = { type: 'KernelDeadlock', status: 'True' };
  expect(await askedAfter(() => kubelet({ ...ready, reason: 'a', ...heartbeat() }, other))).toEqual([]);
  expect(await askedAfter(() => kubelet({ ...ready, reason: 'b', ...heartbeat() }))).toEqual([]);
  const lost = () => kubelet({ type: 'Ready', status: 'Unknown', reason: 'Lost' });
  expect(await askedAfter(lost)).toContain('results ns/fleet-node');
  expect(await askedAfter(() => kubelet(ready))).toContain('results ns/fleet-node');
  await isAdmitted();
  await settled();
});

test('a daemon’s pod concerns its node, as long as it is not scheduled, too; what counts up in it concerns nobody', async () => {
  const own = ['results ns/fleet-node'];
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  const required = { nodeSelectorTerms: [{ matchFields }] };
  const metadata = { name: 'daemon', namespace, labels: { [OWNER_LABEL]: 'fleet', [POD_LABEL]: '' } };
  const spec = {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
    schedulerName: 'nobody',
    containers: [{ name: 'daemon', image: 'x' }],
  };
  await client.create(serviceAccounts, { metadata: { name: 'default', namespace } }).catch(() => {});
  expect(await podAfter(() => client.create(pods, { metadata, spec }))).toEqual(own);
  const container = { name: 'daemon', image: 'x', imageID: '', ready: false };
  const crash = (restartCount: number) => () => {
    const state = { waiting: { reason: 'CrashLoopBackOff', message: `back-off ${restartCount}` } };
    const containerStatuses = [{ ...container, restartCount, state }];
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }], containerStatuses };
    return client.patch(pods, { namespace, name: 'daemon' }, { status }, { type: 'merge', subresource: 'status' });
  };
  const bound = {
    target: { kind: 'Node', name: node },
    metadata: { name: 'daemon' },
    kind: 'Binding',
    apiVersion: 'v1',
  };
  const path = `/api/v1/namespaces/${namespace}/pods/daemon/binding`;
  expect(await podAfter(() => client.raw(path, { method: 'POST', body: bound }))).toEqual(own);
  expect(await podAfter(crash(1))).toEqual(own);
  expect(await podAfter(crash(2))).toEqual([]);
  const gone = () => client.raw(path.replace('/binding', ''), { method: 'DELETE', body: { gracePeriodSeconds: 0 } });
  expect(await podAfter(gone)).toEqual(own);
});

/** Who is asked after a change of the pod `daemon`, once that has come in. */
function podAfter(change: () => Promise<unknown>): Promise<string[]> {
  return askedAfter(async () => {
    await change();
    const there = await client.find(pods, { namespace, name: 'daemon' });
    const version = there?.metadata?.resourceVersion;
    await eventually(
      'the pod has come in',
      () => stores.pods.get(`${namespace}/daemon`)?.metadata?.resourceVersion === version,
    );
  });
}

test('the spec of a FileIntegrity concerns all its nodes, an annotation none', async () => {
  const ref = { namespace, name: 'fleet' };
  const annotate = { metadata: { annotations: { mark: 'x' } } };
  const change = (patch: object) =>
    askedAfter(async () => {
      const { metadata } = await client.patch(fileIntegrities, ref, patch, { type: 'merge' });
      await eventually('it has come in', () => {
        return stores.integrities.get(`${namespace}/fleet`)?.metadata.resourceVersion === metadata.resourceVersion;
      });
    });
  expect(await change(annotate)).toEqual(['integrity ns/fleet']);
  expect(await change({ spec: { staleAfter: 3600 } })).toEqual(['integrity ns/fleet', 'results ns/fleet-node']);
});

test('another state of a node, or another reason, plans its FileIntegrity; another time or message does not', async () => {
  const says = (reason: string, message: string) => ({
    status: {
      conditions: [{ type: 'Fresh', status: 'False', reason, message, lastTransitionTime: new Date().toISOString() }],
    },
  });
  const both = ['integrity ns/fleet', 'results ns/fleet-node'];
  expect(await askedAfter(() => patch({ state: 'Silent' }))).toEqual(both);
  expect(await askedAfter(() => patch(says('Late', 'a')))).toEqual(both);
  const until = (seconds: number) => ({ freshUntil: new Date(Date.now() + seconds * 1000).toISOString() });
  expect(await askedAfter(() => patch(until(600)))).toEqual(both);
  expect(await askedAfter(() => patch({ ...says('Late', 'b'), ...until(900) }))).toEqual(['results ns/fleet-node']);
  // The FileIntegrity says until when it counts: that must not be later.
  expect(await askedAfter(() => patch(until(300)))).toEqual(both);
  expect(await askedAfter(() => patch(says('DaemonMissing', 'b')))).toEqual(both);
});

test.each([
  ['labels', { metadata: { labels: { pool: 'x' } } }],
  ['taints', { spec: { taints: [{ key: 'mine', effect: 'NoSchedule' }] } }],
  ['machine configuration', { metadata: { annotations: { 'machineconfiguration.openshift.io/state': 'Working' } } }],
])('another %s of a node concern every FileIntegrity', async (_, change) => {
  expect(await askedAfter(() => client.patch(nodes, { name: node }, change, { type: 'merge' }))).toEqual([
    'integrity ns/fleet',
  ]);
});

test('another time of a node’s last result does not plan its FileIntegrity, another condition does', async () => {
  const result = (condition: string) => ({ lastResult: { condition, lastProbeTime: new Date().toISOString() } });
  await patch(result('Succeeded'));
  await settled();
  expect(await askedAfter(() => patch(result('Succeeded')))).toEqual(['results ns/fleet-node']);
  expect(await askedAfter(() => patch(result('Failed')))).toEqual(['integrity ns/fleet', 'results ns/fleet-node']);
});

test('a message and its parts concern their node, and their reports are not kept in memory', async () => {
  const name = `aide-fleet-${node}`;
  const parts = await askedAfter(() => client.create(configMaps, map(`${name}-2`, { [PART_LABEL]: '2' })));
  expect(parts).toEqual(['results ns/fleet-node']);
  expect(await askedAfter(() => client.create(configMaps, map(name, { [LOG_LABEL]: '' })))).toEqual(parts);
  expect(Object.keys(stores.configMaps.get(`${namespace}/${name}`) ?? {})).toEqual(['metadata']);
  expect(await askedAfter(() => client.remove(configMaps, { namespace, name: `${name}-2` }))).toEqual(parts);
});

test('of a lease it is kept when it was last written, as the API server recorded it', async () => {
  const name = 'written';
  const ref = { namespace, name };
  await client.create(leases, { metadata: { ...ref, labels: { [OWNER_LABEL]: 'mark', [NODE_LABEL]: 'mark' } } });
  const { metadata } = await client.patch(leases, ref, { spec: { holderIdentity: 'x' } }, { type: 'merge' });
  await eventually('it has come in', () => {
    return stores.leases.get(`${namespace}/${name}`)?.metadata?.resourceVersion === metadata?.resourceVersion;
  });
  const recorded = metadata?.managedFields?.map(({ time }) => time).sort();
  expect(recorded?.length).toBeGreaterThan(0);
  expect(stores.leases.get(`${namespace}/${name}`)?.metadata?.managedFields).toEqual([{ time: recorded?.at(-1) }]);
});

test('a heartbeat concerns its node; a lease that is gone, the FileIntegrity', async () => {
  const name = `aide-fleet-${node}`;
  const metadata = { name, namespace, labels: { [OWNER_LABEL]: 'fleet', [NODE_LABEL]: node } };
  expect(await askedAfter(() => client.create(leases, { metadata }))).toEqual(['results ns/fleet-node']);
  expect(await askedAfter(() => client.remove(leases, { namespace, name }))).toEqual(['integrity ns/fleet']);
});

test('a kept failure concerns nobody, whether it is written or deleted', async () => {
  const kept = map('aide-fleet-x-failed', { [RESULT_LOG_LABEL]: '' }, { [MESSAGE_ANNOTATION]: 'id' });
  const part = map('aide-fleet-x-failed-2', { [PART_LABEL]: '2' }, { [MESSAGE_ANNOTATION]: 'id' });
  expect(await askedAfter(() => client.create(configMaps, kept))).toEqual([]);
  expect(await askedAfter(() => client.create(configMaps, part))).toEqual([]);
  expect(await askedAfter(() => client.remove(configMaps, { namespace, name: 'aide-fleet-x-failed' }))).toEqual([]);
});

test('a message of a node that nobody watches concerns the FileIntegrity, also one that is gone', async () => {
  expect(await askedAfter(() => client.create(configMaps, map('aide-fleet-nobody', { [LOG_LABEL]: '' })))).toEqual([
    'integrity ns/fleet',
  ]);
  const orphan = map('aide-gone-x', { [LOG_LABEL]: '', [OWNER_LABEL]: 'gone' });
  expect(await askedAfter(() => client.create(configMaps, orphan))).toEqual(['integrity ns/gone']);
});

test('the effective configuration, the daemon set and a priority class concern the FileIntegrity', async () => {
  const effective = map('fleet', { 'file-integrity.openshift.io/aide-conf': '' });
  expect(await askedAfter(() => client.create(configMaps, effective))).toEqual(['integrity ns/fleet']);
  const selector = { matchLabels: { app: 'x' } };
  const template = {
    metadata: { labels: { app: 'x' } },
    spec: { containers: [{ name: 'x', image: 'x' }], nodeSelector: { no: 'where' } },
  };
  const set = {
    metadata: { name: 'aide-x', namespace, labels: { [OWNER_LABEL]: 'fleet' } },
    spec: { selector, template },
  };
  const made = client.create(daemonSets, set);
  await eventually('the daemon set has come in', () => asked.includes('integrity ns/fleet'));
  await made;
  await settled();
  await client.create(priorityClasses, { metadata: { name: namespace }, value: 1 });
  await eventually('the priority class has come in', () => asked.includes('integrity ns/fleet'));
  await client.remove(priorityClasses, { name: namespace });
});
