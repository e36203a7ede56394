import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { DAEMON_FLAGS } from '../../src/api/daemon-command.ts';
import { FioError } from '../../src/lib/errors.ts';
import { memoryHierarchy } from '../lib/cgroup.ts';
import type { RunFigures, RunnerTask } from './messages.ts';

/** A process that scans when it is told to. */
export interface Runner extends AsyncDisposable {
  readonly pid: number;
  /** Scans so many times; returns what one took on average. */
  run(scans: number): Promise<RunFigures>;
}

/** Bundles the runner as the image's daemon is, so that loading and running it cost what they cost there. */
export async function bundleRunner(directory: string): Promise<string> {
  const outfile = join(directory, 'runner.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('runner.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'silent',
  });
  return outfile;
}

/** Starts a runner, the daemon's with the flags of Node.js that it has in the image. */
export function startRunner(program: string, task: RunnerTask): Runner {
  const flags = task.method === 'daemon' ? DAEMON_FLAGS : [];
  const [command, ...args] = [...confined(), process.execPath, ...flags, program, JSON.stringify(task)];
  const child = spawn(command ?? '', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    async run(scans) {
      child.stdin.write(`${scans}\n`);
      const { value, done } = await lines.next();
      if (done) throw new FioError('BENCH_SCAN_FAILED', `Scans of the kind ${task.method} failed`);
      return JSON.parse(value) as RunFigures;
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.stdin?.end();
  await closed;
}

/**
 * As root the daemon would have the kernel drop the page cache of the whole control group that this machine's user works
 * in. In its container control groups are read-only, and so are they made here.
 */
function confined(): string[] {
  if (process.getuid?.() !== 0) return [];
  const directory = memoryHierarchy(readFileSync('/proc/self/mounts', 'utf8'))?.directory;
  if (directory === undefined) return [];
  const script = 'mount -o remount,bind,ro "$0" && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory];
}
