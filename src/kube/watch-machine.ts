import { FioError } from '../lib/errors.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import { ApiError, isGone, isUnreachable, TooLarge } from './errors.ts';
import type { KubeList, KubeObject, WatchEvent } from './types.ts';

/**
 * What happened to the watched objects. `restarted` carries all there are: what is not among them is gone. Unless it is
 * not `complete`: some were left out, because there are too many, or one is too large.
 */
export type ObjectEvent<T> =
  | { type: 'restarted'; objects: readonly T[]; complete: boolean }
  | { type: 'applied'; object: T }
  | { type: 'deleted'; object: T };

/** What the machine knows. `failures`: how many in a row, since the last time that a watch went well. */
export type WatchState<T> =
  | { phase: 'listing'; objects: readonly T[]; complete: boolean; page: Page; failures: number }
  | { phase: 'watching'; resourceVersion: string; failures: number }
  /** Pausing before it lists (no `resourceVersion`) or watches on from there. */
  | { phase: 'pausing'; resourceVersion: string | undefined; failures: number };

/** Which page of a list is asked for. */
interface Page {
  /** What the page before said; undefined: the first. */
  continue: string | undefined;
  limit: number;
  /** Of its one object the metadata only, which is enough to get past it. */
  metadata: boolean;
}

/** What a watcher takes at a time, and in all. */
export interface Limits {
  /** Objects per page; fewer while a page of so many is too large to be read. */
  pageSize: number;
  /** Objects that are kept at most; those above it are left out. */
  capacity: number;
}

export const USUAL_LIMITS: Limits = { pageSize: 500, capacity: Number.POSITIVE_INFINITY };

/** What came of the I/O. `lastedMs`: how long the watch had been open. */
export type WatchInput<T> =
  | { type: 'page'; page: KubeList<T> }
  | { type: 'line'; event: WatchEvent<T> }
  | { type: 'ended'; lastedMs: number }
  | { type: 'failed'; error: unknown; lastedMs: number }
  | { type: 'paused' };

/** The I/O to do next. `read`: the next line of the open watch; `list` and `watch` give up the open watch. */
export type WatchNext =
  | ({ do: 'list' } & Page)
  | { do: 'watch'; resourceVersion: string; timeoutSeconds: number }
  | { do: 'read' }
  | { do: 'pause'; ms: number };

export interface WatchStep<T> {
  state: WatchState<T>;
  events: readonly ObjectEvent<T>[];
  next: WatchNext;
  /** What went wrong, if it did. */
  error?: unknown;
}

// As client-go's reflector.
const BACKOFF: Backoff = { firstMs: 800, maxMs: 30_000 };
// A watch that lasted so long was a good one; one that ends sooner, again and again, must not make a busy loop.
const GOOD_WATCH_MS = 5_000;
// Between 290 and 580 s: spread, so that the watches of a fleet that began together do not all begin again together.
const MIN_TIMEOUT_SECONDS = 290;

export function startWatching<T>(limits = USUAL_LIMITS): WatchStep<T> {
  return listAgain(0, limits);
}

/**
 * List, watch, and list again when the server says so or when what it said is in doubt: kube-rs's watcher as a pure
 * function. A deletion that nobody saw shows in the next `restarted`. `random` gives numbers in [0, 1).
 */
export function stepWatch<T extends KubeObject>(
  state: WatchState<T>,
  input: WatchInput<T>,
  random: () => number,
  limits = USUAL_LIMITS,
): WatchStep<T> {
  switch (input.type) {
    case 'page':
      return takePage(state, input.page, random, limits);
    case 'line':
      return takeLine(state, input.event, random, limits);
    case 'ended':
      if (state.phase !== 'watching' || input.lastedMs >= GOOD_WATCH_MS)
        return goOn({ ...state, failures: 0 }, random, limits);
      return pause(state.resourceVersion, state.failures, random);
    case 'failed':
      return takeFailure(state, input.error, input.lastedMs, random, limits);
    case 'paused':
      return goOn(state, random, limits);
  }
}

function takePage<T extends KubeObject>(
  state: WatchState<T>,
  { metadata, items }: KubeList<T>,
  random: () => number,
  limits: Limits,
): WatchStep<T> {
  const standing = state.phase === 'listing' ? state : listing<T>(state.failures, limits);
  const { page } = standing;
  const { objects, complete } = page.metadata ? { ...standing, complete: false } : withItems(standing, items, limits);
  const left = page.metadata ? { error: leftOut(items[0]) } : {};
  if (metadata.continue) {
    const next = nextPage(page, metadata.continue, limits);
    return { ...list({ ...standing, objects, complete, page: next }), ...left };
  }
  if (!metadata.resourceVersion) {
    return { ...pause<T>(undefined, state.failures, random), error: new Error('The list has no resource version') };
  }
  const restarted: ObjectEvent<T> = { type: 'restarted', objects, complete };
  return { ...watchFrom<T>(metadata.resourceVersion, state.failures, random), events: [restarted], ...left };
}

function withItems<T>(
  { objects, complete }: { objects: readonly T[]; complete: boolean },
  items: readonly T[],
  { capacity }: Limits,
): { objects: readonly T[]; complete: boolean } {
  const room = capacity - objects.length;
  const fitting = items.length <= room ? items : items.slice(0, room);
  return {
    objects: objects.length === 0 ? fitting : objects.concat(fitting),
    complete: complete && fitting.length === items.length,
  };
}

