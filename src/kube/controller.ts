/** How one reconcile ended. A throw is the fourth outcome, `failed`: it is tried again with a growing pause. */
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
  /** The one place for metrics, logs and conditions. `durationMs`: how long the reconcile ran. */
  onOutcome?: (key: string, outcome: FinishedOutcome, durationMs: number) => void;
  /** How long a stop waits for running reconciles, in milliseconds; default 10 000. */
  stopTimeoutMs?: number;
}

export interface Controller {
  readonly name: string;
  /** Asks for a reconcile of that key, soon. Asking twice before it starts is asking once. */
  enqueue(key: string): void;
  /** Keys that wait to be reconciled now (not those with a time in the future). */
  readonly depth: number;
  /** Runs until the signal aborts and the running reconciles have ended. */
  run(signal: AbortSignal): Promise<void>;
}

export declare function createController(options: ControllerOptions): Controller;
