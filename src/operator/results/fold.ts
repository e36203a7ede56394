import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../../api/condition.ts';
import type { NodeStatusFields, ScanResult } from '../../api/nodestatus.ts';
import type { BaselineReceipt, FileCounts } from '../../api/outcome.ts';
import type { Kept } from './keep.ts';
import type { Message, ScanMessage } from './message.ts';

/** Receipts, and notices, that a status keeps. */
const RECEIPTS = 10;
const NOTICES = 10;

/** The part of a node status that is made of the daemon's messages. */
export interface ResultFields
  extends Pick<
    NodeStatusFields,
    | 'state'
    | 'freshUntil'
    | 'observedGeneration'
    | 'lastResult'
    | 'results'
    | 'lastScan'
    | 'baseline'
    | 'baselines'
    | 'closing'
    | 'failures'
    | 'notices'
    | 'acknowledged'
  > {
  /** What holds of the node: `status.conditions`. */
  conditions?: Condition[];
  /** Id of the heartbeat that was taken in last. */
  heartbeat?: string;
}

/** Where the report of a failure is kept. */
export interface KeptReport {
  readonly name: string;
  readonly namespace: string;
}

/** The fields once a scan's result is in them: `lastResult` is it, and `results` has it in the place of its condition. */
export function foldScan(
  fields: ResultFields,
  scan: ScanMessage,
  report: KeptReport | undefined,
  now: Date,
): ResultFields {
  return foldResult(fields, resultOf(scan, report, now), scan, now);
}

function foldResult(fields: ResultFields, result: ScanResult, scan: ScanMessage, now: Date): ResultFields {
  return {
    ...fields,
    lastResult: result,
    results: [...(fields.results ?? []).filter(({ condition }) => condition !== result.condition), result],
    ...observed(scan, now),
  };
}

/** What has waited for longer was there while no operator looked, in milliseconds. */
const WAITED_MS = 60_000;

/**
 * The facts of a scan, and when the operator took it in: the one time in them that is not the node's word. A message that
 * waited for an operator is as old as its coming: nobody knows how its node has fared since.
 */
function observed({ facts, arrivedAt = '' }: ScanMessage, now: Date): Pick<ResultFields, 'lastScan'> {
  const arrived = Date.parse(arrivedAt);
  const hasWaited = now.getTime() - arrived > WAITED_MS;
  return facts ? { lastScan: { ...facts, observedAt: (hasWaited ? new Date(arrived) : now).toISOString() } } : {};
}

/** A scan whose findings do not count, because the node was being updated: that it took place is all that is noted. */
export function foldSetAside(fields: ResultFields, scan: ScanMessage, now: Date): ResultFields {
  return { ...fields, ...observed(scan, now) };
}

/** A receipt that was taken in is the baseline, and the first of those that are kept. */
export function foldReceipt(fields: ResultFields, receipt: BaselineReceipt): ResultFields {
  // A status of before has one receipt and no list.
  const earlier = fields.baselines ?? (fields.baseline ? [fields.baseline] : []);
  const { closing: _, ...rest } = fields; // the receipt has it
  return { ...rest, baseline: receipt, baselines: [receipt, ...earlier].slice(0, RECEIPTS).map(inShort) };
}

/** The list of the mounts stands in the receipt of the baseline itself; ten of them would be much for each node. */
function inShort({ mounts, ...receipt }: BaselineReceipt): BaselineReceipt {
  return mounts ? { ...receipt, mounts: { ...mounts, mounts: [] } } : receipt;
}

export function foldNotice(
  fields: ResultFields,
  { at, notice, message }: Extract<Message, { kind: 'notice' }>,
): ResultFields {
  return { ...fields, notices: [{ at, reason: notice, message }, ...(fields.notices ?? [])].slice(0, NOTICES) };
}

/** The last result, said again later: see `repeated`. */
export function foldAgain(fields: ResultFields, last: ScanResult, scan: ScanMessage, now: Date): ResultFields {
  return foldResult(fields, { ...last, lastProbeTime: probeTime(scan.finishedAt, now) }, scan, now);
}

