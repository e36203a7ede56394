import type { Client } from '../../kube/client.ts';
import { isForbidden } from '../../kube/errors.ts';
import { createInformer, type Informer } from '../../kube/informer.ts';
import { explain } from '../../lib/errors.ts';
import { compareAdmission } from './comparison.ts';
import { type AdmissionObject, DISCOVERY_PATH, idOf, KINDS, type Shipped } from './policies.ts';
import type { Standing } from './standing.ts';

export interface AdmissionWatchOptions {
  readonly client: Client;
  readonly shipped: Shipped;
  /** The operator's, in which the policies are to hold. */
  readonly namespace: string;
  /** What is known may have changed. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

/** What is known of the admission policies in the cluster. */
export interface AdmissionWatch {
  standing(): Standing;
  /** Which version of each object is there, by `idOf`: one that was changed, or made again, has another. */
  versions(): Readonly<Record<string, string>>;
  /** Resolves once they are read, or cannot be. */
  settled(signal: AbortSignal): Promise<void>;
  /** Runs until the signal aborts. Call it once. */
  run(signal: AbortSignal): Promise<void>;
}

/** Others' policies may be many and large: of those nothing is kept. */
const PAGE = 100;

export function createAdmissionWatch(options: AdmissionWatchOptions): AdmissionWatch {
  const { client, shipped, namespace, onChange, onError } = options;
  const all = [...shipped.required, ...shipped.optional];
  const own = new Set(all.map(idOf));
  const settled = Promise.withResolvers<void>();
  const kinds = KINDS.map(({ resource, optional }) => {
    const kind = { optional, refusal: undefined as { readonly text: string; readonly at: number } | undefined };
    const informer: Informer<AdmissionObject> = createInformer(client, resource, {
      pageSize: PAGE,
      transform: (object) => sketch({ ...object, kind: resource.kind }, own),
      onError(error) {
        onError(error);
        if (isForbidden(error)) kind.refusal = { text: explain(error), at: Date.now() };
        settled.resolve();
        onChange();
      },
    });
    return Object.assign(kind, { informer });
  });
  /** Those that the API server serves; the others are not waited for. */
  let watched = kinds.filter(({ optional }) => !optional);

  const find = (id: string) => {
    const [kind, name = ''] = id.split('/');
    return watched.find(({ informer }) => informer.resource.kind === kind)?.informer.get(name);
  };

  return {
    standing() {
      // Until the API server has answered again.
      const refused = watched.find(({ refusal, informer }) => refusal && (informer.lastContact ?? 0) <= refusal.at);
      if (refused?.refusal) return { is: 'unknown', reason: 'Unreadable', message: refused.refusal.text };
      if (!watched.every(({ informer }) => informer.isSynced)) {
        return { is: 'unknown', reason: 'NotRead', message: 'they have not been read yet.' };
      }
      const faults = compareAdmission(shipped, find, namespace);
      if (faults.length > 0) return { is: 'not-enforced', faults };
      return { is: 'enforced', policies: all.filter((object) => find(idOf(object)) !== undefined).length };
    },
    versions() {
      const there = all.flatMap((object) => {
        const { uid, generation } = find(idOf(object))?.metadata ?? {};
        return uid === undefined ? [] : [[idOf(object), `${uid} ${generation ?? ''}`] as const];
      });
      return Object.fromEntries(there);
    },
    settled: (signal) => untilAborted(settled.promise, signal),
    async run(signal) {
      const optional = await servedKinds(client, signal).catch((error: unknown) => {
        if (!signal.aborted) onError(error);
        return new Set<string>();
      });
      if (signal.aborted) return;
      watched = kinds.filter(({ optional: is, informer }) => !is || optional.has(informer.resource.kind));
      const synced = watched.map(({ informer }) => informer.synced(signal));
      Promise.all(synced).then(
        () => {
          settled.resolve();
          onChange();
        },
        () => {},
      );
      await Promise.all(
        watched.map((kind) => {
          kind.informer.onChange(({ object }) => {
            if (own.has(idOf(object))) onChange();
          });
          return kind.informer.run(signal);
        }),
      );
    },
  };
}

async function servedKinds(client: Client, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const answer: unknown = JSON.parse(await client.raw(DISCOVERY_PATH, { signal }));
  const { resources } = answer as { resources?: readonly { kind?: string }[] };
  return new Set((resources ?? []).map(({ kind = '' }) => kind));
}

function sketch(
  { apiVersion, kind, metadata, spec, status }: AdmissionObject,
  own: ReadonlySet<string>,
): AdmissionObject {
  const { name = '', uid = '', resourceVersion = '', generation } = metadata;
  const head = {
    ...(apiVersion !== undefined && { apiVersion }),
    kind,
    metadata: { name, uid, resourceVersion, ...(generation !== undefined && { generation }) },
  };
  if (!own.has(idOf(head))) return head;
  const typeChecking = status?.typeChecking;
  return { ...head, spec, ...(typeChecking && { status: { typeChecking } }) };
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const abort = () => aborted.resolve();
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([promise, aborted.promise]);
  signal.removeEventListener('abort', abort);
}
