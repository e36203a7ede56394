import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { Client } from '../../kube/client.ts';
import { configMaps } from '../../kube/resources.ts';
import type { Stores } from '../stores.ts';

/** One that has more data is read each time: users can name such a one as theirs, and make many FileIntegrities. */
const REMEMBERED_CHARACTERS = 128 * 1024;

/**
 * Reads the effective configurations, which no store has whole: by name, and again only when the version in the store is
 * another. One that carries no label of the operator's is in no store, and must be seen before it is overwritten.
 */
export class EffectiveConfigurations {
  readonly #client: Client;
  readonly #store: Pick<Stores['configMaps'], 'get'>;
  /** By `namespace/name`. */
  readonly #read = new Map<string, ConfigMap>();

  constructor(client: Client, store: Pick<Stores['configMaps'], 'get'>) {
    this.#client = client;
    this.#store = store;
  }

  async find(namespace: string, name: string, signal: AbortSignal): Promise<ConfigMap | undefined> {
    const key = `${namespace}/${name}`;
    const known = this.#read.get(key);
    const version = this.#store.get(key)?.metadata?.resourceVersion;
    if (known && version !== undefined && known.metadata?.resourceVersion === version) return known;
    const found = await this.#client.find(configMaps, { namespace, name }, { signal });
    if (found?.metadata) delete found.metadata.managedFields;
    if (found && JSON.stringify(found).length <= REMEMBERED_CHARACTERS) this.#read.set(key, found);
    else this.#read.delete(key);
    return found;
  }

  forget(namespace: string, name: string): void {
    this.#read.delete(`${namespace}/${name}`);
  }
}
