import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc, { type Arbitrary } from 'fast-check';
import { decodeBytes, JsonStream } from '../../../src/aide/json-stream.ts';
import { showPath } from '../../../src/aide/path.ts';
import { type ReportReading, readReportStream } from '../../../src/aide/report.ts';
import { readTextSummary } from '../../support/report-text.ts';
import { fileName, hostileText } from '../arbitraries.ts';
import { fixture, inputs } from '../fixtures.ts';
import { checkSafe, chunksOf, jsonOf } from '../properties.ts';
import type { Target } from '../target.ts';

const WORDS = [
  ...[
    '"start_time": "2026-11-24 02:45:17 +0000",',
    '"end_time": "2026-11-24 02:45:18 +0000"',
    '"number_of_entries": {',
    '"total": 7,',
  ],
  ...[
    '"added": {',
    '"removed": {',
    '"changed": {',
    '"added": 1',
    '"details": {',
    '"databases": {',
    '"old": [',
    '"new": "',
    '"sha256": "',
  ],
  ...['\\u0000', '\\ud83d\\ude00', '\\ud800', '\\udc00', '\\u001f', '\\/', '\\x', '\x1f', 'null', '-', '1e5', ','],
];

/** As AIDE writes a report, with file names of any bytes. */
export const reports: Arbitrary<Buffer> = fc
  .record({
    files: fc.array(fc.tuple(fileName, fc.constantFrom('added', 'removed', 'changed'), hostileText), { maxLength: 30 }),
    lie: fc.constantFrom(0, 0, 0, 1, -1, 2 ** 53),
    attributes: fc.array(fc.tuple(hostileText, hostileText, fc.array(hostileText, { maxLength: 4 })), { maxLength: 4 }),
    twice: fc.boolean(),
  })
  .map(({ files, lie, attributes, twice }) => {
    const quoted = (text: string | Buffer) =>
      Buffer.concat([
        Buffer.from('"'),
        ...[...Buffer.from(text)].map((byte) => {
          if (byte === 0x22 || byte === 0x5c) return Buffer.of(0x5c, byte);
          return byte < 0x1f ? Buffer.from(`\\u${byte.toString(16).padStart(4, '0')}`) : Buffer.of(byte);
        }),
        Buffer.from('"'),
      ]);
    const text = (...pieces: readonly (string | Buffer)[]) => Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
    const joined = (pieces: readonly Buffer[]) =>
      text('{', ...pieces.flatMap((piece, at) => [at > 0 ? ',' : '', piece]), '}');
    const named = (name: string | Buffer) => (/^\//.test(String(name)) ? name : text('/', name));
    const kinds = ['added', 'removed', 'changed'] as const;
    const counts = kinds.map((kind) => `"${kind}": ${files.filter(([, change]) => change === kind).length + lie}`);
    const lists = kinds.map((kind) => {
      const mine = files.filter(([, change]) => change === kind);
      return text(
        `"${kind}": `,
        joined(mine.map(([name, , summary]) => text(quoted(named(name)), ':', quoted(summary)))),
      );
    });
    const details = files.map(([name]) =>
      text(
        quoted(named(name)),
        ':',
        joined(
          attributes.map(([attribute, old, lines]) =>
            text(
              quoted(attribute),
              ':{"old":',
              quoted(old),
              ',"new":[',
              ...lines.flatMap((line, at) => [at > 0 ? ',' : '', quoted(line)]),
              ']}',
            ),
          ),
        ),
      ),
    );
    return text(
      '{"start_time": "2026-11-24 02:45:17 +0000", "aide_version": "0.19.1", "outline": "x",',
      `"number_of_entries": {"total": ${files.length}, ${counts.join(', ')}},`,
      ...lists.flatMap((list) => [list, ',']),
      ...(twice ? [lists[0] ?? '', ','] : []),
      text('"details": ', joined(details)),
      ', "databases": {"/hostroot/etc/kubernetes/aide.db.gz": {"sha256": "qqqq"}}, "end_time": "2026-11-24 02:45:18 +0000"}',
    );
  });

export const REPORTS = () => [
  ...['differences', 'quiet', 'init'].map((name) => fixture(`0.19.1/${name}.json`)),
  ...inputs(
    '{}',
    '[]',
    '{"a":[1,true,null,"x",{"b":-1.5e3}]}',
    '{"a":"\\ud83d\\ude00\\ud800\\u0041"}',
    '"a"',
    '{"__proto__":{"a":1}}',
  ),
];

type Told = readonly ['open' | 'close' | 'key' | 'value', string?];

/** What a reader of JSON told before it ended, and how. */
function tell(chunks: readonly Buffer[]): { told: Told[]; ended: 'done' | 'early' | 'malformed' } {
  const told: Told[] = [];
  let depth = 0;
  const json = new JsonStream(
    {
      open: (bracket) => {
        depth += 1;
        assert.ok(depth <= DEPTH, 'it is deeper than is allowed');
        told.push(['open', bracket]);
      },
      close: () => {
        depth -= 1;
        assert.ok(depth >= 0, 'more closes than was open');
        told.push(['close']);
      },
      key: (name) => told.push(['key', name]),
      value: (text) => {
        assert.ok(text.length <= STRING + 1, 'a string is longer than is allowed');
        told.push(['value', text]);
      },
    },
    { depth: DEPTH, stringBytes: STRING },
  );
  try {
    for (const chunk of chunks) json.push(chunk);
  } catch (error) {
    if ((error as { code?: string }).code !== 'JSON_MALFORMED') throw error;
    return { told, ended: 'malformed' };
  }
  return { told, ended: json.done ? 'done' : 'early' };
}

const DEPTH = 8;
const STRING = 2048;

/** The same story told by JSON.parse; undefined where it has bounds that this has not. */
function storyOf(value: unknown, depth = 0): Told[] | undefined {
  if (typeof value !== 'object' || value === null) {
    if (typeof value !== 'string') return [['value', JSON.stringify(value)]];
    return Buffer.byteLength(value) > STRING ? undefined : [['value', value.toWellFormed()]];
  }
  if (depth >= DEPTH) return undefined;
  const story: Told[] = [['open', Array.isArray(value) ? '[' : '{']];
  for (const [key, each] of Object.entries(value)) {
    const rest = storyOf(each, depth + 1);
    if (rest === undefined || Buffer.byteLength(key) > STRING) return undefined;
    if (!Array.isArray(value)) story.push(['key', key.toWellFormed()]);
    story.push(...rest);
  }
  return [...story, ['close']];
}

/** JSON as it streams by. */
const jsonStream: Target = {
  name: 'aide-json-stream',
  seeds: REPORTS,
  structured: fc.oneof(
    reports,
    fc.jsonValue({ depthSize: 'large' }).map((value) => Buffer.from(JSON.stringify(value))),
  ),
  words: WORDS,
  run(bytes) {
    const whole = tell([bytes]);
    assert.deepEqual(tell(chunksOf(bytes)), whole, 'it depends on how the bytes come');
    const value = jsonOf(bytes);
    // Where both read it, they read the same. (JSON.parse drops what stands twice, reorders keys that are numbers, rounds.)
    if (typeof value !== 'object' || value === null || !bytes.equals(Buffer.from(JSON.stringify(value)))) return;
    const story = storyOf(value);
    if (story === undefined) return;
    const { told, ended } = whole;
    if (told.some(([, text]) => (text?.length ?? 0) >= 40 && /^-?[\d.]+/.test(text ?? ''))) return;
    assert.equal(ended, 'done');
    assert.deepEqual(told, story);
  },
};

/** AIDE's JSON report. */
const report: Target = {
  name: 'aide-report',
  seeds: REPORTS,
  structured: reports,
  words: WORDS,
  async run(bytes) {
    const limits = { maxFiles: 12, maxSize: 12_000 };
    const reading = await readReportStream(Readable.from(chunksOf(bytes)), limits);
    checkReport(reading, limits.maxFiles);
    const again = await readReportStream(Readable.from([bytes]), limits);
    if (reading.ok || again.ok) assert.deepEqual(again, reading, 'it depends on how the bytes come');
    if (!reading.ok) assert.match(reading.code, /^REPORT_[A-Z_]+$/);
  },
};

function checkReport(reading: ReportReading, maxFiles: number): void {
  const { counts, files, omitted, entries, databases } = reading.ok ? reading.report : reading.partial;
  for (const number of [counts.added, counts.removed, counts.changed, omitted, entries ?? 0]) {
    assert.ok(Number.isSafeInteger(number) && number >= 0, `${number} is no count`);
  }
  assert.ok(files.length <= maxFiles && databases.length <= 64);
  assert.equal(new Set(files.map(({ path }) => path)).size, files.length, 'a file is there twice');
  for (const { path, attributes } of files) {
    checkSafe(showPath(path), 4096);
    assert.ok(attributes.length <= 64);
    for (const each of attributes) assert.ok((each.old?.length ?? 0) <= 257 && (each.new?.length ?? 0) <= 257);
  }
  for (const each of databases) assert.match(each.digest, /^[0-9a-f]*$/);
  if (!reading.ok) return;
  // A report that lists files lists as many as it counts.
  const listed = files.length + omitted;
  const counted = counts.added + counts.removed + counts.changed;
  assert.ok(listed === counted || listed === 0, `${listed} files are listed and ${counted} counted`);
}

/** AIDE's text report. */
const textReport: Target = {
  name: 'aide-report-text',
  seeds: () => [
    ...['differences', 'quiet', 'init'].map((name) => fixture(`0.19.1/${name}.txt`)),
    ...inputs(
      'Summary:\n  Total number of files:\t7\n  Added files:\t1\n  Removed files:\t2\n  Changed files:\t3\n\n-----\n',
    ),
  ],
  words: [
    'Summary:\n',
    '  Added entries:\t\t1\n',
    '  Removed entries:\t0\n',
    '  Changed entries:\t3\n',
    '-----------\n',
    'AIDE found NO differences',
  ],
  run(bytes) {
    const text = bytes.toString('latin1');
    const summary = readTextSummary(text);
    if (summary === undefined) return;
    for (const number of [...Object.values(summary.counts), summary.entries ?? 0]) {
      assert.ok(Number.isSafeInteger(number) && number >= 0, `${number} is no count`);
    }
    // Whatever a file's name says, it comes after the line of dashes, and changes nothing.
    if (!/^-{5,}\r?$/m.test(text)) return;
    const forged =
      '\nSummary:\n  Total number of entries:\t9\n  Added entries:\t9\n  Removed entries:\t9\n  Changed entries:\t9\n';
    assert.deepEqual(readTextSummary(text + forged), summary);
  },
};

/** Bytes of a file name as text. */
const decoded: Target = {
  name: 'aide-decode-bytes',
  seeds: () => inputs('é', Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x92, 0x80])),
  structured: fileName,
  run(bytes) {
    const back = [...decodeBytes(bytes).matchAll(/[\udc80-\udcff]|[^\udc80-\udcff]+/gu)].map(([piece]) => {
      const code = piece.codePointAt(0) ?? 0;
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(piece);
    });
    assert.deepEqual(Buffer.concat(back), bytes, 'two names are read alike');
  },
};

export const reportTargets: readonly Target[] = [jsonStream, report, textReport, decoded];
