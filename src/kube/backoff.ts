/** Pauses between tries that fail one after the other, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The pause after that many failures in a row (1 or more): doubled each time up to the maximum, then spread over half to
 * one and a half of it, so that those who failed together do not all come back together. `random` is in [0, 1).
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: number): number {
  const pause = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(pause * (0.5 + random));
}
