/** How a tree is scanned: by the daemon's own code, or by AIDE alone with one worker or one for each core. */
export const METHODS = ['aide-1', 'aide-all', 'daemon'] as const;
export type Method = (typeof METHODS)[number];

/** What a runner is started with, as JSON in its only argument. */
export interface RunnerTask {
  readonly method: Method;
  /** The words that start AIDE. */
  readonly aide: readonly [string, ...string[]];
  /** A node's root: its database and reports are in `etc/kubernetes`. */
  readonly root: string;
  readonly configuration: string;
  /** SHA-256 of the uncompressed database, hex. */
  readonly baselineDigest: string;
}

/** What a runner writes, as a line of JSON, for each line with a number that it reads: the mean of so many scans. */
export interface RunFigures {
  readonly wallMs: number;
  /** User and system time of the runner itself. */
  readonly ownCpuMs: number;
  /** The same of AIDE. The kernel tells it in steps of 10 ms, for all scans together. */
  readonly aideCpuMs: number;
}
