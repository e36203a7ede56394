import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, type RunResult, run } from '../devcluster/lib/run.ts';

/** buildah with a store of its own, so that the user's images and containers are left alone. */
export interface Buildah {
  /** Runs it and returns its standard output; throws with the end of its errors. */
  must(args: readonly string[], signal: AbortSignal): Promise<string>;
  /** Runs it and returns what came, whatever the code. A signal that aborts counts as code 124. */
  try(args: readonly string[], signal: AbortSignal): Promise<RunResult>;
}

/** A buildah whose images are kept in `directory`. */
export function buildahIn(directory: string): Buildah {
  mkdirSync(directory, { recursive: true });
  const argv = (args: readonly string[]) =>
    [
      'buildah',
      '--root',
      join(directory, 'storage'),
      '--runroot',
      join(directory, 'run'),
      ...args,
    ] as const satisfies readonly [string, ...string[]];
  return {
    async must(args, signal) {
      return (await mustRun(argv(args), { signal })).stdout;
    },
    async try(args, signal) {
      try {
        return await run(argv(args), { signal });
      } catch (error) {
        if (signal.aborted) return { code: 124, stdout: '', stderr: 'it took too long' };
        throw error;
      }
    },
  };
}
