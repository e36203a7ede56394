import fc from 'fast-check';
import { type Material, mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';

const MAX_BYTES = 16 * 1024;
/** Inputs that are remembered for having reached something new. */
const POOL_LIMIT = 2000;
/** Structured inputs are made so many at a time: each call has its price. */
const BATCH = 64;

/** The inputs for one target, one after the other: the same ones for the same seed, as long as none is remembered. */
export class Series {
  readonly #target: Target;
  readonly #random: Random;
  readonly #pool: Buffer[];
  readonly #first: Buffer[];
  #structured: Buffer[] = [];

  /** @param corpus inputs that were a target's undoing once; they come first, unchanged, with the seeds */
  constructor(target: Target, seed: string, corpus: readonly Buffer[]) {
    this.#target = target;
    this.#random = new Random(`${seed} ${target.name}`);
    this.#pool = [...corpus, ...target.seeds()];
    this.#first = [...this.#pool];
  }

  /** Whether all that is not made at random has been given out. */
  get isPastSeeds(): boolean {
    return this.#first.length === 0;
  }

  next(): Buffer {
    const first = this.#first.shift();
    if (first !== undefined) return first;
    const random = this.#random;
    const structured = random.oneIn(3) ? this.#nextStructured() : undefined;
    if (structured !== undefined && random.oneIn(2)) return structured;
    return mutate(structured ?? random.pick(this.#pool) ?? Buffer.alloc(0), random, this.#material());
  }

  /** The input has reached something new: others will be made of it. */
  remember(input: Buffer): void {
    if (this.#pool.length < POOL_LIMIT) this.#pool.push(Buffer.from(input));
    else this.#pool[this.#random.below(POOL_LIMIT)] = Buffer.from(input);
  }

  #nextStructured(): Buffer | undefined {
    const { structured } = this.#target;
    if (structured === undefined) return undefined;
    if (this.#structured.length === 0) {
      this.#structured = fc.sample(structured, { numRuns: BATCH, seed: this.#random.next() | 0 });
    }
    return this.#structured.pop()?.subarray(0, this.#material().maxBytes);
  }

  #material(): Material {
    const { words = [], maxBytes = MAX_BYTES } = this.#target;
    return { others: this.#pool, words, maxBytes };
  }
}

/** An input that is still wrong, as small as can be found by leaving out pieces in so many milliseconds. */
export async function shrink(
  input: Buffer,
  isWrong: (input: Buffer) => Promise<boolean>,
  milliseconds = 3000,
): Promise<Buffer> {
  const until = performance.now() + milliseconds;
  let smallest = input;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < smallest.length && performance.now() < until; ) {
      const without = Buffer.concat([smallest.subarray(0, start), smallest.subarray(start + size)]);
      if (await isWrong(without)) smallest = without;
      else start += size;
    }
  }
  return smallest;
}
