import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../src/kube/errors.ts';

/** Tries until the API server is there to answer; what it refuses is thrown. */
export async function persist<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      // Right after its start the API server refuses what its caches do not know yet.
      const isFinal = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (isFinal && ![401, 403, 429].includes(error.status)) throw error;
      await delay(250, undefined, { signal });
    }
  }
}
