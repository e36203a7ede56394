import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

export interface FuzzOptions {
  /** Module that exports `targets`; default `targets.ts`. */
  readonly table?: URL;
  readonly targets: readonly string[];
  /** The same one makes the same inputs. */
  readonly seed: string;
  /** Seconds for each target, beyond what its seeds take. */
  readonly secondsEach: number;
  /** Inputs that reach something new are remembered, and others made of them. Then the seed alone does not repeat a run. */
  readonly guided?: boolean;
  /** Where inputs that are a target's undoing are kept, and read from; default `corpus/`. */
  readonly corpus?: string;
  /** Seconds after which a target that has not come back from one input hangs; default 30. */
  readonly hangSeconds?: number;
  /** MiB that the process may grow by while a target is at one input; default 512. */
  readonly memoryMiB?: number;
  readonly onEnd?: (ended: Ended) => void;
}

export interface Ended {
  readonly target: string;
  readonly inputs: number;
  readonly fault?: Fault;
}

export interface Fault {
  readonly target: string;
  readonly problem: string;
  readonly input: Buffer;
  /** Where the input is kept. */
  readonly file: string;
}

/** What the worker is told. */
export interface Order {
  readonly table: string;
  readonly names: readonly string[];
  readonly seed: string;
  readonly msEach: number;
  readonly guided: boolean;
  readonly corpus: Readonly<Record<string, readonly Uint8Array[]>>;
  /** Two numbers: length of the input that is being read, and how many there were. */
  readonly desk: SharedArrayBuffer;
  /** That input. */
  readonly input: SharedArrayBuffer;
}

/** What the worker tells. */
export type Report =
  | { readonly type: 'begins'; readonly target: string }
  | {
      readonly type: 'ends';
      readonly target: string;
      readonly inputs: number;
      readonly problem?: string;
      readonly input?: Uint8Array;
    };

const INPUT_ROOM = 1024 * 1024;
const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));

/** Gives inputs to targets, one after the other, and tells what was wrong with each. */
export async function fuzz(options: FuzzOptions): Promise<Ended[]> {
  const ended: Ended[] = [];
  while (ended.length < options.targets.length) {
    // After a fault that ends the worker, another one goes on with the next target.
    ended.push(...(await runWorker(options, options.targets.slice(ended.length))));
  }
  return ended;
}

async function runWorker(options: FuzzOptions, names: readonly string[]): Promise<Ended[]> {
  const { seed, secondsEach, guided = false, corpus = CORPUS, hangSeconds = 30, memoryMiB = 512 } = options;
  const desk = new SharedArrayBuffer(8);
  const input = new SharedArrayBuffer(INPUT_ROOM);
  const numbers = new Int32Array(desk);
  const order: Order = {
    table: String(options.table ?? new URL('./targets.ts', import.meta.url)),
    names,
    seed,
    msEach: secondsEach * 1000,
    guided,
    corpus: Object.fromEntries(names.map((name) => [name, readCorpus(corpus, name)])),
    desk,
    input,
  };
  const ended: Ended[] = [];
  const end = (each: Ended) => {
    ended.push(each);
    options.onEnd?.(each);
  };
  let current: string | undefined;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
  });
  worker.on('message', (report: Report) => {
    current = report.target;
    if (report.type === 'begins') return;
    const { target, inputs, problem, input } = report;
    const fault = problem !== undefined && { fault: keep(corpus, target, problem, Buffer.from(input ?? [])) };
    end({ target, inputs, ...fault });
  });
  worker.on('error', (error) => resolve(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  worker.on('exit', () => resolve(ended.length < names.length ? 'its thread ended' : undefined));

  let seen = -1;
  let since = performance.now();
  let memory = process.memoryUsage.rss();
  const watch = setInterval(() => {
    const count = Atomics.load(numbers, 1);
    if (count !== seen) {
      seen = count;
      since = performance.now();
      memory = process.memoryUsage.rss();
    } else if (performance.now() - since > hangSeconds * 1000) resolve(`it did not come back for ${hangSeconds} s`);
    else if (process.memoryUsage.rss() - memory > memoryMiB * 1024 * 1024)
      resolve(`it took ${memoryMiB} MiB of memory`);
  }, 100);
  const problem = await promise;
  clearInterval(watch);
  await worker.terminate();
  if (problem !== undefined && ended.length < names.length) {
    if (current === undefined) throw new Error(problem);
    const bytes = Buffer.from(Buffer.from(input).subarray(0, Atomics.load(numbers, 0)));
    end({ target: current, inputs: Atomics.load(numbers, 1), fault: keep(corpus, current, problem, bytes) });
  }
  return ended;
}

function readCorpus(corpus: string, target: string): Buffer[] {
  const folder = join(corpus, target);
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name)));
  } catch {
    return []; // nothing was ever wrong with it
  }
}

/** Keeps the input where it is a seed from now on. */
function keep(corpus: string, target: string, problem: string, input: Buffer): Fault {
  const file = join(corpus, target, createHash('sha256').update(input).digest('hex').slice(0, 16));
  mkdirSync(join(corpus, target), { recursive: true });
  writeFileSync(file, input);
  return { target, problem, input, file };
}

/** A fault for a person: what was wrong, the input as far as it can be shown, and how to see it again. */
export function describeFault({ target, problem, input, file }: Fault, seed: string): string {
  const shown = JSON.stringify(input.toString('latin1', 0, 400)) + (input.length > 400 ? '…' : '');
  return [
    `${target}: ${problem}`,
    `  input (${input.length} bytes, as Latin-1): ${shown}`,
    `  kept in ${file}; again: npm run fuzz -- --target ${target} --seconds 0 (it was found with --seed ${seed})`,
  ].join('\n');
}
