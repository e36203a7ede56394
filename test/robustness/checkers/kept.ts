import type { Happened } from '../history.ts';
import { coverOf } from './cover.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/** As in src/daemon/machine/outbox.ts: only when there are more is a message given up that says something else. */
const OUTBOX_LIMIT = 32;

/**
 * No report is lost: every Failed outcome that was on a node's disk is acknowledged and kept, or another one of the same
 * kind took its place in the outbox, or it went with its node.
 */
export function checkKept(history: readonly Happened[]): Violation[] {
  const kept = new Set(ofType(history, 'kept').map(({ message }) => message));
  const messages = group(
    ofType(history, 'message').filter(({ verdict }) => verdict === 'Failed'),
    ({ id }) => id,
  );
  const erased = new Set(
    ofType(history, 'intrusion')
      .filter(({ how }) => how === 'delete-outbox')
      .flatMap(({ detail = '' }) => detail.split(',')),
  );
  const healed = ofType(history, 'quiet').findLast((quiet) => quiet.healed && quiet.unsettled === undefined);
  return [...messages.values()].flatMap((events) => {
    const first = events[0];
    if (first === undefined || erased.has(first.id)) return [];
    return [
      ...acknowledgedButNotKept(events, kept, history),
      ...givenUp(events),
      ...(healed && healed.n > first.n ? forgotten(events, healed) : []),
    ];
  });
}

function acknowledgedButNotKept(
  events: readonly Of<'message'>[],
  kept: ReadonlySet<string>,
  history: readonly Happened[],
): Violation[] {
  const acknowledged = events.find(({ what }) => what === 'acknowledged');
  if (acknowledged === undefined || kept.has(acknowledged.id)) return [];
  // What was found during an update is kept too, but only the newest of it, which the watch may not have shown in time.
  const found = events[0];
  if (found && coverOf(history).covers(found.machine, found.time, acknowledged.time)) return [];
  if (isFoundAgain(acknowledged.id, history)) return [];
  return [violation(`${acknowledged.node}: a Failed result was acknowledged and not kept`, found, acknowledged)];
}

/** What was found before, and is kept, is not kept again: the status says which it is, and that it was seen now. */
function isFoundAgain(id: string, history: readonly Happened[]): boolean {
  const taken = ofType(history, 'status').find(({ status }) => status.acknowledged === id);
  const { lastResult, failures = [] } = taken?.status ?? {};
  const known = failures.find(({ digest }) => digest === lastResult?.failureDigest);
  if (taken === undefined || known === undefined || known.lastSeen !== lastResult?.lastProbeTime) return false;
  return ofType(history, 'kept').some(({ link, n }) => link?.digest === known.digest && n < taken.n);
}

function givenUp(events: readonly Of<'message'>[]): Violation[] {
  const superseded = events.find(({ what }) => what === 'superseded');
  if (superseded === undefined) return [];
  const { by, verdict, fault, node } = superseded;
  if (by?.kind === 'scan' && by.verdict === verdict && by.fault === fault) return [];
  if (by !== undefined && by.waiting >= OUTBOX_LIMIT) return [];
  return [violation(`${node}: a Failed result was given up for something else`, superseded)];
}

/** @param healed a quiet point at which every daemon runs and has sent all that it had */
function forgotten(events: readonly Of<'message'>[], healed: Of<'quiet'>): Violation[] {
  const isOver = events.some(({ what }) => what === 'acknowledged' || what === 'superseded');
  const spooled = events.find(({ what }) => what === 'spooled' || what === 'sent');
  if (isOver || spooled === undefined || spooled.n > healed.n) return [];
  const node = healed.nodes.find(({ machine }) => machine === spooled.machine);
  if (node?.daemon !== 'runs') return [];
  return [violation(`${spooled.node}: a Failed result was never acknowledged`, spooled, healed)];
}
