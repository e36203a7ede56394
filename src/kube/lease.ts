import type { Client } from './client.ts';

export interface LeaderOptions {
  namespace: string;
  /** Of the lease. */
  name: string;
  /** Who we are: unique among the contenders, e.g. the pod's name and a random part. */
  identity: string;
  /** Others may take over when they have seen no renewal for so long; default 15 000. */
  leaseMs?: number;
  /** We give up when we could not renew for so long; less than `leaseMs`; default 10 000. */
  renewMs?: number;
  /** Between tries; default 2 000. */
  retryMs?: number;
  onError?: (error: unknown) => void;
}

/**
 * Waits for the leadership, then calls `lead` with a signal that aborts when it is lost or `signal` aborts, and gives the
 * lease back when `lead` has ended.
 *
 * @throws FioError `KUBE_LEADERSHIP_LOST` when somebody else may lead now: the process should end at once
 */
export declare function runAsLeader(
  client: Client,
  options: LeaderOptions,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void>;
