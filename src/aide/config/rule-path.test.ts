import { describe, expect, test } from 'vitest';
import { compilePath, folderOf, looksAhead, Patience, parentsOf, startOf } from './rule-path.ts';

test.each([
  ['/', '/'],
  ['/etc', '/'],
  ['/etc/', '/etc'],
  ['/etc/a', '/etc'],
  ['/etc/a/b', '/etc/a'],
  ['/etc/a.*/b', '/etc'],
  ['/etc/(a/b)', '/etc'],
  ['/(etc|usr)/b', '/'],
  ['/etc/a[/]b/c', '/etc'],
  ['/etc/a\\.d/b', '/etc/a.d'],
  ['/etc/a\\ b/c', '/etc/a b'],
  ['/etc/a\\*b/c', '/etc/a*b'],
  ['/etc/a$/b', '/etc'],
  ['/etc/a+/b', '/etc/a+'],
])('AIDE keeps the rule %s in the folder %s', (path, folder) => {
  expect(folderOf(path)).toBe(folder);
});

test.each([
  ['/etc/passwd', '/etc/passwd'],
  ['/etc/passwd$', '/etc/passwd'],
  ['/etc/a\\.d/b', '/etc/a.d/b'],
  ['/etc/a.d/b', '/etc/a'],
  ['/etc/ab*', '/etc/a'],
  ['/etc/ab?', '/etc/a'],
  ['/etc/ab{2}', '/etc/a'],
  ['/etc/ab+', '/etc/ab'],
  ['/etc/(a|b)', ''],
  ['/etc/(a)', '/etc/'],
  ['/etc/[ab]', '/etc/'],
  ['/etc/a\\d', ''],
  ['/etc/@@{X}', ''],
  ['/etc/a\\ b', '/etc/a b'],
])('every match of %s begins with %j', (path, start) => {
  expect(startOf(path)).toBe(start);
});

test.each(['/a$', '/a(?=b)', '/a(?!b)', '/a(?>b)', '/a\\b', '/a\\Z', '/a\\z', '/a\\B', '(*COMMIT)', '/a[[:>:]]'])(
  '%s looks at what follows',
  (path) => expect(looksAhead(path)).toBe(true),
);

test.each(['/a', '/a\\$', '/a.*b', '/a(b|c)+', '/a\\.b', '/a\\\\\\\\b', '/a\\(?b'])('%s does not', (path) => {
  expect(looksAhead(path)).toBe(false);
});

test('the folders above a path are all but the root', () => {
  expect(parentsOf('/a/b/c')).toEqual(['/a', '/a/b']);
  expect(parentsOf('/a/b/')).toEqual(['/a', '/a/b']);
  expect(parentsOf('/a')).toEqual([]);
  expect(parentsOf('/')).toEqual([]);
  expect(parentsOf('')).toEqual([]);
});

describe('a path as a regular expression of JavaScript', () => {
  test.each([
    ['/etc', '/etcetera', true],
    ['/etc$', '/etcetera', false],
    ['/etc', '/x/etc', false],
    ['/a|/b', '/b', true],
    ['/a\\.conf', '/a.conf', true],
    ['/a\\.conf', '/axconf', false],
    ['/a\\ b', '/a b', true],
    ['/a\\@b', '/a@b', true],
    ['/a\\-b', '/a-b', true],
    ['/a\\#b', '/a#b', true],
    ['/a\\\\\\\\b', '/a\\b', true],
    ['/a\\d+', '/a7', true],
    ['/[^/]+/x', '/y/x', true],
    ['/a{2}', '/aa', true],
    ['/é', '/é', true],
  ])('%s on %s', (path, name, matches) => {
    expect(compilePath(path, new Patience())?.test(name)).toBe(matches);
  });

  test.each([
    '/a(?i)b',
    '/a(b)*',
    '/a(b)+c',
    '/(a|b){2}',
    '/a*+',
    '/a++',
    '/[[:alpha:]]',
    '/[]a]',
    '/[^]a]',
    '/a{,3}',
    '/a\\x41',
    '/a\\b',
    '/a\\1',
    '/a\\_',
    '/@@{X}',
    '/a(*FAIL)',
    '/a*b*c*d*',
    '/(a',
    '/\u{1f600}',
    `/${'a'.repeat(1000)}`,
  ])('there is none of %s, which may mean another thing or take long', (path) => {
    expect(compilePath(path, new Patience())).toBeUndefined();
  });

  test.each([
    ['/.*.*.*x', `/${'a'.repeat(900)}`],
    [`/${'(a|a)'.repeat(40)}x`, `/${'a'.repeat(60)}`],
    [`/${'a?'.repeat(40)}${'a'.repeat(40)}x`, `/${'a'.repeat(70)}`],
  ])('%s is not tried on a name that would take too long', (path, name) => {
    expect(compilePath(path, new Patience())?.test(name)).toBeUndefined();
  });

  test('all rules of a configuration together have one patience', () => {
    const patience = new Patience(1000);
    const patterns = Array.from({ length: 100 }, (_, number) => compilePath(`/.*${number}x`, patience));
    const answers = patterns.map((pattern) => pattern?.test('/a/name/of/some/length'));
    expect(answers[0]).toBe(false);
    expect(answers.at(-1)).toBeUndefined();
  });

  test('a name that begins otherwise costs nothing', () => {
    expect(compilePath('/usr/.*.*.*x', new Patience(0))?.test('/etc/passwd')).toBe(false);
  });
});
