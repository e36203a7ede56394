import type { Event } from '../machine/state.ts';

/** Events in the order in which they came, for one consumer. */
export class Mailbox {
  readonly #events: Event[] = [];
  #wake: (() => void) | undefined;

  post(event: Event): void {
    this.#events.push(event);
    this.#wake?.();
    this.#wake = undefined;
  }

  async next(): Promise<Event> {
    while (true) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
