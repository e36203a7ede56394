import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../src/kube/errors.ts';

/** Tries until the API server is there to answer; what it refuses is thrown. */
export async function persist<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (isFinal(error)) throw error;
      await delay(250, undefined, { signal });
    }
  }
}

/** Right after its start the API server refuses what its caches do not know yet; an admission policy knows what it says. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) return false;
  if (error.message.includes('AdmissionPolicy')) return true;
  return ![401, 403, 429].includes(error.status);
}
