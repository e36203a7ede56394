/** How long the daemon waits before it tries again. All in milliseconds. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * After the `failures`-th failure in a row (from 1): 1 s, 2 s, 4 s … 60 s, less up to half of it by `random` in [0, 1),
 * so that thousands of daemons do not return to an API server in the same moment.
 */
export function backoff(failures: number, random: number): number {
  return Math.min(MINUTE, SECOND * 2 ** (failures - 1)) * (1 - random / 2);
}

/**
 * How long a stored message may go without an acknowledgement before the daemon looks whether it is still there: 1 min,
 * 2 min … 16 min. The acknowledgement itself comes by the watch, within a second.
 */
export function recheck(attempts: number, random: number): number {
  return Math.min(16 * MINUTE, MINUTE * 2 ** (attempts - 1)) * (1 - random / 2);
}

/** A baseline that failed `failures` times is tried after the grace period, then twice that …, at most 15 minutes or it. */
export function baselineBackoff(failures: number, gracePeriodMs: number): number {
  return Math.min(Math.max(gracePeriodMs, 15 * MINUTE), gracePeriodMs * 2 ** (failures - 1));
}
