import { DEFAULT_FILES } from '../../api/names.ts';
import type { Orders, Outcome } from '../../api/protocol.ts';
import { giveId, log, timestamp } from './messages.ts';
import { beginSending, nextToSend } from './outbox.ts';
import { closingOf, pendingOrder, recordedBaseline, replacedBaseline, scanDueAt } from './schedule.ts';
import type { Effect, Now, State, Step } from './state.ts';

/** Decides from the state alone what is to be started, after each event. */
export function decide(before: State, now: Now): Step {
  if (before.stopping) return stop(before);
  if (!before.recovered) return { state: before, effects: [] };
  const state = { ...before };
  const effects: Effect[] = [];
  startDelivery(state, effects, now);
  startWork(state, effects, now);
  const at = nextWake(state, now);
  if (at !== state.wakeAt) {
    if (at === undefined) delete state.wakeAt;
    else state.wakeAt = at;
    effects.push({ type: 'timer', at });
  }
  return { state, effects };
}

function stop(state: State): Step {
  const { activity } = state;
  if (activity.kind === 'idle') return { state: { ...state, exited: true }, effects: [{ type: 'exit' }] };
  if (activity.cancelled) return { state, effects: [] };
  return { state: { ...state, activity: { ...activity, cancelled: true } }, effects: [{ type: 'cancel' }] };
}

/** Changes `state`, a copy of its own, and adds to `effects`. */
function startDelivery(state: State, effects: Effect[], now: Now): void {
  // Before the record is known a message could be one that was acknowledged already.
  if (state.record?.orders === undefined) return;
  const message = nextToSend(state.outbox, now.mono);
  if (message !== undefined) {
    state.outbox = beginSending(state.outbox, message);
    effects.push({ type: 'send', message });
  }
  reportTakenSlot(state, now);
  const { heartbeat } = state;
  if (heartbeat !== undefined && state.beating === undefined && heartbeat.retryAt <= now.mono) {
    state.beating = heartbeat.message.outcome.id;
    effects.push({ type: 'beat', outcome: heartbeat.message.outcome });
  }
}

/**
 * While something squats in the slot, the heartbeat says so, with the newest result that waits: what was found must not be
 * hidden by whoever takes the place of its message. Changes `state`, a copy of its own.
 */
function reportTakenSlot(state: State, now: Now): void {
  if (state.slotTaken === undefined) return;
  const newest = state.outbox.queue.map(({ outcome }) => outcome).findLast((outcome) => outcome.kind === 'scan');
  if (state.slotTaken.reportedWith === (newest?.id ?? '')) return;
  const { state: given, id } = giveId(state);
  state.serial = given.serial;
  state.slotTaken = { reportedWith: newest?.id ?? '' };
  const message = 'The place of its messages holds something that no daemon put there.';
  const outcome: Outcome = newest
    ? { ...newest, id, slotTaken: true }
    : { kind: 'notice', id, node: state.node, notice: 'SlotTaken', at: timestamp(now), message };
  state.heartbeat = { message: { outcome }, failures: 0, retryAt: now.mono };
}

/** Changes `state`, a copy of its own, and adds to `effects`. */
function startWork(state: State, effects: Effect[], now: Now): void {
  const orders = state.record?.orders;
  if (orders === undefined || orders.hold !== undefined) {
    pauseWork(state, effects, orders);
    return;
  }
  delete state.waiting;
  if (state.activity.kind !== 'idle') return;
  const { configuration, settings, files = DEFAULT_FILES } = orders;
  if (state.configuration.loaded !== configuration.digest) {
    const { loading, failure } = state.configuration;
    const retryAt = failure?.digest === configuration.digest ? failure.retryAt : now.mono;
    if (loading !== undefined || retryAt > now.mono) return;
    state.configuration = { ...state.configuration, loading: configuration.digest };
    effects.push({ type: 'configure', configuration });
    return;
  }
  const order = pendingOrder(state);
  if (order !== undefined) {
    if (baselineRetryAt(state, orders, now) > now.mono) return;
    const closing = closingOf(state, order);
    if (closing === undefined) {
      const given = giveId(state);
      state.serial = given.state.serial;
      const baseline = replacedBaseline(state);
      state.activity = {
        kind: 'closing',
        id: given.id,
        order,
        configurationDigest: configuration.digest,
        cancelled: false,
      };
      effects.push({ type: 'close', id: given.id, order, files, configuration, baseline });
    } else if (closing.acknowledged) {
      // The operator has kept what the new baseline will accept.
      const { facts } = closing;
      state.activity = { kind: 'baseline', order, configurationDigest: configuration.digest, cancelled: false };
      effects.push({
        type: 'baseline',
        order,
        files,
        configurationDigest: configuration.digest,
        settings,
        closing: facts,
      });
    }
    return;
  }
  if (scanDueAt(state, now) > now.mono) return;
  const given = giveId(state);
  state.serial = given.state.serial;
  state.activity = { kind: 'scan', id: given.id, configurationDigest: configuration.digest, cancelled: false };
  effects.push(log('running aide check'), { type: 'scan', id: given.id, files, baseline: recordedBaseline(state) });
}

/** Without orders, or while the node is held: starts nothing, stops what runs, and logs why, once. */
function pauseWork(state: State, effects: Effect[], orders: Orders | undefined): void {
  const { activity, record } = state;
  if (record === undefined) return; // the API server has not answered yet
  const why =
    orders?.hold === undefined
      ? (record.refused ?? 'waiting for orders of the operator')
      : `held by the operator: ${orders.hold.message}`;
  if (why !== state.waiting) effects.push(log(why));
  state.waiting = why;
  if (activity.kind === 'idle' || activity.cancelled) return;
  state.activity = { ...activity, cancelled: true };
  effects.push(log(`stopping the running ${activity.kind}`), { type: 'cancel' });
}

function baselineRetryAt(state: State, orders: Orders, now: Now): number {
  const { baselineFailure: failure } = state;
  const same = failure?.orderId === orders.baseline.id && failure.configurationDigest === orders.configuration.digest;
  return same ? failure.retryAt : now.mono;
}

function nextWork(state: State, orders: Orders, now: Now): number[] {
  const order = pendingOrder(state);
  if (order === undefined) return [scanDueAt(state, now)];
  // It waits for the operator's acknowledgement, which is an event: no timer is needed.
  return closingOf(state, order)?.acknowledged === false ? [] : [baselineRetryAt(state, orders, now)];
}

/** The next moment, on the monotonic clock, at which something is to be done though nothing happens. */
function nextWake(state: State, now: Now): number | undefined {
  const times: number[] = [];
  const { outbox, heartbeat, configuration, activity } = state;
  const orders = state.record?.orders;
  if (orders === undefined) return undefined;
  if (outbox.sending === undefined && outbox.queue.length > 0) times.push(outbox.retryAt ?? now.mono);
  if (state.beating === undefined && heartbeat !== undefined) times.push(heartbeat.retryAt);
  if (orders.hold === undefined && activity.kind === 'idle' && configuration.loading === undefined) {
    if (configuration.loaded !== orders.configuration.digest) times.push(configuration.failure?.retryAt ?? now.mono);
    else times.push(...nextWork(state, orders, now));
  }
  return times.length === 0 ? undefined : Math.min(...times);
}
