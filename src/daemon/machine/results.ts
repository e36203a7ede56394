import type { ScanOutcome } from '../../api/protocol.ts';
import { backoff, baselineBackoff } from './backoff.ts';
import { enqueueMessage, giveId, log, reportErrored, reportMessage, timestamp } from './messages.ts';
import type { Message } from './outbox.ts';
import { sameness } from './sameness.ts';
import { gracePeriodMs, scanDueAt } from './schedule.ts';
import type { BaselineEnd, Closing, ClosingEnd, ClosingFacts, Event, Now, ScanEnd, State, Step } from './state.ts';

/** So many failures to load the configuration are reported. Fewer are normal: while the operator writes, it does not match. */
const FAILED_LOADS_TO_REPORT = 5;

/** The effective configuration was loaded, or not. */
export function takeConfiguration(
  state: State,
  event: Extract<Event, { type: 'configured' | 'unconfigured' }>,
  now: Now,
): Step {
  if (event.type === 'configured') return { state: { ...state, configuration: { loaded: event.digest } }, effects: [] };
  const { loading: _, failure, ...rest } = state.configuration;
  const count = failure?.digest === event.digest ? failure.count + 1 : 1;
  const retryAt = now.mono + backoff(count, now.random);
  const next: State = { ...state, configuration: { ...rest, failure: { digest: event.digest, count, retryAt } } };
  const line = log(`the configuration could not be loaded: ${event.message}`);
  if (event.transient || count < FAILED_LOADS_TO_REPORT || scanDueAt(next, now) > now.mono)
    return { state: next, effects: [line] };
  const time = timestamp(now);
  const reported = reportErrored(
    { ...next, scannedAt: now.mono },
    { verdict: 'Errored', startedAt: time, finishedAt: time, errorCode: event.code, errorMessage: event.message },
    event.digest,
  );
  return { state: reported.state, effects: [line, ...reported.effects] };
}

/** A scan ended. */
export function takeScan(state: State, result: ScanEnd, now: Now): Step {
  if (state.activity.kind !== 'scan') return { state, effects: [] };
  const { id, configurationDigest, cancelled } = state.activity;
  const idle: State = { ...state, activity: { kind: 'idle' } };
  // What a scan saw while the node was being changed on purpose would mislead, even if it ended just in time.
  if (result.kind === 'stopped' || cancelled) return { state: idle, effects: [{ type: 'forget', ids: [id] }] };
  const { facts } = result;
  const outcome: ScanOutcome = { kind: 'scan', id, node: state.node, ...facts, configurationDigest };
  const reported = reportMessage({ ...idle, scannedAt: now.mono }, messageOf(outcome, result));
  return { state: reported.state, effects: [...linesOf(facts), ...reported.effects] };
}

type Ended = Extract<ScanEnd, { kind: 'ended' }>;

function messageOf(outcome: ScanOutcome, { facts, report, fingerprint }: Ended): Message {
  const message: Message = { outcome, sameness: sameness(outcome, fingerprint) };
  if (report !== undefined) message.report = report;
  else if (facts.verdict === 'Failed') message.withoutReport = facts.errorMessage ?? 'AIDE left no report.';
  return message;
}

function linesOf({ exitStatus, errorMessage }: Ended['facts']) {
  const lines = exitStatus === undefined ? [] : [log(`aide check returned status ${exitStatus}`)];
  return errorMessage === undefined ? lines : [...lines, log(errorMessage)];
}

/**
 * The comparison before a new baseline ended. Its result is sent even where it is nothing new: the new baseline is
 * made only when the operator has it, because it is the record of what the new baseline accepts.
 */
