import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  anIntegrity,
  aSettledWorld,
  carriedOut,
  NOW,
  verbs,
} from '../../../test/support/operator-worlds.ts';
import { RECORD_KEY } from '../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineClosing, BaselineOrder, BaselineReceipt } from '../../api/protocol.ts';
import { memoryOf } from '../orders/orders.ts';
import { type ClosingRecord, closingMap, planClosings } from './closing.ts';

const ORDER: BaselineOrder = {
  id: 'order-2',
  reason: 'Demand',
  requestedAt: NOW.toISOString(),
  detail: 'asked for by u',
};
const found: BaselineClosing = {
  scan: 's',
  verdict: 'Failed',
  counts: { added: 1, changed: 2, removed: 3 },
  kept: { configMapName: 'aide-worker-a-failed', sequence: 2, digest: 'x' },
  at: NOW.toISOString(),
};

function receiptOf(orderId: string, closing: BaselineClosing): BaselineReceipt {
  const facts = { entries: 1, aideVersion: '0.19.1', bootId: 'b', createdAt: NOW.toISOString() };
  return { orderId, digest: 'd', configurationDigest: 'c', reason: 'Demand', ...facts, closing };
}

/** A node with this order, whose baseline is of it unless it is said. */
function rebased(
  nodeName: string,
  closing: BaselineClosing = found,
  orderId = ORDER.id,
  order: BaselineOrder = ORDER,
): FileIntegrityNodeStatus {
  const orders = {
    settings: { gracePeriod: 900, maxBackups: 5, debug: false },
    configuration: { name: 'worker', key: 'aide.conf', digest: 'c' },
    baseline: order,
  };
  return { metadata: {}, nodeName, orders, baseline: receiptOf(orderId, closing) };
}

const plan = (statuses: readonly FileIntegrityNodeStatus[], now = NOW, noted?: string) =>
  planClosings(anIntegrity(), statuses, () => noted, now);
const contentOf = (record: ClosingRecord | undefined, bytes?: number) =>
  JSON.parse((record && closingMap(record, bytes).data?.[RECORD_KEY]) ?? '');

describe('what new baselines accepted', () => {
  test('is on record in one place for all nodes of an order, linked with what was kept', () => {
    const { records, noted } = plan([rebased('a'), rebased('b')]);
    // By what does not change once there is a newer failure.
    const kept = (node: string) => ({
      configMapName: `aide-worker-${node}-failed.2`,
      newestConfigMapName: `aide-worker-${node}-failed`,
      sequence: 2,
      digest: 'x',
    });
    expect(records).toHaveLength(1);
    expect(contentOf(records[0])).toMatchObject({
      kind: 'Acceptance',
      fileIntegrity: 'worker',
      reason: 'Demand',
      detail: 'asked for by u',
      nodes: [
        { node: 'a', order: 'order-2', accepted: { ...found, kept: kept('a') }, baselineDigest: 'd' },
        { node: 'b', order: 'order-2', accepted: { ...found, kept: kept('b') } },
      ],
      leftOut: 0,
    });
    expect([...noted]).toEqual([
      ['a', 'order-2'],
      ['b', 'order-2'],
    ]);
  });

  test('waits for the other nodes of the order, and no longer than a minute', () => {
    const quiet: BaselineClosing = { scan: 's', verdict: 'Succeeded', at: NOW.toISOString() };
    const statuses = [rebased('a'), rebased('b', quiet, 'order-1')];
    const early = plan(statuses);
    expect(early.records).toEqual([]);
    expect(early.at).toEqual(new Date(NOW.getTime() + 60_000));
    const late = plan(statuses, new Date(NOW.getTime() + 60_000));
    expect(contentOf(late.records[0]).nodes).toMatchObject([{ node: 'a' }]);
  });

  test('is nothing where nothing differed, and is written once', () => {
    expect(plan([rebased('a', { scan: 's', verdict: 'Succeeded', at: NOW.toISOString() })]).records).toEqual([]);
    expect(plan([rebased('a')], NOW, 'order-2').records).toEqual([]);
    expect(plan([rebased('a', { uncompared: 'It could not be done.', at: NOW.toISOString() })]).records).toHaveLength(
      1,
    );
  });

  test('has the same name when it is planned again, and room for as many nodes as go', () => {
    const nodes = Array.from({ length: 100 }, (_, index) => rebased(`node-${index}`));
    const [one] = plan(nodes).records;
    const [other] = plan([...nodes].reverse()).records;
    expect(one?.name).toBe(other?.name);
    const content = contentOf(one, 4096);
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(4096);
    expect(content.leftOut).toBe(100 - content.nodes.length);
  });

  test('is written before it is remembered, and then no more', () => {
    const settled = aSettledWorld();
    const status = settled.statuses.get('a');
    const baseline = { ...receiptOf(status?.orders?.baseline.id ?? '', found), reason: 'Initial' } as const;
    const statuses = new Map([...settled.statuses]);
    if (status) statuses.set('a', { ...status, baseline });
    const world = { ...settled, statuses };
    expect(verbs(world)).toEqual(['write-closing-record', 'apply-node-status']);
    const [apply] = actionsOf(world, 'apply-node-status');
    expect(memoryOf(apply?.object).accepted).toBe(baseline.orderId);
    expect(verbs(carriedOut(world)).filter((verb) => verb === 'write-closing-record')).toEqual([]);
  });
});
