import { FioError } from '../lib/errors.ts';
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
  /** False: some objects are not in the store, because there are more than its capacity, or one is too large. */
  readonly isComplete: boolean;
  /** What went wrong since the server was last heard of. */
  readonly trouble: unknown;
  /** When the server was last heard of, as Date.now(); undefined: never. Bookmarks come about every minute. */
  readonly lastContact: number | undefined;
  /** Calls back on each change from now on, after the store has it. Returns how to stop that. */
  onChange(listener: (change: Change<T>) => void): () => void;
  /** Runs until the signal aborts. Call it once. A listener that throws is told to `onError`, and stops nothing. */
  run(signal: AbortSignal): Promise<void>;
}

/** What was left out is asked for again when so much of the capacity is in use. */
const ROOM_AGAIN = 0.9;

export function createInformer<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: InformerOptions<T> = {},
): Informer<T> {
  const store = new Map<string, T>();
  const listeners = new Set<(change: Change<T>) => void>();
  const synced = Promise.withResolvers<void>();
  const { capacity = Number.POSITIVE_INFINITY } = options;
  let isSynced = false;
  let isComplete = true;
  let lastContact: number | undefined;
  let trouble: unknown;

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
    if (previous === undefined && store.size >= capacity) {
      setComplete(false);
      return;
    }
    store.set(key, object);
    if (previous === undefined || !isSameVersion(previous, object)) tell({ type: 'applied', object, previous });
  }

  /** Told as it was known: whoever keeps an account of objects finds it again by that. */
  function drop(key: string): void {
    const object = store.get(key);
    if (object === undefined) return;
    store.delete(key);
    tell({ type: 'deleted', object });
  }

  function setComplete(complete: boolean): void {
    if (isComplete && !complete) {
      const message = `Not all objects of ${resource.plural} are kept: there are too many, or one is too large`;
      options.onError?.(new FioError('KUBE_STORE_INCOMPLETE', message), 0);
    }
    isComplete = complete;
  }

  function take(event: ObjectEvent<T>): void {
    switch (event.type) {
      case 'applied':
        put(event.object);
        return;
      case 'deleted':
        drop(keyOf(event.object));
        return;
      case 'restarted': {
        const present = new Set(event.objects.map(keyOf));
        for (const key of [...store.keys()]) if (!present.has(key)) drop(key);
        setComplete(event.complete);
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
    get isComplete() {
      return isComplete;
    },
    get trouble() {
      return trouble;
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
        trouble = undefined;
      };
      const onError = (error: unknown, pauseMs: number) => {
        trouble = error;
        options.onError?.(error, pauseMs);
      };
      while (!signal.aborted) {
        for await (const event of observe(client, resource, { ...options, signal, onContact, onError })) {
          take(event);
          // There is room again for what was left out.
          if (!isComplete && event.type === 'deleted' && store.size <= capacity * ROOM_AGAIN) break;
        }
      }
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