/** After a page that could be read, a somewhat larger one, until it is as large as usual. */
function nextPage({ limit }: Page, token: string, { pageSize }: Limits): Page {
  return { continue: token, limit: Math.min(pageSize, limit + Math.ceil(limit / 4)), metadata: false };
}

function leftOut(object: KubeObject | undefined): FioError {
  const { namespace, name = '' } = object?.metadata ?? {};
  const which = `${object?.kind ?? 'object'} ${namespace ? `${namespace}/` : ''}${name}`;
  return new FioError('KUBE_RESPONSE_INVALID', `The ${which} is too large to be read, and is left out`);
}

function takeLine<T extends KubeObject>(
  state: WatchState<T>,
  event: WatchEvent<T>,
  random: () => number,
  limits: Limits,
): WatchStep<T> {
  if (event.type === 'ERROR') {
    const error = new ApiError(event.object.code ?? 500, event.object);
    // Gone is the ordinary end of a watch that fell behind; only when it comes at once, again, is it waited out.
    const step: WatchStep<T> =
      isGone(error) && state.failures === 0 ? listAgain(1, limits) : pause(undefined, state.failures, random);
    return { ...step, error };
  }
  const resourceVersion = event.object.metadata?.resourceVersion;
  if (!resourceVersion) {
    return {
      ...pause<T>(undefined, state.failures, random),
      error: new Error('A watch event has no resource version'),
    };
  }
  return {
    state: { phase: 'watching', resourceVersion, failures: 0 },
    events: event.type === 'BOOKMARK' ? [] : [eventOf(event.type, event.object)],
    next: { do: 'read' },
  };
}

function eventOf<T>(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): ObjectEvent<T> {
  return { type: type === 'DELETED' ? 'deleted' : 'applied', object };
}

function takeFailure<T>(
  state: WatchState<T>,
  error: unknown,
  lastedMs: number,
  random: () => number,
  limits: Limits,
): WatchStep<T> {
  const smaller = state.phase === 'listing' && error instanceof TooLarge ? smallerPage(state.page) : undefined;
  if (smaller && state.phase === 'listing') return list({ ...state, page: smaller });
  if (state.phase !== 'watching') return { ...pause<T>(undefined, state.failures, random, error), error };
  const failures = lastedMs >= GOOD_WATCH_MS ? 0 : state.failures;
  if (isGone(error) && failures === 0) return { ...listAgain<T>(1, limits), error };
  const from = isTrusted(error) ? state.resourceVersion : undefined;
  return { ...pause<T>(from, failures, random, error), error };
}

/** What is asked for in the place of a page that is too large; undefined: there is nothing smaller. */
function smallerPage({ continue: token, limit, metadata }: Page): Page | undefined {
  if (metadata) return undefined;
  return limit > 1
    ? { continue: token, limit: Math.floor(limit / 2), metadata: false }
    : { continue: token, limit: 1, metadata: true };
}

/** Whether the watch may go on where it was: the server was away or busy, and said nothing that puts this in doubt. */
function isTrusted(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  // An API server whose etcd was restored from a copy knows less than we do, and will never catch up.
  if (!(error instanceof ApiError) || error.causes.some(({ reason }) => reason === 'ResourceVersionTooLarge'))
    return false;
  return error.status === 401 || error.status === 403 || error.status === 429 || error.status >= 500;
}

function goOn<T>(state: WatchState<T>, random: () => number, limits: Limits): WatchStep<T> {
  if (state.phase === 'listing' || state.resourceVersion === undefined) return listAgain(state.failures, limits);
  return watchFrom(state.resourceVersion, state.failures, random);
}

function listAgain<T>(failures: number, limits: Limits): WatchStep<T> {
  return list(listing<T>(failures, limits));
}

/** A list that failed may have been too much for the server, too: it begins again in smaller pages. */
function listing<T>(failures: number, { pageSize }: Limits): Extract<WatchState<T>, { phase: 'listing' }> {
  const limit = Math.max(1, Math.floor(pageSize / 2 ** Math.min(failures, 16)));
  const page = { continue: undefined, limit, metadata: false };
  return { phase: 'listing', objects: [], complete: true, page, failures };
}

function list<T>(state: Extract<WatchState<T>, { phase: 'listing' }>): WatchStep<T> {
  return { state, events: [], next: { do: 'list', ...state.page } };
}

function watchFrom<T>(resourceVersion: string, failures: number, random: () => number): WatchStep<T> {
  const timeoutSeconds = Math.floor(MIN_TIMEOUT_SECONDS * (1 + random()));
  return {
    state: { phase: 'watching', resourceVersion, failures },
    events: [],
    next: { do: 'watch', resourceVersion, timeoutSeconds },
  };
}

function pause<T>(from: string | undefined, before: number, random: () => number, error?: unknown): WatchStep<T> {
  const failures = before + 1;
  const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
  const ms = Math.max(backoffMs(BACKOFF, failures, random()), Math.min(asked, 2 * BACKOFF.maxMs));
  return { state: { phase: 'pausing', resourceVersion: from, failures }, events: [], next: { do: 'pause', ms } };
}
