import { constants, write } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from './file.ts';

/** What giving back the page cache came to. */
type PageCacheResult =
  | {
      readonly done: true;
      readonly by: 'memory.reclaim' | 'memory.force_empty';
      /** Bytes charged to this cgroup for files, before and after. */
      readonly before: number;
      readonly after: number;
    }
  | { readonly done: false; readonly reason: string };

/** Less than this is not worth a reclaim. */
const WORTHWHILE = 4 * 1024 * 1024;

/**
 * Gives back the page cache that a scan has read and that the kernel charges to this container, so that the container’s
 * memory is what it really uses: cgroup v2 `memory.reclaim` (Linux 5.19), cgroup v1 `memory.force_empty`. Needs a writable
 * cgroup file system, which a privileged container has. Never throws: a scan is as good without it.
 *
 * `root` is where the cgroup file systems are, `memberships` says of which cgroups this process is.
 */
export async function giveBackPageCache(
  root = '/sys/fs/cgroup',
  memberships = '/proc/self/cgroup',
): Promise<PageCacheResult> {
  try {
    const membership = await readFile(memberships, 'utf8');
    const unified = /^0::(\/.*)$/m.exec(membership)?.[1];
    const legacy = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(membership)?.[1];
    if (legacy !== undefined) return await reclaimLegacy(join(root, 'memory', legacy), join(root, 'memory'));
    if (unified !== undefined) return await reclaimUnified(join(root, unified));
    return { done: false, reason: 'this process is in no memory cgroup' };
  } catch (error) {
    return { done: false, reason: reasonOf(error) };
  }
}

/**
 * The same for a cgroup by its folder in a tree of cgroups of that version, which must not be the root of it. `descriptor`:
 * the open file that takes the order, where this process may not open it itself.
 */
export async function giveBackPageCacheOf(
  directory: string,
  version: 1 | 2,
  descriptor?: number,
): Promise<PageCacheResult> {
  try {
    return await (version === 1
      ? reclaimLegacy(directory, directory, descriptor)
      : reclaimUnified(directory, descriptor));
  } catch (error) {
    return { done: false, reason: reasonOf(error) };
  }
}

async function reclaimUnified(directory: string, descriptor?: number): Promise<PageCacheResult> {
  if (!(await isAlone(directory))) return SHARED;
  const before = await fileCache(directory);
  if (before < WORTHWHILE) return { done: true, by: 'memory.reclaim', before, after: before };
  // EAGAIN: less than asked for could be reclaimed, which is as good as it gets.
  await writeKernelFile(descriptor ?? join(directory, 'memory.reclaim'), String(before), 'EAGAIN');
  return { done: true, by: 'memory.reclaim', before, after: await fileCache(directory) };
}

async function reclaimLegacy(directory: string, mount: string, descriptor?: number): Promise<PageCacheResult> {
  // In a container without a cgroup namespace the mount itself is the container’s cgroup.
  const own = await readFile(join(directory, 'memory.stat')).then(
    () => directory,
    () => mount,
  );
  if (!(await isAlone(own))) return SHARED;
  const before = await fileCache(own);
  await writeKernelFile(descriptor ?? join(own, 'memory.force_empty'), '0', 'EBUSY');
  return { done: true, by: 'memory.force_empty', before, after: await fileCache(own) };
}

const SHARED: PageCacheResult = { done: false, reason: 'other processes share the control group' };

/**
 * Whether this process and what it has started are the only ones of a cgroup. Another one is not a container’s own, and
 * emptying it would take from others what they have read: they would read it from the disk again after every scan.
 */
async function isAlone(directory: string): Promise<boolean> {
  const processes = (await readFile(join(directory, 'cgroup.procs'), 'utf8')).split('\n').filter((id) => id !== '');
  for (const id of processes) if (!(await isOurs(Number(id)))) return false;
  return true;
}

/** What this process has started does not start others by the dozen. */
const GENERATIONS = 8;

/** One of another process table is 0. */
async function isOurs(id: number): Promise<boolean> {
  let ancestor = id;
  for (let generation = 0; generation < GENERATIONS && ancestor > 0; generation += 1) {
    if (ancestor === process.pid) return true;
    const status = await readFile(`/proc/${ancestor}/stat`, 'utf8').catch(() => undefined);
    if (status === undefined) return ancestor === id; // it has ended meanwhile
    ancestor = Number(/.*\) \S (\d+)/s.exec(status)?.[1] ?? 0);
  }
  return false;
}

/**
 * Bytes that a cgroup holds for files, from its `memory.stat`: page cache, active or not, and in version 2 also what the
 * kernel knows of files that it has seen (names and inodes), which is freed only when it is asked for.
 */
async function fileCache(directory: string): Promise<number> {
  const text = await readFile(join(directory, 'memory.stat'), 'utf8');
  let bytes = 0;
  for (const [, value] of text.matchAll(/^(?:(?:total_)?(?:in)?active_file|slab_reclaimable) (\d+)$/gm))
    bytes += Number(value);
  return bytes;
}

/**
 * Writes to a file of the kernel, by path or open already, which it never makes and, as it may be written to only, never
 * reads. The error that means “as far as it goes” is none.
 */
async function writeKernelFile(file: string | number, value: string, goodEnough: string): Promise<void> {
  try {
    if (typeof file === 'number') await promisify(write)(file, Buffer.from(value));
    else await writeFile(file, value, { flag: constants.O_WRONLY });
  } catch (error) {
    if (errorCode(error) !== goodEnough) throw error;
  }
}

function reasonOf(error: unknown): string {
  const code = errorCode(error) || String(error);
  switch (code) {
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return 'the cgroup file system may not be written to';
    case 'ENOENT':
      return 'the kernel has no way to reclaim a cgroup’s memory';
    default:
      return code;
  }
}
