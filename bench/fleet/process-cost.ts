import { readFileSync } from 'node:fs';

/** What a process has taken: processor time in seconds, and its memory in bytes. */
export interface ProcessCost {
  readonly cpu: number;
  readonly resident: number;
}

const TICKS_PER_SECOND = 100;
const PAGE = 4096;

/** @throws Error with the code ENOENT when it has ended. */
export function costOf(pid: number): ProcessCost {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold anything: fields 14, 15 and 24 are utime, stime and rss, and after the name comes field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { cpu: (field(14) + field(15)) / TICKS_PER_SECOND, resident: field(24) * PAGE };
}
