import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runTogether } from './run-together.ts';

const untilStopped = async (signal: AbortSignal, onEnd: () => void): Promise<void> => {
  if (!signal.aborted) await once(signal, 'abort');
  await delay(20);
  onEnd();
};

test('when one fails, the others are stopped and have ended before that is told', async () => {
  let hasEnded = false;
  const fails = async () => {
    await delay(5);
    throw new Error('one failed');
  };
  const other = (signal: AbortSignal) => untilStopped(signal, () => (hasEnded = true));
  await expect(runTogether([fails, other], new AbortController().signal)).rejects.toThrow('one failed');
  expect(hasEnded).toBe(true);
});

test('one that throws before it has begun stops the others as well', async () => {
  let hasEnded = false;
  const throws = () => {
    throw new Error('never began');
  };
  const other = (signal: AbortSignal) => untilStopped(signal, () => (hasEnded = true));
  await expect(runTogether([other, throws], new AbortController().signal)).rejects.toThrow('never began');
  expect(hasEnded).toBe(true);
});

test('ends without an error once it is stopped', async () => {
  const stop = new AbortController();
  const running = runTogether([(signal) => untilStopped(signal, () => {})], stop.signal);
  stop.abort();
  await expect(running).resolves.toBeUndefined();
});
