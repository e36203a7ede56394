import { findingsName, historyName } from '../../../api/names.ts';
import type { KeptFailure, NodeStatusFields, ScanResult, StandingFailure } from '../../../api/nodestatus.ts';
import type { BaselineClosing, BaselineReceipt } from '../../../api/protocol.ts';
import { afterReceipt, failureAfter } from '../../nodes/failure.ts';
import { freshnessAfter } from '../../nodes/freshness.ts';
import type { Kept, KeptReport } from '../evidence/types.ts';
import type { Message, ScanMessage } from '../inbox/message.ts';
import { countsIn } from '../inbox/message.ts';
import type { ResultFields } from './types.ts';
import { unseenOf } from './unseen.ts';

/** Receipts, and notices, that a status keeps. */
const RECEIPTS = 10;
const NOTICES = 10;

/** The fields once a scan's result is in them: `lastResult` is it, and `results` has it in the place of its condition. */
export function foldScan(
  fields: ResultFields,
  scan: ScanMessage,
  report: KeptReport | undefined,
  now: Date,
): ResultFields {
  return foldResult(fields, resultOf(fields, scan, report, now), scan, now);
}

function foldResult(before: ResultFields, result: ScanResult, scan: ScanMessage, now: Date): ResultFields {
  const { failure: _, ...fields } = before;
  const failure = failureAfter(before, result, scan.facts?.baselineDigest, now);
  return {
    ...fields,
    lastResult: result,
    results: [...(fields.results ?? []).filter(({ condition }) => condition !== result.condition), result],
    ...(failure && { failure }),
    ...observed(before, scan, now),
  };
}

/** What has waited for longer was there while no operator looked, in milliseconds. */
const WAITED_MS = 60_000;

/**
 * The facts of a scan, and when the operator took it in: the one time in them that is not the node's word. A message that
 * waited for an operator is as old as its coming: nobody knows how its node has fared since.
 */
function observed(
  before: ResultFields,
  { facts, verdict, arrivedAt = '' }: ScanMessage,
  now: Date,
): Pick<ResultFields, 'lastScan' | 'freshness'> {
  if (!facts) return {};
  const arrived = Date.parse(arrivedAt);
  const hasWaited = now.getTime() - arrived > WAITED_MS;
  const observedAt = (hasWaited ? new Date(arrived) : now).toISOString();
  return {
    lastScan: { ...facts, observedAt },
    // One that could not be done proves nothing.
    ...(verdict !== 'Errored' && { freshness: freshnessAfter(before, facts, observedAt) }),
  };
}

/** A scan whose findings do not count, because the node was being updated: that it took place is all that is noted. */
export function foldSetAside(fields: ResultFields, scan: ScanMessage, now: Date): ResultFields {
  return { ...fields, ...observed(fields, scan, now) };
}

/**
 * A receipt that was taken in is the baseline, and the first of those that are kept. It may accept a failure.
 * @param said the receipt as it came
 */
export function foldReceipt(
  before: ResultFields,
  receipt: BaselineReceipt,
  said: BaselineReceipt,
  { status, now }: { readonly status: Pick<NodeStatusFields, 'orders'>; readonly now: Date },
): ResultFields {
  const { failure: _, accepted: __, ...fields } = before;
  // A status of before has one receipt and no list.
  const earlier = fields.baselines ?? (fields.baseline ? [fields.baseline] : []);
  const { closing: ___, ...rest } = fields; // the receipt has it
  return {
    ...rest,
    baseline: receipt,
    baselines: [receipt, ...earlier].slice(0, RECEIPTS).map(inShort),
    ...afterReceipt(before, said, status.orders?.baseline, now),
  };
}

/** Their lists stand in the receipt of the baseline itself; ten of them would be much for each node. */
function inShort({ mounts, unseen, rules: _, ...receipt }: BaselineReceipt): BaselineReceipt {
  return {
    ...receipt,
    ...(mounts && { mounts: { ...mounts, mounts: [] } }),
    ...(unseen && { unseen: { ...unseen, paths: [] } }),
  };
}

