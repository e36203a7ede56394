import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configurationText } from '../../../test/support/aide-conf.ts';
import { defaultConfiguration } from './defaults.ts';
import { prepareConfiguration } from './prepare.ts';

describe('a user’s configuration', () => {
  test('that is well is usable, and its text is the effective one', () => {
    const { text, problems, usable } = prepareConfiguration('/usr R\n');
    expect(text).toContain('\n/hostroot/usr R\n');
    expect(problems).toEqual([]);
    expect(usable).toBe(true);
  });

  test.each(['openshift', 'linux'] as const)('that is the default %s is usable, with nothing to say', (name) => {
    const { usable, problems } = prepareConfiguration(defaultConfiguration(name));
    expect(usable).toBe(true);
    expect(problems.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  test('has its problems with the user’s lines, errors first, then by line', () => {
    const text = `verbose=5
umask=1
@@include /x
/usr NONE
root_prefix=/x
/usr NONE # again
/etc R
`;
    const { problems, usable } = prepareConfiguration(text);
    expect(usable).toBe(false);
    expect(problems.map(({ line, severity, code }) => `${severity} ${line} ${code}`)).toEqual([
      'error 3 CONFIG_INCLUDE',
      'error 4 CONFIG_UNKNOWN_GROUP',
      'warning 5 CONFIG_OPTION_LEFT_OUT',
      'warning 6 CONFIG_DUPLICATE_RULE',
      'info 2 CONFIG_OPTION_LEFT_OUT',
      'info 7 CONFIG_DATABASE_LEFT_OUT',
    ]);
  });

  test('that is too large is refused with a reason, and has no text', () => {
    for (const text of ['#'.repeat(1024 * 1024 + 1), '\n'.repeat(50_001)]) {
      expect(prepareConfiguration(text)).toEqual({
        text: '',
        lines: [],
        problems: [{ line: 0, code: 'CONFIG_TOO_LARGE', sentence: expect.any(String), severity: 'error' }],
        usable: false,
      });
    }
  });

  test('of any kind is judged, each problem with a line that it has', () => {
    fc.assert(
      fc.property(fc.oneof(configurationText(), fc.string({ unit: 'binary', maxLength: 200 })), (text) => {
        const { problems, usable } = prepareConfiguration(text);
        expect(usable).toBe(!problems.some(({ severity }) => severity === 'error'));
        for (const { line, sentence, code } of problems) {
          expect(line).toBeLessThanOrEqual(text.split('\n').length);
          expect(code).toMatch(/^CONFIG_[A-Z_]+$/);
          expect(sentence).toMatch(/^[^\p{Cc}\p{Cs}\u202e]+$/u);
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('a configuration as large as a config map is judged within seconds', () => {
  const rules = Array.from({ length: 10_000 }, (_value, n) => `/usr/${n}/.*a* R\n!/usr/.*${n}$\n@@define X${n} y\n`);
  const { usable, text } = prepareConfiguration(rules.join(''));
  expect(usable).toBe(true);
  // Too many to be compared: AIDE 0.19’s meaning stays, which leaves out less.
  expect(text).toContain('\n!/hostroot/usr/.*9999$\n');
});

describe('a configuration that would keep the operator busy is judged as far as it goes', () => {
  const rules = (count: number, rule: string) => `${rule}\n`.repeat(count);
  test.each([
    ['one path of many folders', `${'/'.repeat(900_000)} R\n`],
    ['many paths of many folders', rules(500, `${'/a'.repeat(900)} R`)],
    ['repetitions that match in many ways', rules(900, `/${'a'.repeat(400)} R`) + rules(900, '!/.*.*.*x')],
    [
      'alternatives that match in many ways',
      rules(50, `/${'(a|a)'.repeat(150)}x R`) + rules(50, `!/${'a'.repeat(300)}`),
    ],
    ['brackets without end', `/${'['.repeat(900_000)}|a R\n`],
    [
      'variables without end',
      `/etc ${'@@{a'.repeat(200_000)}\nG = ${'@@{'.repeat(60_000)}\n!/${'@@{'.repeat(60_000)}\n`,
    ],
    ['white space without end', `my_own = R${' '.repeat(900_000)}S\n`],
    ['backslashes without end', `/${'\\\\'.repeat(450_000)} R\n`],
    ['operators without end', `/etc ${'+ '.repeat(250_000)}R\nG = ${'-'.repeat(300_000)}\n`],
    ['a long value in many rules', `@@define X /${'a'.repeat(400_000)}\n${rules(40_000, '@@{X} R')}`],
    [
      'a long value many times in one',
      `@@define X ${'p+'.repeat(150_000)}p\nG = ${'@@{X}+'.repeat(60_000)}p\n/etc G\n`,
    ],
    [
      'a variable of many values',
      Array.from({ length: 20_000 }, (_, at) => `@@define X /v${at}\n!@@{X}/.*x\n`).join(''),
    ],
  ])('%s', (_name, text) => {
    const before = process.cpuUsage();
    const { problems } = prepareConfiguration(text);
    expect(problems).toBeInstanceOf(Array);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(5);
  });
});
