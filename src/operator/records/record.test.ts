import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  aNode,
  anIntegrity,
  aSettledWorld,
  aWorld,
  carriedOut,
  machineConfigured,
  NOW,
  settle,
  verbs,
  withAnnotations,
  withResult,
} from '../../../test/support/operator-worlds.ts';
import { RECORD_KEY } from '../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineOrder } from '../../api/protocol.ts';
import { lackingIn, planRecords, type Rebased, type ReinitRecord, recordMap } from './record.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const recordsOf = (world: Parameters<typeof actionsOf>[0]) =>
  actionsOf(world, 'write-record').map(({ record }) => record);
const contentOf = (record: ReinitRecord | undefined, bytes?: number) =>
  JSON.parse((record && recordMap(record, bytes).data?.[RECORD_KEY]) ?? '');

describe('a re-initialisation', () => {
  test('has its record written before any order goes out', () => {
    const world = withAnnotations(aSettledWorld(), { [key('re-init')]: '' });
    const order = verbs(world);
    expect(order.filter((verb) => verb === 'apply-node-status')).toHaveLength(2);
    expect(order.indexOf('write-record')).toBeGreaterThan(order.indexOf('apply-configuration'));
    expect(order.indexOf('write-record')).toBeLessThan(order.indexOf('apply-node-status'));
    expect(recordsOf(world)).toHaveLength(1);
  });

  test('of nodes with findings has on record what they were, and of the others their names', () => {
    const world = withAnnotations(withResult(aSettledWorld(), 'b', 'Failed'), {
      [key('re-init')]: '',
      [key('requested-by')]: 'mallory@example.com',
    });
    const [record, ...others] = recordsOf(world);
    expect(others).toEqual([]);
    const order = actionsOf(world, 'apply-node-status')[0]?.object.orders?.baseline;
    expect(contentOf(record)).toEqual({
      apiVersion: 'records.fileintegrity.openshift.io/v1',
      kind: 'Reinitialisation',
      id: record?.id,
      fileIntegrity: 'worker',
      reason: 'Demand',
      detail: 'asked for by mallory@example.com',
      who: 'mallory@example.com',
      requestedAt: NOW.toISOString(),
      nodes: [
        {
          node: 'b',
          order: order?.id,
          lastResult: { condition: 'Failed', lastProbeTime: NOW.toISOString() },
          failure: { since: NOW.toISOString(), lastProbeTime: NOW.toISOString(), baselineDigest: 'd'.repeat(64) },
          baselineDigest: 'd'.repeat(64),
        },
      ],
      withoutFindings: ['a'],
      leftOut: 0,
    });
    const { metadata } = recordMap(record as ReinitRecord);
    expect(metadata).toEqual({
      name: `aide-worker-reinit-${record?.id}`,
      namespace: 'fio',
      labels: { [key('owner')]: 'worker', [key('reinit-record')]: '', [key('reason')]: 'Demand' },
    });
  });

  test('planned again, after a crash between two writes too, has the same record', () => {
    const world = withAnnotations(withResult(aSettledWorld(), 'b', 'Failed'), { [key('re-init')]: '' });
    const [record] = recordsOf(world);
    expect(recordsOf({ ...world, now: new Date(NOW.getTime() + 60_000) })[0]?.name).toBe(record?.name);
    const taken = carriedOut(world, actionsOf(world, 'apply-configuration'));
    const begun = carriedOut(taken, actionsOf(taken, 'apply-node-status').slice(0, 1));
    expect(recordsOf(begun).map(({ name }) => name)).toEqual([record?.name]);
  });

  test('takes the name of who asked away with the request', () => {
    const annotations = { [key('re-init')]: '', [key('requested-by')]: 'u' };
    const world = withAnnotations(aSettledWorld(), annotations);
    expect(actionsOf(world, 'remove-annotations')).toMatchObject([{ values: annotations }]);
  });

  test('for which nothing asks has no record: neither the first of a node, nor a plan that changes no order', () => {
    expect(recordsOf(aWorld())).toEqual([]);
    expect(recordsOf(aSettledWorld())).toEqual([]);
    expect(recordsOf(withAnnotations(aSettledWorld(), { [key('holdoff')]: '' }))).toEqual([]);
  });

  test('after an update is on record as that of who held the node', () => {
    const at = (current: string, desired: string, state: string) => {
      const node = machineConfigured(aNode('a'), current, desired, state);
      const written = { 'f:machineconfiguration.openshift.io/state': {} };
      const managedFields = [
        { manager: 'machine-config-daemon', fieldsV1: { 'f:metadata': { 'f:annotations': written } } },
      ];
      return { ...node, metadata: { ...node.metadata, managedFields } };
    };
    const before = settle(aWorld({ nodes: [at('x', 'x', 'Done')] }));
    const during = carriedOut({ ...before, nodes: [at('x', 'y', 'Working')] });
    const [record] = recordsOf({ ...during, nodes: [at('y', 'y', 'Done')] });
    expect(contentOf(record)).toMatchObject({
      reason: 'NodeUpdate',
      detail: 'from x to y',
      who: 'machine-config-daemon',
      withoutFindings: ['a'],
    });
  });
});

