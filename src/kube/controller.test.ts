import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { type Controller, createController, type FinishedOutcome, type Outcome } from './controller.ts';

afterEach(() => {
  vi.useRealTimers();
});

const DONE: Outcome = { kind: 'done' };

/** Runs a controller until the test ends it. */
function start(controller: Controller) {
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  return {
    running,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

test('what is asked for before the start is reconciled after it', async () => {
  const seen: string[] = [];
  const reconcile = async (key: string) => {
    seen.push(key);
    return DONE;
  };
  const controller = createController({ name: 't', reconcile });
  controller.enqueue('a');
  controller.enqueue('a');
  controller.enqueue('b');
  expect(controller.depth).toBe(2);
  const { stop } = start(controller);
  await vi.waitFor(() => expect(seen).toEqual(['a', 'b']));
  await stop();
});

test('as many keys as allowed are reconciled at the same time, never one key twice', async () => {
  let running = 0;
  let most = 0;
  const busy = new Set<string>();
  const seen: string[] = [];
  const controller = createController({
    name: 't',
    concurrency: 3,
    async reconcile(key) {
      expect(busy.has(key)).toBe(false);
      busy.add(key);
      most = Math.max(most, ++running);
      if (seen.length < 3) controller.enqueue(key);
      await delay(5);
      running--;
      busy.delete(key);
      seen.push(key);
      return DONE;
    },
  });
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) controller.enqueue(key);
  const { stop } = start(controller);
  await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(9));
  await stop();
  expect(most).toBe(3);
});

test('each outcome decides when the key comes back', async () => {
  vi.useFakeTimers();
  const outcomes: FinishedOutcome[] = [];
  const tries = new Map<string, number>();
  const controller = createController({
    name: 't',
    async reconcile(key) {
      const count = (tries.get(key) ?? 0) + 1;
      tries.set(key, count);
      if (count > 1) return DONE;
      switch (key) {
        case 'done':
          return { kind: 'done', requeueAfterMs: 600_000 };
        case 'waiting':
          return { kind: 'waiting', reason: 'NoPods', requeueAfterMs: 5_000 };
        case 'stalled':
          return { kind: 'stalled', reason: 'BadConfig', message: 'There is no such group' };
        default:
          throw new Error('boom');
      }
    },
    onOutcome: (_key, outcome) => outcomes.push(outcome),
  });
  for (const key of ['done', 'waiting', 'stalled', 'failed']) controller.enqueue(key);
  const { stop } = start(controller);
  await vi.advanceTimersByTimeAsync(0);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'waiting', 'stalled', 'failed']);
  expect(outcomes[3]).toMatchObject({ error: { message: 'boom' }, retryAfterMs: expect.any(Number) });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Object.fromEntries(tries)).toEqual({ done: 1, waiting: 1, stalled: 1, failed: 2 });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(tries.get('waiting')).toBe(2);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(Object.fromEntries(tries)).toEqual({ done: 2, waiting: 2, stalled: 1, failed: 2 });
  const stopped = stop();
  await vi.advanceTimersByTimeAsync(0);
  await stopped;
});

test('pauses between failures grow, and a success ends that', async () => {
  vi.useFakeTimers();
  const pauses: number[] = [];
  let healthy = false;
  const controller = createController({
    name: 't',
    async reconcile() {
      if (!healthy) throw new Error('boom');
      return DONE;
    },
    onOutcome: (_key, outcome) => outcome.kind === 'failed' && pauses.push(outcome.retryAfterMs),
  });
  controller.enqueue('a');
  const { stop } = start(controller);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(pauses[0]).toBeLessThanOrEqual(300);
  expect(pauses.at(-1)).toBeGreaterThanOrEqual(150_000);
  healthy = true;
  await vi.advanceTimersByTimeAsync(600_000);
  healthy = false;
  pauses.length = 0;
  controller.enqueue('a');
  await vi.advanceTimersByTimeAsync(0);
  expect(pauses[0]).toBeLessThanOrEqual(300);
  const stopped = stop();
  await vi.advanceTimersByTimeAsync(0);
  await stopped;
});

test('a stop tells running reconciles, waits for them, and starts no more', async () => {
  const ended: string[] = [];
  const outcomes: FinishedOutcome[] = [];
  const controller = createController({
    name: 't',
    async reconcile(key, { signal }) {
      await delay(60_000, undefined, { signal }).finally(() => ended.push(key));
      return DONE;
    },
    onOutcome: (_key, outcome) => outcomes.push(outcome),
  });
  controller.enqueue('a');
  controller.enqueue('b');
  const { stop } = start(controller);
  await delay(5);
  await stop();
  expect(ended).toEqual(['a']);
  expect(outcomes).toEqual([]); // ended by the stop, which is no failure
});

test('a stop does not wait for ever: it names what still runs', async () => {
  const controller = createController({ name: 'stuck', reconcile: () => new Promise(() => {}), stopTimeoutMs: 20 });
  controller.enqueue('ns/a');
  const { stop } = start(controller);
  await delay(5);
  await expect(stop()).rejects.toMatchObject({ code: 'KUBE_STOP_TIMEOUT', message: expect.stringContaining('ns/a') });
});

test('a controller that is stopped before it starts ends at once', async () => {
  const controller = createController({ name: 't', reconcile: async () => DONE });
  await expect(controller.run(AbortSignal.abort())).resolves.toBeUndefined();
});

test('a hook that throws ends the controller loudly', async () => {
  const onOutcome = () => {
    throw new Error('a hook with a bug');
  };
  const controller = createController({ name: 't', reconcile: async () => DONE, onOutcome });
  controller.enqueue('a');
  await expect(controller.run(new AbortController().signal)).rejects.toThrow('a hook with a bug');
});
