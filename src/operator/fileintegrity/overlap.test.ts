import { expect, test } from 'vitest';
import {
  aNode,
  anIntegrity,
  aSettledWorld,
  carriedOut,
  minutesBefore,
  ordersOf,
  verbs,
} from '../../../test/support/operator-worlds.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { filesOn, type Other, othersThan, sharedNodes } from './overlap.ts';

const named = (name: string, createdMinutesAgo: number, spec = {}) => {
  const integrity = anIntegrity(spec);
  const metadata = {
    ...integrity.metadata,
    name,
    uid: `uid-of-${name}`,
    creationTimestamp: minutesBefore(createdMinutesAgo),
  };
  return { ...integrity, metadata };
};
const statusOf = (integrity: string, nodeName: string, files?: string): FileIntegrityNodeStatus => ({
  metadata: {
    name: `${integrity}-${nodeName}`,
    namespace: 'fio',
    ownerReferences: [{ apiVersion: 'v1', kind: 'FileIntegrity', name: integrity, uid: `uid-of-${integrity}` }],
  },
  nodeName,
  orders: {
    settings: { gracePeriod: 10, maxBackups: 1, debug: false },
    configuration: { name: integrity, key: 'aide.conf', digest: '' },
    ...(files !== undefined && { files }),
    baseline: { id: 'initial-1', reason: 'Initial', requestedAt: minutesBefore(1) },
  },
});
const nodes = [aNode('a'), aNode('b')];
const older = named('older', 60);
const younger = named('younger', 30);
const seenBy = (one: typeof older, others: (typeof older)[], statuses: FileIntegrityNodeStatus[] = []): Other[] =>
  othersThan(one, [one, ...others], statuses, nodes);

test('a FileIntegrity that is alone has the names of the contract', () => {
  expect(filesOn('a', older, undefined, [])).toBe('aide');
});

test('of two that begin at once the older has the names of the contract', () => {
  expect(filesOn('a', older, undefined, seenBy(older, [younger]))).toBe('aide');
  expect(filesOn('a', younger, undefined, seenBy(younger, [older]))).toBe('aide.younger');
});

test('of two that are as old as each other exactly one has the names of the contract', () => {
  const twin = named('twin', 60);
  const files = [
    filesOn('a', older, undefined, seenBy(older, [twin])),
    filesOn('a', twin, undefined, seenBy(twin, [older])),
  ];
  expect(files.filter((each) => each === 'aide')).toHaveLength(1);
});

test('who is there first keeps them, also when an older one comes later', () => {
  const standing = statusOf('younger', 'a');
  expect(filesOn('a', younger, standing, seenBy(younger, [older]))).toBe('aide');
  expect(filesOn('a', older, undefined, seenBy(older, [younger], [standing]))).toBe('aide.older');
});

test('two that are there already under the same names are told apart: the younger moves', () => {
  const both = [statusOf('older', 'a'), statusOf('younger', 'a')] as const;
  expect(filesOn('a', older, both[0], seenBy(older, [younger], [...both]))).toBe('aide');
  expect(filesOn('a', younger, both[1], seenBy(younger, [older], [...both]))).toBe('aide.younger');
});

test('names of its own stay when the other is gone', () => {
  expect(filesOn('a', younger, statusOf('younger', 'a', 'aide.younger'), [])).toBe('aide.younger');
});

test('one that watches other nodes, is being deleted, or is in another namespace takes nothing', () => {
  const elsewhere = named('elsewhere', 60, { nodeSelector: { pool: 'other' } });
  const ending = { ...older, metadata: { ...older.metadata, deletionTimestamp: minutesBefore(1) } };
  const foreign = { ...older, metadata: { ...older.metadata, namespace: 'other' } };
  for (const other of [elsewhere, ending, foreign]) {
    expect(filesOn('a', younger, undefined, seenBy(younger, [other]))).toBe('aide');
    expect(sharedNodes(seenBy(younger, [other]), nodes)).toEqual(new Map());
  }
});

test('the shared nodes are told by the other FileIntegrity', () => {
  const one = named('one', 60, { nodeSelector: { pool: 'x' } });
  const cluster = [aNode('a', { pool: 'x' }), aNode('b')];
  const others = othersThan(younger, [younger, one, older], [], cluster);
  expect(sharedNodes(others, cluster)).toEqual(
    new Map([
      ['one', ['a']],
      ['older', ['a', 'b']],
    ]),
  );
});

test('a name that is too long for a file becomes a short one', () => {
  const long = named('x'.repeat(253), 1);
  expect(filesOn('a', long, undefined, seenBy(long, [older]))).toMatch(/^aide\.x{52}-[0-9a-f]{10}$/);
});

test('files of its own come with a new baseline, once', () => {
  const settled = aSettledWorld();
  const rival = named('rival', 600);
  const others = othersThan(settled.integrity, [settled.integrity, rival], [statusOf('rival', 'a')], settled.nodes);
  const world = carriedOut({ ...settled, others });
  expect(ordersOf(world, 'a')).toMatchObject({ files: 'aide.worker', baseline: { reason: 'Configuration' } });
  expect(ordersOf(world, 'a')?.baseline.id).toMatch(/^files-/);
  expect(ordersOf(world, 'b')?.files).toBeUndefined();
  expect(verbs(world).filter((verb) => verb === 'apply-node-status')).toEqual([]);
});
