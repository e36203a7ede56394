import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { Condition } from '../../api/condition.ts';
import { DEFAULT_HOLD_LIMIT_SECONDS, effectiveGracePeriod, type FileIntegritySpec } from '../../api/fileintegrity.ts';
import type { NodeState, NodeStatusFields } from '../../api/nodestatus.ts';
import type { BaselineFault } from '../../api/protocol.ts';
import { printable } from '../../lib/text.ts';
import { type Statement, stamp } from '../conditions.ts';
import type { Daemon } from './daemon.ts';
import { baselineFaultOf, countsInWords, type FailureFields, standingFailure } from './failure.ts';
import { usualScanSeconds } from './freshness.ts';
import { isPartlyUnseen, unseenInWords } from './unseen.ts';

/** All that is looked at to say what a node is. */
export interface NodeStateWorld {
  readonly now: Date;
  /** The fields of its status as they will be. */
  readonly fields: StateFields;
  readonly daemon: Daemon;
  /** The node itself; undefined when it is gone. */
  readonly node: Node | undefined;
  readonly spec: Pick<FileIntegritySpec, 'config' | 'staleAfter' | 'holdLimit'>;
  /** Of the FileIntegrity. */
  readonly generation: number | undefined;
}

type StateFields = FailureFields &
  Pick<NodeStatusFields, 'lastScan' | 'orders' | 'unselected'> & {
    readonly conditions?: Condition[];
  };

export interface NodeStatePlan {
  readonly state: NodeState;
  readonly conditions: Condition[];
  /** Not in the conditions: kubectl would compare it with the generation of the node status, which each result raises. */
  readonly observedGeneration?: number;
  readonly freshUntil?: string;
  /** When something of this changes by itself, though nothing happens. */
  readonly changesAt?: Date;
}

/**
 * What a node is, in one word and in conditions. A function of what is known of it and of the time, so that looking again
 * changes nothing; times that a node told count only within bounds.
 */
export function planNodeState(world: NodeStateWorld): NodeStatePlan {
  const { now, fields, generation } = world;
  const standing = fields.conditions ?? [];
  const times = timesOf(world);
  const ready = readyOf(world, times);
  const fresh = freshOf(world, times, ready);
  const wanted = [ready, integrityOf(fields), fresh.statement, trustOf(fields)];
  const changesAt = Math.min(
    ...[times.freshUntil, times.dueAt, times.heldTooLongAt, fresh.releasedUntil].filter(
      (at): at is number => at !== undefined && at > now.getTime(),
    ),
  );
  return {
    state: stateOf(fields, fresh.statement),
    conditions: wanted.map((statement) => stamp(statement, standing, now)),
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(times.freshUntil !== undefined && { freshUntil: new Date(times.freshUntil).toISOString() }),
    ...(Number.isFinite(changesAt) && { changesAt: new Date(changesAt) }),
  };
}

/** What is allowed for a machine that is busy, and for the way of a result. */
const MARGIN_MS = 300_000;
/** How far ahead of the operator's clock a time may be, in which another operator wrote it. */
const CLOCK_SKEW_MS = 300_000;
/** Dates beyond some 275,000 years cannot be written. */
const LONGEST_LIMIT_S = 100 * 365 * 24 * 3600;

/** In milliseconds since 1970, by the operator's clock. */
interface Times {
  /** When a scan that was done was taken in last. */
  readonly scannedAt: number | undefined;
  readonly freshUntil: number | undefined;
  /** Until when what is awaited is not overdue; undefined: nothing is awaited. */
  readonly dueAt: number | undefined;
  readonly heldTooLongAt: number | undefined;
  /** After what time without a scan a node is late. */
  readonly limitMs: number;
  /**
   * Until when a scan can be still to come. A node that is held and released again and again, which it can do by itself, gets
   * a new order each time, and must not be waited for without end.
   */
  readonly patience: number;
}

function timesOf({ now, fields, spec }: NodeStateWorld): Times {
  const limitMs = staleAfterMs(spec, fields);
  const scannedAt = lastDone(fields, now);
  const since = awaitedSince(fields);
  const { hold } = fields.orders ?? {};
  const holdLimitMs = seconds(spec.holdLimit, DEFAULT_HOLD_LIMIT_SECONDS) * 1000;
  const patience = (scannedAt ?? unscannedSince(fields) ?? now.getTime()) + 2 * limitMs + holdLimitMs;
  return {
    scannedAt,
    freshUntil: scannedAt === undefined ? undefined : scannedAt + limitMs,
    dueAt: since === undefined ? undefined : Math.min(since + limitMs, patience),
    heldTooLongAt: hold && Date.parse(hold.since) + holdLimitMs,
    limitMs,
    patience,
  };
}

