import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits `milliseconds`, or until the signal aborts, whichever comes first. It resolves either way, because callers look
 * at the signal themselves and an expected end is no error.
 */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await delay(milliseconds, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
  });
}
