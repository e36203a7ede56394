import type { Outcome } from '../../api/protocol.ts';
import { printable } from '../../lib/text.ts';
import { backoff, recheck } from './backoff.ts';
import { isMessage } from './kept-shapes.ts';
import { enqueueMessage, giveId, log, reportMessage, timestamp } from './messages.ts';
import { acknowledge, endSending, type Message, stripReport } from './outbox.ts';
import type { Effect, Event, NodeRecord, Now, State, Step } from './state.ts';

/**
 * Messages that an earlier daemon left on the node come before this one's. They come from the node's disk, so
 * each is checked here once more: what is no message is dropped.
 */
export function takeRecovered(state: State, found: readonly Message[], damaged: readonly string[], now: Now): Step {
  const messages = found.filter((message) => isMessage(message));
  const outbox = { ...state.outbox, queue: [...messages, ...state.outbox.queue] };
  const taken = takeAcknowledged({ ...state, recovered: true, outbox });
  if (damaged.length === 0) return taken;
  const given = giveId(taken.state);
  const names = damaged.slice(0, 3).map((name) => printable(name, 100));
  const more = damaged.length > names.length ? ` and ${damaged.length - names.length} more` : '';
  const message =
    `${damaged.length} ${damaged.length === 1 ? 'result' : 'results'} that waited on the node to be sent could not be read ` +
    `and went (${names.join(', ')}${more}): no daemon of this node wrote them so. Find out who did, or whether the disk is well.`;
  const reported = reportMessage(given.state, {
    outcome: { kind: 'notice', id: given.id, node: state.node, notice: 'ResultsDamaged', at: timestamp(now), message },
  });
  return { state: reported.state, effects: [...taken.effects, ...reported.effects] };
}

/** What the API server says about this node has changed. */
export function takeRecord(state: State, record: NodeRecord): Step {
  const next: State = { ...state, record };
  if (record.orders === undefined) {
    // The node status is gone, and with it what it said: baseline and verdict must be told anew.
    delete next.made;
    delete next.acknowledged;
    delete next.closing;
  }
  // While it is held the node is changed on purpose, so an earlier comparison no longer describes it.
  if (record.orders?.hold !== undefined) delete next.closing;
  const wasHeld = state.record?.orders?.hold !== undefined;
  if (wasHeld && record.orders?.hold === undefined) delete next.scannedAt; // released: a scan is due at once
  return takeAcknowledged(next);
}

function takeAcknowledged(state: State): Step {
  const id = state.record?.acknowledged;
  if (id === undefined) return { state, effects: [] };
  const { outbox, dropped, message } = acknowledge(state.outbox, id);
  if (message === undefined) return { state, effects: [] };
  const next: State = { ...state, outbox };
  if (message.sameness !== undefined) next.acknowledged = message.sameness;
  const { closing } = state;
  const scan = closing?.facts?.scan;
  if (closing !== undefined && scan !== undefined && dropped.includes(scan))
    next.closing = { ...closing, acknowledged: true };
  return { state: next, effects: [{ type: 'forget', ids: dropped }] };
}

/** An attempt to send a message ended. */
export function takeSending(
  state: State,
  event: Extract<Event, { type: 'stored' | 'busy' | 'unsent' | 'refused' }>,
  now: Now,
): Step {
  if (event.type === 'refused') {
    const outbox = stripReport(state.outbox, event.id, event.message);
    if (outbox !== undefined) {
      return { state: { ...state, outbox }, effects: [log(`the result was refused: ${event.message}`)] };
    }
  }
  const pause = event.type === 'stored' ? recheck : backoff;
  const outbox = endSending(state.outbox, event.id, (attempts) => now.mono + pause(attempts, now.random));
  const effects: Effect[] = [];
  const { slotTaken, ...rest } = state;
  if (event.type === 'busy' && event.squatted) {
    if (!slotTaken) effects.push(log('the place of its messages holds something that is none: the heartbeat says so'));
    return { state: { ...rest, outbox, slotTaken: slotTaken ?? {} }, effects };
  }
  if (event.type === 'busy' || event.type === 'stored') return { state: { ...rest, outbox }, effects };
  if (event.type === 'unsent' || event.type === 'refused') {
    effects.push(log(`the result could not be sent and is kept: ${event.message}`));
  }
  return { state: { ...state, outbox }, effects };
}

/** An attempt to patch the lease ended. */
export function takeHeartbeat(state: State, event: Extract<Event, { type: 'beaten' | 'unbeaten' }>, now: Now): Step {
  const { beating: _, ...rest } = state;
  const { heartbeat } = rest;
  if (heartbeat?.message.outcome.id !== event.id) return { state: rest, effects: [] }; // a newer one took its place
  const { heartbeat: __, ...done } = rest;
  if (event.type === 'beaten') return { state: done, effects: [] };
  const line = log(`the heartbeat could not be sent: ${event.message}`);
  // The message that it speaks of waits in the outbox already.
  if (event.missing && speaksOfSlot(heartbeat.message.outcome)) return { state: done, effects: [line] };
  if (event.missing) {
    const queued = enqueueMessage(done, asMessage(heartbeat.message));
    return { state: queued.state, effects: [line, ...queued.effects] };
  }
  const failures = heartbeat.failures + 1;
  const retryAt = now.mono + backoff(failures, now.random);
  return { state: { ...rest, heartbeat: { ...heartbeat, failures, retryAt } }, effects: [line] };
}

/** The message for a heartbeat that could not be sent. The operator has its report already, and must keep that one: `again`. */
function asMessage({ outcome, ...rest }: Message): Message {
  return outcome.kind === 'scan' ? { ...rest, outcome: { ...outcome, again: true } } : { ...rest, outcome };
}

function speaksOfSlot(outcome: Outcome): boolean {
  return outcome.kind === 'scan'
    ? outcome.slotTaken === true
    : outcome.kind === 'notice' && outcome.notice === 'SlotTaken';
}

/** A trigger file is reported when it appears, and once while it stays because it cannot be removed. */
export function takeTriggers(state: State, found: readonly { path: string; removed: boolean }[], now: Now): Step {
  const triggers = found.filter(({ removed }) => !removed).map(({ path }) => path);
  const effects: Effect[] = [];
  let next: State = { ...state, triggers };
  for (const { path, removed } of found) {
    if (state.triggers.includes(path)) continue;
    const message = `The trigger file ${path} was found on the node. The operator ordered no re-initialisation, so none was done. The file ${removed ? 'was removed.' : 'could not be removed.'}`;
    const given = giveId(next);
    const reported = reportMessage(given.state, {
      outcome: {
        kind: 'notice',
        id: given.id,
        node: state.node,
        notice: 'UnorderedReinit',
        at: timestamp(now),
        message,
      },
    });
    next = reported.state;
    effects.push(log(message), ...reported.effects);
  }
  return { state: next, effects };
}
