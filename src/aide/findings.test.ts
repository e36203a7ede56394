import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FINDINGS_LIMITS, type Finding, findingsPages, PAGE_BYTES, PAGES } from './findings.ts';
import { decodeBytes } from './json-stream.ts';
import { showPath } from './path.ts';
import { readReportStream } from './report.ts';
import type { FileChange, Report } from './report-types.ts';

interface Page {
  page: number;
  pages: number;
  totals: Report['counts'];
  listed: Report['counts'];
  findings: Finding[];
}
const parsed = (texts: readonly string[]): Page[] => texts.map((text) => JSON.parse(text));
const changed = (path: string, changes: Partial<FileChange> = {}): FileChange => ({
  path,
  change: 'changed',
  summary: 'f   p..    ..A.    ',
  attributes: [{ name: 'perm', old: ['-rw-r--r--'], new: ['-rwsr-xr-x'] }],
  ...changes,
});
function report(files: readonly FileChange[], counts: Partial<Report['counts']> = {}): Report {
  const count = (change: FileChange['change']) => files.filter((file) => file.change === change).length;
  const all = { added: count('added'), changed: count('changed'), removed: count('removed'), ...counts };
  return { entries: 10, counts: all, files, omitted: 0, databases: [] };
}
const one = (file: FileChange) => parsed(findingsPages(report([file]), {}))[0]?.findings[0];
const recorded = (name: string) =>
  readReportStream(
    Readable.from([readFileSync(join(import.meta.dirname, '../../test/fixtures/aide/0.19.1', name))]),
    FINDINGS_LIMITS,
  );

describe('a recorded report', () => {
  test('of hostile names becomes findings with the node’s own paths, which are plain to see', async () => {
    const reading = await recorded('differences.json');
    if (!reading.ok) throw new Error(reading.code);
    const [page, ...others] = parsed(findingsPages(reading.report, { node: 'a' }));
    expect(others).toEqual([]);
    expect(page).toMatchObject({ node: 'a', page: 1, pages: 1, totals: { added: 1, changed: 6, removed: 1 } });
    expect(page?.listed).toEqual(page?.totals);
    expect(page?.findings.map(({ change, path }) => `${change} ${path}`)).toEqual([
      'added /etc/quote"and\\\\backslash',
      'removed /etc/line\\x0aTotal number of entries:\\x090\\x0a  Added entries:\\x09\\x090',
      'changed /etc/\\x1b[31mred\\x07\\x1f\\x7f',
      'changed /etc/": "f", "number_of_entries": {"total": 0}, "x',
      'changed /etc/latin\\xe9\\xff1',
      expect.stringMatching(/^changed \/etc\/(long)+$/),
      'changed /etc/ship\\u202egpj.exe',
      'changed /usr/bin/login',
    ]);
    expect(page?.findings.at(-1)).toEqual({
      path: '/usr/bin/login',
      change: 'changed',
      type: 'file',
      attributes: [
        { name: 'perm', old: '-rw-r--r--', new: '-rwsr-xr-x' },
        {
          name: 'acl',
          old: 'A: user::rw-\nA: group::r--\nA: other::r--',
          new: 'A: user::rwx\nA: group::r-x\nA: other::r-x',
        },
      ],
    });
  });

  test('without differences becomes one page without findings', async () => {
    const reading = await recorded('quiet.json');
    if (!reading.ok) throw new Error(reading.code);
    expect(parsed(findingsPages(reading.report, {}))).toMatchObject([{ page: 1, pages: 1, findings: [] }]);
  });
});

