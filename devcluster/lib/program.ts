import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { FioError } from '../../src/lib/errors.ts';
import { sleep } from '../../src/lib/signal.ts';
import { identify, isAlive, type ProcessIdentity } from './identity.ts';

/** A long-running program to start. */
export interface ProgramSpec {
  /** What a person calls it, e.g. `kube-apiserver`. */
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** The file that gets its output, started afresh. */
  readonly log: string;
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Resolves with true once the program does its work; asked again every 50 ms until then. */
  readonly ready: (signal: AbortSignal) => Promise<boolean>;
  readonly readyWithinMs: number;
  /** Called as soon as the process exists, so that nothing is left over if this process dies. */
  readonly onSpawn: (identity: ProcessIdentity) => void;
}

/**
 * Starts a program that outlives this process. Ready, ended and timed out race, as does the signal; unless ready wins,
 * nothing is left running.
 * @throws FioError with the program's name and the last lines of its log.
 */
export async function startProgram(spec: ProgramSpec, signal: AbortSignal): Promise<ProcessIdentity> {
  signal.throwIfAborted();
  const [program, ...args] = spec.argv;
  const log = openSync(spec.log, 'w', 0o600);
  const child = spawn(program, args, {
    cwd: spec.directory,
    env: spec.environment,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const outcome = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${error.message})`));
    child.once('exit', (code, by) => resolve(by === null ? `ended with code ${code}` : `was ended by ${by}`));
  });
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity !== undefined) spec.onSpawn(identity);
  const race = new AbortController();
  const limit = AbortSignal.any([signal, race.signal]);
  const failure = await Promise.race([
    outcome,
    untilReady(spec, limit),
    sleep(spec.readyWithinMs, limit).then(() => `was not ready within ${spec.readyWithinMs / 1000} s`),
  ]).finally(() => race.abort());
  if (failure === undefined && identity !== undefined) return identity;
  if (identity !== undefined) await stopProcess(identity);
  signal.throwIfAborted();
  throw programFailure(spec.name, failure ?? 'ended at once', spec.log);
}

async function untilReady(spec: ProgramSpec, signal: AbortSignal): Promise<undefined> {
  while (!signal.aborted) {
    if (await spec.ready(signal).catch(() => false)) return undefined;
    await sleep(50, signal);
  }
  return undefined;
}

/** TERM, wait, KILL, and wait until the process is gone. */
export async function stopProcess(identity: ProcessIdentity, graceMs = 5_000): Promise<void> {
  for (const [signal, forMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (forMs > 0 && signalProcess(identity, signal) && (await isGone(identity, forMs))) return;
    if (!isAlive(identity)) return;
  }
}

/** Sends a signal to this very process; false when it no longer runs. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function isGone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(20)) {
    if (!isAlive(identity)) return true;
  }
  return !isAlive(identity);
}

/** The error for a program that failed: the cause a person can act on, if its log shows one, and the log's end. */
export function programFailure(name: string, what: string, log: string): FioError {
  const lines = lastLines(log, 12);
  const end = lines.length === 0 ? 'It wrote nothing' : `The end of its log:\n  ${lines.join('\n  ')}`;
  const text = lines.join('\n');
  if (/no space left on device/i.test(text)) {
    return new FioError(
      'DEVCLUSTER_DISK_FULL',
      `${name} ${what} because the disk is full; make room and start again. ${end}`,
    );
  }
  if (/address already in use/i.test(text)) {
    return new FioError(
      'DEVCLUSTER_PORT_IN_USE',
      `${name} ${what} because another program has its port; stop that program and start again. ${end}`,
    );
  }
  if (/too many open files/i.test(text)) {
    // Each node takes some ten inotify instances, and Linux gives a user 128 unless told otherwise.
    return new FioError(
      'DEVCLUSTER_NO_INOTIFY',
      `${name} ${what} because this machine’s inotify instances are used up; stop other clusters, or run “sysctl fs.inotify.max_user_instances=1024” as root, and start again. ${end}`,
    );
  }
  return new FioError('DEVCLUSTER_PROGRAM_FAILED', `${name} ${what}. ${end}`);
}

/** The last lines of a log, each cut at 400 characters; none when there is no such file. */
export function lastLines(file: string, count: number): string[] {
  try {
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return lines.slice(-count).map((line) => line.slice(0, 400));
  } catch {
    return [];
  }
}
