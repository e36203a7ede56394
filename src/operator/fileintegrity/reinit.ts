import { createHash } from 'node:crypto';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION } from '../../api/keys.ts';
import { formatNodeList, listsNode, type NodeList, parseNodeList, unionOfNodeLists } from '../../api/nodelist.ts';

/** A request to re-initialise databases, from its annotation until the last node's receipt is in. */
export interface ReinitRequest {
  /** Also the id of the order that each listed node gets. */
  readonly id: string;
  readonly reason: 'Demand' | 'Failed';
  /** Field manager that set the annotation, as far as the API server tells. */
  readonly who: string;
  /** RFC 3339, when it was taken up. */
  readonly at: string;
  /** As in the annotation: empty for every node, else names between commas. */
  readonly nodes: string;
}

/** More requests than these are never under way at once: older ones are carried by the newer. */
const REQUEST_LIMIT = 8;
/** Characters of a request's node list. All annotations of an object may have 256 KiB together, and this one is there twice. */
const LIST_LIMIT = 100_000;

export interface TakenUp {
  readonly request: ReinitRequest;
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
  readonly now: Date;
}

/**
 * Turns the annotations `re-init` and `re-init-on-failed` of a FileIntegrity into a request.
 *
 * The request's id is made of the very version of the object that was seen, so that a crash between writing the request
 * and removing the annotation, or a look at an old copy of the object, takes the same request up again and not a second.
 */
export function takeUpReinit(world: ReinitWorld): TakenUp | undefined {
  const annotations = world.integrity.metadata.annotations ?? {};
  const demanded = annotations[REINIT_ANNOTATION];
  const onFailed = annotations[REINIT_ON_FAILED_ANNOTATION] !== undefined;
  if (demanded === undefined && !onFailed) return undefined;

  const named: NodeList = demanded === undefined ? NOBODY : parseNodeList(demanded);
  const known: NodeList = named.all ? named : { all: false, names: intersection(named.names, world.selected) };
  const list = onFailed ? unionOfNodeLists(known, { all: false, names: world.failed }) : known;
  const unknown = named.all ? [] : [...named.names].filter((name) => !world.selected.has(name)).sort();
  const { text, leftOut } = listText(list, world.selected.size);
  const { uid, resourceVersion } = world.integrity.metadata;
  return {
    request: {
      id: `reinit-${createHash('sha256').update(`${uid}/${resourceVersion}`).digest('hex').slice(0, 20)}`,
      reason: demanded === undefined ? 'Failed' : 'Demand',
      who: whoAnnotated(world.integrity, demanded === undefined ? REINIT_ON_FAILED_ANNOTATION : REINIT_ANNOTATION),
      at: world.now.toISOString(),
      nodes: text,
    },
    unknown,
    leftOut,
  };
}

function listText(list: NodeList, selected: number): { text: string; leftOut: number } {
  if (list.all) return { text: '', leftOut: 0 };
  // Nobody must not become the empty text, which means everybody.
  const text = formatNodeList(list) || ',';
  if (text.length <= LIST_LIMIT) return { text, leftOut: 0 };
  if (list.names.size === selected) return { text: '', leftOut: 0 };
  const kept = text.slice(0, text.lastIndexOf(',', LIST_LIMIT));
  return { text: kept, leftOut: list.names.size - kept.split(',').length };
}

const NOBODY: NodeList = { all: false, names: new Set() };

/** The requests under way once a new one has come. One that is there already is not added again. */
export function addRequest(requests: readonly ReinitRequest[], request: ReinitRequest): ReinitRequest[] {
  if (requests.some(({ id }) => id === request.id)) return [...requests];
  const all = [...requests, request];
  if (all.length <= REQUEST_LIMIT) return all;
  const [oldest, next, ...rest] = all;
  if (!oldest || !next) return all;
  return [
    { ...next, nodes: formatNodeList(unionOfNodeLists(parseNodeList(oldest.nodes), parseNodeList(next.nodes))) },
    ...rest,
  ];
}

/** Tells the newest request that speaks of a node: it stands for all earlier ones. */
export function requestsByNode(requests: readonly ReinitRequest[]): (node: string) => ReinitRequest | undefined {
  const newestFirst = requests.map((request) => ({ request, list: parseNodeList(request.nodes) })).reverse();
  return (node) => newestFirst.find(({ list }) => listsNode(list, node))?.request;
}

export interface ReinitProgress {
  /** The requests that some node has still to carry out. */
  readonly requests: readonly ReinitRequest[];
  /** The value of the annotation `updated`; undefined when nothing is left to do. */
  readonly updated: string | undefined;
}

/**
 * What is left to do.
 * @param todo the watched nodes that have not carried out the newest request that speaks of them
 */
export function reinitProgress(requests: readonly ReinitRequest[], todo: ReadonlySet<string>): ReinitProgress {
  const open = requests
    .map((request) => ({ request, list: parseNodeList(request.nodes) }))
    .filter(({ list }) => (list.all ? todo.size > 0 : [...list.names].some((name) => todo.has(name))));
  const [first, ...rest] = open.map(({ list }) => list);
  if (!first) return { requests: [], updated: undefined };
  const union = rest.reduce(unionOfNodeLists, first);
  return {
    requests: open.map(({ request }) => request),
    updated: union.all ? '' : formatNodeList({ all: false, names: intersection(union.names, todo) }),
  };
}

/** Reads the requests from their annotation; what is not one is left out. */
export function parseRequests(text: string | undefined): ReinitRequest[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isRequest) : [];
  } catch {
    return [];
  }
}

function isRequest(value: unknown): value is ReinitRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { id, reason, who, at, nodes } = value as Record<string, unknown>;
  return (
    (reason === 'Demand' || reason === 'Failed') && [id, who, at, nodes].every((field) => typeof field === 'string')
  );
}

function intersection(some: ReadonlySet<string>, others: ReadonlySet<string>): Set<string> {
  return new Set([...some].filter((one) => others.has(one)));
}

/** The API server records which client wrote an annotation (its field manager), not which user. */
function whoAnnotated(integrity: FileIntegrity, annotation: string): string {
  for (const entry of integrity.metadata.managedFields ?? []) {
    const { manager, fieldsV1 } = entry as { manager?: unknown; fieldsV1?: Record<string, Record<string, unknown>> };
    const annotations = fieldsV1?.['f:metadata']?.['f:annotations'];
    if (
      typeof manager === 'string' &&
      typeof annotations === 'object' &&
      annotations &&
      `f:${annotation}` in annotations
    ) {
      return manager;
    }
  }
  return 'unknown';
}