export function foldNotice(
  fields: ResultFields,
  { at, notice, message }: Extract<Message, { kind: 'notice' }>,
): ResultFields {
  return { ...fields, notices: [{ at, reason: notice, message }, ...(fields.notices ?? [])].slice(0, NOTICES) };
}

/** The last result, said again later: see `repeated`. */
export function foldAgain(fields: ResultFields, last: ScanResult, scan: ScanMessage, now: Date): ResultFields {
  const { unseen: _, ...rest } = last;
  // It is no part of what is the same: the same findings may come with more or less in sight.
  const unseen = unseenOf(scan.unseen, fields.baseline);
  const result = { ...rest, lastProbeTime: probeTime(scan.finishedAt, now), ...(unseen && { unseen }) };
  return foldResult(fields, result, scan, now);
}

/** The fields once the report of their last result is kept. */
export function foldKept(
  fields: ResultFields,
  { findings, failures, newest, isResult }: Pick<Kept, 'findings' | 'failures' | 'newest' | 'isResult'>,
): ResultFields {
  const { lastResult, results = [], failure } = fields;
  // What was set aside is no result.
  if (!failures || !newest || !lastResult) return fields;
  const { sequence, digest } = newest;
  const result = isResult
    ? {
        ...lastResult,
        ...(findings !== undefined && { findingsConfigMapName: findings }),
        failureSequence: sequence,
        failureDigest: digest,
      }
    : lastResult;
  return withNames(
    {
      ...fields,
      lastResult: result,
      results: results.map((each) => (each === lastResult ? result : each)),
      failures: [...failures],
      ...(failure && { failure: isResult ? { ...failure, sequence, digest } : failure }),
    },
    newest,
  );
}

/**
 * The fields with each reference to a kept failure under the name that this has now. A failure is called otherwise once a newer
 * one has its place; its number and digest stay.
 */
function withNames(fields: ResultFields, newest: KeptFailure): ResultFields {
  const { lastResult, results, failure, accepted, closing, baseline, baselines } = fields;
  return {
    ...fields,
    ...(lastResult && { lastResult: withResultName(lastResult, newest) }),
    ...(results && { results: results.map((each) => withResultName(each, newest)) }),
    ...(failure && { failure: named(failure, newest) }),
    ...(accepted && { accepted: accepted.map((each) => named(each, newest)) }),
    ...(closing && { closing: withClosingName(closing, newest) }),
    ...(baseline && { baseline: withReceiptName(baseline, newest) }),
    ...(baselines && { baselines: baselines.map((each) => withReceiptName(each, newest)) }),
  };
}

function withResultName(result: ScanResult, newest: KeptFailure): ScanResult {
  const { failureSequence: sequence, resultConfigMapName: configMapName } = result;
  if (sequence === undefined || sequence === newest.sequence || configMapName === undefined) return result;
  const { findingsConfigMapName: findings, ...rest } = result;
  const name = historyName(newest.configMapName, sequence);
  return {
    ...rest,
    resultConfigMapName: name,
    ...(findings !== undefined && { findingsConfigMapName: findingsName(name) }),
  };
}

function withReceiptName(receipt: BaselineReceipt, newest: KeptFailure): BaselineReceipt {
  return receipt.closing ? { ...receipt, closing: withClosingName(receipt.closing, newest) } : receipt;
}

function withClosingName<T extends BaselineClosing>(closing: T, newest: KeptFailure): T {
  return closing.kept ? { ...closing, kept: named(closing.kept, newest) } : closing;
}

function named<T extends { configMapName?: string; sequence?: number }>(reference: T, newest: KeptFailure): T {
  const { sequence } = reference;
  if (sequence === undefined) return reference;
  const name = newest.configMapName;
  return { ...reference, configMapName: sequence === newest.sequence ? name : historyName(name, sequence) };
}

/**
 * The fields of a finding whose report is still to be kept, which may take long, or cannot be kept: it counts all the same. The
 * message stays unacknowledged, so that its daemon keeps it and it is taken in later.
 * @param planned the fields as they would be with the report kept
 */
export function foldVerdict(before: ResultFields, planned: ResultFields, message: string): ResultFields {
  return before.unkept === message ? before : unkept(before, planned, message, 'The report is still to be kept.');
}

