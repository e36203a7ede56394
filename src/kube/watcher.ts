import type { Client } from './client.ts';
import type { KubeObject, Resource } from './types.ts';

/** What happened to the watched objects. `restarted` carries all there are: what is not among them is gone. */
export type ObjectEvent<T> =
  | { type: 'restarted'; objects: T[] }
  | { type: 'applied'; object: T }
  | { type: 'deleted'; object: T };

export interface ObserveOptions<T> {
  /** Left out: all namespaces. */
  namespace?: string;
  /** Only the object of this name. */
  name?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects per page of a list; default 500. */
  pageSize?: number;
  /** Drops what nobody reads, to save memory. It gets an object of its own and may change it. */
  transform?: (object: T) => T;
  /** Told of every failure, with how long the watcher waits before it tries again, in milliseconds. */
  onError?: (error: unknown, retryMs: number) => void;
  /** Told whenever the server has answered or sent a line. */
  onContact?: () => void;
  /** In [0, 1); default Math.random. */
  random?: () => number;
  /** Ends the iteration, without an error. */
  signal: AbortSignal;
}

/**
 * Lists, then watches, for as long as the signal lasts. Never throws and never stops by itself: each failure is told to
 * `onError`, waited out with a growing pause, and made good.
 */
export async function* observe<T extends KubeObject>(
  _client: Client,
  _resource: Resource<T>,
  _options: ObserveOptions<T>,
): AsyncGenerator<ObjectEvent<T>, void, undefined> {}
