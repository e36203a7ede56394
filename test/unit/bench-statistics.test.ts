import { expect, test } from 'vitest';
import { childrenTime, processorTime, shareOfOthers } from '../../bench/lib/machine.ts';
import { pairedRatios, spread } from '../../bench/lib/statistics.ts';
import { besideLimit, megabytes, renderTable } from '../../bench/lib/table.ts';

test('the median of an odd number of measurements is the one in the middle, whatever their order', () => {
  expect(spread([9, 10, 1])).toEqual({ count: 3, median: 9, min: 1, max: 10 });
});

test('the median of an even number of measurements lies between the two in the middle', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ count: 4, median: 2.5, min: 1, max: 4 });
});

test('nothing measured has no median', () => {
  expect(() => spread([])).toThrow('Nothing was measured');
});

test('ratios are taken pair by pair', () => {
  expect(pairedRatios([2, 9], [1, 3])).toEqual([2, 3]);
  expect(() => pairedRatios([1], [1, 2])).toThrow('not pairs');
  expect(() => pairedRatios([1], [0])).toThrow('not above 0');
});

test('a column is as wide as its widest cell, numbers stand to the right, and no line ends in blanks', () => {
  const table = renderTable(
    ['what', 'MB'],
    [
      ['a', '9.5'],
      ['longer', '10.5'],
      ['b', ''],
    ],
  );
  expect(table.split('\n')).toEqual(['what      MB', '------  ----', 'a        9.5', 'longer  10.5', 'b']);
});

test('a figure is beside its limit, and equal is met', () => {
  expect(besideLimit(16, 16)).toBe('at most 16, met');
  expect(besideLimit(16.01, 16)).toBe('at most 16, NOT met');
  expect(megabytes(15_949_999)).toBe('15.9');
});

test('processor time of the machine counts all but idling and waiting for disks', () => {
  const text = 'cpu  100 200 300 4000 500 60 70 80 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
  expect(processorTime(text)).toEqual({ busy: 8.1, total: 53.1 });
});

test('processor time of children is found behind a process name with spaces and parentheses', () => {
  const stat = '42 (a ) b) S 1 42 42 0 -1 4194304 10 20 0 0 5 6 150 25 20 0 11 0 100 0 0';
  expect(childrenTime(stat)).toBe(1.75);
});

test('what others did is what the machine did less what we did, of all its cores', () => {
  const before = { busy: 10, total: 100 };
  expect(shareOfOthers(before, { busy: 25, total: 120 }, 5)).toBe(0.5);
  expect(shareOfOthers(before, { busy: 11, total: 120 }, 5)).toBe(0);
});
