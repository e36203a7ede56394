import { createHash } from 'node:crypto';
import { type FileIntegrity, REINIT_ONCE_LIMIT, type ReinitOnce } from '../../api/fileintegrity.ts';
import {
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REINIT_ONCE_ANNOTATION,
  REQUESTED_BY_ANNOTATION,
} from '../../api/keys.ts';
import { formatNodeList, listsNode, type NodeList, parseNodeList, unionOfNodeLists } from '../../api/nodelist.ts';
import { printable } from '../../lib/text.ts';
import { managerOf } from '../managers.ts';

/** A request to re-initialise databases, from its annotation until the last node's receipt is in. */
export interface ReinitRequest {
  /** Also the id of the order that each listed node gets. */
  readonly id: string;
  readonly reason: 'Demand' | 'Failed';
  /** The user that set the annotation, or its field manager, as far as the API server tells. */
  readonly who: string;
  /** RFC 3339, when it was taken up. Always later than the request before it: a node has served all up to its newest. */
  readonly at: string;
  /** Empty for every node, else names between commas: of those that have still to carry it out. */
  readonly nodes: string;
}

/** More requests than these are never under way at once: older ones are carried by the newer. */
const REQUEST_LIMIT = 8;
/** Characters of all requests' node lists. All annotations of an object may have 256 KiB, and the lists are there twice. */
const LIST_LIMIT = 100_000;

export interface TakenUp {
  readonly request: ReinitRequest;
  /** It stood in the requests already: only its annotation is to be removed. */
  readonly again: boolean;
  /** Named in the annotation, but not watched: nothing happens to them. */
  readonly unknown: readonly string[];
  /** How many nodes were left out because the list is too long to keep. */
  readonly leftOut: number;
}

export interface ReinitWorld {
  readonly integrity: FileIntegrity;
  /** Names of the nodes that the FileIntegrity watches. */
  readonly selected: ReadonlySet<string>;
  /** Of these, the ones whose last result is Failed. */
  readonly failed: ReadonlySet<string>;
  /** The requests as they were written last, oldest first. */
  readonly standing: readonly ReinitRequest[];
  /** Whether a node has carried out a request or a later one. */
  readonly hasCarriedOut: (node: string, request: ReinitRequest) => boolean;
  readonly now: Date;
}

export interface ReinitPlan {
  /** What some node has still to carry out, oldest first; and the newest of all, carried out or not, so that it is not taken up twice. */
  readonly requests: readonly ReinitRequest[];
  /** The value of the annotation `updated`; undefined when nothing is left to do. */
  readonly updated: string | undefined;
  /** The request that a node has still to carry out. */
  readonly requestOf: (node: string) => ReinitRequest | undefined;
  readonly taken?: TakenUp;
  /** The values of `re-init-once` that are done or under way, the newest last. */
  readonly once: readonly ReinitOnce[];
}

/** Takes up what is asked for by annotation, and tells what is left to do of all requests. */
export function planReinit(world: ReinitWorld): ReinitPlan {
  const open = lookAfter(world.standing, world);
  const value = onceAsked(world.integrity);
  const known = world.integrity.status?.reinitOnce ?? [];
  const isFirst = world.integrity.status === undefined;
  const demand = takeUpReinit(world, open.requests);
  const isNews = value !== undefined && !known.some(({ id }) => id === value.id);
  // One at a time: the other is still there the next time. The nodes of a new object get their first baselines anyway.
  const once = isNews && !isFirst && !demand ? takeUpOnce(world, value, open.requests) : undefined;
  const taken = demand ?? once;
  const all = taken && !taken.again ? lookAfter([...open.requests, taken.request], world) : open;
  const { requests, todo } = withinLimit(all, world);
  const lists = [...todo.values()];
  const isAll = requests.some(({ id, nodes }) => nodes === '' && todo.has(id));
  const byNode = new Map(requests.flatMap((request) => (todo.get(request.id) ?? []).map((node) => [node, request])));
  return {
    requests,
    updated: lists.length === 0 ? undefined : isAll ? '' : lists.flat().sort().join(','),
    requestOf: (node) => byNode.get(node),
    ...(taken && { taken }),
    once:
      isNews && (isFirst || once)
        ? [...known, { id: value.id, value: value.shown, at: world.now.toISOString() }].slice(-REINIT_ONCE_LIMIT)
        : known,
  };
}

