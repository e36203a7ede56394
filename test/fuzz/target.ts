import type { Arbitrary } from 'fast-check';
import { FioError } from '../../src/lib/errors.ts';

/** Something that reads bytes of a node or of a user, and what holds whatever they are. */
export interface Target {
  /** Also the name of its folder in `corpus/`. */
  readonly name: string;
  /** Inputs that mutations begin with: recorded ones and made-up ones. */
  seeds(): readonly Buffer[];
  /** Inputs with a structure that bytes changed at random hardly ever have. */
  readonly structured?: Arbitrary<Buffer>;
  /** Words of its language, which mutations put in. */
  readonly words?: readonly string[];
  /** Default 16 KiB. */
  readonly maxBytes?: number;
  /** CPU time that one input may take; default 500 ms. */
  readonly maxMs?: number;
  /** Reads the bytes and checks what must hold. A FioError with a code is an answer; every other error is a fault. */
  run(bytes: Buffer): void | Promise<void>;
}

/** What is wrong with how a target took its input; undefined when nothing is. */
export async function attempt(target: Target, bytes: Buffer): Promise<string | undefined> {
  const before = process.threadCpuUsage();
  const problem = await answer(target, bytes);
  const { user, system } = process.threadCpuUsage(before);
  const { maxMs = 500 } = target;
  const tookMs = (user + system) / 1000;
  return (
    problem ?? (tookMs > maxMs ? `it took ${Math.round(tookMs)} ms of CPU time, more than ${maxMs} ms` : undefined)
  );
}

async function answer(target: Target, bytes: Buffer): Promise<string | undefined> {
  try {
    await target.run(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof FioError && /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(error.code)) return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : `something was thrown that is no error: ${error}`;
  }
}
