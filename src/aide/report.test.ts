import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { HOSTILE_NAMES } from '../../test/support/aide-scene.ts';
import { decodeBytes } from './json-stream.ts';
import { type ReportReading, readReport, readReportStream } from './report.ts';
import type { Report, ReportLimits } from './report-types.ts';

const recorded = (name: string) => readFileSync(join(import.meta.dirname, '../../test/fixtures/aide/0.19.1', name));
const directory = mkdtempSync(join(tmpdir(), 'aide-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

function read(bytes: Uint8Array | string, limits: ReportLimits = {}): Promise<ReportReading> {
  return readReportStream(Readable.from([Buffer.from(bytes)]), limits);
}

function whole(reading: ReportReading): Report {
  if (!reading.ok) throw new Error(reading.code);
  return reading.report;
}

function at(name: string, content: Uint8Array | string): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

describe('a recorded report', () => {
  test('of differences is read whole', async () => {
    const report = whole(await read(recorded('differences.json')));
    expect(report).toMatchObject({
      aideVersion: '0.19.1',
      startedAt: '2026-11-24 03:04:19 +0000',
      endedAt: '2026-11-24 03:04:19 +0000',
      outline: 'AIDE found differences between database and filesystem!!',
      entries: 16,
      counts: { added: 1, removed: 1, changed: 6 },
      omitted: 0,
    });
    const login = report.files.find(({ path }) => path === '/hostroot/usr/bin/login');
    expect(login).toEqual({
      path: '/hostroot/usr/bin/login',
      change: 'changed',
      summary: 'f   p..    ..A.    ',
      attributes: [
        { name: 'perm', old: ['-rw-r--r--'], new: ['-rwsr-xr-x'] },
        {
          name: 'acl',
          old: ['A: user::rw-', 'A: group::r--', 'A: other::r--'],
          new: ['A: user::rwx', 'A: group::r-x', 'A: other::r-x'],
        },
      ],
    });
  });

  test('has hostile names byte for byte', async () => {
    const { files } = whole(await read(recorded('differences.json')));
    const expected = HOSTILE_NAMES.map((name) => `/hostroot/${decodeBytes(name)}`);
    expect(new Set(files.map(({ path }) => path))).toEqual(new Set([...expected, '/hostroot/usr/bin/login']));
    expect(files.map(({ change }) => change)).toEqual(['added', 'removed', ...Array(6).fill('changed')]);
  });

  test('names the database that was compared with, by its digest in hex', async () => {
    const { databases } = whole(await read(recorded('quiet.json')));
    expect(databases).toEqual([
      {
        path: '/hostroot/etc/kubernetes/aide.db.gz',
        algorithm: 'sha256',
        digest: '041f217f6c43bdfbf9f41bcaf79f1ef2e144e80895cda81b0d548753bba90dcf',
      },
      expect.objectContaining({ algorithm: 'sha512', digest: expect.stringMatching(/^[0-9a-f]{128}$/) }),
    ]);
  });

  test.each(['quiet.json', 'init.json'])('without differences has no files (%s)', async (name) => {
    const report = whole(await read(recorded(name)));
    expect(report).toMatchObject({ entries: 16, counts: { added: 0, removed: 0, changed: 0 }, files: [], omitted: 0 });
  });

  test('cut at any byte is incomplete or damaged, and never read as whole', async () => {
    const bytes = recorded('differences.json');
    const end = bytes.lastIndexOf('}');
    for (let length = 0; length <= end; length += 1) {
      const reading = await read(bytes.subarray(0, length));
      expect(reading).toMatchObject({
        ok: false,
        code: length === 0 ? 'REPORT_EMPTY' : expect.stringMatching(/^REPORT_(?:INCOMPLETE|MALFORMED)$/),
      });
    }
    expect(await read(bytes.subarray(0, end + 1))).toMatchObject({ ok: true });
  });

  test('with any byte changed is read or refused, and ends', async () => {
    const bytes = recorded('differences.json');
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (index, byte) => {
        const changed = Buffer.from(bytes);
        changed[index] = byte;
        const reading = await read(changed);
        const { counts, files } = reading.ok ? reading.report : reading.partial;
        if (reading.ok) expect(files).toHaveLength(counts.added + counts.removed + counts.changed);
      }),
      { numRuns: 500 },
    );
  });

  test('in small pieces is the same', async () => {
    const bytes = recorded('differences.json');
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_value, index) =>
      bytes.subarray(index * 7, index * 7 + 7),
    );
    expect(await readReportStream(Readable.from(pieces))).toEqual(await read(bytes));
  });
});

describe('what is in the place of a report', () => {
  test('is read from a file', async () => {
    expect(await readReport(at('quiet.json', recorded('quiet.json')))).toMatchObject({ ok: true });
  });

  test.each([
    ['nothing', () => join(directory, 'absent'), 'REPORT_MISSING'],
    ['an empty file', () => at('empty', ''), 'REPORT_EMPTY'],
    ['a folder', () => directory, 'REPORT_UNREADABLE'],
    ['a text', () => at('text', 'Start timestamp: …'), 'REPORT_MALFORMED'],
    ['JSON that is no report', () => at('json', '{"a":{"b":[1,2]}}'), 'REPORT_INCOMPLETE'],
    ['a list', () => at('list', '["added"]'), 'REPORT_INCOMPLETE'],
    ['a string', () => at('string', '"added"'), 'REPORT_INCOMPLETE'],
    ['a link to itself', loop, 'REPORT_UNREADABLE'],
    ['a device', () => '/dev/zero', 'REPORT_UNREADABLE'],
  ])('can be %s', async (_name, file, code) => {
    const reading = await readReport(file());
    expect(reading).toMatchObject({ ok: false, code, sentence: expect.stringMatching(/^AIDE/) });
    expect(reading).toMatchObject({ partial: { files: [], counts: { added: 0, removed: 0, changed: 0 } } });
  });

  test('can be a FIFO that no one writes to, and is not waited for', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    expect(await readReport(fifo)).toMatchObject({ ok: false, code: 'REPORT_UNREADABLE' });
  });

  test('can be larger than is accepted, and is read no further', async () => {
    const file = at('large.json', recorded('differences.json'));
    const { length } = recorded('differences.json');
    expect(await readReport(file, { maxSize: length - 1 })).toMatchObject({ ok: false, code: 'REPORT_TOO_LARGE' });
    expect(await readReport(file, { maxSize: length })).toMatchObject({ ok: true });
  });

  test('can come too late: the signal ends the reading', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(readReport(at('late.json', recorded('quiet.json')), { signal })).rejects.toThrow('stop');
  });
});

function loop(): string {
  const link = join(directory, 'loop');
  symlinkSync(link, link);
  return link;
}
