import type { Connection } from './connection.ts';
import { isNotFound } from './errors.ts';
import { nameOf, parse, pathOf, typed } from './request.ts';
import { createTransport, type Method, type Query, type Request } from './transport.ts';
import {
  apiVersionOf,
  type KubeList,
  type KubeObject,
  type ObjectRef,
  type Resource,
  type WatchEvent,
} from './types.ts';
import { readWatch } from './watch-stream.ts';

/** Every call may be ended by its signal and then throws the signal's reason. */
interface CallOptions {
  signal?: AbortSignal;
}

/** `metadata`: of each object its metadata only, as PartialObjectMetadata; the rest does not leave the API server. */
interface PartOptions {
  metadata?: boolean;
}

interface SelectOptions {
  /** Left out: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

interface ListOptions extends SelectOptions, CallOptions, PartOptions {
  /** Objects per page; left out: all in one answer. */
  limit?: number;
  /** `metadata.continue` of the page before. */
  continue?: string;
  /** `0`: what the server's cache holds, perhaps a little old, cheaply. Left out: the newest. */
  resourceVersion?: string;
}

interface WatchOptions extends SelectOptions, PartOptions {
  /** Changes after this version; left out: the server starts with what there is now. */
  resourceVersion?: string;
  /** When the server ends the stream, in seconds; default 290. */
  timeoutSeconds?: number;
  /** Ask for `BOOKMARK` events; default true. */
  bookmarks?: boolean;
  signal: AbortSignal;
}

type Propagation = 'Foreground' | 'Background' | 'Orphan';

/**
 * A client of one API server. Objects go in and out as they are on the wire.
 *
 * Errors of every call: `ApiError` when the server said no; FioError `KUBE_UNREACHABLE` when there was no answer in time,
 * `KUBE_RESPONSE_INVALID` when the answer was too large or no JSON; the signal's reason when it aborted.
 * Calls that may be repeated without harm are repeated a few times when the server asks to (Retry-After).
 */
export interface Client extends AsyncDisposable {
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: CallOptions & PartOptions): Promise<T>;
  /** As `get`, but undefined when the object is not there. */
  find<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options?: CallOptions & PartOptions,
  ): Promise<T | undefined>;
  /** One page, or all without `limit`. Items carry apiVersion and kind, which the server leaves out. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: CallOptions): Promise<T>;
  /** Writes the whole object. With a `resourceVersion` in it, throws a conflict if somebody wrote in between. */
  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: CallOptions & { subresource?: 'status' },
  ): Promise<T>;
  /** Server-side apply. `force` (default true) takes fields over from other managers. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions & { fieldManager: string; force?: boolean; subresource?: 'status' },
  ): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: object,
    options: CallOptions & { type: 'merge' | 'json'; subresource?: 'status'; fieldManager?: string },
  ): Promise<T>;
  /** False: was not there. `uid` and `resourceVersion` are preconditions (a conflict otherwise). */
  remove(
    resource: Resource,
    ref: ObjectRef,
    options?: CallOptions & { uid?: string; resourceVersion?: string; propagation?: Propagation },
  ): Promise<boolean>;
  /** One watch request: ends when the server ends it, throws when it breaks. Most callers want `observe` (watcher.ts). */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** A path that is no resource, e.g. `/version`. The body as text. */
  raw(path: string, options?: CallOptions & { method?: Method; body?: unknown; query?: Query }): Promise<string>;
  /** Ends running calls and closes the sockets. */
  close(): Promise<void>;
}

export interface ClientOptions {
  /** Default `file-integrity-operator`. */
  userAgent?: string;
  /** For one try of one call (not watches), in milliseconds; default 30 000. */
  timeoutMs?: number;
  /** Sockets for calls; watches have one each beside these. Default 8. */
  maxSockets?: number;
}

const MiB = 1024 * 1024;
/**
 * The most that an answer with one object, or a page of a list, may have, in bytes. etcd keeps objects of at most 1.5 MiB,
 * of which JSON can make six times as much: a character that has to be escaped takes six.
 */
