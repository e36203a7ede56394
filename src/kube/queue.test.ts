import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WorkQueue } from './queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const BACKOFF = { firstMs: 100, maxMs: 1_000 };

describe('a work queue', () => {
  test('gives keys in the order in which they came, each once however often it was added', async () => {
    const queue = new WorkQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.depth).toBe(3);
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual(['a', 'b', 'c']);
  });

  test('gives a key that was added during its work again, but only when that work is done', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await queue.take()).toBe('a');
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  test('gives a key to whoever has waited longest', async () => {
    const queue = new WorkQueue();
    const takers = [queue.take(), queue.take()];
    queue.add('a');
    queue.add('b');
    expect(await Promise.all(takers)).toEqual(['a', 'b']);
  });

  test('adds a key later; the earliest wish counts, whichever came first', async () => {
    const queue = new WorkQueue();
    queue.addAfter('late then early', 5_000);
    queue.addAfter('late then early', 1_000);
    queue.addAfter('early then late', 1_000);
    queue.addAfter('early then late', 5_000);
    await vi.advanceTimersByTimeAsync(999);
    expect(queue.depth).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(queue.depth).toBe(2);
    await queue.take();
    await queue.take();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queue.depth).toBe(0);
  });

  test('adds a key whose time has come, or is no time, at once', () => {
    const queue = new WorkQueue();
    for (const ms of [0, -5, Number.NaN]) queue.addAfter(`after ${ms}`, ms);
    expect(queue.depth).toBe(3);
  });

  test('takes a key that is due in years without failing', async () => {
    const queue = new WorkQueue();
    queue.addAfter('a', 1e15);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(queue.depth).toBe(0);
  });

  test('retries with pauses that grow up to a maximum, and anew after forget', () => {
    const queue = new WorkQueue({ backoff: BACKOFF, random: () => 0.5 });
    expect([1, 2, 3, 4, 5, 6].map(() => queue.retry('a'))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(queue.retry('b')).toBe(100);
    queue.forget('a');
    expect(queue.retry('a')).toBe(100);
  });

  test('that is closed ends those who wait, drops what waits, and takes nothing in', async () => {
    const queue = new WorkQueue();
    const waiting = queue.take();
    queue.close();
    expect(await waiting).toBeUndefined();
    queue.add('a');
    queue.addAfter('b', 10);
    await vi.advanceTimersByTimeAsync(100);
    expect(queue.depth).toBe(0);
    expect(await queue.take()).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('whatever is added, taken and done in whatever order, no key is lost and none is worked on twice at a time', async () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const action = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key }),
    fc.record({ do: fc.constant('later' as const), key, ms: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ do: fc.constant('retry' as const), key }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('done' as const), key }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 100 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
      const queue = new WorkQueue({ backoff: BACKOFF });
      const working = new Set<string>();
      /** Keys that were asked for since work on them began last. */
      const owed = new Set<string>();
      const take = async () => {
        const taken = await queue.take();
        if (taken === undefined) return;
        expect(working.has(taken)).toBe(false);
        working.add(taken);
        owed.delete(taken);
      };
      for (const step of actions) {
        if (step.do === 'add') queue.add(step.key);
        if (step.do === 'later') queue.addAfter(step.key, step.ms);
        if (step.do === 'retry') queue.retry(step.key);
        if (step.do === 'add' || step.do === 'later' || step.do === 'retry') owed.add(step.key);
        if (step.do === 'take' && queue.depth > 0) await take();
        if (step.do === 'done' && working.delete(step.key)) queue.done(step.key);
        if (step.do === 'pass') await vi.advanceTimersByTimeAsync(step.ms);
      }
      for (const left of working) queue.done(left);
      working.clear();
      await vi.advanceTimersByTimeAsync(10_000);
      while (queue.depth > 0) await take();
      expect([...owed]).toEqual([]);
      queue.close();
    }),
  );
});
