import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { expect, test } from 'vitest';
import { aResultsWorld, aScan, aSlot } from '../../../../test/support/result-worlds.ts';
import type { ScanOutcome } from '../../../api/protocol.ts';
import { planResults } from '../verdict/plan.ts';
import { findingOf } from './finding.ts';

const read = (name: string) =>
  readFileSync(new URL(`../../../../test/fixtures/aide/0.19.1/${name}`, import.meta.url), 'latin1');
const text = read('differences.txt');
const json = read('differences.json');

const FAILED = { verdict: 'Failed', counts: { added: 1, changed: 6, removed: 1 } } as const;

/** The digest of what a message says, in the one config map that it has. */
async function finding(data: Record<string, string>, scan: Partial<ScanOutcome> = {}, isCompressed = false) {
  const annotations = isCompressed ? { 'file-integrity.openshift.io/compressed': '' } : {};
  const slot: ConfigMap = aSlot(aScan({ ...FAILED, ...scan }), { annotations }, data);
  const { keep } = planResults(aResultsWorld({ slot }));
  if (!keep) throw new Error('nothing is kept');
  return await findingOf(keep, Readable.from([slot]));
}

const later = (said: string) => said.replaceAll('03:04:19', '23:59:00').replaceAll('0m 0s', '12m 8s');
const reported = { integritylog: text, 'report.json': json };
const gzip = (said: string) => gzipSync(Buffer.from(said, 'latin1')).toString('base64');

test('the same is found whenever it is', async () => {
  const again = {
    integritylog: later(text),
    'report.json': later(json).replace('"run_time_seconds": 0', '"run_time_seconds": 728'),
  };
  expect(await finding(again, { id: 'scan-2', startedAt: '2026-11-24T11:00:00Z' })).toBe(await finding(reported));
});

test('a report is the same finding compressed as it is, and one that cannot be unpacked is none', async () => {
  const packed = { integritylog: gzip(text), 'report.json': gzip(json) };
  const same = { integritylog: gzip(later(text)), 'report.json': gzip(later(json)) };
  expect(await finding(packed, {}, true)).toBe(await finding(same, {}, true));
  expect(await finding({ ...packed, integritylog: packed.integritylog.slice(0, -40) }, {}, true)).toBeUndefined();
  expect(await finding({ ...packed, 'report.json': 'bm8gZ3ppcA==' }, {}, true)).toBeUndefined();
});

test.each<[string, Record<string, string>, Partial<ScanOutcome>?]>([
  ['another value in the text', { ...reported, integritylog: text.replace('-rwsr-xr-x', '-rwxr-xr-x') }],
  ['another value in the JSON', { ...reported, 'report.json': json.replace('-rwsr-xr-x', '-rwxr-xr-x') }],
  ['something hidden behind a second line about time', { ...reported, integritylog: `${text}Start timestamp: x\n` }],
  [
    'something hidden in a long line about time',
    { ...reported, integritylog: text.replace('AIDE 0.19.1', 'x'.repeat(200)) },
  ],
  ['no JSON', { integritylog: text }],
  ['no report', {}],
  ['another baseline', reported, { baselineDigest: 'e'.repeat(64) }],
  ['other counts', reported, { counts: { added: 2, changed: 6, removed: 1 } }],
  ['changed mounts', reported, { mountChanges: 1, errorMessage: '/x is mounted' }],
])('%s is another finding', async (_, data, scan) => {
  expect(await finding(data, scan)).not.toBe(await finding(reported));
});
