import type { Lease, LeaseSpec } from 'kubernetes-types/coordination/v1.d.ts';
import { FioError } from '../lib/errors.ts';
import { sleep } from '../lib/signal.ts';
import type { Client } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { leases } from './resources.ts';

export interface LeaderOptions {
  namespace: string;
  /** Of the lease. */
  name: string;
  /** Who we are: unique among the contenders, e.g. the pod's name and a random part. */
  identity: string;
  /**
   * Others may take over when they have seen no renewal for so long, in milliseconds; default 15 000, whole seconds. Of what
   * another holder claims no more than this counts: else one write to the lease would keep all out for ever.
   */
  leaseMs?: number;
  /** We give up when we could not renew for so long; must be less than `leaseMs`; default 10 000. */
  renewMs?: number;
  /** Between tries; default 2 000. */
  retryMs?: number;
  /** Told of a try that failed; the next one follows. */
  onError?: (error: unknown) => void;
  /** Told whenever another one is seen to hold the lease, once per holder. */
  onHolder?: (identity: string) => void;
}

/**
 * Waits for the leadership, then calls `lead` with a signal that aborts when it is lost or when `signal` aborts, and
 * gives the lease back when `lead` has ended, so that the next one need not wait for it to run out.
 *
 * Guarantee: two do not lead at the same time, as long as `lead` heeds its signal within `leaseMs − renewMs`, their clocks
 * run equally fast, and no one's `renewMs` reaches another's `leaseMs`. What the clocks show does not matter: whoever waits
 * measures, by its own clock that only grows, since when it has seen no renewal. Caveat: a process that was stopped as a
 * whole (SIGSTOP, a suspended machine) learns late that it lost; writes that must not happen twice need a resource version.
 *
 * Resolves when `signal` aborted before the leadership was won, and when `lead` has ended.
 *
 * @throws FioError `KUBE_LEADERSHIP_LOST` when somebody else may lead now, without waiting for `lead`: the process should
 *   end at once; what `lead` threw
 */