/** Since when no result is known of a node that was never scanned. */
function unscannedSince({ conditions = [] }: StateFields): number | undefined {
  const standing = conditions.find(({ type, status }) => type === 'IntegrityHeld' && status === 'Unknown');
  return standing && Date.parse(standing.lastTransitionTime);
}

function staleAfterMs(spec: NodeStateWorld['spec'], fields: StateFields): number {
  const grace = seconds(spec.config && effectiveGracePeriod(spec), 900) * 1000;
  const usual = 2 * grace + 2 * usualScanSeconds(fields) * 1000 + MARGIN_MS;
  return spec.staleAfter === undefined ? usual : seconds(spec.staleAfter, usual / 1000) * 1000;
}

/** A stored spec may be older than its schema. */
function seconds(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? within(value, 0, LONGEST_LIMIT_S) : otherwise;
}

function within(value: number, least: number, most: number): number {
  return Number.isNaN(value) ? least : Math.min(Math.max(value, least), most);
}

/**
 * When the newest scan that was done was taken in. Of a status that an earlier version wrote `lastScan` tells it, or the
 * times of results, which are the node's. A time in the future proves nothing, nor does a receipt that nobody ordered.
 */
function lastDone({ lastResult, results = [], lastScan, freshness }: StateFields, now: Date): number | undefined {
  const passed = (time: string | undefined) => {
    const at = Date.parse(time ?? '');
    return at <= now.getTime() + CLOCK_SKEW_MS ? [at] : [];
  };
  if (freshness) return passed(freshness.since)[0];
  const [scannedAt] = lastResult?.condition === 'Errored' ? [] : passed(lastScan?.observedAt);
  if (scannedAt !== undefined) return scannedAt;
  const times = [...results, ...(lastResult ? [lastResult] : [])]
    .filter(({ condition, unproven }) => condition !== 'Errored' && !unproven)
    .filter(({ baselineFault }) => baselineFault !== 'Unordered')
    .flatMap(({ lastProbeTime }) => passed(lastProbeTime));
  return times.length > 0 ? Math.max(...times) : undefined;
}

/** Since when the baseline, or the first scan against it, is awaited; undefined: that scan was taken in. */
function awaitedSince(fields: StateFields): number | undefined {
  const { orders, baseline, lastResult, lastScan } = fields;
  const requestedAt = Date.parse(orders?.baseline.requestedAt ?? '');
  if (!orders || Number.isNaN(requestedAt)) return 0;
  if (baseline?.orderId !== orders.baseline.id) return requestedAt;
  const createdAt = Date.parse(baseline.createdAt);
  // The node's clock may be wrong, and set right in between: that AIDE read this very baseline counts before all times.
  const isCompared = lastScan?.baselineDigest === baseline.digest;
  const began = Date.parse(lastScan?.startedAt ?? lastResult?.lastProbeTime ?? '');
  if (lastResult && (isCompared || began >= createdAt)) return undefined;
  return Math.max(createdAt, requestedAt);
}

function stateOf(fields: StateFields, fresh: Statement): NodeState {
  const { lastResult, orders, unselected } = fields;
  if (standingFailure(fields)) return 'Failed';
  if (unselected) return lastResult?.condition === 'Failed' ? 'Failed' : 'Unwatched';
  if (lastResult && lastResult.condition !== 'Succeeded') return lastResult.condition;
  if (isPartlyUnseen(lastResult)) return 'Errored';
  if (orders?.hold) return 'Held';
  if (fresh.status === 'Unknown') return 'Initializing';
  return lastResult && fresh.status === 'True' ? 'Succeeded' : 'Silent';
}