describe('a path', () => {
  test('that is plain has no bytes beside it, and one that is not has its own', () => {
    expect(one(changed('/hostroot/etc/naïve'))).not.toHaveProperty('pathBytes');
    const bytes = Buffer.from('/etc/latin\xe9\n\\', 'latin1');
    const finding = one(changed(`/hostroot${decodeBytes(bytes)}`));
    expect(finding?.path).toBe('/etc/latin\\xe9\\x0a\\\\');
    expect(Buffer.from(finding?.pathBytes ?? '', 'base64').equals(bytes)).toBe(true);
  });

  test('of any bytes can be had back, from its bytes and from what is shown', () => {
    const byte = fc.oneof(
      fc.constantFrom(0x5c, 0x78, 0x75, 0x31, 0xe2, 0x80, 0xae, 0xc2, 0x85),
      fc.integer({ min: 1, max: 255 }),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), (all) => {
        const bytes = Buffer.from([0x2f, ...all]);
        const finding = one(changed(decodeBytes(bytes)));
        expect(
          Buffer.from(finding?.pathBytes ?? Buffer.from(finding?.path ?? '').toString('base64'), 'base64'),
        ).toEqual(bytes);
        expect(unescaped(finding?.path ?? '')).toEqual(bytes);
        expect(finding?.path).toMatch(/^[^\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['/hostroot', '/'],
    ['/hostroot/etc', '/etc'],
    ['/hostrooted', '/hostrooted'],
  ])('%s is the node’s %s', (path, shown) => {
    expect(one(changed(path))?.path).toBe(shown);
  });

  test('longer than any is left out, and counted as not listed', () => {
    const [page] = parsed(findingsPages(report([changed(`/${'x'.repeat(9000)}`), changed('/etc/a')]), {}));
    expect(page?.findings).toHaveLength(1);
    expect(page).toMatchObject({ totals: { changed: 2 }, listed: { changed: 1 } });
  });
});

test.each([
  ['f++++++++++++++++++', 'file'],
  ['d   ...', 'directory'],
  ['l', 'link'],
  ['!', 'changed'],
  ['?', 'other'],
  ['', 'other'],
  ['__proto__', 'other'],
])('the summary %j is of a %s', (summary, type) => {
  expect(one(changed('/a', { summary }))?.type).toBe(type);
});

describe('a value', () => {
  const attributeWith = (lines: string[]) =>
    one(changed('/a', { attributes: [{ name: 'acl', new: lines }] }))?.attributes[0];

  test('is safe to show, and its lines are told apart from line breaks in it', () => {
    expect(attributeWith(['a\u001b[2J\nb', 'c\u202e'])).toEqual({ name: 'acl', new: 'a\\x1b[2J\\x0ab\nc\\u202e' });
  });

  test.each([
    ['one long line', ['x'.repeat(2000)]],
    ['many lines', Array.from({ length: 300 }, () => 'x'.repeat(10))],
    ['lines of which the reader had no room for all', ['a', '…']],
  ])('that is too long is cut, and says so: %s', (_, lines) => {
    const value = attributeWith(lines);
    expect(value?.cut).toBe(true);
    expect(value?.new?.length).toBeLessThanOrEqual(1024);
  });
});

describe('pages', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => changed(`/etc/${index}`));

  test('are as many as needed, each within its size, and have every finding once, in order', () => {
    const texts = findingsPages(report(many(500)), { node: 'a' }, { bytes: 16 * 1024 });
    const pages = parsed(texts);
    expect(pages.length).toBeGreaterThan(3);
    for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16 * 1024);
    expect(pages.map(({ page }) => page)).toEqual(pages.map((_, index) => index + 1));
    expect(new Set(pages.map((page) => page.pages))).toEqual(new Set([pages.length]));
    expect(pages.flatMap(({ findings }) => findings.map(({ path }) => path))).toEqual(
      many(500).map(({ path }) => path),
    );
  });

  test('that have no room for all say on each how many there are and how many they have', () => {
    const pages = parsed(findingsPages(report(many(500), { added: 7 }), {}, { bytes: 12 * 1024, pages: 2 }));
    expect(pages).toHaveLength(2);
    const count = pages.reduce((sum, { findings }) => sum + findings.length, 0);
    for (const page of pages) {
      expect(page).toMatchObject({ totals: { added: 7, changed: 500 }, listed: { added: 0, changed: count } });
    }
  });

  test('of the largest report stay within their bounds, and noise of one kind hides none of another', async () => {
    const counts = { added: 60_000, removed: 10, changed: 60_000 };
    const names = (kind: string, count: number, value: string) =>
      Array.from({ length: count }, (_, index) => `"/hostroot/${kind}/${index}/${'é'.repeat(60)}": ${value}`).join(',');
    const value = `{"sha512": {"old": "${'o'.repeat(88)}", "new": "${'n'.repeat(88)}"}}`;
    const text = `{"start_time": "x", "number_of_entries": {"total": 9, "added": ${counts.added}, "removed": ${counts.removed}, "changed": ${counts.changed}},
      "added": {${names('a', counts.added, '"f+++"')}}, "removed": {${names('r', counts.removed, '"f---"')}},
      "changed": {${names('c', counts.changed, '"f  "')}}, "details": {${names('c', counts.changed, value)}}, "end_time": "y"}`;
    const reading = await readReportStream(Readable.from([Buffer.from(text)]), FINDINGS_LIMITS);
    if (!reading.ok) throw new Error(reading.code);
    const texts = findingsPages(reading.report, {});
    expect(texts.length).toBeLessThanOrEqual(PAGES);
    for (const page of texts) expect(Buffer.byteLength(page)).toBeLessThanOrEqual(PAGE_BYTES);
    const [page] = parsed(texts.slice(0, 1));
    expect(page?.totals).toEqual(counts);
    expect(page?.listed.removed).toBe(10);
    expect(page?.listed.added).toBeGreaterThan(15_000);
    expect(page?.listed.changed).toBeGreaterThan(15_000);
  });
});

/** The bytes that a shown path stands for. */
function unescaped(shown: string): Buffer {
  const parts = shown.split(/(\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\u\{[0-9a-f]+\})/);
  return Buffer.concat(
    parts.map((part) => {
      if (!part.startsWith('\\')) return Buffer.from(part);
      if (part === '\\\\') return Buffer.from('\\');
      const code = Number.parseInt(part.replace(/[^0-9a-f]/g, ''), 16);
      return part.startsWith('\\x') ? Buffer.of(code) : Buffer.from(String.fromCodePoint(code));
    }),
  );
}

test('what is shown of a path is what a person is shown elsewhere', () => {
  expect(one(changed('/a\u200b\\'))?.path).toBe(showPath('/a\u200b\\'));
});
