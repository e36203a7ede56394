import type { FileIntegrityNodeStatus, Unselected } from '../../api/nodestatus.ts';
import { printable } from '../../lib/text.ts';
import { isFailing } from '../nodes/failure.ts';
import type { ReinitRecord } from '../records/record.ts';
import type { TakenUp } from '../requests/reinit.ts';
import { countNodes } from '../words.ts';
import type { Action, NodeChange } from './actions.ts';
import type { Departure, Forget } from './unselected.ts';

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
    const findings = accepted.length > 0 ? ` It accepts the findings on ${names(accepted)}.` : '';
    const own = records.filter(({ nodes }) => nodes.some(({ order }) => order.id === request.id));
    const message = `A re-initialisation of ${which} was asked for by ${request.who}.${findings}${recordedIn(own)}`;
    events.push(event(accepted.length > 0 ? 'Warning' : 'Normal', 'ReinitRequested', message));
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

interface NewsWorld {
  readonly departed: readonly Departure[];
  readonly forget: Forget | undefined;
  /** The statuses as they are, by node. */
  readonly before: ReadonlyMap<string, FileIntegrityNodeStatus>;
  readonly records: readonly ReinitRecord[];
}

/** What is told of new orders, in one event for all nodes that have the same news. */
export function tellNews(
  changes: readonly NodeChange[],
  { departed, forget, before, records }: NewsWorld,
): EventAction[] {
  const ordered = group(changes, ({ status, news }) => {
    const { reason, detail, who } = status.orders?.baseline ?? {};
    if (!news.ordered) return undefined;
    const by = who === undefined || reason === 'Demand' || reason === 'Failed' ? undefined : `by ${who}`;
    return [[reason, detail].filter((text) => text !== undefined).join(': '), by]
      .filter((text) => text !== undefined)
      .join(', ');
  });
  const failing = new Set(changes.filter(({ isFailing }) => isFailing).map(({ status }) => status.nodeName));
  const held = group(changes, ({ status, news }) =>
    news.hold === 'begins' ? status.orders?.hold?.message : undefined,
  );
  const released = changes.filter(({ news }) => news.hold === 'ends').map(({ status }) => status.nodeName);
  return [
    ...ordered.map(([why, which]) => {
      const of = new Set(which);
      const own = records.filter(({ nodes }) => nodes.some(({ before }) => of.has(before.nodeName)));
      const accepted = which.filter((node) => failing.has(node));
      const findings = accepted.length > 0 ? ` It accepts the findings on ${names(accepted)}.` : '';
      const message = `A new baseline of ${countNodes(which.length)} was ordered (${why}): ${names(which)}.${findings}${recordedIn(own)}`;
      return event(accepted.length > 0 ? 'Warning' : 'Normal', 'BaselineOrdered', message);
    }),
    ...held.map(([why, which]) =>
      event('Normal', 'NodeHeld', `No scan is started on ${countNodes(which.length)} (${why}): ${names(which)}.`),
    ),
    ...(released.length > 0
      ? [event('Normal', 'NodeReleased', `Scans go on on ${countNodes(released.length)}: ${names(released)}.`)]
      : []),
    ...tellUnselected(changes, before),
    ...tellDeparted(departed, forget),
  ];
}

/** Of nodes that somebody wants forgotten, and that are watched. */
export function tellNotForgotten(watched: readonly string[]): EventAction[] {
  if (watched.length === 0) return [];
  return [event('Warning', 'NodeNotForgotten', `Not forgotten, because they are watched: ${names(watched)}.`)];
}

/** Where it stands what was there before. */
function recordedIn(records: readonly ReinitRecord[]): string {
  if (records.length === 0) return '';
  const shown = records.slice(0, 3).map(({ name }) => name);
  const more = records.length > 3 ? ` and ${records.length - 3} more` : '';
  return ` What it erases is recorded in ${shown.join(', ')}${more}.`;
}

const SENTENCES: Readonly<Record<Unselected['reason'], string>> = {
  Deselected: 'Not watched any more, because labels do not fit, which nobody asked for here:',
  NotTolerated: 'Not watched any more, because of taints that are not tolerated:',
  SpecChanged: 'Not watched any more, because the FileIntegrity does not ask for them:',
};

/** Root on a node can change its labels: that it drops out of sight so must be seen. */
function tellUnselected(
  changes: readonly NodeChange[],
  before: ReadonlyMap<string, FileIntegrityNodeStatus>,
): EventAction[] {
  const of = (what: 'begins' | 'ends', reason?: Unselected['reason']) =>
    changes
      .filter(({ status, news }) => news.unselected === what && status.unselected?.reason === reason)
      .flatMap(({ status }) => before.get(status.nodeName) ?? []);
  const begin = (['Deselected', 'NotTolerated', 'SpecChanged'] as const).flatMap((reason) =>
    tellOf(of('begins', reason), 'NodeNotWatched', SENTENCES[reason], reason === 'SpecChanged' ? 'Normal' : 'Warning'),
  );
  return [...begin, ...tellOf(of('ends'), 'NodeWatchedAgain', 'Watched again, with what is on record:', 'Normal')];
}

function tellDeparted(departed: readonly Departure[], forget: Forget | undefined): EventAction[] {
  const of = (wanted: Departure['why']) => departed.filter(({ why }) => why === wanted).map(({ status }) => status);
  const asked = `What is on record is shown no longer, as ${forget?.who ?? 'unknown'} asked:`;
  const over =
    'What is on record is shown no longer, because the FileIntegrity has not asked for them for long enough:';
  return [
    ...tellOf(of('forgotten'), 'NodeForgotten', asked, 'Normal'),
    ...tellOf(of('over'), 'NodeForgotten', over, 'Normal'),
    ...tellOf(of('replaced'), 'NodeReplaced', 'Another machine has the name of one that was watched:', 'Warning'),
  ];
}

/** What is told of nodes with findings is a warning, whatever it is. */
function tellOf(
  statuses: readonly FileIntegrityNodeStatus[],
  reason: string,
  sentence: string,
  type: EventAction['type'],
): EventAction[] {
  if (statuses.length === 0) return [];
  const failed = statuses.filter(isFailing);
  const findings = failed.length > 0 ? ` Failed: ${names(failed.map(({ nodeName }) => nodeName))}.` : '';
  const message = `${sentence} ${names(statuses.map(({ nodeName }) => nodeName))}.${findings}`;
  return [event(failed.length > 0 ? 'Warning' : type, reason, message)];
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
