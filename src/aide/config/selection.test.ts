import { describe, expect, test } from 'vitest';
import { parse } from './parse.ts';
import { rulesOf, selectionOf } from './selection.ts';

const select = (path: string, ...lines: string[]) =>
  selectionOf(rulesOf(parse(lines.map((line) => `${line}\n`).join(''))), path)?.line;

describe('a file is surely selected', () => {
  test.each([
    ['by a rule for it', ['/etc/a R'], 1],
    ['by a rule for a folder above', ['/usr R', '/etc R'], 2],
    ['by the root', ['/ R'], 1],
    ['by a rule for regular files', ['/etc f,d R'], 1],
    ['by a rule for all types', ['/etc 0 R'], 1],
    ['by a rule for its folder’s contents', ['=/etc/ R'], 1],
    ['in spite of a rule that leaves out other files', ['/etc R', '!/etc/b'], 1],
    ['in spite of a rule that leaves out folders', ['/etc R', '!/etc d'], 1],
    ['in spite of a - rule for regular files above it', ['/etc R', '-/etc$ f'], 1],
    ['in spite of a ! rule for the folder alone', ['/etc R', '!/etc$'], 1],
  ])('%s', (_name, lines, line) => {
    expect(select('/etc/a', ...lines)).toBe(line);
  });
});

describe('a file is not surely selected', () => {
  test.each([
    ['without rules', []],
    ['by a rule for another', ['/etc/b R']],
    ['by a rule for folders', ['/etc d R']],
    ['by a rule for a file system', ['/etc f=ext R']],
    ['by an = rule for its folder', ['=/etc R']],
    ['by a rule that cannot be judged', ['/etc(/a)* R']],
    ['by a rule that AIDE keeps in another folder', ['/et./a R']],
    ['when a ! rule leaves it out', ['/etc R', '!/etc/a']],
    ['when a rule before leaves it out', ['!/etc/a', '/etc R']],
    ['when a - rule leaves its folder out', ['/etc R', '-/etc$']],
    ['when a - rule leaves folders out', ['/etc R', '-/etc d']],
    ['when a rule may leave it out that cannot be judged', ['/etc R', '!/etc/(a)*']],
    ['when a rule may leave it out by file system', ['/etc R', '!/etc =nfs']],
  ])('%s', (_name, lines) => {
    expect(select('/etc/a', ...lines)).toBeUndefined();
  });
});

test('rules inside of conditions are known as such', () => {
  const rules = rulesOf(parse('/a R\n@@if defined X\n/b R\n@@else\n/c R\n@@endif\n/d R\n'));
  expect(rules.map(({ line, conditional }) => [line, conditional])).toEqual([
    [1, false],
    [3, true],
    [5, true],
    [7, false],
  ]);
});