function readyOf({ now, fields, daemon, node }: NodeStateWorld, { heldTooLongAt }: Times): Statement {
  const no = (reason: string, message: string): Statement => ({ type: 'Ready', status: 'False', reason, message });
  const { unselected } = fields;
  if (unselected) return no(unselected.reason, `Not watched since ${unselected.since}. ${unselected.message}`);
  const hold = fields.orders?.hold;
  if (hold) {
    const why = hold.reason === 'Annotation' ? 'Held' : 'Suspended';
    const isTooLong = heldTooLongAt !== undefined && !(now.getTime() < heldTooLongAt);
    const by = hold.owner === undefined ? '' : ` by ${hold.owner}`;
    const limit = isTooLong ? ' That is longer than spec.holdLimit allows.' : '';
    const message = `No scan is started since ${hold.since}${by}: ${hold.message}${limit}`;
    return no(isTooLong ? `${why}TooLong` : why, message);
  }
  const unwell = unreadiness(node);
  if (unwell !== undefined) return no('NodeNotReady', unwell);
  switch (daemon.is) {
    case 'missing':
      return no('DaemonMissing', 'The daemon set has no pod for the node.');
    case 'not scheduled':
      return no('DaemonNotScheduled', `The daemon's pod ${daemon.pod} is not scheduled: ${daemon.why}.`);
    case 'not running':
      return no('DaemonNotRunning', `The daemon's pod ${daemon.pod} does not run: ${daemon.why}.`);
    case 'starved':
      return no('DaemonOutOfMemory', `The daemon's pod ${daemon.pod} does not run: ${daemon.why}. ${STARVED}`);
    case 'running':
      return { type: 'Ready', status: 'True', reason: 'Watched', message: 'The daemon runs on the node.' };
  }
}

const STARVED = 'Its container had not enough memory: raise spec.resources.limits.memory, or watch fewer files.';

/** Why a node is not ready, in its kubelet's or Kubernetes' words; undefined: it is ready. */
function unreadiness(node: Node | undefined): string | undefined {
  if (!node) return 'The node is gone from the cluster.';
  const condition = node.status?.conditions?.find(({ type }) => type === 'Ready');
  if (condition?.status === 'True') return undefined;
  if (!condition) return 'The kubelet of the node has not reported yet.';
  const { reason = 'Unknown', message = '' } = condition;
  return `The node is not ready (${printable(reason, 128)}): ${printable(message, 512)}`;
}

const WITHIN_LIMIT: ReadonlySet<string> = new Set(['Held', 'Suspended']);
const HOLDS: ReadonlySet<string> = new Set([...WITHIN_LIMIT, 'HeldTooLong', 'SuspendedTooLong']);

/** `releasedUntil`: until when the first scan after a hold is not overdue, while it is awaited. */
function freshOf(
  { now, fields, daemon }: NodeStateWorld,
  { scannedAt, freshUntil, dueAt, limitMs, patience }: Times,
  ready: Statement,
): { statement: Statement; releasedUntil?: number } {
  const at = now.getTime();
  const say = (status: Statement['status'], reason: string, message: string) => ({
    statement: { type: 'Fresh', status, reason, message },
  });
  if (freshUntil !== undefined && at < freshUntil) {
    return say('True', 'Scanned', 'The newest scan is recent enough: see freshUntil.');
  }
  // Nobody asks for a scan of it.
  if (fields.unselected?.reason === 'SpecChanged') return say('Unknown', 'SpecChanged', ready.message);
  if (dueAt !== undefined && at < dueAt) {
    const which = scannedAt === undefined ? '' : ' against the new baseline';
    return say('Unknown', 'NotScanned', `The first scan${which} is still to come.`);
  }
  const last =
    scannedAt === undefined
      ? 'No scan that was done is known, and the first is overdue.'
      : `No scan that was done was taken in since ${new Date(scannedAt).toISOString()}.`;
  // Somebody wanted no scan of it, for no longer than is allowed: that is not known to be fresh, and nobody failed to look.
  if (WITHIN_LIMIT.has(ready.reason)) return say('Unknown', ready.reason, `${last} ${ready.message}`);
  if (ready.status === 'False') return say('False', ready.reason, `${last} ${ready.message}`);
  const releasedUntil = Math.min(firstScanAfterHold(fields, now, limitMs) ?? 0, patience);
  if (at < releasedUntil) {
    return { ...say('Unknown', 'Released', 'The first scan after the hold is still to come.'), releasedUntil };
  }
  if (fields.lastResult?.condition === 'Errored') {
    return say('False', 'Errored', `${last} The last one could not be done: see lastResult.`);
  }
  const limit = `${last} The limit is ${Math.round(limitMs / 1000)} seconds.`;
  if (daemon.is === 'running' && daemon.starved) {
    return say('False', 'DaemonOutOfMemory', `${limit} The daemon was ended meanwhile. ${STARVED}`);
  }
  return say('False', 'Late', limit);
}

/**
 * Until when the first scan after a hold is not overdue; undefined when the node was not held before. What stands tells: nothing
 * that happens on a node without a hold, such as a daemon that ends again and again, gives it time.
 */
