import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configurationText } from '../../../test/support/aide-conf.ts';
import { FioError } from '../../lib/errors.ts';
import { parse, parseStatement } from './parse.ts';
import { render } from './render.ts';

describe('a configuration is rendered as it was written', () => {
  test('for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        expect(render(parse(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('for any text of the characters that mean something', () => {
    const unit = fc.constantFrom(
      ...'/@{}#=!-+,\\ \t\r\n$.*()afR0_',
      '@@',
      '@@if',
      '@@define',
      '@@include',
      '@@{',
      '\n',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 200 }), (text) => {
        expect(render(parse(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test('for any configuration of the grammar, and none of its lines is unknown', () => {
    fc.assert(
      fc.property(configurationText(), (text) => {
        const configuration = parse(text);
        expect(render(configuration)).toBe(text);
        expect(configuration.lines.filter(({ statement }) => statement.kind === 'unknown')).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a line is read as AIDE reads it', () => {
  test.each([
    ['/etc/\\.ssh N', { prefix: '', path: '/etc/\\.ssh', restriction: '', attributes: 'N' }],
    ['=/var/log$ d p+u', { prefix: '=', path: '/var/log$', restriction: 'd', attributes: 'p+u' }],
    ['/etc f,l = ext p + u - g', { prefix: '', path: '/etc', restriction: 'f,l = ext', attributes: 'p + u - g' }],
    ['/etc =xfs R', { prefix: '', path: '/etc', restriction: '=xfs', attributes: 'R' }],
    ['/etc 0 R', { prefix: '', path: '/etc', restriction: '0', attributes: 'R' }],
    ['  !/a\\ b\\\\ f', { prefix: '!', path: '/a\\ b\\\\', restriction: 'f', attributes: '' }],
    ['-/proc', { prefix: '-', path: '/proc', restriction: '', attributes: '' }],
    ['!@@{X}/y # why', { prefix: '!', path: '@@{X}/y', restriction: '', tail: '# why' }],
  ])('rule %s', (text, expected) => {
    expect(parseStatement(text)).toMatchObject({ kind: 'rule', ...expected });
  });

  test('an option, its value and a comment after it', () => {
    expect(parseStatement('report_url = stdout # here')).toMatchObject({
      kind: 'option',
      name: 'report_url',
      value: 'stdout',
      tail: ' # here',
    });
  });

  test('a former option without an underscore is an option and not a group', () => {
    expect(parseStatement('verbose=5')).toMatchObject({ kind: 'option', name: 'verbose', value: '5' });
    expect(parseStatement('database=file:/x')).toMatchObject({ kind: 'option', name: 'database' });
  });

  test('a group', () => {
    expect(parseStatement('CONTENT_EX = sha512+p #c')).toMatchObject({
      kind: 'group',
      name: 'CONTENT_EX',
      expression: 'sha512+p',
      tail: ' #c',
    });
  });

  test('macros', () => {
    expect(parseStatement('@@define A /b')).toMatchObject({ kind: 'define', name: 'A', value: '/b' });
    expect(parseStatement('@@if not exists /x')).toMatchObject({ kind: 'condition', expression: 'not exists /x' });
    expect(parseStatement('@@ifnhost n')).toMatchObject({ kind: 'condition', keyword: '@@ifnhost', expression: 'n' });
    expect(parseStatement('@@x_include /d ^.*$ /p')).toMatchObject({ kind: 'include', argument: '/d ^.*$ /p' });
    expect(parseStatement('@@else')).toMatchObject({ kind: 'else' });
  });
});

describe('a configuration has bounds', () => {
  test.each([
    ['too long', 'x'.repeat(1024 * 1024 + 1)],
    ['too many lines', '\n'.repeat(50_001)],
  ])('%s', (_name, text) => {
    expect(() => parse(text)).toThrow(FioError);
  });

  test('a line as long as the whole is read in one go', () => {
    for (const start of ['/', '/a ', '!/a ', 'a=', 'report_url=', '@@if ', '@@define a ']) {
      for (const piece of ['\\', ' ', '/', '#', 'a', '@@{', '+ ', 'a,', 'a=', 'a ', 'a+']) {
        const text = start + piece.repeat(Math.floor((1024 * 1024 - start.length) / piece.length));
        expect(render(parse(text)) === text).toBe(true);
      }
    }
  });
});
