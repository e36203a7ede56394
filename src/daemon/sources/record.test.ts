import { expect, test } from 'vitest';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Orders } from '../../api/protocol.ts';
import { recordOf } from './record.ts';

const orders: Orders = {
  settings: { gracePeriod: 60, maxBackups: 5, debug: false },
  configuration: { name: 'worker', key: 'aide.conf', digest: 'c1' },
  baseline: { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' },
};
const statusOf = (fields: Partial<FileIntegrityNodeStatus>): FileIntegrityNodeStatus => ({
  metadata: { name: 'worker-node-a', namespace: 'x' },
  nodeName: 'node-a',
  ...fields,
});

test('a record has of a node status what a daemon goes by, and of none nothing', () => {
  const baseline = {
    orderId: 'order-1',
    digest: 'd1',
    entries: 7,
    configurationDigest: 'c1',
    aideVersion: '0.19.1',
    bootId: 'b',
    reason: 'Initial',
    createdAt: '2026-01-01T00:00:00Z',
  } as const;
  expect(recordOf(undefined)).toEqual({});
  expect(recordOf(statusOf({}))).toEqual({});
  expect(recordOf(statusOf({ orders, baseline, acknowledged: 'run-1' }))).toEqual({
    orders,
    baseline: { orderId: 'order-1', digest: 'd1', entries: 7, configurationDigest: 'c1', bootId: 'b' },
    acknowledged: 'run-1',
  });
});

test.each(['aide', 'aide.worker', 'aide.a.b-c.d', `aide.${'x'.repeat(63)}`])(
  'orders may name the files %s',
  (files) => {
    expect(recordOf(statusOf({ orders: { ...orders, files } }))).toEqual({ orders: { ...orders, files } });
  },
);

test.each([
  '',
  'shadow',
  'aide.',
  'aidex',
  'aide-worker',
  '../aide',
  'aide./../../shadow',
  'aide.Worker',
  'aide.a_b',
  'aide.x\n',
  `aide.${'x'.repeat(64)}`,
])('orders that name the files %j are not carried out, and say so', (files) => {
  const record = recordOf(statusOf({ orders: { ...orders, files }, acknowledged: 'run-1' }));
  expect(record).toEqual({ acknowledged: 'run-1', refused: expect.stringContaining('are not carried out') });
});