export async function runAsLeader(
  client: Client,
  options: LeaderOptions,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const contender = new Contender(client, options);
  if (!(await contender.acquire(signal))) return;
  const leading = new AbortController();
  const stop = () => leading.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  // Renewing goes on while `lead` winds down, and ends when it has ended.
  const ended = new AbortController();
  const led = lead(leading.signal).finally(() => ended.abort());
  led.catch(() => {}); // when the lease is lost, nobody waits for it
  try {
    await contender.keep(ended.signal);
    await led.finally(() => contender.release());
  } catch (error) {
    leading.abort(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

// For the write that gives the lease back; a stop must not take longer because the API server is away.
const RELEASE_MS = 3_000;

class Contender {
  readonly #client: Client;
  readonly #options: LeaderOptions;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #retryMs: number;
  /** The lease as last seen, and when it was first seen so, by our own clock. */
  #seen: { lease: Lease; at: number } | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(client: Client, options: LeaderOptions) {
    const { leaseMs = 15_000, renewMs = 10_000, retryMs = 2_000 } = options;
    if (!(retryMs < renewMs && renewMs < leaseMs)) throw new RangeError('retryMs < renewMs < leaseMs must hold');
    this.#client = client;
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#renewMs = renewMs;
    this.#retryMs = retryMs;
  }

  /** False: the signal aborted first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#attempt(this.#renewMs, signal)) return true;
      await sleep(this.#retryMs * (1 + Math.random()), signal); // spread, so that contenders do not collide each time
    }
    return false;
  }

  /** Until the signal aborts. @throws FioError `KUBE_LEADERSHIP_LOST` */
  async keep(signal: AbortSignal): Promise<void> {
    while (true) {
      await sleep(this.#retryMs, signal);
      if (signal.aborted) return;
      const left = this.#renewedAt + this.#renewMs - performance.now();
      if (left > 0 && (await this.#attempt(left))) continue;
      if (signal.aborted) return;
      const holder = this.#seen?.lease.spec?.holderIdentity;
      if (holder !== this.#options.identity) throw lost(`${holder || 'nobody'} holds the lease now`);
      if (performance.now() - this.#renewedAt >= this.#renewMs) throw lost('the lease could not be renewed in time');
    }
  }

  /** Never throws: a lease that is not given back runs out. */
  async release(): Promise<void> {
    const lease = this.#seen?.lease;
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const spec: LeaseSpec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() };
    await this.#client
      .replace(leases, { ...lease, spec }, { signal: AbortSignal.timeout(RELEASE_MS) })
      .catch((error: unknown) => this.#options.onError?.(error));
  }

  /** One try to take or renew the lease. False: it did not work, for whatever reason. */
  async #attempt(timeoutMs: number, stop?: AbortSignal): Promise<boolean> {
    try {
      // The time before the write counts, as others count from when they see it, which is later.
      const startedAt = performance.now();
      const timeout = AbortSignal.timeout(Math.ceil(timeoutMs)); // it takes integers only
      if (!(await this.#write(stop ? AbortSignal.any([stop, timeout]) : timeout))) return false;
      this.#renewedAt = startedAt;
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error) && !stop?.aborted) this.#options.onError?.(error);
      return false; // a conflict: another one was faster, and the next try sees who
    }
  }

  async #write(signal: AbortSignal): Promise<boolean> {
    const { identity, namespace, name } = this.#options;
    const ours = this.#seen?.lease;
    if (ours?.spec?.holderIdentity === identity) {
      try {
        this.#see(await this.#client.replace(leases, { ...ours, spec: this.#spec(ours.spec) }, { signal }));
        return true;
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error; // otherwise: look who wrote or deleted it
      }
    }
    const found = await this.#client.find(leases, { namespace, name }, { signal });
    if (!found) {
      const made: Lease = { metadata: { namespace, name }, spec: this.#spec(undefined) };
      this.#see(await this.#client.create(leases, made, { signal }));
      return true;
    }
    this.#see(found);
    if (found.spec?.holderIdentity !== identity && this.#isHeld()) return false;
    this.#see(await this.#client.replace(leases, { ...found, spec: this.#spec(found.spec) }, { signal }));
    return true;
  }

  #spec(before: LeaseSpec | undefined): LeaseSpec {
    const { identity } = this.#options;
    const now = microTime();
    const isOurs = before?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
      acquireTime: (isOurs && before?.acquireTime) || now,
      renewTime: now,
      leaseTransitions: isOurs || !before ? (before?.leaseTransitions ?? 0) : following(before.leaseTransitions ?? 0),
    };
  }

  #see(lease: Lease): void {
    const before = this.#seen?.lease;
    if (before?.metadata?.resourceVersion === lease.metadata?.resourceVersion) return;
    const holder = lease.spec?.holderIdentity;
    if (holder && holder !== this.#options.identity && holder !== before?.spec?.holderIdentity) {
      this.#options.onHolder?.(holder);
    }
    this.#seen = { lease, at: performance.now() };
  }

  /** Whether somebody held the lease when we saw it last, and may still do so. */
  #isHeld(): boolean {
    if (!this.#seen?.lease.spec?.holderIdentity) return false;
    const seconds = this.#seen.lease.spec.leaseDurationSeconds ?? 0;
    const claimedMs = seconds > 0 ? seconds * 1000 : this.#leaseMs;
    return performance.now() < this.#seen.at + Math.min(claimedMs, this.#leaseMs);
  }
}

/** The number is one of 32 bits: somebody who writes the largest would else have every write refused from then on. */
function following(transitions: number): number {
  return transitions < 0x7fff_ffff ? transitions + 1 : 0;
}

function lost(why: string): FioError {
  return new FioError('KUBE_LEADERSHIP_LOST', `Lost the leadership: ${why}`);
}

/** Now, as meta/v1 MicroTime wants it: six digits behind the second. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
