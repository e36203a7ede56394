import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { sleep } from '../../src/lib/signal.ts';
import { identify, isAlive, type ProcessIdentity } from './identity.ts';

/** A lock that this process holds until it is disposed of. */
export interface Lock extends Disposable {
  readonly file: string;
}

/**
 * Takes a lock among the processes of this machine: a file that names its holder. The lock of a process that died
 * counts for nothing. Waits while another holds it; `onWait` is told once.
 */
export async function takeLock(file: string, signal: AbortSignal, onWait?: (holder: number) => void): Promise<Lock> {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    const holder = holderOf(file);
    if (!told && holder !== undefined) onWait?.(holder.pid);
    await sleep(200, signal);
  }
}

/** Takes the lock if no living process has it. */
export function tryLock(file: string): Lock | undefined {
  const self = identify(process.pid);
  if (self === undefined) throw new FioError('DEVCLUSTER_NO_PROC', 'The list of processes cannot be read');
  // Linked into place when whole: a lock that can be seen always names its holder.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(self));
  try {
    const holder = holderOf(file);
    if (holder === undefined || !isAlive(holder)) rmSync(file, { force: true });
    linkSync(draft, file);
    return { file, [Symbol.dispose]: () => rmSync(file, { force: true }) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
