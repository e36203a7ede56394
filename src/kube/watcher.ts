import { sleep } from '../lib/signal.ts';
import type { Client } from './client.ts';
import type { KubeObject, Resource, WatchEvent } from './types.ts';
import {
  type ObjectEvent,
  startWatching,
  stepWatch,
  USUAL_LIMITS,
  type WatchInput,
  type WatchNext,
} from './watch-machine.ts';

export type { ObjectEvent } from './watch-machine.ts';

export interface ObserveOptions<T> {
  /** Left out: all namespaces. */
  namespace?: string;
  /** Only the object of this name. */
  name?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Of each object its metadata only: the rest does not leave the API server. */
  metadata?: boolean;
  /** Objects per page of a list, where they are not too large for that; default 500. */
  pageSize?: number;
  /** Objects that are taken in at most; default: all. */
  capacity?: number;
  /**
   * Drops what nobody reads, to save memory. It gets an object of its own and may change it; name, namespace and
   * resource version have to stay. Undefined: nobody reads the object, as if it were not there.
   */
  transform?: (object: T) => T | undefined;
  /** Told of every failure, with how long the watcher pauses before it tries again, in milliseconds. */
  onError?: (error: unknown, pauseMs: number) => void;
  /** Told whenever the server has answered or sent a line (bookmarks come about every minute). */
  onContact?: () => void;
  /** In [0, 1); default Math.random. */
  random?: () => number;
  /** Ends the iteration, without an error. */
  signal: AbortSignal;
}

/**
 * Lists, then watches, for as long as the signal lasts. Never throws and never stops by itself: each failure is told to
 * `onError`, paused after, and made good.
 */
export async function* observe<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: ObserveOptions<T>,
): AsyncGenerator<ObjectEvent<T>, void, undefined> {
  const { signal, random = Math.random, onError } = options;
  const io = new WatchIo(client, resource, options);
  const { pageSize = USUAL_LIMITS.pageSize, capacity = USUAL_LIMITS.capacity } = options;
  const limits = { pageSize, capacity };
  try {
    let step = startWatching<T>(limits);
    while (true) {
      const input = await io.perform(step.next);
      if (signal.aborted) return;
      step = stepWatch(step.state, input, random, limits);
      if (step.error !== undefined) onError?.(step.error, step.next.do === 'pause' ? step.next.ms : 0);
      yield* step.events;
      if (signal.aborted) return;
    }
  } finally {
    await io.end();
  }
}

/** The I/O of one watcher: at most one open watch. */
class WatchIo<T extends KubeObject> {
  readonly #client: Client;
  readonly #resource: Resource<T>;
  readonly #options: ObserveOptions<T>;
  #lines: AsyncIterator<WatchEvent<T>> | undefined;
  #openedAt = 0;

  constructor(client: Client, resource: Resource<T>, options: ObserveOptions<T>) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
  }

  /** Never rejects: what goes wrong is an input too. */
  async perform(next: WatchNext): Promise<WatchInput<T>> {
    try {
      switch (next.do) {
        case 'list':
          return await this.#list(next);
        case 'watch':
          await this.#open(next);
          return await this.#read();
        case 'read':
          return await this.#read();
        case 'pause':
          await this.end();
          await sleep(next.ms, this.#options.signal);
          return { type: 'paused' };
      }
    } catch (error) {
      return { type: 'failed', error, lastedMs: performance.now() - this.#openedAt };
    }
  }

  async end(): Promise<void> {
    const lines = this.#lines;
    this.#lines = undefined;
    await lines?.return?.().catch(() => {}); // it ends all the same
  }

  async #list(wanted: Extract<WatchNext, { do: 'list' }>): Promise<WatchInput<T>> {
    await this.end();
    this.#openedAt = performance.now();
    const { signal, metadata, transform } = this.#options;
    const page = await this.#client.list(this.#resource, {
      ...this.#selection(),
      limit: wanted.limit,
      ...(wanted.continue && { continue: wanted.continue }),
      ...((metadata || wanted.metadata) && { metadata: true }),
      signal,
    });
    this.#options.onContact?.();
    if (!transform || wanted.metadata) return { type: 'page', page };
    const items = page.items.map(transform).filter((item) => item !== undefined);
    return { type: 'page', page: { ...page, items } };
  }

  async #open({ resourceVersion, timeoutSeconds }: { resourceVersion: string; timeoutSeconds: number }) {
    await this.end();
    const { signal, metadata } = this.#options;
    this.#openedAt = performance.now();
    const watch = this.#client.watch(this.#resource, {
      ...this.#selection(),
      ...(metadata && { metadata }),
      resourceVersion,
      timeoutSeconds,
      signal,
    });
    this.#lines = watch[Symbol.asyncIterator]();
  }

  async #read(): Promise<WatchInput<T>> {
    const line = await this.#lines?.next();
    if (!line || line.done) return { type: 'ended', lastedMs: performance.now() - this.#openedAt };
    const event = line.value;
    const { transform, onContact } = this.#options;
    onContact?.();
    if (!transform || event.type === 'ERROR' || event.type === 'BOOKMARK') return { type: 'line', event };
    const { name, namespace, uid, resourceVersion } = event.object.metadata ?? {};
    const object = transform(event.object);
    if (object !== undefined) return { type: 'line', event: { type: event.type, object } };
    // To whoever reads it, it is gone.
    const bare = { metadata: { name, namespace, uid, resourceVersion } } as T;
    return { type: 'line', event: { type: 'DELETED', object: bare } };
  }

  #selection() {
    const { namespace, name, labelSelector, fieldSelector } = this.#options;
    const fields = [name && `metadata.name=${name}`, fieldSelector].filter(Boolean).join(',');
    return {
      ...(namespace && { namespace }),
      ...(labelSelector && { labelSelector }),
      ...(fields && { fieldSelector: fields }),
    };
  }
}
