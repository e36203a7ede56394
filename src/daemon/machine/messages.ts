import type { ScanOutcome } from '../../api/protocol.ts';
import { enqueue, type Message } from './outbox.ts';
import { sameness } from './sameness.ts';
import type { Effect, Now, ScanFacts, State, Step } from './state.ts';

/** A state in which one more message id has been given out. */
export function giveId(state: State): { state: State; id: string } {
  const serial = state.serial + 1;
  return { state: { ...state, serial }, id: `${state.run}-${serial}` };
}

/** Has the operator hear a message: by the heartbeat when it says nothing new, else through the outbox. */
export function reportMessage(state: State, message: Message): Step {
  const quiet =
    message.sameness !== undefined && message.sameness === state.acknowledged && state.outbox.queue.length === 0;
  if (!quiet) return enqueueMessage(state, message);
  const { report, ...bare } = message;
  return {
    state: { ...state, heartbeat: { message: bare, failures: 0, retryAt: 0 } },
    effects: report === undefined ? [] : [{ type: 'forget', ids: [message.outcome.id] }],
  };
}

/** Puts a message into the outbox and onto the node's disk. It replaces a heartbeat that waits, when it is a newer scan's. */
export function enqueueMessage(state: State, message: Message): Step {
  const { outbox, dropped } = enqueue(state.outbox, message);
  const next: State = { ...state, outbox };
  if (message.outcome.kind === 'scan') delete next.heartbeat;
  const effects: Effect[] = [{ type: 'keep', message }];
  if (dropped.length > 0) effects.push({ type: 'forget', ids: dropped });
  return { state: next, effects };
}

/** Has the operator hear that AIDE could not do what was due. */
export function reportErrored(before: State, facts: ScanFacts, configurationDigest: string): Step {
  const { state, id } = giveId(before);
  const outcome: ScanOutcome = { kind: 'scan', id, node: state.node, ...facts, configurationDigest };
  return reportMessage(state, { outcome, sameness: sameness(outcome, undefined) });
}

/** RFC 3339, by the node's clock. */
export function timestamp(now: Now): string {
  return new Date(now.wall).toISOString();
}

export function log(text: string): Effect {
  return { type: 'log', text };
}
