import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect } from 'vitest';
import { processesOf } from '../../devcluster/leftovers.ts';
import { networksOf } from '../../devcluster/network.ts';

/** Starts a cluster in a process of its own, that a test can kill. It prints its progress, then `running`. */
export function startElsewhere(directory: string, ...flags: string[]): ChildProcessByStdio<null, Readable, null> {
  const program = join(import.meta.dirname, '..', 'fixtures', 'start-cluster.ts');
  return spawn(process.execPath, [program, directory, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** No process, bridge or folder of the cluster is left. */
export async function expectNothingLeft(directory: string): Promise<void> {
  expect(processesOf(directory)).toEqual([]);
  expect(await networksOf(directory)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
}