interface LookedAfter {
  readonly requests: readonly ReinitRequest[];
  /** Of each request, the watched nodes that have still to carry it out. */
  readonly todo: ReadonlyMap<string, readonly string[]>;
}

/** Drops what is done: of each request the nodes that carried it out or have a later one, and requests that have none left. */
function lookAfter(
  requests: readonly ReinitRequest[],
  { selected, hasCarriedOut }: Pick<ReinitWorld, 'selected' | 'hasCarriedOut'>,
): LookedAfter {
  const newest = requestsByNode(requests);
  const todo = new Map<string, string[]>();
  for (const node of selected) {
    const request = newest(node);
    if (!request || hasCarriedOut(node, request)) continue;
    const names = todo.get(request.id);
    if (names) names.push(node);
    else todo.set(request.id, [node]);
  }
  const last = requests.at(-1);
  return {
    requests: requests
      .filter((request) => todo.has(request.id) || request === last)
      .map((request) => {
        const names = todo.get(request.id) ?? [];
        return request.nodes === '' && names.length > 0 ? request : { ...request, nodes: listText(names) };
      }),
    todo,
  };
}

/** Puts requests together, the older into the newer, where there are too many. One for every node is always the oldest. */
function withinLimit(looked: LookedAfter, world: ReinitWorld): LookedAfter {
  const { requests } = looked;
  if (requests.length <= REQUEST_LIMIT) return looked;
  const at = requests[0]?.nodes === '' ? 1 : 0;
  const [older, newer] = [requests[at], requests[at + 1]];
  if (!older || !newer) return looked;
  const list = unionOfNodeLists(parseNodeList(older.nodes), parseNodeList(newer.nodes));
  const merged = { ...newer, nodes: formatNodeList(list) || ',' };
  return withinLimit(lookAfter([...requests.slice(0, at), merged, ...requests.slice(at + 2)], world), world);
}

/**
 * Turns the annotations `re-init` and `re-init-on-failed` of a FileIntegrity into a request.
 *
 * The request's id is made of the very version of the object that was seen, so that a crash between writing the request
 * and removing the annotation, or a look at an old copy of the object, takes the same request up again and not a second.
 */
function takeUpReinit(world: ReinitWorld, open: readonly ReinitRequest[]): TakenUp | undefined {
  const annotations = world.integrity.metadata.annotations ?? {};
  const demanded = annotations[REINIT_ANNOTATION];
  const onFailed = annotations[REINIT_ON_FAILED_ANNOTATION] !== undefined;
  if (demanded === undefined && !onFailed) return undefined;

  const named = demanded === undefined ? NOBODY : parseNodeList(demanded);
  const also = onFailed ? world.failed : new Set<string>();
  const { resourceVersion = '' } = world.integrity.metadata;
  const head =
    demanded === undefined
      ? ({ reason: 'Failed', annotation: REINIT_ON_FAILED_ANNOTATION } as const)
      : ({ reason: 'Demand', annotation: REINIT_ANNOTATION } as const);
  return takeUp(world, { ...head, id: requestId(world.integrity, resourceVersion), named, also }, open);
}

function requestId({ metadata: { uid } }: FileIntegrity, what: string): string {
  return `reinit-${createHash('sha256').update(`${uid}/${what}`).digest('hex').slice(0, 20)}`;
}

interface OnceAsked extends Pick<ReinitOnce, 'id'> {
  /** The value, for a person. */
  readonly shown: string;
  readonly named: NodeList;
}

/** Of the annotation `re-init-once`: its id is made of the value, so that the same one is the same request for ever. */
function onceAsked(integrity: FileIntegrity): OnceAsked | undefined {
  const value = integrity.metadata.annotations?.[REINIT_ONCE_ANNOTATION];
  if (value === undefined) return undefined;
  const at = value.indexOf('=');
  const named: NodeList = at < 0 ? { all: true } : parseNodeList(value.slice(at + 1));
  return { id: requestId(integrity, `once/${value}`), shown: printable(value, 253), named };
}

