import type { ScanOutcome } from '../api/outcome.ts';
import { gracePeriodMs, scanDueAt } from './due.ts';
import type { Message } from './outbox.ts';
import { backoff, baselineBackoff } from './pace.ts';
import { sameness } from './sameness.ts';
import type { BaselineResult, Event, Now, ScanResult, State, Step } from './state.ts';
import { log, stamp, tell, tellErrored, withId } from './telling.ts';

/** Failures to load the configuration before it is reported: a mismatch while the operator writes takes seconds. */
const PATIENCE = 5;

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
  if (event.transient || count < PATIENCE || scanDueAt(next, now) > now.mono) return { state: next, effects: [line] };
  const time = stamp(now);
  const told = tellErrored(
    { ...next, scannedAt: now.mono },
    { verdict: 'Errored', startedAt: time, finishedAt: time, errorCode: event.code, errorMessage: event.message },
    event.digest,
  );
  return { state: told.state, effects: [line, ...told.effects] };
}

/** A scan ended. */
export function takeScan(state: State, result: ScanResult, now: Now): Step {
  if (state.activity.kind !== 'scan') return { state, effects: [] };
  const { id, configurationDigest, cancelled } = state.activity;
  const idle: State = { ...state, activity: { kind: 'idle' } };
  // What a scan saw while the node was being changed on purpose would mislead, even if it ended just in time.
  if (result.kind === 'stopped' || cancelled) return { state: idle, effects: [{ type: 'forget', ids: [id] }] };
  const { facts, report, fingerprint } = result;
  const outcome: ScanOutcome = { kind: 'scan', id, node: state.node, ...facts, configurationDigest };
  const message: Message = { outcome, sameness: sameness(outcome, fingerprint) };
  if (report !== undefined) message.report = report;
  else if (facts.verdict === 'Failed') message.withoutReport = facts.errorMessage ?? 'AIDE left no report.';
  const lines = facts.exitStatus === undefined ? [] : [log(`aide check returned status ${facts.exitStatus}`)];
  if (facts.errorMessage !== undefined) lines.push(log(facts.errorMessage));
  const told = tell({ ...idle, scannedAt: now.mono }, message);
  return { state: told.state, effects: [...lines, ...told.effects] };
}

/** An attempt at a baseline ended. */
export function takeBaseline(state: State, result: BaselineResult, now: Now): Step {
  if (state.activity.kind !== 'baseline') return { state, effects: [] };
  const { order, configurationDigest } = state.activity;
  const idle: State = { ...state, activity: { kind: 'idle' } };
  switch (result.kind) {
    case 'stopped':
      return { state: idle, effects: [] };
    case 'made': {
      // Also when it was cancelled too late: it is in place, and the API server must hear of it.
      const done = withId({ ...idle, made: order.id });
      delete done.state.baselineFailure;
      delete done.state.scannedAt; // a scan is due at once
      return tell(done.state, {
        outcome: { kind: 'baseline', id: done.id, node: state.node, receipt: result.receipt },
      });
    }
    case 'failed': {
      const last = state.baselineFailure;
      const again = last?.orderId === order.id && last.configurationDigest === configurationDigest;
      const count = again ? last.count + 1 : 1;
      const retryAt = now.mono + baselineBackoff(count, gracePeriodMs(state));
      const failed: State = { ...idle, baselineFailure: { orderId: order.id, configurationDigest, count, retryAt } };
      const told = tellErrored(failed, result.facts, configurationDigest);
      return { state: told.state, effects: [log(result.facts.errorMessage), ...told.effects] };
    }
  }
}
