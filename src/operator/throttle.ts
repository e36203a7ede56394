/**
 * Passes keys on at once, but each at most once per `intervalMs`: what comes in between is passed on together at its end.
 * Of a thousand nodes that report at once, a FileIntegrity is planned once per interval and not a thousand times.
 */
export class Throttle {
  readonly #pass: (key: string) => void;
  readonly #intervalMs: number;
  /** Keys passed on within the last interval, and whether they were asked for again. */
  readonly #recent = new Map<string, { again: boolean; timer: NodeJS.Timeout }>();

  constructor(pass: (key: string) => void, intervalMs: number) {
    this.#pass = pass;
    this.#intervalMs = intervalMs;
  }

  add(key: string): void {
    const recent = this.#recent.get(key);
    if (recent) {
      recent.again = true;
      return;
    }
    this.#pass(key);
    const timer = setTimeout(() => this.#end(key), this.#intervalMs);
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