function takeUpOnce(world: ReinitWorld, { id, named }: OnceAsked, open: readonly ReinitRequest[]): TakenUp {
  const annotation = REINIT_ONCE_ANNOTATION;
  return takeUp(world, { reason: 'Demand', annotation, id, named, also: new Set() }, open);
}

interface Asked extends Pick<ReinitRequest, 'id' | 'reason'> {
  readonly annotation: string;
  readonly named: NodeList;
  /** Watched nodes that are meant besides. */
  readonly also: ReadonlySet<string>;
}

function takeUp(world: ReinitWorld, asked: Asked, open: readonly ReinitRequest[]): TakenUp {
  const { id, reason, annotation, named, also } = asked;
  const known: NodeList = named.all ? named : { all: false, names: intersection(named.names, world.selected) };
  const list = unionOfNodeLists(known, { all: false, names: also });
  const unknown = named.all ? [] : [...named.names].filter((name) => !world.selected.has(name)).sort();
  const { text, leftOut } = fitted(list, world.selected.size, open);
  const who = whoAsked(world.integrity, annotation);
  return {
    request: { id, reason, who, at: timeAfter(open.at(-1), world.now), nodes: text },
    again: world.standing.some((request) => request.id === id),
    unknown,
    leftOut,
  };
}

/** The user, where the admission policy wrote it; else the client that set the annotation, as far as the API server tells. */
function whoAsked({ metadata }: FileIntegrity, annotation: string): string {
  const user = metadata.annotations?.[REQUESTED_BY_ANNOTATION];
  const who = user ? user : managerOf(metadata, 'annotations', annotation);
  return printable(who ?? 'unknown', 253);
}

function timeAfter(last: ReinitRequest | undefined, now: Date): string {
  return new Date(Math.max(now.getTime(), last ? Date.parse(last.at) + 1 : 0)).toISOString();
}

/** The list as text that has room beside what the lists under way will have left. */
function fitted(list: NodeList, selected: number, open: readonly ReinitRequest[]): { text: string; leftOut: number } {
  if (list.all) return { text: '', leftOut: 0 };
  let room = LIST_LIMIT;
  for (const { nodes } of open) room -= listText(namesIn(nodes).filter((name) => !list.names.has(name))).length;
  const kept: string[] = [];
  for (const name of [...list.names].sort()) {
    room -= name.length + 1;
    if (room < 0) break;
    kept.push(name);
  }
  const leftOut = list.names.size - kept.length;
  return leftOut > 0 && list.names.size === selected ? { text: '', leftOut: 0 } : { text: listText(kept), leftOut };
}

function namesIn(nodes: string): string[] {
  const list = parseNodeList(nodes);
  return list.all ? [] : [...list.names];
}

/** Nobody must not become the empty text, which means everybody. */
function listText(names: readonly string[]): string {
  return [...names].sort().join(',') || ',';
}

const NOBODY: NodeList = { all: false, names: new Set() };

/** Tells the newest request that speaks of a node: it stands for all earlier ones. */
function requestsByNode(requests: readonly ReinitRequest[]): (node: string) => ReinitRequest | undefined {
  const newestFirst = requests.map((request) => ({ request, list: parseNodeList(request.nodes) })).reverse();
  return (node) => newestFirst.find(({ list }) => listsNode(list, node))?.request;
}

/** Reads the requests from their annotation; what is not one is left out. */
export function parseRequests(text: string | undefined): ReinitRequest[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    const requests = Array.isArray(value) ? value.filter(isRequest) : [];
    return requests.map(({ id, reason, who, at, nodes }) => ({ id, reason, who, at, nodes }));
  } catch {
    return [];
  }
}

const YEAR_10000 = Date.UTC(10_000, 0);

function isRequest(value: unknown): value is ReinitRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { id, reason, who, at, nodes } = value as Record<string, unknown>;
  return (
    (reason === 'Demand' || reason === 'Failed') &&
    [id, who, at, nodes].every((field) => typeof field === 'string') &&
    Date.parse(String(at)) < YEAR_10000
  );
}

function intersection(some: ReadonlySet<string>, others: ReadonlySet<string>): Set<string> {
  return new Set([...some].filter((one) => others.has(one)));
}
