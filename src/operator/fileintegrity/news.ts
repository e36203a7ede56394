import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { printable } from '../../lib/text.ts';
import type { ReinitRecord } from '../records/record.ts';
import { countNodes } from '../words.ts';
import type { Action, NodeChange } from './actions.ts';
import type { TakenUp } from './reinit.ts';

type EventAction = Extract<Action, { do: 'event' }>;

/** What is told of a request to re-initialise: it can accept findings, so it is on record who asked. */
export function tellTakenUp(
  taken: TakenUp,
  failed: ReadonlySet<string>,
  records: readonly ReinitRecord[],
): EventAction[] {
  const { request, unknown, leftOut, again } = taken;
  const events: EventAction[] = [];
  const listed = request.nodes.split(',').filter((name) => name !== '');
  const isAll = request.nodes === '';
  if (!again && (isAll || listed.length > 0)) {
    const accepted = [...failed].filter((name) => isAll || listed.includes(name));
    const which = isAll ? 'every node' : names(listed);
    const findings = accepted.length > 0 ? ` Last result Failed, which it accepts: ${names(accepted)}.` : '';
    const own = records.filter(({ nodes }) => nodes.some(({ order }) => order.id === request.id));
    const message = `A re-initialisation of ${which} was asked for by ${request.who}.${findings}${recordedIn(own)}`;
    events.push(event('Normal', 'ReinitRequested', message));
  }
  if (unknown.length > 0) {
    const message = `Not re-initialised, because this FileIntegrity watches no such node: ${names(unknown)}.`;
    events.push(event('Warning', 'ReinitUnknownNode', message));
  }
  if (leftOut > 0) {
    const message = `The node list is too long: ${leftOut} nodes were left out. Ask for them again.`;
    events.push(event('Warning', 'ReinitUnknownNode', message));
  }
  return events;
}

/** What is told of new orders, in one event for all nodes that have the same news. */
export function tellNews(
  changes: readonly NodeChange[],
  gone: readonly FileIntegrityNodeStatus[],
  cluster: { readonly nodes: readonly Node[]; readonly selected: readonly Node[] },
  records: readonly ReinitRecord[],
): EventAction[] {
  const ordered = group(changes, ({ status, news }) => {
    const { reason, detail } = status.orders?.baseline ?? {};
    return news.ordered && [reason, detail].filter((text) => text !== undefined).join(': ');
  });
  const held = group(changes, ({ status, news }) =>
    news.hold === 'begins' ? status.orders?.hold?.message : undefined,
  );
  const released = changes.filter(({ news }) => news.hold === 'ends').map(({ status }) => status.nodeName);
  return [
    ...ordered.map(([why, which]) => {
      const of = new Set(which);
      const own = records.filter(({ nodes }) => nodes.some(({ before }) => of.has(before.nodeName)));
      const message = `A new baseline of ${countNodes(which.length)} was ordered (${why}): ${names(which)}.${recordedIn(own)}`;
      return event('Normal', 'BaselineOrdered', message);
    }),
    ...held.map(([why, which]) =>
      event('Normal', 'NodeHeld', `No scan is started on ${countNodes(which.length)} (${why}): ${names(which)}.`),
    ),
    ...(released.length > 0
      ? [event('Normal', 'NodeReleased', `Scans go on on ${countNodes(released.length)}: ${names(released)}.`)]
      : []),
    ...tellGone(gone, cluster),
  ];
}

/** Where it stands what was there before. */
function recordedIn(records: readonly ReinitRecord[]): string {
  if (records.length === 0) return '';
  const shown = records.slice(0, 3).map(({ name }) => name);
  const more = records.length > 3 ? ` and ${records.length - 3} more` : '';
  return ` What it erases is recorded in ${shown.join(', ')}${more}.`;
}

/** Root on a node can change its labels: that it drops out of sight so must be seen. */
function tellGone(
  gone: readonly FileIntegrityNodeStatus[],
  { nodes, selected }: { readonly nodes: readonly Node[]; readonly selected: readonly Node[] },
): EventAction[] {
  if (gone.length === 0) return [];
  const there = new Set(nodes.map(({ metadata }) => metadata?.name));
  const watched = new Set(selected.map(({ metadata }) => metadata?.name));
  const replaced = gone.filter(({ nodeName }) => watched.has(nodeName));
  const dropped = gone.filter(({ nodeName }) => there.has(nodeName) && !watched.has(nodeName));
  return [
    ...tellOf(dropped, 'NodeNotWatched', 'Not watched any more, because labels or taints do not fit:'),
    ...tellOf(replaced, 'NodeReplaced', 'Another machine has the name of one that was watched:'),
  ];
}

function tellOf(statuses: readonly FileIntegrityNodeStatus[], reason: string, sentence: string): EventAction[] {
  if (statuses.length === 0) return [];
  const failed = statuses.filter(({ lastResult }) => lastResult?.condition === 'Failed');
  const findings = failed.length > 0 ? ` Last result Failed: ${names(failed.map(({ nodeName }) => nodeName))}.` : '';
  return [event('Warning', reason, `${sentence} ${names(statuses.map(({ nodeName }) => nodeName))}.${findings}`)];
}

function group(
  changes: readonly NodeChange[],
  keyOf: (change: NodeChange) => string | undefined,
): [key: string, nodes: string[]][] {
  const groups = new Map<string, string[]>();
  for (const change of changes) {
    const key = keyOf(change);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(change.status.nodeName);
    else groups.set(key, [change.status.nodeName]);
  }
  return [...groups];
}

function names(nodes: readonly string[]): string {
  const shown = nodes
    .slice(0, 10)
    .map((name) => printable(name, 63))
    .join(', ');
  return nodes.length > 10 ? `${shown} and ${nodes.length - 10} more` : shown;
}

function event(type: 'Normal' | 'Warning', reason: string, message: string): EventAction {
  return { do: 'event', type, reason, message };
}
