import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const BACKOFF = { firstMs: 200, maxMs: 10_000 };

test('the pause doubles with each failure until the maximum', () => {
  const pauses = [1, 2, 3, 7, 8, 1000].map((failures) => backoffMs(BACKOFF, failures, 0.5));
  expect(pauses).toEqual([200, 400, 800, 10_000, 10_000, 10_000]);
});

test('the pause is spread over half to one and a half of itself, and is always a number that can be waited', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
      const pause = backoffMs(BACKOFF, failures, random);
      expect(pause).toBeGreaterThanOrEqual(100);
      expect(pause).toBeLessThanOrEqual(15_000);
    }),
  );
});