const OBJECT_LIMIT = 10 * MiB;
/** The same for a list in one answer. */
const LIST_LIMIT = 64 * MiB;

/** What is asked for when of objects only their metadata is wanted. */
const PARTIAL = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** Opens no connection yet. */
export function createClient(connection: Connection, options: ClientOptions = {}): Client {
  const transport = createTransport(connection, {
    userAgent: options.userAgent ?? 'file-integrity-operator',
    timeoutMs: options.timeoutMs ?? 30_000,
    maxSockets: options.maxSockets ?? 8,
  });

  async function call<T>(method: Method, path: string, request: Partial<Request>): Promise<T> {
    return parse<T>(await transport.send({ maxBytes: OBJECT_LIMIT, idempotent: false, ...request, method, path }));
  }

  const client: Client = {
    async get<T extends KubeObject>(
      resource: Resource<T>,
      ref: ObjectRef,
      { signal, metadata }: CallOptions & PartOptions = {},
    ) {
      const accept = metadata ? PARTIAL : undefined;
      const object = await call<T>('GET', pathOf(resource, ref.namespace, ref.name), {
        signal,
        accept,
        idempotent: true,
      });
      return metadata ? Object.assign(object, typeOf(resource)) : object;
    },
    async find(resource, ref, callOptions) {
      try {
        return await client.get(resource, ref, callOptions);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) {
      const { signal, namespace, metadata, ...query } = options;
      const list = await call<KubeList<T>>('GET', pathOf(resource, namespace), {
        signal,
        query: { ...query },
        accept: metadata ? PARTIAL_LIST : undefined,
        maxBytes: query.limit === undefined ? LIST_LIMIT : OBJECT_LIMIT,
        idempotent: true,
      });
      const type = typeOf(resource);
      const items = (list.items ?? []).map((item) => Object.assign(item, type));
      return { metadata: list.metadata ?? {}, items };
    },
    create(resource, object, { signal } = {}) {
      return call('POST', pathOf(resource, object.metadata?.namespace), { signal, body: typed(resource, object) });
    },
    replace(resource, object, { signal, subresource } = {}) {
      return call('PUT', pathOf(resource, object.metadata?.namespace, nameOf(object), subresource), {
        signal,
        body: typed(resource, object),
      });
    },
    apply(resource, object, { signal, subresource, fieldManager, force = true }) {
      return call('PATCH', pathOf(resource, object.metadata?.namespace, nameOf(object), subresource), {
        signal,
        query: { fieldManager, force },
        contentType: 'application/apply-patch+yaml', // JSON is YAML
        body: typed(resource, object),
        idempotent: true,
      });
    },
    patch(resource, ref, patch, { signal, type, subresource, fieldManager }) {
      return call('PATCH', pathOf(resource, ref.namespace, ref.name, subresource), {
        signal,
        query: { fieldManager },
        contentType: type === 'merge' ? 'application/merge-patch+json' : 'application/json-patch+json',
        body: patch,
        idempotent: type === 'merge',
      });
    },
    async remove(resource, ref, { signal, uid, resourceVersion, propagation } = {}) {
      const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(propagation && { propagationPolicy: propagation }),
        ...(Object.keys(preconditions).length > 0 && { preconditions }),
      };
      try {
        await call('DELETE', pathOf(resource, ref.namespace, ref.name), { signal, body, idempotent: true });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions) {
      const { signal, namespace, metadata, bookmarks = true, ...rest } = options;
      const timeoutSeconds = rest.timeoutSeconds ?? 290;
      return readWatch<T>(transport, {
        path: pathOf(resource, namespace),
        query: { ...rest, watch: true, allowWatchBookmarks: bookmarks, timeoutSeconds },
        timeoutSeconds,
        accept: metadata ? PARTIAL : undefined,
        signal,
      });
    },
    raw(path, { method = 'GET', ...request } = {}) {
      return transport.send({ maxBytes: LIST_LIMIT, idempotent: method === 'GET', ...request, method, path });
    },
    close: () => transport.close(),
    [Symbol.asyncDispose]: () => transport.close(),
  };
  return client;
}

function typeOf(resource: Resource): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind };
}
