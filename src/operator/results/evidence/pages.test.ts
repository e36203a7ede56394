import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { FILE_TYPES } from '../../../aide/findings.ts';
import { FINDINGS_VERSION, type FindingsHead, findingsPageSchema } from '../../../api/findings.ts';
import { makePages } from './pages.ts';

const recorded = readFileSync(join(import.meta.dirname, '../../../../test/fixtures/aide/0.19.1/differences.json'));
const head: FindingsHead = {
  apiVersion: FINDINGS_VERSION,
  kind: 'Findings',
  fileIntegrity: 'worker',
  node: 'a',
  message: 'm',
  scan: { startedAt: '2026-11-24T12:00:00Z', finishedAt: '2026-11-24T12:01:00Z' },
  baseline: { digest: 'd'.repeat(64), fault: 'Replaced' },
  unverified: true,
};
const live = new AbortController().signal;
const make = (texts: readonly string[], compressed = true) =>
  makePages(
    async function* () {
      yield* texts;
    },
    { compressed, isSmall: false },
    head,
    live,
  );

describe('pages of findings', () => {
  test('are made of base64 in pieces, and are what the schema says', async () => {
    const base64 = gzipSync(recorded).toString('base64');
    const half = Math.floor(base64.length / 8) * 4;
    const { pages = [] } = await make([base64.slice(0, half), base64.slice(half)]);
    expect(pages).toHaveLength(1);
    const page = findingsPageSchema.parse(JSON.parse(pages[0] ?? ''));
    expect(page).toMatchObject({ ...head, page: 1, pages: 1, listed: { added: 1, changed: 6, removed: 1 } });
    expect(page.findings).toHaveLength(8);
  });

  test('are made of plain text as well', async () => {
    const text =
      '{"start_time":"x","number_of_entries":{"total":3,"added":1,"removed":0,"changed":0},"added":{"/hostroot/a":"f+"},"removed":{},"changed":{},"details":{},"end_time":"y"}';
    const { pages = [] } = await make([text.slice(0, 50), text.slice(50)], false);
    expect(findingsPageSchema.parse(JSON.parse(pages[0] ?? '')).findings).toEqual([
      { path: '/a', change: 'added', type: 'file', attributes: [] },
    ]);
  });

  test('know the same types of files as the schema', () => {
    expect(findingsPageSchema.shape.findings.element.shape.type.options).toEqual([...FILE_TYPES]);
  });
});

describe('there are none, and it is said why, of', () => {
  const gzip = (text: string | Buffer) => [gzipSync(text).toString('base64')];

  test.each([
    ['what is no gzip', ['not gzip at all'], 'REPORT_UNREADABLE'],
    ['gzip that ends early', [gzipSync(recorded).subarray(0, 500).toString('base64')], 'REPORT_UNREADABLE'],
    ['nothing', gzip(''), 'REPORT_EMPTY'],
    ['what is no JSON', gzip('{"a"'), 'REPORT_INCOMPLETE'],
    ['another JSON', gzip('{"added": 1}'), 'REPORT_INCOMPLETE'],
    [
      'a report that contradicts itself',
      gzip(String(recorded).replace('"added": 1', '"added": 2')),
      'REPORT_INCONSISTENT',
    ],
  ])('%s', async (_, texts, code) => {
    expect((await make(texts)).problem).toMatch(new RegExp(`^${code}: `));
  });

  test('a bomb, which is read no further than a report of its size could go', async () => {
    const blank = Buffer.alloc(64 * 1024 * 1024, ' ');
    const bomb = Buffer.concat(Array.from({ length: 40 }, () => gzipSync(blank, { level: 1 })));
    const before = process.memoryUsage().rss;
    const cpu = process.cpuUsage();
    expect((await make([bomb.toString('base64')])).problem).toMatch(/^REPORT_(UNREADABLE|TOO_LARGE): /);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    expect(process.cpuUsage(cpu).user).toBeLessThan(20_000_000);
  });
});

test('what reading a part throws is thrown, and those behind it have their turn', async () => {
  const refused = new Error('no');
  const broken = makePages(
    async function* () {
      yield gzipSync(recorded).toString('base64').slice(0, 400);
      throw refused;
    },
    { compressed: true, isSmall: false },
    head,
    live,
  );
  const next = make([gzipSync(recorded).toString('base64')]);
  await expect(broken).rejects.toBe(refused);
  expect((await next).pages).toHaveLength(1);
});

test('an operator that is stopped makes no more', async () => {
  const stopped = makePages(
    async function* () {},
    { compressed: true, isSmall: false },
    head,
    AbortSignal.abort(new Error('stopped')),
  );
  await expect(stopped).rejects.toThrow('stopped');
});
