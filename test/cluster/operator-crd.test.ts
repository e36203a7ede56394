import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';
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
        { key: 'node-role.kubernetes.io/master', operator: 'Exists', effect: 'NoSchedule' },
        { key: 'node-role.kubernetes.io/infra', operator: 'Exists', effect: 'NoSchedule' },
      ],
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
  ])('with a wrong %s is refused, and the refusal names the field', async (field, spec) => {
    await expect(create('wrong', spec)).rejects.toThrow(field);
  });

  test('is listed with its phase and whether it is ready, under its short name and its category', async () => {
    const object = await create('shown', { config: {} });
    const conditions = [
      { type: 'Ready', status: 'True', reason: 'Active', message: '', lastTransitionTime: new Date().toISOString() },
    ];
    await client.replace(fileIntegrities, { ...object, status: { phase: 'Active', conditions } } as FileIntegrity, {
      subresource: 'status',
    });
    const table = await kubectl('get', 'fi', 'shown');
    expect(table.split('\n')[0]?.split(/\s{2,}/)).toEqual(['NAME', 'PHASE', 'READY', 'AGE']);
    expect(table).toMatch(/^shown\s+Active\s+True\s+\d+s$/m);
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

  test('is listed with its node and its last condition, under its short name', async () => {
    const lastResult = {
      condition: 'Failed',
      lastProbeTime: new Date().toISOString(),
      filesAdded: 1,
      filesChanged: 2,
      filesRemoved: 3,
    } as const;
    await client.create(nodeStatuses, status('shown-node-1', { lastResult }));
    const table = await kubectl('get', 'fins');
    expect(table.split('\n')[0]?.split(/\s{2,}/)).toEqual(['NAME', 'NODE', 'STATUS', 'LAST SCAN', 'HELD']);
    expect(table).toMatch(/^shown-node-1\s+node-1\s+Failed\s+/m);
    expect(await kubectl('get', 'fins', '-o', 'wide')).toMatch(/\s1\s+2\s+3\s/);
    expect(await kubectl('get', 'fileintegritynodestatuses', '-o', 'jsonpath={.items[0].lastResult.condition}')).toBe(
      'Failed',
    );
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
