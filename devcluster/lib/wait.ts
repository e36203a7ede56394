import { FioError } from '../../src/lib/errors.ts';
import { sleep } from '../../src/lib/signal.ts';

/**
 * Asks every 50 ms until the answer is yes. An error of `ask` counts as no, unless it is a FioError, which ends the wait.
 * @throws FioError `DEVCLUSTER_TIMEOUT`
 */
export async function waitFor(
  ask: () => Promise<boolean>,
  what: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  for (const end = Date.now() + withinMs; ; await sleep(50, signal)) {
    signal.throwIfAborted();
    if (await ask().catch(rethrowKnown)) return;
    if (Date.now() > end) throw new FioError('DEVCLUSTER_TIMEOUT', `${what} was not ready within ${withinMs / 1000} s`);
  }
}

function rethrowKnown(error: unknown): false {
  if (error instanceof FioError) throw error;
  return false;
}
