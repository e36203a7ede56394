import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ReportReading, readReportStream } from './report.ts';
import type { Report, ReportLimits } from './report-types.ts';

/** A report as AIDE writes one, from its sections as they are put down here. */
function report(sections: readonly string[], limits: ReportLimits = {}): Promise<ReportReading> {
  const text = `{"start_time": "s", ${sections.map((section) => `${section}, `).join('')}"end_time": "e"}`;
  return readReportStream(Readable.from([Buffer.from(text)]), limits);
}

function whole(reading: ReportReading): Report {
  if (!reading.ok) throw new Error(reading.code);
  return reading.report;
}

const COUNTS = '"number_of_entries": {"total": 9, "added": 1, "removed": 0, "changed": 0}';
const ADDED = '"added": {"/a": "f+++"}';

describe('a report is inconsistent', () => {
  test.each([
    ['with more files listed than counted', [COUNTS, '"added": {"/a": "f+++", "/b": "f+++"}']],
    ['with fewer files listed than counted', [COUNTS, '"added": {}']],
    ['with files of a kind that is not counted', [COUNTS, ADDED, '"removed": {"/b": "f---"}']],
    ['with counts twice', [COUNTS, COUNTS, ADDED]],
    ['with a list twice', [COUNTS, ADDED, ADDED]],
    ['with counts again behind the files', [COUNTS, ADDED, '"number_of_entries": {"total": 0}']],
    ['with a count twice', ['"number_of_entries": {"total": 9, "added": 0, "added": 1}', ADDED]],
    ['with a file twice', ['"number_of_entries": {"total": 9, "added": 2}', '"added": {"/a": "f+", "/a": "f+"}']],
    [
      'with a file that is both added and removed',
      ['"number_of_entries": {"total": 9, "added": 1, "removed": 1}', ADDED, '"removed": {"/a": "f-"}'],
    ],
    ['without a number of entries', [ADDED]],
    ['with a negative count', ['"number_of_entries": {"total": 9, "added": -1}', ADDED]],
    ['with a count that is no whole number', ['"number_of_entries": {"total": 9, "added": 1.5}', ADDED]],
    ['with a number of entries too large to be counted', ['"number_of_entries": {"total": 1e300}']],
    ['with an end before its end', [COUNTS, '"end_time": "early"', ADDED]],
  ])('%s', async (_name, sections) => {
    expect(await report(sections)).toMatchObject({ ok: false, code: 'REPORT_INCONSISTENT' });
  });
});

describe('a report is consistent', () => {
  test('with as many files as it counts', async () => {
    expect(whole(await report([COUNTS, ADDED])).files).toEqual([
      { path: '/a', change: 'added', summary: 'f+++', attributes: [] },
    ]);
  });

  test('without lists, as at a low report level', async () => {
    expect(whole(await report([COUNTS]))).toMatchObject({ counts: { added: 1 }, files: [], omitted: 0 });
  });

  test('with lists of names alone, as without summaries of changes', async () => {
    const { files } = whole(await report(['"number_of_entries": {"total": 9, "added": 2}', '"added": ["/a", "/b"]']));
    expect(files.map(({ path, summary }) => [path, summary])).toEqual([
      ['/a', ''],
      ['/b', ''],
    ]);
  });

  test('with what a later AIDE may add', async () => {
    const news = '"new_thing": {"added": {"/x": "f"}, "number_of_entries": {"total": 0}, "end_time": [[["x"]]]}';
    expect(whole(await report([news, COUNTS, ADDED]))).toMatchObject({ entries: 9, endedAt: 'e' });
  });

  test('with names that are words of JavaScript or of the report itself', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'number_of_entries', 'end_time', 'added'];
    const list = names.map((name) => `"${name}": "f"`).join();
    const details = names.map((name) => `"${name}": {"__proto__": {"old": "a", "new": "b"}}`).join();
    const sections = [`"number_of_entries": {"total": 9, "changed": ${names.length}}`, `"changed": {${list}}`];
    const { files } = whole(await report([...sections, `"details": {${details}}`]));
    expect(files.map(({ path }) => path)).toEqual(names);
    for (const { attributes } of files) expect(attributes).toEqual([{ name: '__proto__', old: ['a'], new: ['b'] }]);
  });
});