/** The fields once the report of their last result is kept. */
export function foldKept(
  fields: ResultFields,
  { findings, failures }: Pick<Kept, 'findings' | 'failures'>,
): ResultFields {
  const { lastResult, results = [] } = fields;
  // What was set aside is no result.
  if (!failures || !lastResult) return fields;
  const result = { ...lastResult, ...(findings !== undefined && { findingsConfigMapName: findings }) };
  return {
    ...fields,
    lastResult: result,
    results: results.map((each) => (each === lastResult ? result : each)),
    failures: [...failures],
  };
}

/**
 * The fields when the report of a finding cannot be kept: the finding counts all the same, and what stands in the way of its
 * report is said. The message stays unacknowledged, so that its daemon keeps it and it is taken in later.
 * @param planned the fields as they would be with the report kept
 */
export function foldUnkept(before: ResultFields, planned: ResultFields, why: string): ResultFields {
  const { lastResult: finding, lastScan } = planned;
  if (finding?.condition !== 'Failed') return before; // what was set aside is no result
  const { resultConfigMapName: _, resultConfigMapNamespace: __, findingsConfigMapName: ___, ...rest } = finding;
  const errorMessage = [rest.errorMessage, `The report could not be kept: ${why}`].filter(Boolean).join(' ');
  const result = { ...rest, errorMessage };
  // Said once: each time that the operator tries again would be news to whoever watches.
  if (isDeepStrictEqual(before.lastResult, result)) return before;
  return {
    ...before,
    lastResult: result,
    results: [...(before.results ?? []).filter(({ condition }) => condition !== 'Failed'), result],
    ...(lastScan && { lastScan }),
  };
}

/** The last result, if a scan says the same but for ids and times. What a report lacks is the operator's to say. */
export function repeated({ lastResult: last }: ResultFields, scan: ScanMessage): ScanResult | undefined {
  const isSame =
    last?.condition === scan.verdict &&
    last.baselineFault === scan.baselineFault &&
    last.mountChanges === scan.mountChanges &&
    (scan.verdict !== 'Errored' || last.errorMessage === scan.errorMessage) &&
    last.filesAdded === scan.counts?.added &&
    last.filesChanged === scan.counts?.changed &&
    last.filesRemoved === scan.counts?.removed;
  return isSame ? last : undefined;
}

/** A transition, or a failure whose counts or whose word on the baseline changed: what is worth an event. */
export function isNews(before: ScanResult | undefined, after: ScanResult): boolean {
  if (before?.condition !== after.condition) return true;
  return (
    after.condition === 'Failed' &&
    (before.baselineFault !== after.baselineFault ||
      before.mountChanges !== after.mountChanges ||
      before.filesAdded !== after.filesAdded ||
      before.filesChanged !== after.filesChanged ||
      before.filesRemoved !== after.filesRemoved)
  );
}

function resultOf(scan: ScanMessage, report: KeptReport | undefined, now: Date): ScanResult {
  return {
    lastProbeTime: probeTime(scan.finishedAt, now),
    condition: scan.verdict,
    ...(report && { resultConfigMapName: report.name, resultConfigMapNamespace: report.namespace }),
    ...(scan.errorMessage !== undefined && { errorMessage: scan.errorMessage }),
    ...(scan.baselineFault !== undefined && { baselineFault: scan.baselineFault }),
    ...(scan.mountChanges !== undefined && { mountChanges: scan.mountChanges }),
    ...countsIn(scan),
  };
}

/** The counts of a scan as the contract names them; nothing where there are none. */
export function countsIn({ counts }: { counts?: FileCounts }) {
  return counts && { filesAdded: counts.added, filesChanged: counts.changed, filesRemoved: counts.removed };
}

/** A node whose clock is ahead must not look fresh for longer than it is. */
export function probeTime(finishedAt: string, now: Date): string {
  return Date.parse(finishedAt) <= now.getTime() ? finishedAt : now.toISOString();
}
