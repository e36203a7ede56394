import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { minutesBefore, NOW } from '../../../../test/support/operator-worlds.ts';
import { planOrphans } from './orphans.ts';

const part = (number: number, madeAt?: string): [number, ConfigMap] => [
  number,
  { metadata: { name: `aide-worker-a-${number}`, ...(madeAt !== undefined && { creationTimestamp: madeAt }) } },
];
const plan = (hasMessage: boolean, ...parts: [number, ConfigMap][]) => {
  const { remove, looksAgainAt } = planOrphans({ now: NOW, hasMessage, parts: new Map(parts) });
  return { remove: remove.map(({ metadata }) => metadata?.name), looksAgainAt: looksAgainAt?.toISOString() };
};

describe('parts to which no message came', () => {
  test('are removed ten minutes after the newest of them was made', () => {
    expect(plan(false, part(2, minutesBefore(30)), part(3, minutesBefore(10)))).toEqual({
      remove: ['aide-worker-a-2', 'aide-worker-a-3'],
      looksAgainAt: undefined,
    });
  });

  test('wait for it until then: a long message is under way, and the time is known when to look again', () => {
    expect(plan(false, part(2, minutesBefore(30)), part(3, minutesBefore(9)))).toEqual({
      remove: [],
      looksAgainAt: minutesBefore(-1),
    });
  });

  test('of which no time is known are as old as can be', () => {
    expect(plan(false, part(2, 'yesterday'), part(3)).remove).toHaveLength(2);
  });
});

test('parts above the number that a message may have belong to none, whatever is there', () => {
  const parts = [part(99, minutesBefore(1)), part(100, minutesBefore(1)), part(999, minutesBefore(1))];
  expect(plan(true, ...parts).remove).toEqual(['aide-worker-a-100', 'aide-worker-a-999']);
  expect(plan(false, ...parts).remove).toEqual(['aide-worker-a-100', 'aide-worker-a-999']);
});

test('parts of a message that is there go with it', () => {
  expect(plan(true, part(2, minutesBefore(600)))).toEqual({ remove: [], looksAgainAt: undefined });
});