/** The same where it cannot be kept, with what stands in the way. */
export function foldUnkept(before: ResultFields, planned: ResultFields, message: string, why: string): ResultFields {
  const said = `The report could not be kept: ${why}`;
  // Said once: each time that the operator tries again would be news to whoever watches.
  if (before.unkept === message && before.lastResult?.errorMessage?.endsWith(said)) return before;
  return unkept(before, planned, message, said);
}

function unkept(before: ResultFields, planned: ResultFields, message: string, said: string): ResultFields {
  const { lastResult: finding, lastScan, freshness, failure } = planned;
  if (finding?.condition !== 'Failed') return before;
  const { resultConfigMapName: _, resultConfigMapNamespace: __, findingsConfigMapName: ___, ...found } = finding;
  const { failureSequence: ____, failureDigest: _____, ...rest } = found;
  const result = { ...rest, errorMessage: [rest.errorMessage, said].filter(Boolean).join(' ') };
  return {
    ...before,
    lastResult: result,
    results: [...(before.results ?? []).filter(({ condition }) => condition !== 'Failed'), result],
    ...(lastScan && { lastScan }),
    ...(freshness && { freshness }),
    ...(failure && { failure: withoutReport(failure) }),
    unkept: message,
  };
}

function withoutReport({ configMapName: _, sequence: __, digest: ___, ...failure }: StandingFailure): StandingFailure {
  return failure;
}

/** The last result, if a scan says the same but for ids and times. What a report lacks is the operator's to say. */
export function repeated({ lastResult: last }: ResultFields, scan: ScanMessage): ScanResult | undefined {
  const isSame =
    last?.condition === scan.verdict &&
    last.unproven === isUnproven(scan) &&
    last.baselineFault === scan.baselineFault &&
    last.mountChanges === scan.mountChanges &&
    (scan.verdict !== 'Errored' || last.errorMessage === sentenceOf(scan)) &&
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

function resultOf(
  { baseline }: ResultFields,
  scan: ScanMessage,
  report: KeptReport | undefined,
  now: Date,
): ScanResult {
  const unseen = scan.verdict === 'Errored' ? undefined : unseenOf(scan.unseen, baseline);
  const errorMessage = sentenceOf(scan);
  const errorCode = codeOf(scan);
  return {
    lastProbeTime: probeTime(scan.finishedAt, now),
    condition: scan.verdict,
    ...(report && { resultConfigMapName: report.name, resultConfigMapNamespace: report.namespace }),
    ...(errorMessage !== undefined && { errorMessage }),
    ...(errorCode !== undefined && { errorCode }),
    ...(scan.baselineFault !== undefined && { baselineFault: scan.baselineFault }),
    ...(scan.mountChanges !== undefined && { mountChanges: scan.mountChanges }),
    ...countsIn(scan),
    ...(unseen && { unseen }),
    ...(isUnproven(scan) && { unproven: true as const }),
  };
}

/** What is said of a scan that could not be done begins with the code by which docs/errors.md has it. */
function sentenceOf(scan: ScanMessage): string | undefined {
  const { errorMessage } = scan;
  const code = codeOf(scan);
  if (code === undefined || errorMessage === undefined || errorMessage.startsWith(`${code}: `)) return errorMessage;
  return `${code}: ${errorMessage}`;
}

/** The node says it: what does not look like a code is none. */
function codeOf({ verdict, errorCode }: ScanMessage): string | undefined {
  return verdict === 'Errored' && /^[A-Z][A-Z0-9_]{2,47}$/.test(errorCode ?? '') ? errorCode : undefined;
}

/** An earlier operator's daemon says that nothing has changed, and neither since when nor against what. */
function isUnproven({ verdict, facts }: ScanMessage): true | undefined {
  return verdict === 'Succeeded' && facts === undefined ? true : undefined;
}

/** A node whose clock is ahead must not look fresh for longer than it is. */
export function probeTime(finishedAt: string, now: Date): string {
  return Date.parse(finishedAt) <= now.getTime() ? finishedAt : now.toISOString();
}
