import { spread } from '../lib/statistics.ts';

/** What was seen of a daemon's container at one moment. */
export interface Sample {
  /** Milliseconds, of any clock that only goes on. */
  readonly at: number;
  /** Whether AIDE runs. */
  readonly scanning: boolean;
  /** Bytes. */
  readonly workingSet: number;
}

/** After AIDE has ended the daemon reads its report, tells the operator and tidies up; that long is not yet “between scans”. */
export const SETTLING_MS = 5000;

/** A pause between scans that has ended. `workingSet` is the median of its samples. */
export interface Pause {
  readonly kind: 'pause';
  readonly workingSet: number;
}

/** A scan that was seen from its beginning to its end. */
export interface Scan {
  readonly kind: 'scan';
  readonly durationMs: number;
  /** The highest sample, and how many there were. */
  readonly workingSet: number;
  readonly samples: number;
}

/** Makes pauses and scans of a daemon's samples as they come. What was under way at the first sample is not counted. */
export class Phases {
  #scanning: boolean | undefined;
  #since = 0;
  /** Whether the beginning of the present phase was seen. */
  #whole = false;
  #samples: number[] = [];

  /** Takes the next sample; returns what it ends. */
  add({ at, scanning, workingSet }: Sample): Pause | Scan | undefined {
    let ended: Pause | Scan | undefined;
    if (scanning !== this.#scanning) {
      ended = this.#end(at);
      this.#whole = this.#scanning !== undefined;
      this.#scanning = scanning;
      this.#since = at;
      this.#samples = [];
    }
    if (scanning || at - this.#since >= SETTLING_MS) this.#samples.push(workingSet);
    return ended;
  }

  #end(at: number): Pause | Scan | undefined {
    if (!this.#whole || this.#samples.length === 0) return undefined;
    const { median, max, count } = spread(this.#samples);
    if (!this.#scanning) return { kind: 'pause', workingSet: median };
    return { kind: 'scan', durationMs: at - this.#since, workingSet: max, samples: count };
  }
}