describe('details', () => {
  const changed = ['"number_of_entries": {"total": 9, "changed": 1}', '"changed": {"/a": "f"}'];

  test('of a file that is not listed are left out', async () => {
    const { files } = whole(await report([...changed, '"details": {"/b": {"perm": {"old": "x", "new": "y"}}}']));
    expect(files).toEqual([{ path: '/a', change: 'changed', summary: 'f', attributes: [] }]);
  });

  test('can have one side only', async () => {
    const details = '"details": {"/a": {"perm": {"old": "x"}, "uid": {"new": "0"}, "size": {"other": "1"}}}';
    const { files } = whole(await report([...changed, details]));
    expect(files[0]?.attributes).toEqual([
      { name: 'perm', old: ['x'] },
      { name: 'uid', new: ['0'] },
    ]);
  });

  test('with more lines than are kept say so', async () => {
    const lines = Array.from({ length: 300 }, (_value, line) => `"${line}"`).join();
    const { files } = whole(
      await report([...changed, `"details": {"/a": {"acl": {"old": [${lines}], "new": ["x"]}}}`]),
    );
    const [acl] = files[0]?.attributes ?? [];
    expect(acl?.old).toHaveLength(257);
    expect(acl?.old?.at(-1)).toBe('…');
    expect(acl?.new).toEqual(['x']);
  });

  test('have no more attributes than AIDE knows', async () => {
    const attributes = Array.from({ length: 100 }, (_value, number) => `"a${number}": {"old": "x"}`).join();
    const { files } = whole(await report([...changed, `"details": {"/a": {${attributes}}}`]));
    expect(files[0]?.attributes).toHaveLength(64);
  });
});

describe('a report is kept within bounds', () => {
  const many = (count: number, length = 1) => [
    `"number_of_entries": {"total": ${count}, "added": ${count}}`,
    `"added": {${Array.from({ length: count }, (_value, number) => `"/${number}${'x'.repeat(length)}": "f"`).join()}}`,
  ];

  test('of files, and says how many are missing', async () => {
    const { files, omitted, counts } = whole(await report(many(10), { maxFiles: 3 }));
    expect(files.map(({ path }) => path)).toEqual(['/0x', '/1x', '/2x']);
    expect({ omitted, counts }).toMatchObject({ omitted: 7, counts: { added: 10 } });
  });

  test('of no files at all, and is consistent all the same', async () => {
    expect(whole(await report(many(10), { maxFiles: 0 }))).toMatchObject({ files: [], omitted: 10 });
  });

  test('of text, so that a node cannot exhaust its reader', async () => {
    const { files, omitted } = whole(await report(many(900, 100_000)));
    expect(files.length + omitted).toBe(900);
    expect(omitted).toBeGreaterThan(0);
    expect(files.reduce((sum, { path }) => sum + path.length, 0)).toBeLessThan(70_000_000);
  });

  test('of databases', async () => {
    const list = Array.from({ length: 100 }, (_value, number) => `"/${number}": {"sha256": "AAAA"}`).join();
    const { databases } = whole(await report(['"number_of_entries": {"total": 0}', `"databases": {${list}}`]));
    expect(databases).toHaveLength(64);
  });
});

test('any sections in any order are read without harm, and what is read whole adds up', async () => {
  const name = fc.constantFrom('"/a"', '"/b"', '"total"', '"added"', '""', '"\\ud800"');
  const leaf = fc.constantFrom('"f"', '1', '0', '-1', 'null', '[]', '{}', '["x", "y"]', '{"perm": {"old": "x"}}');
  const object = fc
    .array(fc.tuple(name, leaf), { maxLength: 3 })
    .map((pairs) => `{${pairs.map((each) => each.join(':')).join()}}`);
  const key = fc.constantFrom('number_of_entries', 'added', 'removed', 'changed', 'details', 'databases', 'outline');
  const section = fc.tuple(key, fc.oneof(object, leaf)).map(([top, value]) => `"${top}": ${value}`);
  await fc.assert(
    fc.asyncProperty(fc.array(section, { maxLength: 5 }), fc.nat(3), async (sections, maxFiles) => {
      const reading = await report(sections, { maxFiles });
      const { files, omitted } = reading.ok ? reading.report : reading.partial;
      expect(files.length).toBeLessThanOrEqual(maxFiles);
      expect(omitted).toBeGreaterThanOrEqual(0);
      expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
    }),
    { numRuns: 1000 },
  );
});
