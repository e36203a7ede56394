import { setTimeout as delay } from 'node:timers/promises';

/** Waits until the condition holds; says what it waited for when it does not within `timeoutMs` (default 60 000: a scan has the lowest priority, and a machine that runs tests is busy). */
export async function eventually(what: string, condition: () => unknown, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain until ${what}`);
    await delay(25);
  }
}