const order = (changes: Partial<BaselineOrder> = {}): BaselineOrder => ({
  id: 'o',
  reason: 'Demand',
  requestedAt: NOW.toISOString(),
  ...changes,
});
const rebased = (nodeName: string, status: Partial<FileIntegrityNodeStatus> = {}, who = 'u'): Rebased => ({
  before: { metadata: {}, nodeName, ...status },
  order: order(),
  who,
});
const failed = { lastResult: { condition: 'Failed', lastProbeTime: NOW.toISOString(), filesAdded: 1 } } as const;
const only = (nodes: readonly Rebased[]) => {
  const [record] = planRecords(anIntegrity(), nodes);
  if (!record) throw new Error('no record');
  return record;
};

test('a record names the kept failure by what does not change: the name that it has for good, number and digest', () => {
  const lastProbeTime = NOW.toISOString();
  const failures = [
    { sequence: 3, digest: 'x', configMapName: 'aide-worker-a-failed.3', lastProbeTime },
    { sequence: 2, digest: 'y', configMapName: 'aide-worker-a-failed', lastProbeTime },
  ];
  const keptFailure = (status: Partial<FileIntegrityNodeStatus>) =>
    contentOf(only([rebased('a', { ...failed, failures, ...status })])).nodes[0].keptFailure;
  const named = (sequence: number, digest: string) => ({
    configMapName: `aide-worker-a-failed.${sequence}`,
    newestConfigMapName: 'aide-worker-a-failed',
    sequence,
    digest,
  });
  const resultConfigMapName = 'aide-worker-a-failed';
  // Of an earlier version, which says not which one it is.
  expect(keptFailure({ lastResult: { ...failed.lastResult, resultConfigMapName } })).toEqual(named(3, 'x'));
  // Found again, before another.
  const again = { ...failed.lastResult, resultConfigMapName, failureSequence: 2, failureDigest: 'y' };
  const failure = { since: lastProbeTime, lastProbeTime, sequence: 2, digest: 'y' };
  expect(keptFailure({ lastResult: again, failure })).toEqual(named(2, 'y'));
  expect(keptFailure({ lastResult: { ...again, condition: 'Errored' }, failure })).toEqual(named(2, 'y'));
  // One that no report is kept of is none of these.
  expect(keptFailure({})).toBeUndefined();
});

test('a record has mounts that were accepted', () => {
  const errorMessage = 'Mounts are otherwise than at the baseline: /etc/passwd is a mount now (/x of ext4 8:1).';
  const lastResult = { ...failed.lastResult, mountChanges: 1, errorMessage };
  expect(contentOf(only([rebased('a', { lastResult })])).nodes[0].lastResult).toMatchObject({
    mountChanges: 1,
    errorMessage,
  });
});

test('nodes of different reasons, or of different askers, have records of their own', () => {
  const nodes = [rebased('a'), rebased('b'), rebased('c', {}, 'v'), { ...rebased('d'), order: order({ detail: 'x' }) }];
  const records = planRecords(anIntegrity(), nodes);
  expect(records.map((record) => record.nodes.map(({ before }) => before.nodeName))).toEqual([
    ['a', 'b'],
    ['c'],
    ['d'],
  ]);
  expect(new Set(records.map(({ id }) => id)).size).toBe(3);
});

test('a record that has no room for all has those with findings first, and says how many it left out', () => {
  const quiet = Array.from({ length: 200 }, (_, index) => rebased(`quiet-${index}`));
  const noisy = Array.from({ length: 10 }, (_, index) => rebased(`noisy-${index}`, failed));
  const record = only([...quiet, ...noisy]);
  const bytes = 4096;
  expect(Buffer.byteLength(recordMap(record, bytes).data?.[RECORD_KEY] ?? '')).toBeLessThanOrEqual(bytes);
  const content = contentOf(record, bytes);
  expect(content.nodes).toHaveLength(10);
  expect(content.withoutFindings.length).toBeGreaterThan(20);
  expect(content.leftOut).toBe(200 - content.withoutFindings.length);
});

describe('a record that is there', () => {
  const text = (nodes: readonly Rebased[], bytes?: number) => recordMap(only(nodes), bytes).data?.[RECORD_KEY];
  const lacking = (nodes: readonly Rebased[], now: readonly Rebased[], bytes?: number) =>
    lackingIn(text(nodes, bytes), only(now)).map(({ before }) => before.nodeName);

  test('lacks nothing when it is of the same nodes, also when they were scanned again or have no findings any more', () => {
    const nodes = [rebased('a'), rebased('b', failed)];
    const later = { lastResult: { ...failed.lastResult, lastProbeTime: '2026-11-25T00:00:00Z' } };
    expect(lacking(nodes, [rebased('a'), rebased('b', later)])).toEqual([]);
    expect(lacking(nodes, [rebased('a'), rebased('b')])).toEqual([]);
  });

  test('lacks a node that it does not name, and findings that came after it', () => {
    const more = { lastResult: { ...failed.lastResult, filesAdded: 2 } };
    expect(
      lacking([rebased('a'), rebased('b', failed)], [rebased('a', failed), rebased('b', more), rebased('c')]),
    ).toEqual(['a', 'b', 'c']);
  });

  test('is not asked of when it is full, or cannot be read', () => {
    expect(lacking([rebased('a'), rebased('b'.repeat(200))], [rebased('c')], 500)).toEqual([]);
    expect(lackingIn('{', only([rebased('a')]))).toEqual([]);
    expect(lackingIn(undefined, only([rebased('a')]))).toEqual([]);
  });
});
