/** The monotonic clock of a machine: it runs like any other, can be put forward, and stands still when told. */
export class Clock {
  #ahead = 0;
  #stoppedAt: number | undefined;
  readonly #alarms = new Set<Alarm>();

  /** Milliseconds. */
  mono(): number {
    return (this.#stoppedAt ?? performance.now()) + this.#ahead;
  }

  /** Puts it forward: what is due then is due now. */
  advance(milliseconds: number): void {
    this.#ahead += milliseconds;
    for (const alarm of this.#alarms) this.#arm(alarm);
  }

  /** While it stands still, nothing becomes due, unless it is put forward. */
  stop(): void {
    this.#stoppedAt ??= performance.now();
    for (const alarm of this.#alarms) this.#arm(alarm);
  }

  go(): void {
    if (this.#stoppedAt === undefined) return;
    this.#ahead -= performance.now() - this.#stoppedAt;
    this.#stoppedAt = undefined;
    for (const alarm of this.#alarms) this.#arm(alarm);
  }

  /** Calls back once, at that time of the clock. Returns how to have it not called. */
  alarm(at: number, ring: () => void): () => void {
    const alarm: Alarm = { at, ring, timer: undefined };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return () => {
      clearTimeout(alarm.timer);
      this.#alarms.delete(alarm);
    };
  }

  #arm(alarm: Alarm): void {
    clearTimeout(alarm.timer);
    const left = alarm.at - this.mono();
    if (left > 0 && this.#stoppedAt !== undefined) return;
    alarm.timer = setTimeout(
      () => {
        this.#alarms.delete(alarm);
        alarm.ring();
      },
      Math.min(Math.max(left, 0), 2 ** 31 - 1),
    );
  }
}

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
  timer: NodeJS.Timeout | undefined;
}
