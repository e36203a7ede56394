import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** One line on when and on what was measured: figures without it say nothing. */
export function describeMachine(): string {
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const memory = Math.round(totalmem() / 2 ** 30);
  const cores = availableParallelism();
  return `${date} UTC; ${cores} cores (${model}), ${memory} GiB, Linux ${release()}, Node.js ${process.version}; load average ${describeLoad()}`;
}

/** The load averages of 1, 5 and 15 minutes. */
export function describeLoad(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
}

/** Processor time of the whole machine, in seconds since its boot. */
export interface ProcessorTime {
  /** Spent by processes and the kernel, and taken by other machines of the same host. */
  readonly busy: number;
  readonly total: number;
}

const TICKS_PER_SECOND = 100; // what /proc counts in, on every architecture of Linux that Node.js runs on

/** Reads the processor time from the first line of /proc/stat. */
export function processorTime(text = readFileSync('/proc/stat', 'utf8')): ProcessorTime {
  const numbers = /^cpu +(.+)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? [];
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = numbers;
  const busy = (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
  return { busy, total: busy + (idle + iowait) / TICKS_PER_SECOND };
}

/** Processor time of the children that a process has waited for, in seconds, from its /proc/PID/stat. Steps of 10 ms. */
export function childrenTime(text = readFileSync('/proc/self/stat', 'latin1')): number {
  const field = statField(text);
  return (field(16) + field(17)) / TICKS_PER_SECOND;
}

/** What a process has taken: processor time in seconds, and its memory in bytes. */
export interface ProcessCost {
  readonly cpu: number;
  readonly resident: number;
}

const PAGE = 4096;

/** @throws Error with the code ENOENT when the process has ended. */
export function costOf(pid: number): ProcessCost {
  const field = statField(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return { cpu: (field(14) + field(15)) / TICKS_PER_SECOND, resident: field(24) * PAGE };
}

/** Fields of /proc/PID/stat by their numbers in proc_pid_stat(5), from 3: the name before may hold anything. */
function statField(text: string): (number: number) => number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (number) => Number(fields[number - 3]);
}

/** What others used of the machine between two moments, from 0 to 1 for all its cores, when we used `oursSeconds`. */
export function shareOfOthers(before: ProcessorTime, after: ProcessorTime, oursSeconds: number): number {
  const total = after.total - before.total;
  const others = Math.max(0, after.busy - before.busy - oursSeconds);
  return others / Math.max(total, 0.01);
}
