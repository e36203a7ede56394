/** The part of the time that may be spent on one key. */
const SHARE = 0.2;

/**
 * Passes keys on at once, but each at most once per `intervalMs`: what comes in between is passed on together at its end.
 * Of a thousand nodes that report at once, a FileIntegrity is planned once per interval and not a thousand times.
 *
 * What takes long is passed on less often: it has at most a fifth of the time.
 */
export class Throttle {
  readonly #pass: (key: string) => void;
  readonly #intervalMs: number;
  /** Keys passed on within the last interval, and whether they were asked for again. */
  readonly #recent = new Map<string, { again: boolean; timer: NodeJS.Timeout }>();
  /** Pauses that are longer than the interval, by key. */
  readonly #pauses = new Map<string, number>();

  constructor(pass: (key: string) => void, intervalMs: number) {
    this.#pass = pass;
    this.#intervalMs = intervalMs;
  }

  /** What was done for a key took so long, in milliseconds; 0: nothing is known of it any more. */
  note(key: string, durationMs: number): void {
    const pause = durationMs * (1 / SHARE - 1);
    if (pause > this.#intervalMs) this.#pauses.set(key, pause);
    else this.#pauses.delete(key);
  }

  add(key: string): void {
    const recent = this.#recent.get(key);
    if (recent) {
      recent.again = true;
      return;
    }
    this.#pass(key);
    const timer = setTimeout(() => this.#end(key), this.#pauses.get(key) ?? this.#intervalMs);
    this.#recent.set(key, { again: false, timer });
  }

  /** Forgets what waits. */
  stop(): void {
    for (const { timer } of this.#recent.values()) clearTimeout(timer);
    this.#recent.clear();
  }

  #end(key: string): void {
    const again = this.#recent.get(key)?.again;
    this.#recent.delete(key);
    if (again) this.add(key);
  }
}
