import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * How many cores this container may use, at least 1: those that there are, or as many as its CPU limit is worth, rounded
 * up. Node's own figure goes by the limit in version 2 of control groups only, and by some mounts of version 1.
 *
 * `root` is where a container sees its own control groups.
 */
export async function allowedCores(root = '/sys/fs/cgroup', cores = availableParallelism()): Promise<number> {
  const limit = (await unifiedLimit(root)) ?? (await legacyLimit(root)) ?? cores;
  return Math.max(1, Math.min(cores, Math.ceil(limit)));
}

/** `max 100000`, or quota and period in microseconds. */
async function unifiedLimit(root: string): Promise<number | undefined> {
  const [quota, period] = (await read(join(root, 'cpu.max')))?.split(' ').map(Number) ?? [];
  return ratio(quota, period);
}

async function legacyLimit(root: string): Promise<number | undefined> {
  const [quota, period] = await Promise.all(
    ['cfs_quota_us', 'cfs_period_us'].map(async (name) => Number(await read(join(root, 'cpu', `cpu.${name}`)))),
  );
  return ratio(quota, period);
}

/** Undefined where there is no limit: `max` is no number, and version 1 says -1. */
function ratio(quota = Number.NaN, period = Number.NaN): number | undefined {
  return quota > 0 && period > 0 ? quota / period : undefined;
}

/**
 * Bytes that AIDE may take: what this container's limit leaves when what is in use is taken off, and what the daemon needs
 * to read a report; undefined where there is no limit. At least 1.
 *
 * Whoever takes more than the limit is ended by the kernel, and with version 2 of control groups the whole container with it:
 * then nobody is left to say why.
 */
export async function allowedMemory(root = '/sys/fs/cgroup'): Promise<number | undefined> {
  const limit = Number(
    (await read(join(root, 'memory.max'))) ?? (await read(join(root, 'memory/memory.limit_in_bytes'))),
  );
  // `max` is no number, and version 1 names a number that no machine has.
  if (!(limit > 0 && limit < UNLIMITED)) return undefined;
  return Math.max(1, limit - (await usedMemory(root)) - DAEMON_RESERVE);
}

const UNLIMITED = 2 ** 60;
const DAEMON_RESERVE = 24 * 1024 * 1024;

/** What is not on a disk: only that cannot be taken from the container when somebody needs room. */
async function usedMemory(root: string): Promise<number> {
  const unified = await read(join(root, 'memory.stat'));
  const text = unified ?? (await read(join(root, 'memory/memory.stat'))) ?? '';
  return Number(/^(?:anon|total_rss) (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function read(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}
