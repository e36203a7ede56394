import { type Backoff, backoffMs } from './backoff.ts';
import type { WatchEvent } from './client.ts';
import { ApiError, isGone, isUnreachable } from './errors.ts';
import type { KubeList, KubeObject } from './types.ts';

/** What happened to the watched objects. `restarted` carries all there are: what is not among them is gone. */
export type ObjectEvent<T> =
  | { type: 'restarted'; objects: readonly T[] }
  | { type: 'applied'; object: T }
  | { type: 'deleted'; object: T };

/** What the machine knows. `failures`: how many in a row, since the last time that a watch went well. */
export type WatchState<T> =
  | { phase: 'listing'; objects: readonly T[]; failures: number }
  | { phase: 'watching'; resourceVersion: string; failures: number }
  /** Pausing before it lists (no `resourceVersion`) or watches on from there. */
  | { phase: 'pausing'; resourceVersion: string | undefined; failures: number };

/** What came of the I/O. `lastedMs`: how long the watch had been open. */
export type WatchInput<T> =
  | { type: 'page'; page: KubeList<T> }
  | { type: 'line'; event: WatchEvent<T> }
  | { type: 'ended'; lastedMs: number }
  | { type: 'failed'; error: unknown; lastedMs: number }
  | { type: 'paused' };

/** The I/O to do next. `read`: the next line of the open watch; `list` and `watch` give up the open watch. */
export type WatchNext =
  | { do: 'list'; continue: string | undefined }
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

export function startWatching<T>(): WatchStep<T> {
  return listAgain(0);
}

/**
 * List, watch, and list again when the server says so or when what it said is in doubt: kube-rs's watcher as a pure
 * function. A deletion that nobody saw shows in the next `restarted`. `random` gives numbers in [0, 1).
 */
export function stepWatch<T extends KubeObject>(
  state: WatchState<T>,
  input: WatchInput<T>,
  random: () => number,
): WatchStep<T> {
  switch (input.type) {
    case 'page':
      return takePage(state, input.page, random);
    case 'line':
      return takeLine(state, input.event, random);
    case 'ended':
      if (state.phase !== 'watching' || input.lastedMs >= GOOD_WATCH_MS) return goOn({ ...state, failures: 0 }, random);
      return pause(state.resourceVersion, state.failures, random);
    case 'failed':
      return takeFailure(state, input.error, input.lastedMs, random);
    case 'paused':
      return goOn(state, random);
  }
}

function takePage<T>(state: WatchState<T>, page: KubeList<T>, random: () => number): WatchStep<T> {
  const before = state.phase === 'listing' ? state.objects : [];
  const objects = before.length === 0 ? page.items : before.concat(page.items);
  const { continue: token, resourceVersion } = page.metadata;
  if (token)
    return { state: { ...state, phase: 'listing', objects }, events: [], next: { do: 'list', continue: token } };
  if (!resourceVersion) {
    return { ...pause<T>(undefined, state.failures, random), error: new Error('The list has no resource version') };
  }
  const restarted: ObjectEvent<T> = { type: 'restarted', objects };
  return { ...watchFrom<T>(resourceVersion, state.failures, random), events: [restarted] };
}

function takeLine<T extends KubeObject>(
  state: WatchState<T>,
  event: WatchEvent<T>,
  random: () => number,
): WatchStep<T> {
  if (event.type === 'ERROR') {
    const error = new ApiError(event.object.code ?? 500, event.object);
    // Gone is the ordinary end of a watch that fell behind; only when it comes at once, again, is it waited out.
    const step: WatchStep<T> =
      isGone(error) && state.failures === 0 ? listAgain(1) : pause(undefined, state.failures, random);
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

function takeFailure<T>(state: WatchState<T>, error: unknown, lastedMs: number, random: () => number): WatchStep<T> {
  if (state.phase !== 'watching') return { ...pause<T>(undefined, state.failures, random, error), error };
  const failures = lastedMs >= GOOD_WATCH_MS ? 0 : state.failures;
  if (isGone(error) && failures === 0) return { ...listAgain<T>(1), error };
  const from = isTrusted(error) ? state.resourceVersion : undefined;
  return { ...pause<T>(from, failures, random, error), error };
}

/** Whether the watch may go on where it was: the server was away or busy, and said nothing that puts this in doubt. */
function isTrusted(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  // An API server whose etcd was restored from a copy knows less than we do, and will never catch up.
  if (!(error instanceof ApiError) || error.causes.some(({ reason }) => reason === 'ResourceVersionTooLarge'))
    return false;
  return error.status === 401 || error.status === 403 || error.status === 429 || error.status >= 500;
}

function goOn<T>(state: WatchState<T>, random: () => number): WatchStep<T> {
  if (state.phase === 'listing' || state.resourceVersion === undefined) return listAgain(state.failures);
  return watchFrom(state.resourceVersion, state.failures, random);
}

function listAgain<T>(failures: number): WatchStep<T> {
  return { state: { phase: 'listing', objects: [], failures }, events: [], next: { do: 'list', continue: undefined } };
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
