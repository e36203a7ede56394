import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FioError } from '../lib/errors.ts';
import type { ScanOutcome } from './protocol.ts';
import { parseOutcome } from './protocol.ts';

const scan: ScanOutcome = {
  kind: 'scan',
  id: 'a1',
  node: 'node-1',
  verdict: 'Failed',
  startedAt: '2026-11-24T10:00:00Z',
  finishedAt: '2026-11-24T10:00:09.5Z',
  exitStatus: 7,
  counts: { added: 1, changed: 1, removed: 1 },
  entries: 30_000,
  baselineDigest: 'a'.repeat(64),
  configurationDigest: 'b'.repeat(64),
};

const MOUNT = { path: '/a', type: 'ext4', root: '/', device: '8:1' };
const receiptWith = (...mounts: object[]) =>
  JSON.stringify({
    kind: 'baseline',
    id: 'a1',
    node: 'node-1',
    receipt: {
      orderId: 'order-1',
      digest: 'a'.repeat(64),
      entries: 7,
      configurationDigest: 'b'.repeat(64),
      aideVersion: '0.19.1',
      bootId: 'boot',
      reason: 'Initial',
      mounts: { count: 1, digest: 'c'.repeat(64), mounts },
      createdAt: '2026-11-24T10:00:00Z',
    },
  });

const code = (text: string): string => {
  try {
    parseOutcome(text);
    return 'read';
  } catch (error) {
    return error instanceof FioError ? error.code : 'another error';
  }
};

describe("a daemon's message", () => {
  test('is read as it was written', () => {
    expect(parseOutcome(JSON.stringify(scan))).toEqual(scan);
  });

  test.each([
    ['is not JSON', '{'],
    ['is of an unknown kind', JSON.stringify({ ...scan, kind: 'gossip' })],
    ['has a verdict that does not exist', JSON.stringify({ ...scan, verdict: 'Fine' })],
    ['counts below zero', JSON.stringify({ ...scan, counts: { added: -1, changed: 0, removed: 0 } })],
    ['has an id that cannot be shown', JSON.stringify({ ...scan, id: 'a\u202eb' })],
    ['has an id that no API server gives back as it was', JSON.stringify({ ...scan, id: 'a\ud800' })],
    ['has no time', JSON.stringify({ ...scan, finishedAt: 'yesterday' })],
    ['has a mount whose name is no plain text', receiptWith({ path: '/a b', type: 't', root: '/', device: '0:1' })],
    ['has a mount without a kind', receiptWith({ path: '/a', root: '/', device: '0:1' })],
    ['has many mounts', receiptWith(...Array.from({ length: 65 }, () => MOUNT))],
    ['is too long', JSON.stringify({ ...scan, errorMessage: 'x'.repeat(20_000) })],
  ])('that %s is refused with a code', (_, text) => {
    expect(code(text)).toBe('OUTCOME_UNREADABLE');
  });

  test('is read with the mounts of its baseline', () => {
    expect(parseOutcome(receiptWith(MOUNT))).toMatchObject({ receipt: { mounts: { mounts: [MOUNT] } } });
  });

  test('of any JSON is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(['read', 'OUTCOME_UNREADABLE']).toContain(code(JSON.stringify(value)));
      }),
    );
  });

  test('loses fields that nobody knows', () => {
    expect(parseOutcome(JSON.stringify({ ...scan, extra: 1 }))).toEqual(scan);
  });
});