export function takeClosing(state: State, result: ClosingEnd): Step {
  if (state.activity.kind !== 'closing') return { state, effects: [] };
  const { id, order, configurationDigest, cancelled } = state.activity;
  const idle: State = { ...state, activity: { kind: 'idle' } };
  if (result.kind === 'stopped' || cancelled) return { state: idle, effects: [{ type: 'forget', ids: [id] }] };
  const common = { orderId: order.id, configurationDigest, spent: false };
  if (result.kind === 'needless')
    return { state: { ...idle, closing: { ...common, acknowledged: true } }, effects: [] };
  const { node } = state;
  const { facts } = result;
  const outcome: ScanOutcome = {
    kind: 'scan',
    id,
    node,
    ...facts,
    configurationDigest: result.configurationDigest,
    closes: order.id,
  };
  const message = messageOf(outcome, result);
  const said = message.sameness ?? '';
  const earlier = state.closing;
  // An attempt at the baseline that fails again and again must not fill the record with the same finding.
  const isKnown = earlier?.orderId === order.id && earlier.acknowledged && earlier.sameness === said;
  const closing: Closing = {
    ...common,
    facts: factsOf(isKnown ? (earlier.facts?.scan ?? id) : id, result),
    sameness: said,
    acknowledged: isKnown,
  };
  const next: State = { ...idle, closing };
  const reported: Step = isKnown
    ? { state: next, effects: [{ type: 'forget', ids: [id] }] }
    : enqueueMessage(next, message);
  return { state: reported.state, effects: [...linesOf(facts), ...reported.effects] };
}

function factsOf(
  scan: string,
  { facts, successor, mounts, unseen }: Extract<ClosingEnd, { kind: 'ended' }>,
): ClosingFacts {
  const { verdict, counts, baselineFault, mountChanges, errorMessage, startedAt } = facts;
  return {
    scan,
    verdict,
    ...(counts !== undefined && { counts }),
    ...(mountChanges !== undefined && { mountChanges }),
    ...(baselineFault !== undefined && { baselineFault }),
    ...(errorMessage !== undefined && { errorMessage }),
    startedAt,
    ...(successor !== undefined && { successor }),
    ...(mounts !== undefined && { mounts }),
    ...(unseen !== undefined && { unseen }),
  };
}

/** An attempt at a baseline ended. */
export function takeBaseline(state: State, result: BaselineEnd, now: Now): Step {
  if (state.activity.kind !== 'baseline') return { state, effects: [] };
  const { order } = state.activity;
  const idle: State = { ...state, activity: { kind: 'idle' } };
  switch (result.kind) {
    case 'stopped':
      return { state: withoutClosing(idle), effects: [] };
    case 'lost': {
      const { state: failed } = failBaseline(state, idle, now);
      const { baselineFailure: failure } = failed;
      // Once can be chance, so it is tried at once. Again and again would walk the node without a pause, so then it waits.
      if (failure?.count === 1) failed.baselineFailure = { ...failure, retryAt: now.mono };
      return { state: failed, effects: [log('the new AIDE db is not as it was written: it is made again')] };
    }
    case 'made': {
      // Also when it was cancelled too late: it is in place, and the API server must hear of it.
      const done = giveId({ ...idle, made: order.id });
      delete done.state.baselineFailure;
      delete done.state.closing;
      delete done.state.scannedAt; // a scan is due at once
      return reportMessage(done.state, {
        outcome: { kind: 'baseline', id: done.id, node: state.node, receipt: result.receipt },
      });
    }
    case 'failed': {
      const { state: failed, configurationDigest } = failBaseline(state, idle, now);
      const reported = reportErrored(failed, result.facts, configurationDigest);
      return { state: reported.state, effects: [log(result.facts.errorMessage), ...reported.effects] };
    }
  }
}

function withoutClosing(state: State): State {
  const { closing: _, ...rest } = state;
  return rest;
}

/** An attempt at a baseline failed: there will be another one, and the comparison is done anew before it. */
function failBaseline(before: State, idle: State, now: Now): { state: State; configurationDigest: string } {
  const { activity, baselineFailure: last, closing } = before;
  if (activity.kind !== 'baseline') return { state: idle, configurationDigest: '' };
  const { order, configurationDigest } = activity;
  const again = last?.orderId === order.id && last.configurationDigest === configurationDigest;
  const count = again ? last.count + 1 : 1;
  const retryAt = now.mono + baselineBackoff(count, gracePeriodMs(before));
  const state: State = { ...idle, baselineFailure: { orderId: order.id, configurationDigest, count, retryAt } };
  if (closing !== undefined) state.closing = { ...closing, spent: true };
  return { state, configurationDigest };
}
