import type { Client } from './client.ts';
import type { KubeObject, Resource } from './types.ts';
import type { ObserveOptions } from './watcher.ts';

/** One change of the store. A restart that changed nothing about an object tells nothing about it. */
export type Change<T> = { type: 'applied'; object: T; previous: T | undefined } | { type: 'deleted'; object: T };

export type InformerOptions<T> = Omit<ObserveOptions<T>, 'signal' | 'onContact'>;

/** What the API server has of a resource, kept in memory and up to date. Objects in it are read-only. */
export interface Informer<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** By `keyOf`: `namespace/name`, or `name` for cluster-wide objects. */
  get(key: string): T | undefined;
  list(): IterableIterator<T>;
  readonly size: number;
  /** Resolves when the first list is in the store; rejects with the signal's reason when that aborts first. */
  synced(signal?: AbortSignal): Promise<void>;
  readonly isSynced: boolean;
  /** When the server was last heard of, as Date.now(); undefined: never. Bookmarks come about every minute. */
  readonly lastContact: number | undefined;
  /** Calls back on each change from now on. Returns how to stop that. */
  onChange(listener: (change: Change<T>) => void): () => void;
  /** Runs until the signal aborts. Call it once. */
  run(signal: AbortSignal): Promise<void>;
}

export declare function createInformer<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options?: InformerOptions<T>,
): Informer<T>;

/** `namespace/name`, or `name` for cluster-wide objects. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}
