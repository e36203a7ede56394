import { expect, test } from 'vitest';
import type { ScanOutcome } from '../../api/protocol.ts';
import { sameness } from './sameness.ts';

const scan = (changes: Partial<ScanOutcome>): ScanOutcome => ({
  kind: 'scan',
  id: 'scan-1',
  node: 'a',
  verdict: 'Succeeded',
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: '2026-01-01T00:00:01Z',
  configurationDigest: 'c',
  ...changes,
});
const unseen = (digest: string) => ({ count: 1, digest, paths: [] });

test('a scan without findings says something else with more or less in sight', () => {
  const all = sameness(scan({}), undefined);
  const [one, other] = ['1', '2'].map((digest) => sameness(scan({ unseen: unseen(digest) }), undefined));
  expect(new Set([all, one, other]).size).toBe(3);
  expect(sameness(scan({ id: 'scan-2', unseen: unseen('1') }), undefined)).toBe(one);
});

test('one with findings says the same: its report is not sent again for what is in sight', () => {
  const failed = scan({ verdict: 'Failed' });
  expect(sameness({ ...failed, unseen: unseen('1') }, 'f')).toBe(sameness(failed, 'f'));
});
