import type { Client } from '../../kube/client.ts';
import { createInformer, type Informer } from '../../kube/informer.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import { type CustomResourceDefinition, customResourceDefinitions } from './resources.ts';

export interface PresenceOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  /** The one object that is watched. */
  readonly namespace: string;
  readonly name: string;
  /** It appeared, changed or went, or its kind of object did. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

/** One object of a kind that the cluster may or may not have, now or later. */
export interface Presence<T extends KubeObject> {
  /** Undefined: the cluster has no such kind of object, or it is not known yet; `object` undefined: it has no such object. */
  look(): { readonly object: T | undefined } | undefined;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Watches the CRD by its name and, while there is one, the object: a cluster without costs one quiet watch. */
export function createPresence<T extends KubeObject>(options: PresenceOptions<T>): Presence<T> {
  const { client, resource, namespace, name, onChange, onError } = options;
  const definition = createInformer(client, customResourceDefinitions, {
    name: `${resource.plural}.${resource.group}`,
    transform: sketch,
    onError,
  });
  let watched: { informer: Informer<T>; ended: Promise<void>; stop: AbortController } | undefined;

  function follow(stop: AbortController): void {
    const informer = createInformer(client, resource, { namespace, name, onError });
    informer.onChange(onChange);
    informer.synced(stop.signal).then(onChange, () => {});
    watched = { informer, stop, ended: informer.run(stop.signal) };
  }

  return {
    look: () => (watched?.informer.isSynced ? { object: watched.informer.get(`${namespace}/${name}`) } : undefined),
    async run(signal) {
      definition.onChange((change) => {
        const isServed = change.type === 'applied' && serves(change.object, resource.version);
        if (isServed && !watched && !signal.aborted) follow(new AbortController());
        if (!isServed && watched) {
          watched.stop.abort();
          watched = undefined;
        }
      });
      await definition.run(signal);
      watched?.stop.abort();
      await watched?.ended;
    },
  };
}

/** Whether objects of a kind can be had, in this version or any. */
export function serves({ spec, status }: CustomResourceDefinition, version?: string): boolean {
  return (
    (spec?.versions ?? []).some(({ name, served }) => served && (version === undefined || name === version)) &&
    (status?.conditions ?? []).some(({ type, status: is }) => type === 'Established' && is === 'True')
  );
}

/** Their schemas have some 100 KB. */
export function sketch({ metadata, spec, status }: CustomResourceDefinition): CustomResourceDefinition {
  const { name = '', uid = '', resourceVersion = '' } = metadata ?? {};
  const versions = (spec?.versions ?? []).map((version) => ({ name: version.name, served: version.served }));
  return { metadata: { name, uid, resourceVersion }, spec: { versions }, ...(status && { status }) };
}
