import type { Client } from './client.ts';
import type { KubeObject, Resource } from './types.ts';
import { type ObjectEvent, type ObserveOptions, observe } from './watcher.ts';

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
  /** Calls back on each change from now on, after the store has it. Returns how to stop that. */
  onChange(listener: (change: Change<T>) => void): () => void;
  /** Runs until the signal aborts. Call it once. A listener that throws is told to `onError`, and stops nothing. */
  run(signal: AbortSignal): Promise<void>;
}

export function createInformer<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: InformerOptions<T> = {},
): Informer<T> {
  const store = new Map<string, T>();
  const listeners = new Set<(change: Change<T>) => void>();
  const synced = Promise.withResolvers<void>();
  let isSynced = false;
  let lastContact: number | undefined;

  function tell(change: Change<T>): void {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        options.onError?.(error, 0);
      }
    }
  }

  function put(object: T): void {
    const key = keyOf(object);
    const previous = store.get(key);
    store.set(key, object);
    if (previous === undefined || !isSameVersion(previous, object)) tell({ type: 'applied', object, previous });
  }

  function drop(key: string, object: T): void {
    if (store.delete(key)) tell({ type: 'deleted', object });
  }

  function take(event: ObjectEvent<T>): void {
    switch (event.type) {
      case 'applied':
        put(event.object);
        return;
      case 'deleted':
        drop(keyOf(event.object), event.object);
        return;
      case 'restarted': {
        const present = new Set(event.objects.map(keyOf));
        for (const [key, object] of store) if (!present.has(key)) drop(key, object);
        for (const object of event.objects) put(object);
        isSynced = true;
        synced.resolve();
      }
    }
  }

  return {
    resource,
    get: (key) => store.get(key),
    list: () => store.values(),
    get size() {
      return store.size;
    },
    synced: (signal) => untilAborted(synced.promise, signal),
    get isSynced() {
      return isSynced;
    },
    get lastContact() {
      return lastContact;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async run(signal) {
      const onContact = () => {
        lastContact = Date.now();
      };
      for await (const event of observe(client, resource, { ...options, signal, onContact })) take(event);
    },
  };
}

/** `namespace/name`, or `name` for cluster-wide objects. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** The same object (not one of the same name that came after it) in the same version. */
function isSameVersion({ metadata: one }: KubeObject, { metadata: other }: KubeObject): boolean {
  return one?.uid === other?.uid && one?.resourceVersion === other?.resourceVersion;
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
