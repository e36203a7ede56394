import { describe, expect, test } from 'vitest';
import { anIntegrity } from '../../test/support/operator-worlds.ts';
import { bounded, LONGEST_PAUSE_SECONDS, longestPause } from './bounds.ts';

const DAY = LONGEST_PAUSE_SECONDS;
const specOf = (changes: Parameters<typeof anIntegrity>[0]) => bounded(anIntegrity(changes).spec, DAY);

describe('a spec', () => {
  test('within the bounds is what it is, to the second', () => {
    const { spec } = anIntegrity({
      config: { gracePeriod: DAY, initialDelay: DAY },
      staleAfter: 3 * DAY,
      holdLimit: 3 * DAY,
    });
    expect(bounded(spec, DAY)).toEqual({ spec, exceeded: [] });
    expect(bounded(spec, DAY).spec).toBe(spec);
  });

  test('that gives up the watch without a word counts as the most that is allowed, and each field of it is told', () => {
    const { spec, exceeded } = specOf({
      config: { gracePeriod: 99_999_999_999_999, initialDelay: DAY + 1, name: 'mine' },
      staleAfter: 3 * DAY + 1,
      holdLimit: 1e15,
    });
    expect(spec).toMatchObject({
      config: { gracePeriod: DAY, initialDelay: DAY, name: 'mine', maxBackups: 5 },
      staleAfter: 3 * DAY,
      holdLimit: 3 * DAY,
    });
    expect(exceeded).toEqual([
      'spec.config.gracePeriod is 99999999999999 seconds, and counts as the most that is allowed, 86400',
      'spec.config.initialDelay is 86401 seconds, and counts as the most that is allowed, 86400',
      'spec.staleAfter is 259201 seconds, and counts as the most that is allowed, 259200',
      'spec.holdLimit is 1000000000000000 seconds, and counts as the most that is allowed, 259200',
    ]);
  });

  test('of numbers that no schema of ours allows is bounded before it is read', () => {
    expect(specOf({ config: { gracePeriod: Number.MAX_SAFE_INTEGER } }).spec.config.gracePeriod).toBe(DAY);
    const spec = { ...anIntegrity().spec, staleAfter: 2 ** 63 };
    expect(bounded(spec, DAY).spec.staleAfter).toBe(3 * DAY);
    expect(bounded({}, DAY)).toEqual({ spec: {}, exceeded: [] });
  });
});

describe('the longest pause', () => {
  test('is a day, unless an administrator says otherwise', () => {
    expect([undefined, '', '604800', '10'].map(longestPause)).toEqual([DAY, DAY, 604_800, 10]);
  });

  test.each(['9', '-1', 'a week', '1e9', '0x10', '9999999999'])('is not %s', (text) => {
    expect(() => longestPause(text)).toThrow('MAX_GRACE_PERIOD_SECONDS');
  });
});
