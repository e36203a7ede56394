import { findProgram } from './program.ts';

/** A file or folder that no other run may have locked meanwhile. */
export interface AideLock {
  /** What is locked (flock(2), exclusive); it must be there. Nothing is written. */
  readonly path: string;
  /** Called once when another process has the lock, which is then waited for. */
  readonly onWait?: () => void;
  /** Called with the reason when there can be no lock, as on some network file systems; AIDE then runs without. */
  readonly onFailure?: (reason: string) => void;
}

/** How flock ends when another process has the lock; no status of AIDE’s, nor one of its own. */
const TAKEN = 75;
/** Its words were wrong; the file system has no such locks; the path cannot be opened; out of memory or files; read-only. */
const FAILURES: readonly number[] = [64, 65, 66, 71, 73];
/** The program behind its own words could not be executed. */
const NOT_EXECUTED = 69;

/**
 * The words that start a program under the lock, or undefined where `flock` is not installed. flock replaces itself by the
 * program (`--no-fork`), so the process id stays, signals reach it, and the kernel frees the lock however it ends.
 */
export function lockWords(path: string, waitMs: number): string[] | undefined {
  const flock = findProgram('flock');
  if (flock === undefined) return undefined;
  const wait = waitMs === 0 ? '--nonblock' : `--timeout=${(waitMs / 1000).toFixed(3)}`;
  return [flock, '--no-fork', '--exclusive', wait, `--conflict-exit-code=${TAKEN}`, path];
}

/** What a status of a program that was started under a lock says of the lock. */
export function explainLock(status: number): 'taken' | 'failed' | 'not-executed' | undefined {
  if (status === TAKEN) return 'taken';
  if (status === NOT_EXECUTED) return 'not-executed';
  return FAILURES.includes(status) ? 'failed' : undefined;
}
