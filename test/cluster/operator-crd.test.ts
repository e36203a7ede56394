import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';
import type { Condition } from '../../src/api/condition.ts';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { installCrds } from '../support/crds.ts';
import { createNamespace } from '../support/namespace.ts';

let client: Client;
let cluster: Cluster;
let namespace: string;

beforeAll(async () => {
  client = createClient(await connectKubeconfig(inject('kubeconfig')), { userAgent: 'test' });
  await installCrds(client);
  namespace = await createNamespace(client, 'crd');
  cluster = await attachCluster(inject('cluster'));
});
afterAll(() => client.close());

function create(name: string, spec: unknown): Promise<FileIntegrity> {
  return client.create(fileIntegrities, { metadata: { name, namespace }, spec } as FileIntegrity);
}

function aCondition(type: string, status: Condition['status'], reason = 'x'): Condition {
  return { type, status, reason, message: '', lastTransitionTime: new Date().toISOString() };
}

function columnsOf(table: string): string[] {
  return (
    table
      .split('\n')[0]
      ?.trim()
      .split(/\s{2,}/) ?? []
  );
}

async function kubectl(...args: string[]): Promise<string> {
  return (await cluster.kubectl(['--namespace', namespace, ...args])).stdout.trim();
}

describe('a FileIntegrity', () => {
  test('gets its defaults from the API server', async () => {
    const { spec } = await create('least', { config: {} });
    expect(spec).toEqual({
      config: { gracePeriod: 900, maxBackups: 5, initialDelay: 0, key: 'aide.conf' },
      debug: false,
      tolerations: [
        { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
        { key: 'node-role.kubernetes.io/master', operator: 'Exists', effect: 'NoSchedule' },
        { key: 'node-role.kubernetes.io/infra', operator: 'Exists', effect: 'NoSchedule' },
      ],
      holdLimit: 14_400,
      history: { failedResults: 5, reinitRecords: 50, departedFor: 2_592_000 },
    });
  });

  test('keeps what is written, also an empty list of tolerations and a grace period below 10', async () => {
    const { spec } = await create('most', {
      nodeSelector: {},
      config: { name: 'mine', namespace: 'other', key: 'k', gracePeriod: 5, maxBackups: 0, initialDelay: 60 },
      debug: true,
      tolerations: [],
      priorityClassName: 'high',
      resources: { limits: { memory: '1.5Gi', cpu: 2 }, requests: { memory: '64Mi', cpu: '10m', storage: '1e3' } },
    });
    expect(spec).toMatchObject({
      nodeSelector: {},
      tolerations: [],
      config: { gracePeriod: 5, maxBackups: 0 },
      resources: { limits: { memory: '1.5Gi', cpu: 2 } },
    });
  });

  test.each([
    ['spec.config', {}],
    ['spec.config.gracePeriod', { config: { gracePeriod: 'x' } }],
    ['spec.config.maxBackups', { config: { maxBackups: -1 } }],
    ['spec.config.initialDelay', { config: { initialDelay: -1 } }],
    ['spec.config.initialDelay', { config: { initialDelay: 1.5 } }],
    ['spec.config.name', { config: { name: 7 } }],
    ['spec.debug', { config: {}, debug: 'yes' }],
    ['spec.nodeSelector.pool', { config: {}, nodeSelector: { pool: 'a b' } }],
    ['spec.nodeSelector.pool', { config: {}, nodeSelector: { pool: true } }],
    ['spec.tolerations[0].effect', { config: {}, tolerations: [{ key: 'x', effect: 'Never' }] }],
    ['spec.tolerations[0].operator', { config: {}, tolerations: [{ key: 'x', operator: 'Like' }] }],
    ['spec.resources.limits.memory', { config: {}, resources: { limits: { memory: 'lots' } } }],
    ['spec.staleAfter', { config: {}, staleAfter: 9 }],
    ['spec.holdLimit', { config: {}, holdLimit: 59 }],
  ])('with a wrong %s is refused, and the refusal names the field', async (field, spec) => {
    await expect(create('wrong', spec)).rejects.toThrow(field);
  });

  test('is listed with its phase and what it comes to, under its short name and its category', async () => {
    const object = await create('shown', { config: {} });
    const conditions = [
      aCondition('Ready', 'True'),
      aCondition('IntegrityHeld', 'False'),
      aCondition('Fresh', 'Unknown'),
      aCondition('BaselineTrusted', 'True'),
    ];
    const others = { succeeded: 0, errored: 0, initializing: 0, unwatched: 0 };
    const counts = { selected: 12, watched: 11, failed: 3, silent: 2, held: 1, ...others };
    const freshUntil = '2026-11-24T12:00:00.000Z';
    const status = { phase: 'Active', conditions, nodes: counts, freshUntil };
    await client.replace(fileIntegrities, { ...object, status } as FileIntegrity, { subresource: 'status' });
    const table = await kubectl('get', 'fi', 'shown');
    const columns = ['NAME', 'PHASE', 'READY', 'INTEGRITY', 'FRESH', 'FRESH UNTIL', 'NODES', 'FAILED', 'AGE'];
    expect(columnsOf(table)).toEqual(columns);
    expect(table).toMatch(/^shown\s+Active\s+True\s+False\s+Unknown\s+2026-11-24T12:00:00\S*\s+12\s+3\s+\d+s$/m);
    const wide = await kubectl('get', 'fi', 'shown', '-o', 'wide');
    expect(columnsOf(wide).slice(8)).toEqual(['WATCHED', 'SILENT', 'HELD', 'TRUSTED', 'AGE']);
    expect(wide).toMatch(/\s12\s+3\s+11\s+2\s+1\s+True\s+\d+s$/m);
    const name = 'fileintegrity.fileintegrity.openshift.io/shown';
    expect(await kubectl('get', 'fileintegrity', 'shown', '-o', 'name')).toBe(name);
    expect(await kubectl('get', 'file-integrity', '-o', 'name')).toContain(name);
  });
});

describe('a FileIntegrityNodeStatus', () => {
  const status = (name: string, fields: Partial<FileIntegrityNodeStatus>): FileIntegrityNodeStatus => ({
    metadata: { name, namespace },
    nodeName: 'node-1',
    ...fields,
  });

  test('is listed with its node and its state, under its short name: an old result is not shown as if it were new', async () => {
    const lastProbeTime = new Date(Date.now() - 3_600_000).toISOString();
    const lastResult = {
      condition: 'Succeeded',
      lastProbeTime,
      filesAdded: 1,
      filesChanged: 2,
      filesRemoved: 3,
    } as const;
    const conditions = [
      aCondition('Ready', 'False', 'DaemonMissing'),
      aCondition('Fresh', 'False', 'DaemonMissing'),
      aCondition('BaselineTrusted', 'Unknown', 'Adopted'),
    ];
    const freshUntil = '2026-11-24T12:00:00.000Z';
    const fields = { lastResult, status: { conditions }, state: 'Silent', freshUntil } as const;
    await client.create(nodeStatuses, status('shown-node-1', fields));
    const table = await kubectl('get', 'fins', 'shown-node-1');
    expect(columnsOf(table)).toEqual(['NAME', 'NODE', 'STATUS', 'LAST SCAN', 'FRESH', 'FRESH UNTIL', 'HELD']);
    expect(table).toMatch(/^shown-node-1\s+node-1\s+Silent\s+60m\s+False\s+2026-11-24T12:00:00\S*\s*$/m);
    const wide = await kubectl('get', 'fins', 'shown-node-1', '-o', 'wide');
    expect(columnsOf(wide).slice(7)).toEqual(['RESULT', 'ADDED', 'CHANGED', 'REMOVED', 'DAEMON', 'BASELINE', 'AGE']);
    expect(wide).toMatch(/\sSucceeded\s+1\s+2\s+3\s+DaemonMissing\s+Adopted\s+\d+s$/m);
    const path = 'jsonpath={.items[?(@.metadata.name=="shown-node-1")].lastResult.condition}';
    expect(await kubectl('get', 'fileintegritynodestatuses', '-o', path)).toBe('Succeeded');
  });

  test('is explained by kubectl', async () => {
    expect(await kubectl('explain', 'fileintegritynodestatus.orders.hold')).toContain('no re-baseline is started');
    expect(await kubectl('explain', 'fileintegrity.spec.config.gracePeriod')).toContain('Seconds between the end');
  });

  test('has orders that are written as a whole: a hold of somebody else does not stay in them', async () => {
    const orders = {
      settings: { gracePeriod: 900, maxBackups: 5, debug: false },
      configuration: { name: 'x', key: 'aide.conf', digest: 'd' },
      baseline: { id: 'i', reason: 'Initial', requestedAt: new Date().toISOString() },
    } as const;
    const hold = { reason: 'Annotation', message: 'foreign', since: new Date().toISOString() } as const;
    const name = 'whole-node-1';
    await client.apply(nodeStatuses, status(name, { orders }), { fieldManager: 'operator' });
    await client.patch(nodeStatuses, { namespace, name }, { orders: { hold } }, { type: 'merge' });
    const mended = await client.apply(nodeStatuses, status(name, { orders }), { fieldManager: 'operator' });
    expect(mended.orders).toEqual(orders);
  });

  test.each([
    ['lastResult.condition', { lastResult: { condition: 'Fine', lastProbeTime: new Date().toISOString() } }],
    ['lastResult.lastProbeTime', { lastResult: { condition: 'Failed', lastProbeTime: 'soon' } }],
    ['nodeName', { nodeName: 7 }],
  ])('with a wrong %s is refused, and the refusal names the field', async (field, fields) => {
    const wrong = status('wrong', fields as unknown as Partial<FileIntegrityNodeStatus>);
    await expect(client.create(nodeStatuses, wrong)).rejects.toThrow(field);
  });
});
