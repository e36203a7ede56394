import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FioError } from '../lib/errors.ts';
import type { ScanOutcome } from './outcome.ts';
import { parseOutcome } from './outcome-schema.ts';

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
    ['is too long', JSON.stringify({ ...scan, errorMessage: 'x'.repeat(20_000) })],
  ])('that %s is refused with a code', (_, text) => {
    expect(code(text)).toBe('OUTCOME_UNREADABLE');
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
