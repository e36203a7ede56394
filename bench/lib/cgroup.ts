import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Where control groups count memory here, and in which of the kernel's two ways. */
export interface MemoryHierarchy {
  readonly version: 1 | 2;
  readonly directory: string;
}

/** Finds it in a table of mounts as in /proc/self/mounts; undefined when memory is not counted. */
export function memoryHierarchy(mounts: string): MemoryHierarchy | undefined {
  for (const line of mounts.split('\n')) {
    const [, directory = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('memory')) return { version: 1, directory };
    // Beside version 1 there may be a version 2 hierarchy without controllers, elsewhere.
    if (type === 'cgroup2' && directory === '/sys/fs/cgroup') return { version: 2, directory };
  }
  return undefined;
}

/** What a control group's memory is made of, in bytes. */
export interface MemoryParts {
  /** All that is charged to the group, page cache and the kernel's own memory for it included. */
  readonly usage: number;
  /** `usage` less the page cache that was not used lately: what the kubelet and `kubectl top` call the working set. */
  readonly workingSet: number;
  /** The processes' own memory: heaps, stacks. */
  readonly anonymous: number;
  /** Page cache. */
  readonly file: number;
  /** The kernel's: above all what it keeps of the files that were looked at (inodes and names). */
  readonly kernel: number;
}

/** Takes a group's `memory.stat` and usage apart; `kernel` is the usage of `memory.kmem.usage_in_bytes` in version 1. */
export function memoryParts(version: 1 | 2, usage: number, stat: string, kernelV1 = 0): MemoryParts {
  const fields = new Map(stat.split('\n').map((line) => line.split(' ') as [string, string]));
  const field = (name: string) => Number(fields.get(name) ?? 0);
  const v1 = version === 1;
  const inactive = field(v1 ? 'total_inactive_file' : 'inactive_file');
  return {
    usage,
    workingSet: Math.max(0, usage - inactive),
    anonymous: field(v1 ? 'total_rss' : 'anon'),
    file: field(v1 ? 'total_cache' : 'file'),
    kernel: v1 ? kernelV1 : field('kernel'),
  };
}

/** A control group whose memory can be looked at. */
export class MemoryGroup {
  readonly directory: string;
  readonly #version: 1 | 2;

  constructor(hierarchy: MemoryHierarchy, directory: string) {
    this.directory = directory;
    this.#version = hierarchy.version;
  }

  /** @throws Error with the code ENOENT when the group is gone. */
  parts(): MemoryParts {
    const v1 = this.#version === 1;
    const usage = this.#number(v1 ? 'memory.usage_in_bytes' : 'memory.current');
    const kernel = v1 ? this.#number('memory.kmem.usage_in_bytes') : 0;
    return memoryParts(this.#version, usage, this.#read('memory.stat'), kernel);
  }

  /** Its processes, as this process sees them. */
  processes(): number[] {
    return this.#read('cgroup.procs').split('\n').filter(Boolean).map(Number);
  }

  /** The names of their programs, such as `aide`, as far as they still run. */
  programs(): string[] {
    return this.processes().flatMap((id) => {
      try {
        return [readFileSync(`/proc/${id}/comm`, 'utf8').trimEnd()];
      } catch {
        return []; // it has just ended
      }
    });
  }

  /**
   * Has the kernel note the peak of `usage` from now on. Undefined where it can only tell the peak of all times: version 2
   * before Linux 6.12.
   */
  startPeak(): PeakCounter | undefined {
    if (this.#version === 2) return startUnifiedPeak(join(this.directory, 'memory.peak'));
    const file = join(this.directory, 'memory.max_usage_in_bytes');
    writeFileSync(file, '0');
    return { read: () => Number(readFileSync(file, 'utf8')), [Symbol.dispose]: () => {} };
  }

  #number(file: string): number {
    return Number(this.#read(file));
  }

  #read(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }
}

/** The kernel's peak of a group's `usage`, in bytes: no page cache is taken off it. */
export interface PeakCounter extends Disposable {
  read(): number;
}

// In version 2 a reset counts for the file that it was written to, as long as that is open.
function startUnifiedPeak(path: string): PeakCounter | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r+');
    writeSync(file, 'reset');
  } catch {
    if (file !== undefined) closeSync(file);
    return undefined;
  }
  const descriptor = file;
  return {
    read: () => {
      const buffer = Buffer.alloc(32);
      return Number(buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0)));
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

/**
 * The control group of a container, somewhere below a hierarchy: runtimes name it after the container's id, alone or as
 * `cri-containerd-<id>.scope`. Undefined when there is none.
 */
export function findContainerGroup(hierarchy: MemoryHierarchy, containerId: string): MemoryGroup | undefined {
  const pending = [hierarchy.directory];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of foldersIn(directory)) {
      const path = join(directory, name);
      if (name.includes(containerId)) return new MemoryGroup(hierarchy, path);
      pending.push(path);
    }
  }
  return undefined;
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // it has just ended
  }
}
