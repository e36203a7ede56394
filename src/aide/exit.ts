/** How an AIDE process ended: with an exit status, or by a signal that it did not handle. */
export type AideEnd = { readonly status: number } | { readonly signal: string };

/** `Succeeded`: done, no difference. `Failed`: the tree differs from its baseline. `Errored`: it could not be done. */
type AideVerdict = 'Succeeded' | 'Failed' | 'Errored';

/** The one meaning of an end of AIDE. */
export interface ExitMeaning {
  readonly verdict: AideVerdict;
  /** Stable, upper snake case, `AIDE_…`. */
  readonly code: string;
  /** For a person: what it means and, if something is wrong, what to do. */
  readonly sentence: string;
  /** Which kinds of difference were found; all false unless the verdict is `Failed`. */
  readonly flags: DifferenceFlags;
}

interface DifferenceFlags {
  readonly added: boolean;
  readonly removed: boolean;
  readonly changed: boolean;
}

const NO_DIFFERENCE: DifferenceFlags = { added: false, removed: false, changed: false };

/**
 * What an end of AIDE means. Total: every status and signal has exactly one meaning.
 *
 * Statuses are those of AIDE 0.19 (aide(1), EXIT STATUS; recorded with 0.19.1): 0 to 7 are the result of a comparison,
 * 14 to 25 and 30 are errors. 126, 127 and 128 + n (signal n) come from what started AIDE.
 */
export function explainExit(end: AideEnd): ExitMeaning {
  if ('signal' in end) return explainSignal(end.signal);
  const { status } = end;
  if (status === 0) {
    return { verdict: 'Succeeded', code: 'AIDE_OK', sentence: 'AIDE found no difference', flags: NO_DIFFERENCE };
  }
  if (status >= 1 && status <= 7) return explainDifference(status);
  const known = ERRORS[status] ?? NOT_STARTED[status];
  if (known !== undefined) return errored(...known);
  const signal = SIGNAL_NAMES[status - 128];
  if (signal !== undefined) return explainSignal(signal);
  return errored(
    'AIDE_UNKNOWN_EXIT',
    `AIDE ended with exit status ${status}, which has no known meaning. See the daemon’s log`,
  );
}

function explainDifference(status: number): ExitMeaning {
  const flags = { added: (status & 1) !== 0, removed: (status & 2) !== 0, changed: (status & 4) !== 0 };
  const kinds = (['added', 'removed', 'changed'] as const).filter((kind) => flags[kind]);
  const list = kinds.length < 3 ? kinds.join(' and ') : 'added, removed and changed';
  return { verdict: 'Failed', code: 'AIDE_DIFFERENCE', sentence: `AIDE found ${list} files`, flags };
}

function explainSignal(signal: string): ExitMeaning {
  switch (signal) {
    case 'SIGKILL':
      return errored(
        'AIDE_KILLED',
        'AIDE was killed, most likely because the container ran out of memory. Raise the daemon’s memory limit or watch fewer files',
      );
    case 'SIGTERM':
    case 'SIGINT':
    case 'SIGHUP':
      return errored('AIDE_INTERRUPTED', INTERRUPTED);
    case 'SIGSEGV':
    case 'SIGABRT':
    case 'SIGBUS':
    case 'SIGFPE':
    case 'SIGILL':
      return errored(
        'AIDE_CRASHED',
        `AIDE crashed (${signal}). If it does so again, a file or the database on the node makes it crash: see the daemon’s log and report it`,
      );
    default:
      return errored(
        'AIDE_SIGNALLED',
        `AIDE was ended by the signal ${signal}. The scan is repeated at the next interval`,
      );
  }
}

function errored(code: string, sentence: string): ExitMeaning {
  return { verdict: 'Errored', code, sentence, flags: NO_DIFFERENCE };
}

const INTERRUPTED = 'AIDE was interrupted before it was done. The scan is repeated when the daemon runs again';

const ERRORS: Readonly<Record<number, readonly [code: string, sentence: string]>> = {
  14: [
    'AIDE_WRITE_ERROR',
    'AIDE could not write its database or report. Check that the disk of the node’s /etc/kubernetes is neither full nor read-only',
  ],
  15: [
    'AIDE_INVALID_ARGUMENT',
    'AIDE refused its command line. The daemon and its AIDE do not fit together: use the image as released',
  ],
  16: [
    'AIDE_NOT_IMPLEMENTED',
    'AIDE does not implement what it was asked for. The daemon and its AIDE do not fit together: use the image as released',
  ],
  17: ['AIDE_CONFIGURATION_ERROR', 'AIDE refused its configuration. Mend the line that the message names'],
  18: [
    'AIDE_IO_ERROR',
    'AIDE could not read or open a file that it needs, such as its database. If the database is missing, re-initialise the node; else check the node’s disk',
  ],
  19: [
    'AIDE_VERSION_MISMATCH',
    'The database was written by an AIDE that this one does not understand. Re-initialise the node',
  ],
  20: [
    'AIDE_EXEC_ERROR',
    'AIDE could not run a program that its configuration names. Remove @@x_include from the configuration',
  ],
  21: ['AIDE_LOCKED', 'Another AIDE process on the node holds the database. Stop it, or wait until it is done'],
  22: ['AIDE_OUT_OF_MEMORY', 'AIDE ran out of memory. Raise the daemon’s memory limit or watch fewer files'],
  23: [
    'AIDE_THREAD_ERROR',
    'AIDE could not start its threads. Raise the limit on processes of the node or the container',
  ],
  24: [
    'AIDE_DATABASE_ERROR',
    'The database on the node is damaged or incomplete. Find out why, since this can be an attack; then re-initialise the node',
  ],
  25: ['AIDE_INTERRUPTED', INTERRUPTED],
  30: [
    'AIDE_HASH_ERROR',
    'AIDE could not compute a checksum. Use only checksums that the image’s AIDE has, such as sha512',
  ],
};

/** How what should start AIDE, such as `ionice` or a shell, tells that it could not. */
const NOT_STARTED: typeof ERRORS = {
  126: ['AIDE_NOT_STARTED', 'AIDE could not be started: the program may not be run. Use the image as released'],
  127: ['AIDE_NOT_STARTED', 'AIDE could not be started: the program is not installed. Use the image as released'],
};

/** The numbers are Linux’s, the same on x64 and arm64. */
const SIGNAL_NAMES: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
};
