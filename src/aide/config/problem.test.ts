import { expect, test } from 'vitest';
import { describeProblems, type Problem } from './problem.ts';

const warning = (line: number, sentence: string, code = 'CONFIG_DUPLICATE_RULE'): Problem => ({
  line,
  code,
  sentence,
  severity: 'warning',
});

test('what is said of several lines is said once, with the lines', () => {
  const problems = [4, 2, 9, 9, 30, 31, 32, 33].map((line) => warning(line, 'twice'));
  expect(describeProblems(problems)).toEqual(['lines 2, 4, 9, 30, 31 and 2 more: CONFIG_DUPLICATE_RULE: twice']);
  expect(describeProblems([warning(7, 'once'), warning(0, 'all of it')])).toEqual([
    'line 7: CONFIG_DUPLICATE_RULE: once',
    'CONFIG_DUPLICATE_RULE: all of it',
  ]);
});

test('of a text that is not for everybody only lines and codes are told', () => {
  const problems = [warning(2, 'a word'), warning(4, 'another'), warning(4, 'third', 'CONFIG_INCLUDE')];
  const told = describeProblems(problems, ({ code }) => code);
  expect(told).toEqual(['lines 2, 4: CONFIG_DUPLICATE_RULE', 'line 4: CONFIG_INCLUDE']);
});

test('what AIDE says of each rule comes behind ours, and hides none of it', () => {
  const aides = Array.from({ length: 136 }, (_, line) => warning(line + 1, 'AIDE says: old', 'CONFIG_WARNED_BY_AIDE'));
  expect(describeProblems([...aides, warning(200, 'ours')])).toEqual([
    'line 200: CONFIG_DUPLICATE_RULE: ours',
    'lines 1, 2, 3, 4, 5 and 131 more: CONFIG_WARNED_BY_AIDE: AIDE says: old',
  ]);
});

test('of very many different ones the first are told, and how many there are', () => {
  const many = Array.from({ length: 40 }, (_, line) => warning(line + 1, `number ${line}`));
  expect(describeProblems(many)).toHaveLength(11);
  expect(describeProblems(many).at(-1)).toBe('and 30 more');
});
