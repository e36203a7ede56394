import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BaselineReceipt, RecordedMount } from '../../src/api/protocol.ts';
import { compareMounts, recordOf } from '../../src/daemon/scans/mounts.ts';

/** A database as the simulated AIDE made it. */
export interface SimDatabase {
  /** As a real one has it: of two databases of the same files too, digests differ. */
  readonly digest: string;
  readonly files: ReadonlyMap<string, string>;
  /** What was mounted where the configuration looks, when it was made. */
  readonly mounts: readonly RecordedMount[];
}

/** What lies on a node's disk for one FileIntegrity. `damaged`: something that is no database. */
export interface SimDisk {
  database?: SimDatabase | 'damaged';
  receipt?: BaselineReceipt;
}

export interface Differences {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Files of a node that are watched, at first. */
const FILES = ['/etc/passwd', '/etc/hosts', '/etc/ssh/sshd_config', '/usr/bin/login', '/usr/bin/sudo', '/boot/vmlinuz'];

/** A node's disk: files that are watched, databases, and a real folder for the outbox. It outlives daemons. */
export class Machine {
  /** Unique: another machine that takes the node's name has another. */
  readonly id: string;
  readonly node: string;
  readonly files: Map<string, string>;
  /** What is mounted over watched files, by path. */
  readonly #mounts = new Map<string, RecordedMount>();
  /** The node's root for the outbox. */
  readonly root: string;
  /** By how the names of a FileIntegrity's files begin. */
  readonly disks = new Map<string, SimDisk>();
  /** Trigger files that an intruder has laid. */
  readonly triggers = new Set<string>();
  readonly bootId = randomBytes(8).toString('hex');
  #lastTime = 0;

  constructor(node: string, id: string) {
    this.node = node;
    this.id = id;
    this.files = new Map(FILES.map((path) => [path, 'as installed']));
    this.root = mkdtempSync(join(tmpdir(), `fio-history-${id}-`));
    mkdirSync(join(this.root, 'etc/kubernetes'), { recursive: true });
  }

  disk(prefix: string): SimDisk {
    const disk = this.disks.get(prefix) ?? {};
    this.disks.set(prefix, disk);
    return disk;
  }

  /** What is mounted where the configuration looks, as the kernel's table has it. */
  get mounts(): readonly RecordedMount[] {
    return [...this.#mounts.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
  }

  set mounts(mounts: readonly RecordedMount[]) {
    this.#mounts.clear();
    for (const mount of mounts) this.#mounts.set(mount.path, mount);
  }

  /** The node's clock. No two answers are equal. */
  wall(): Date {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1);
    return new Date(this.#lastTime);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What AIDE writes: the files as they are now. */
export function makeDatabase({ files, mounts }: Pick<Machine, 'files' | 'mounts'>): SimDatabase {
  const copy = new Map(files);
  const salt = randomBytes(16).toString('hex');
  const digest = createHash('sha256')
    .update(JSON.stringify([salt, ...copy]))
    .digest('hex');
  return { digest, files: copy, mounts };
}

export function compare(database: SimDatabase, files: ReadonlyMap<string, string>): Differences {
  const added = [...files.keys()].filter((path) => !database.files.has(path));
  const removed = [...database.files.keys()].filter((path) => !files.has(path));
  const changed = [...files].filter(([path, text]) => database.files.has(path) && database.files.get(path) !== text);
  return { added, removed, changed: changed.map(([path]) => path) };
}

/** How many mounts are otherwise than when the database was made. */
export function countMounts(database: SimDatabase, mounts: readonly RecordedMount[]): number {
  return compareMounts(mounts, recordOf(database.mounts), true).length;
}

export function countOf({ added, changed, removed }: Differences): number {
  return added.length + changed.length + removed.length;
}
