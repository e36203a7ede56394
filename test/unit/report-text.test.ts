import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTextSummary } from '../support/report-text.ts';

const recorded = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../test/fixtures/aide/0.19.1', name), 'utf8');

describe('the summary of a text report', () => {
  test('of AIDE 0.19 with differences has its counts, whatever the names of files say', () => {
    const expected = { counts: { added: 1, removed: 1, changed: 6 }, entries: 16 };
    expect(readTextSummary(recorded('differences.txt'))).toEqual(expected);
  });

  test('of AIDE 0.19 without differences counts nothing', () => {
    expect(readTextSummary(recorded('quiet.txt'))).toEqual({
      counts: { added: 0, removed: 0, changed: 0 },
      entries: 16,
    });
  });

  test('of AIDE 0.16 is read too', () => {
    const report = `AIDE 0.16 found differences between database and filesystem!!
Start timestamp: 2020-09-17 15:07:38 +0000

Summary:
  Total number of files:	29015
  Added files:			1
  Removed files:		0
  Changed files:		3


---------------------------------------------------
Added files:
---------------------------------------------------

added: /hostroot/etc/x
`;
    expect(readTextSummary(report)).toEqual({ counts: { added: 1, removed: 0, changed: 3 }, entries: 29015 });
  });

  test('is not there in a report of an initialisation, or without text', () => {
    expect(readTextSummary(recorded('init.txt'))).toBeUndefined();
    expect(readTextSummary('')).toBeUndefined();
  });

  test('with lines that end in CRLF is read too', () => {
    expect(readTextSummary(recorded('differences.txt').replaceAll('\n', '\r\n'))?.counts.changed).toBe(6);
  });

  test('cannot be forged by a name with line breaks, which stands behind the first separator', () => {
    const forged = recorded('differences.txt').replace(
      '/hostroot/etc/quote"and\\backslash',
      '/x\nSummary:\n  Total number of entries:\t0\n  Added entries:\t\t0\n  Removed entries:\t0\n  Changed entries:\t0\n',
    );
    expect(readTextSummary(forged)?.counts).toEqual({ added: 1, removed: 1, changed: 6 });
  });

  test.each(['Added', 'Removed', 'Changed'])('without its count of %s entries is none', (kind) => {
    const without = recorded('differences.txt').replace(new RegExp(`^  ${kind} entries:.*\n`, 'm'), '');
    expect(readTextSummary(without)).toBeUndefined();
  });

  test.each([
    ['differences', recorded('differences.txt').replace('Changed entries:\t\t6', 'Changed entries:\t\t62')],
    ['none', recorded('quiet.txt')],
  ])('of %s is whole or not there, wherever the report is cut', (_name, report) => {
    const whole = readTextSummary(report);
    for (let length = 0; length <= report.length; length += 1) {
      const summary = readTextSummary(report.slice(0, length));
      if (summary !== undefined) expect(summary).toEqual(whole);
    }
  });

  test('is found at once or not at all in any text', () => {
    const unit = fc.constantFrom(
      'Summary:',
      '\n',
      '  Added entries:',
      '\t',
      '1',
      '999999999999999',
      '-----',
      ' ',
      '\r',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 200 }), (text) => {
        const summary = readTextSummary(text);
        for (const count of Object.values(summary?.counts ?? {})) expect(Number.isSafeInteger(count)).toBe(true);
      }),
      { numRuns: 500 },
    );
    for (const piece of [' ', '\t', 'Summary:\n', '-', '\n', '\r']) readTextSummary(piece.repeat(1_000_000));
  });
});
