import { type Backoff, backoffMs } from './backoff.ts';

export interface QueueOptions {
  /** Pauses after failures; default 200 ms, doubled up to 5 minutes. */
  backoff?: Backoff;
  /** In [0, 1); default Math.random. */
  random?: () => number;
}

// What setTimeout can wait at most, some 24 days. What is due later comes then, which is early and does no harm.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Keys to work on, with client-go's guarantees: a key is in the queue once however often it is added; nobody gets a key
 * that another still works on; one that is added in the meantime comes back when that work is `done`; first in, first out.
 */
export class WorkQueue {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #addedMeanwhile = new Set<string>();
  readonly #delayed = new Map<string, { due: number; timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  readonly #takers = new Set<(key: string | undefined) => void>();
  #closed = false;

  constructor({ backoff = { firstMs: 200, maxMs: 300_000 }, random = Math.random }: QueueOptions = {}) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** Keys that wait to be taken. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Keys that somebody works on. */
  get working(): ReadonlySet<string> {
    return this.#working;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) this.#addedMeanwhile.add(key);
    else this.#waiting.add(key);
    this.#hand();
  }

  /** Adds the key in so many milliseconds. Of several such wishes for a key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    const due = performance.now() + ms;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.due <= due) return;
    clearTimeout(earlier?.timer);
    const timer = setTimeout(
      () => {
        this.#delayed.delete(key);
        this.add(key);
      },
      Math.min(ms, MAX_TIMER_MS),
    );
    this.#delayed.set(key, { due, timer });
  }

  /** Adds the key after a pause that grows with each failure until `forget`. Returns the pause, in milliseconds. */
  retry(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const ms = backoffMs(this.#backoff, failures, this.#random());
    this.addAfter(key, ms);
    return ms;
  }

  /** The key's failures are over. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, once there is one; undefined: the queue is closed. Say `done` with it afterwards. */
  take(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    if (this.#closed) resolve(undefined);
    else this.#takers.add(resolve);
    this.#hand();
    return promise;
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#addedMeanwhile.delete(key)) this.add(key);
  }

  /** Drops what waits, ends every `take`, and takes nothing in any more. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#waiting.clear();
    this.#addedMeanwhile.clear();
    for (const resolve of this.#takers) resolve(undefined);
    this.#takers.clear();
  }

  #hand(): void {
    const [taker] = this.#takers;
    const [key] = this.#waiting;
    if (!taker || key === undefined) return;
    this.#takers.delete(taker);
    this.#waiting.delete(key);
    this.#working.add(key);
    taker(key);
  }
}
