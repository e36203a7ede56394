import { type ChildProcess, spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { printable } from '../lib/text.ts';
import { type Capture, captureEnd } from './capture.ts';
import { type AideEnd, type ExitMeaning, explainExit } from './exit.ts';
import { errorCode } from './file.ts';
import { type AideLock, explainLock, lockWords } from './lock.ts';
import { findProgram } from './program.ts';
import { type Unseen, UnseenTally, unseenOf } from './unseen.ts';

/** What AIDE is asked to do. */
export type AideAction = 'check' | 'init' | 'update' | 'config-check';

/** How to run AIDE. */
export interface AideOptions {
  /** The program and the words before its own arguments; `['aide']` in the image. */
  readonly command?: readonly [string, ...string[]];
  /** The configuration file. */
  readonly configuration: string;
  /** Configuration lines put before the file: here a `database_in=` wins over the file’s, because AIDE takes the first. */
  readonly before?: readonly string[];
  /** Configuration lines put after the file. */
  readonly after?: readonly string[];
  /** Hashing threads, at least 1; default: as the configuration says. */
  readonly workers?: number;
  /** Bytes of memory that AIDE may have for its own, so that it ends by itself and says why; default: no bound. */
  readonly memory?: number;
  /** Compare or update only entries whose path matches this regular expression. */
  readonly limit?: string;
  /** Where the node’s root is seen, to be left out of the names of what is not seen; default: there. */
  readonly root?: string;
  /** Ends AIDE: SIGTERM, then SIGKILL after `graceMs`. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which AIDE is ended, and those that a lock is waited for; default: none. */
  readonly timeoutMs?: number;
  /** AIDE runs only while it holds this lock; default: none. */
  readonly lock?: AideLock;
  /** Milliseconds between SIGTERM and SIGKILL; default 2000. */
  readonly graceMs?: number;
  /** `low` (default): CPU niceness 19 and, where `ionice` is installed, the lowest best-effort I/O priority. */
  readonly priority?: 'low' | 'normal';
}

/** What became of a run of AIDE. */
export interface AideResult {
  /** How it ended; absent when it could not be started. */
  readonly end?: AideEnd;
  readonly meaning: ExitMeaning;
  /** `signal` or `timeout`: it was ended by us, whatever it then said. */
  readonly stoppedBy?: 'signal' | 'timeout';
  /** The end of standard error, at most 32 KiB, whole lines, each printable. */
  readonly stderr: readonly string[];
  /** Something of standard error, its beginning, was dropped. */
  readonly stderrCut: boolean;
  /** What AIDE said that it did not see; all of standard error counts. */
  readonly unseen: Unseen;
}

const STDERR_LIMIT = 32 * 1024;
const LINE_LIMIT = 2048;
/** What AIDE wrote last is in the pipe when it ends. */
const STDERR_AFTER_EXIT_MS = 500;

/** How long one process waits for a lock; then the next one does, which costs a millisecond. */
const LOCK_WAIT_MS = 60_000;

/**
 * Runs AIDE to its end. Never throws and never rejects for what AIDE or the machine does: a program that is missing, a
 * timeout or an abort are meanings of their own. Ends at most `graceMs` and a moment after the signal aborts, also while a
 * lock is waited for.
 */
export async function runAide(action: AideAction, options: AideOptions): Promise<AideResult> {
  const words = [
    ...boundWords(options),
    ...politeWords(options),
    ...(options.command ?? ['aide']),
    ...aideArguments(action, options),
  ];
  const { lock } = options;
  return await (lock === undefined ? runWords(words, options) : runLocked(words, lock, options));
}

async function runLocked(words: readonly string[], lock: AideLock, options: AideOptions): Promise<AideResult> {
  const giveUpAt = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  let waitMs = 0;
  while (true) {
    const locking = lockWords(lock.path, waitMs);
    if (locking === undefined) {
      lock.onFailure?.('flock is not installed');
      return await runWords(words, options);
    }
    // The time that AIDE has does not begin before it has the lock.
    const limit = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs + waitMs };
    const result = await runWords([...locking, ...words], { ...options, ...limit });
    const { end, stoppedBy, stderr } = result;
    const said = end !== undefined && 'status' in end && stoppedBy === undefined ? explainLock(end.status) : undefined;
    if (said === undefined) return result;
    if (said === 'not-executed') return { ...result, meaning: startFailure(new Error('flock could not execute it')) };
    if (said === 'failed') {
      lock.onFailure?.(stderr.at(-1) ?? 'flock does not say why');
      return await runWords(words, options);
    }
    const leftMs = giveUpAt - performance.now();
    if (leftMs <= 0) return { ...result, meaning: lockedMeaning(lock.path), stoppedBy: 'timeout' };
    if (waitMs === 0) lock.onWait?.();
    waitMs = Math.ceil(Math.min(LOCK_WAIT_MS, leftMs));
  }
}

