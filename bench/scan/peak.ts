import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Peak resident memory, in bytes. */
export interface Peaks {
  readonly runner: number;
  readonly aide: number;
}

const LOOK_MS = 10;

/**
 * Peak memory of a process and of those that it starts, until `work` is done. The kernel keeps the peak of each; what a
 * process takes in its last 10 ms may be missed.
 */
export async function peaksDuring(pid: number, work: Promise<unknown>): Promise<Peaks> {
  let aide = 0;
  let done = false;
  const settled = work.finally(() => {
    done = true;
  });
  settled.catch(() => {}); // told below
  while (!done) {
    for (const child of childrenOf(pid)) aide = Math.max(aide, peakOf(child));
    await delay(LOOK_MS);
  }
  await settled;
  return { runner: peakOf(pid), aide };
}

function peakOf(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
