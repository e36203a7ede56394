import type { Happened, Subject } from '../history.ts';
import { group, type Of, ofType } from './violation.ts';

/** When changes on a machine were no findings: from the beginning of an update until a baseline has what it did. */
export interface Cover {
  /** Whether what was found at one time and taken in by another may count as no finding. */
  covers(machine: string, found: number, taken: number): boolean;
}

export function coverOf(history: readonly Happened[]): Cover {
  const updates = group(ofType(history, 'update'), ({ machine }) => machine);
  const baselines = group(ofType(history, 'baseline'), ({ machine }) => machine);
  return {
    covers(machine, found, taken) {
      const mine = updates.get(machine) ?? [];
      if (mine.some(({ what, time }) => what === 'begins' && time >= found && time <= taken)) return true;
      const last = mine.findLast((update) => update.time <= found);
      if (last === undefined) return false;
      if (last.what === 'begins') return true;
      // The order takes its time, and the baseline too.
      const after = (baselines.get(machine) ?? []).find(
        (baseline) => baseline.time > last.time && baseline.reason === 'NodeUpdate',
      );
      return after === undefined || after.time >= found;
    },
  };
}

export function isOf(one: Subject, other: Subject): boolean {
  return one.integrity === other.integrity && one.node === other.node && one.machine === other.machine;
}

/** The newest scan of a node that came as far as the node's disk or the API server. */
export function lastScan(history: readonly Happened[], subject: Subject, before: number): Of<'scan'> | undefined {
  const delivered = new Set<string>();
  for (let n = before - 1; n >= 0; n -= 1) {
    const event = history[n];
    if (event?.type === 'message' && ['spooled', 'sent', 'heartbeat'].includes(event.what)) delivered.add(event.id);
    if (event?.type === 'scan' && delivered.has(event.id) && isOf(event, subject)) return event;
  }
  return undefined;
}

/**
 * Whether a receipt came from a node that is no answer to an order of its status, which makes it Failed whatever its files
 * are: an intruder's, or one of an order of the status before, which went with another machine of the node's name.
 */
export function isAccused(history: readonly Happened[], subject: Subject): boolean {
  if (forgeries(history, 'receipt').some((event) => isOf(event, subject))) return true;
  return history.some(
    (event) => event.type === 'status' && event.change === 'deleted' && event.status.nodeName === subject.node,
  );
}

/** What an intruder said in the daemon's name: a message of its own. */
export function forgeries(history: readonly Happened[], kind: 'scan' | 'receipt'): Of<'intrusion'>[] {
  return ofType(history, 'intrusion').filter(({ how }) =>
    kind === 'receipt'
      ? how.startsWith('forge-receipt')
      : ['forge-succeeded', 'forge-ahead', 'overwrite-message'].includes(how),
  );
}
