import { FioError } from '../lib/errors.ts';
import type { Backoff } from './backoff.ts';
import { WorkQueue } from './queue.ts';

/** How one reconcile ended. A throw is the fourth outcome, `failed`: it is tried again after a pause that grows. */
export type Outcome =
  /** All is as it should be. */
  | { kind: 'done'; requeueAfterMs?: number }
  /** Something else has to happen first; look again then. */
  | { kind: 'waiting'; reason: string; requeueAfterMs: number }
  /** The user has to change something; nothing is tried until the object changes. */
  | { kind: 'stalled'; reason: string; message: string };

/** What `onOutcome` hears. */
export type FinishedOutcome = Outcome | { kind: 'failed'; error: unknown; retryAfterMs: number };

export interface ControllerOptions {
  name: string;
  /** Brings one object to what it should be. The signal aborts when the controller stops. */
  reconcile: (key: string, context: { signal: AbortSignal }) => Promise<Outcome>;
  /** Reconciles at the same time, never two of one key; default 1. */
  concurrency?: number;
  /** The one place for metrics, logs and conditions. `durationMs`: how long the reconcile ran. Must not throw. */
  onOutcome?: (key: string, outcome: FinishedOutcome, durationMs: number) => void;
  /** Pauses between tries of a key that fails; default 0.2 s to 5 min. */
  backoff?: Backoff;
  /** How long a stop waits for running reconciles, in milliseconds; default 10 000. */
  stopTimeoutMs?: number;
}

export interface Controller {
  readonly name: string;
  /** Asks for a reconcile of that key, soon. Asking twice before it starts is asking once. */
  enqueue(key: string): void;
  /** Keys that wait to be reconciled now (not those with a time in the future). */
  readonly depth: number;
  /**
   * Runs until the signal aborts and the running reconciles have ended. Call it once.
   *
   * @throws FioError `KUBE_STOP_TIMEOUT` when a reconcile did not end in time; what `onOutcome` threw
   */
  run(signal: AbortSignal): Promise<void>;
}

export function createController(options: ControllerOptions): Controller {
  const { name, reconcile, concurrency = 1, onOutcome, backoff, stopTimeoutMs = 10_000 } = options;
  const queue = new WorkQueue({ ...(backoff && { backoff }) });

  async function work(signal: AbortSignal): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      const startedAt = performance.now();
      const outcome = await attempt(key, signal);
      if (outcome) onOutcome?.(key, outcome, performance.now() - startedAt);
      queue.done(key);
    }
  }

  /** Undefined: it failed because we stop, which is no failure. */
  async function attempt(key: string, signal: AbortSignal): Promise<FinishedOutcome | undefined> {
    try {
      const outcome = await reconcile(key, { signal });
      queue.forget(key);
      schedule(key, outcome);
      return outcome;
    } catch (error) {
      return signal.aborted ? undefined : { kind: 'failed', error, retryAfterMs: queue.retry(key) };
    }
  }

  function schedule(key: string, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'done':
        if (outcome.requeueAfterMs !== undefined) queue.addAfter(key, outcome.requeueAfterMs);
        return;
      case 'waiting':
        queue.addAfter(key, outcome.requeueAfterMs);
        return;
      case 'stalled':
        return;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const stop = () => {
      queue.close();
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let timer: NodeJS.Timeout | undefined;
    try {
      const workers = Promise.all(Array.from({ length: concurrency }, () => work(signal)));
      await Promise.race([workers, stopped]);
      const { promise: late, reject } = Promise.withResolvers<never>();
      timer = setTimeout(() => reject(stopTimeout(name, queue.working, stopTimeoutMs)), stopTimeoutMs);
      await Promise.race([workers, late]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      queue.close();
    }
  }

  return {
    name,
    enqueue: (key) => queue.add(key),
    get depth() {
      return queue.depth;
    },
    run,
  };
}

function stopTimeout(name: string, working: ReadonlySet<string>, ms: number): FioError {
  const keys = [...working].slice(0, 5).join(', ');
  return new FioError('KUBE_STOP_TIMEOUT', `The controller ${name} still works on ${keys} after ${ms / 1000} s`);
}
