import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Throttle } from './throttle.ts';

let passed: string[];
let throttle: Throttle;

beforeEach(() => {
  vi.useFakeTimers();
  passed = [];
  throttle = new Throttle((key) => passed.push(key), 1000);
});
afterEach(() => {
  throttle.stop();
  vi.useRealTimers();
});

test('a key is passed on at once, and what comes within the interval once, at its end', () => {
  for (let count = 0; count < 1000; count++) throttle.add('a');
  expect(passed).toEqual(['a']);
  vi.advanceTimersByTime(999);
  expect(passed).toEqual(['a']);
  vi.advanceTimersByTime(1);
  expect(passed).toEqual(['a', 'a']);
});

test('a key that nobody adds again is passed on once, and at once when it comes later', () => {
  throttle.add('a');
  vi.advanceTimersByTime(5000);
  expect(passed).toEqual(['a']);
  throttle.add('a');
  expect(passed).toEqual(['a', 'a']);
});

test('a key that is added all the time is passed on once per interval', () => {
  for (let ms = 0; ms < 5000; ms += 10) {
    throttle.add('a');
    vi.advanceTimersByTime(10);
  }
  expect(passed.length).toBe(6);
});

test('what takes long has a fifth of the time', () => {
  throttle.note('a', 1000);
  for (let ms = 0; ms < 12_000; ms += 10) {
    throttle.add('a');
    throttle.add('b');
    vi.advanceTimersByTime(10);
  }
  expect(passed.filter((key) => key === 'a').length).toBe(4);
  expect(passed.filter((key) => key === 'b').length).toBe(13);
  throttle.note('a', 10);
  vi.advanceTimersByTime(4000);
  passed = [];
  for (let ms = 0; ms < 2000; ms += 10) {
    throttle.add('a');
    vi.advanceTimersByTime(10);
  }
  expect(passed.length).toBe(3);
});

test('keys do not hold up each other', () => {
  throttle.add('a');
  throttle.add('b');
  expect(passed).toEqual(['a', 'b']);
});

test('nothing is passed on after the stop', () => {
  throttle.add('a');
  throttle.add('a');
  throttle.stop();
  vi.advanceTimersByTime(5000);
  expect(passed).toEqual(['a']);
  expect(vi.getTimerCount()).toBe(0);
});