async function runWords(words: readonly string[], options: AideOptions): Promise<AideResult> {
  if (options.signal?.aborted) {
    return { meaning: stopMeaning('signal'), stoppedBy: 'signal', stderr: [], stderrCut: false, unseen: unseenOf([]) };
  }
  const [program = 'aide', ...args] = words;
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  });
  if (options.priority !== 'normal') lowerPriority(child);
  const stderr = captureEnd(child.stderr, STDERR_LIMIT);
  const tally = new UnseenTally(options.root);
  child.stderr.on('data', (chunk: Buffer) => tally.take(chunk));
  using stop = stopOn(child, options);
  const end = await endOf(child);
  const output = { stderr: printableLines(stderr), stderrCut: stderr.cut(), unseen: tally.end() };
  if (end instanceof Error) return { meaning: startFailure(end), ...output };
  const stoppedBy = stop.reason();
  // An exit that came before our signal took effect still counts as what it is: a finished check is a finished check.
  const finished = 'status' in end && end.status <= 7;
  if (stoppedBy === undefined || finished) return { end, meaning: meaningOf(end, options), ...output };
  return { end, meaning: stopMeaning(stoppedBy), stoppedBy, ...output };
}

/** Without memory for their stacks, AIDE's threads do not start. */
function meaningOf(end: AideEnd, { memory }: AideOptions): ExitMeaning {
  const meaning = explainExit(end);
  return memory !== undefined && meaning.code === 'AIDE_THREAD_ERROR' ? explainExit({ status: 22 }) : meaning;
}

function aideArguments(action: AideAction, options: AideOptions): string[] {
  const words = [`--${action}`, `--config=${options.configuration}`];
  // A configuration can ask for less, so that nobody would be told what is not seen.
  if (action !== 'config-check') words.push('--log-level=warning');
  if (options.before?.length) words.push(`--before=${options.before.join('\n')}`);
  if (options.after?.length) words.push(`--after=${options.after.join('\n')}`);
  if (options.workers !== undefined) words.push(`--workers=${Math.max(1, Math.floor(options.workers))}`);
  if (options.limit !== undefined) words.push(`--limit=${options.limit}`);
  return words;
}

/** What each of AIDE's threads reserves for its stack and hardly uses, and how many there are beside the workers. */
const STACK_BYTES = 8 * 1024 * 1024;
const OTHER_THREADS = 2;

/** `prlimit` replaces itself by what it starts. It counts what is reserved, used or not. */
function boundWords({ memory, workers = 1 }: AideOptions): string[] {
  const prlimit = memory === undefined ? undefined : findProgram('prlimit');
  if (memory === undefined || prlimit === undefined) return [];
  return [prlimit, `--data=${Math.floor(memory) + (workers + OTHER_THREADS) * STACK_BYTES}`];
}

/**
 * Not the idle class: whoever keeps the disk busy could keep a scan from ever ending. `ionice -t` goes on where the
 * priority may not be set. It replaces itself by AIDE, so the process id stays.
 */
function politeWords(options: AideOptions): string[] {
  if (options.priority === 'normal') return [];
  const ionice = findProgram('ionice');
  return ionice === undefined ? [] : [ionice, '-t', '-c', '2', '-n', '7'];
}

/** AIDE’s threads take over the priority of the one that starts them, and it is set before AIDE has read its configuration. */
function lowerPriority(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    setPriority(child.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or the sandbox forbids it: a scan at normal priority is better than none.
  }
}

function endOf(child: ChildProcess): Promise<AideEnd | Error> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error);
    });
    // A child of AIDE's own may hold its standard error for as long as it likes.
    child.once('exit', () => setTimeout(() => child.stderr?.destroy(), STDERR_AFTER_EXIT_MS).unref());
    child.once('close', (status, signal) => resolve(signal === null ? { status: status ?? 255 } : { signal }));
  });
}

interface Stop extends Disposable {
  reason(): 'signal' | 'timeout' | undefined;
}

/** Ends the child when the signal aborts or the time is up: SIGTERM, and SIGKILL where that is not enough. */
function stopOn(child: ChildProcess, options: AideOptions): Stop {
  let reason: 'signal' | 'timeout' | undefined;
  const timers: NodeJS.Timeout[] = [];
  const stop = (why: 'signal' | 'timeout') => {
    if (reason !== undefined) return;
    reason = why;
    child.kill('SIGTERM');
    timers.push(setTimeout(() => child.kill('SIGKILL'), options.graceMs ?? 2000));
  };
  const onAbort = () => stop('signal');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.timeoutMs !== undefined) timers.push(setTimeout(() => stop('timeout'), options.timeoutMs));
  return {
    reason: () => reason,
    [Symbol.dispose]: () => {
      options.signal?.removeEventListener('abort', onAbort);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

const NO_FLAGS = { added: false, removed: false, changed: false };

function stopMeaning(reason: 'signal' | 'timeout'): ExitMeaning {
  if (reason === 'signal') return explainExit({ signal: 'SIGTERM' });
  const sentence =
    'AIDE took longer than it is allowed to and was ended. Watch fewer files, or give the daemon more CPU';
  return { verdict: 'Errored', code: 'AIDE_TIMEOUT', sentence, flags: NO_FLAGS };
}

function lockedMeaning(path: string): ExitMeaning {
  const sentence = `${path} stayed locked by something else, such as a scan that does not end. Find it (fuser) and end it`;
  return { verdict: 'Errored', code: 'AIDE_LOCKED', sentence, flags: NO_FLAGS };
}

function startFailure(error: Error): ExitMeaning {
  const code = errorCode(error) || error.message;
  if (code === 'ENOENT') return explainExit({ status: 127 });
  if (code === 'EACCES') return explainExit({ status: 126 });
  const sentence = `AIDE could not be started: ${code}. Use the image as released`;
  return { verdict: 'Errored', code: 'AIDE_NOT_STARTED', sentence, flags: NO_FLAGS };
}

function printableLines(capture: Capture): string[] {
  return capture
    .text()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => printable(line, LINE_LIMIT));
}