function firstScanAfterHold({ conditions = [] }: StateFields, now: Date, limitMs: number): number | undefined {
  const standing = conditions.find(({ type }) => type === 'Fresh');
  if (standing && HOLDS.has(standing.reason)) return now.getTime() + limitMs;
  if (standing?.reason === 'Released') return Date.parse(standing.lastTransitionTime) + limitMs;
  return undefined;
}

const FAULTS: Readonly<Record<BaselineFault, string>> = {
  Replaced: 'The database on the node is not the one on record.',
  Missing: 'The database on record is gone from the node.',
  Damaged: 'The database on the node cannot be read.',
  Unordered: 'A baseline was made on the node that the operator did not order.',
};

function integrityOf(fields: StateFields): Statement {
  const { lastResult } = fields;
  const say = (status: Statement['status'], reason: string, message: string): Statement => ({
    type: 'IntegrityHeld',
    status,
    reason,
    message,
  });
  const standing = standingFailure(fields);
  // One that was accepted counts until the first scan against the new baseline.
  const failure = standing ?? (lastResult?.condition === 'Failed' ? lastResult : undefined);
  if (failure) {
    const { baselineFault: fault } = failure;
    const since = lastResult?.condition === 'Failed' || !standing ? '' : sinceThen(standing.since, lastResult);
    const unseen = lastResult?.unseen ? ` ${unseenInWords(lastResult.unseen)}` : '';
    if (fault)
      return say('False', `Baseline${fault}`, `${FAULTS[fault]} Nothing that was compared is verified.${since}`);
    if (failure.mountChanges !== undefined) {
      const { mountChanges: count } = failure;
      const mounts = `${count} ${count === 1 ? 'mount is' : 'mounts are'} otherwise than at the baseline`;
      const where = since === '' ? ': see lastResult' : '';
      return say('False', 'MountsChanged', `${mounts}${where}. Files: ${countsInWords(failure)}.${since}${unseen}`);
    }
    const which = since === '' ? 'The last scan' : 'A scan';
    const message = `${which} found differences from the baseline: ${countsInWords(failure)}.${since}${unseen}`;
    return say('False', 'Changed', message);
  }
  if (!lastResult) return say('Unknown', 'NotScanned', 'The first scan is still to come.');
  if (lastResult.condition === 'Errored') {
    return say('Unknown', 'Errored', `The last scan could not be done. ${lastResult.errorMessage ?? ''}`.trim());
  }
  if (lastResult.unproven) {
    return say('Unknown', 'Unproven', 'Nothing says which database the last scan read: it proves nothing.');
  }
  const { unseen } = lastResult;
  const words = unseen ? ` ${unseenInWords(unseen)}` : '';
  if (isPartlyUnseen(lastResult)) {
    const found = 'The last scan found no difference from the baseline in what it saw.';
    return say('Unknown', 'PartlyUnseen', `${found}${words} Those may have changed.`);
  }
  return say('True', 'NoChanges', `The last scan found no difference from the baseline.${words}`);
}

/** What has come after a failure that stands, and why that does not end it. */
function sinceThen(since: string, lastResult: StateFields['lastResult']): string {
  const stands = ` That stands since ${since}.`;
  if (lastResult?.condition !== 'Errored') {
    return `${stands} No scan has found since that there is no difference from the same baseline.`;
  }
  return `${stands} The last scan could not be done. ${lastResult.errorMessage ?? ''}`.trimEnd();
}

/** A new receipt alone proves nothing. */
function trustOf(fields: StateFields): Statement {
  const { baseline } = fields;
  const say = (status: Statement['status'], reason: string, message: string): Statement => ({
    type: 'BaselineTrusted',
    status,
    reason,
    message,
  });
  const fault = baselineFaultOf(fields);
  if (fault) return say('False', `Baseline${fault}`, FAULTS[fault]);
  if (!baseline) return say('Unknown', 'Pending', 'No receipt of a baseline is on record yet.');
  // What was on record of a node of this name before is compared with what this one says first.
  const isBegun = fields.orders?.baseline.reason !== 'Initial' || fields.orders.baseline.id === baseline.orderId;
  if (!isBegun) return say('Unknown', 'Pending', 'The receipt of the baseline is still to come.');
  if (baseline.adopted) {
    const message = 'The database was made before the operator: nothing is on record of what it left out.';
    return say('Unknown', 'Adopted', message);
  }
  return say('True', 'Recorded', `The receipt of the baseline is on record, digest ${baseline.digest.slice(0, 16)}….`);
}
