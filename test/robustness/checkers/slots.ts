import type { Happened } from '../history.ts';
import { isOf } from './cover.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

/** The API server takes so long to put a policy in force, again after it was started, too; in milliseconds. */
const IN_FORCE_MS = 15_000;
/** Parts that are so much older than a message of their node are known when that is taken in, in milliseconds. */
const KNOWN_MS = 3000;
const NAMES = 'file-integrity-names';
const PARTS_LIMIT = 99;

/**
 * The places of messages are the daemons': nobody takes one while the policy is in force; what was put into one when it was
 * not gives way to what the daemon has to say; and parts without a message come into no report, and go with the next message.
 */
export function checkSlots(history: readonly Happened[]): Violation[] {
  return [...checkRefused(history), ...checkParts(history), ...checkQuiet(history)];
}

function checkRefused(history: readonly Happened[]): Violation[] {
  return ofType(history, 'squat').flatMap((squat) => {
    const isNew = history.some(
      ({ n, time, ...event }) =>
        n < squat.n &&
        squat.time - time < IN_FORCE_MS &&
        ((event.type === 'policy' && event.binding === NAMES) ||
          (event.type === 'step' && event.done.do === 'kill-api-server')),
    );
    const last = ofType(history, 'policy').findLast(({ binding, n }) => binding === NAMES && n < squat.n);
    if (!squat.taken || isNew || last?.what === 'away') return [];
    return [violation(`${squat.node}: ${squat.by} took the place of its messages, and a policy refuses that`, squat)];
  });
}

function checkParts(history: readonly Happened[]): Violation[] {
  const surplus = orphansIn(history).flatMap((orphan) =>
    numberOf(orphan) > PARTS_LIMIT
      ? [violation(`${orphan.node}: a part ${numberOf(orphan)} was made, and a policy refuses that`, orphan)]
      : [],
  );
  const kept = ofType(history, 'kept').flatMap((event) =>
    event.orphaned ? [violation(`${event.node}: a report was kept with a part that belongs to no message`, event)] : [],
  );
  return [...surplus, ...kept];
}

function checkQuiet(history: readonly Happened[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) => {
    if (quiet.unsettled !== undefined) return [];
    const before = history.slice(0, quiet.n);
    return quiet.nodes.flatMap((node) => {
      if (node.daemon !== 'runs' || !node.selected) return [];
      const squat = ofType(before, 'squat').findLast((event) => event.taken && isOf(event, node));
      const said = squat && messagesOf(before, node).find(({ n, what }) => n > squat.n && what === 'queued');
      const stands = said && quiet.squatted?.includes(node.node);
      const sent = messagesOf(before, node).findLast(({ what }) => what === 'sent');
      const loose = orphansIn(before).filter(
        (orphan) =>
          isOf(orphan, node) &&
          quiet.parts?.includes(orphan.detail?.split(' ')[1] ?? '') &&
          sent &&
          sent.time > orphan.time + KNOWN_MS,
      );
      return [
        ...(stands ? [violation(`${node.node}: what took the place of its message is still there`, squat, quiet)] : []),
        ...loose.map((orphan) =>
          violation(`${node.node}: a part without a message is still there after the next message`, orphan, quiet),
        ),
      ];
    });
  });
}

function messagesOf(history: readonly Happened[], node: Parameters<typeof isOf>[0]): Of<'message'>[] {
  return ofType(history, 'message').filter((event) => isOf(event, node));
}

function orphansIn(history: readonly Happened[]): Of<'intrusion'>[] {
  return ofType(history, 'intrusion').filter(({ how }) => how === 'orphan-part');
}

function numberOf({ detail = '' }: Of<'intrusion'>): number {
  return Number(detail.split(' ')[0]);
}
