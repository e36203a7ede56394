import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { FIELD_MANAGER } from '../../../api/keys.ts';
import { partName } from '../../../api/names.ts';
import type { Client } from '../../../kube/client.ts';
import { configMaps } from '../../../kube/resources.ts';
import type { Sender } from './slot.ts';

/** Where kept failures are read from and written to. */
export interface Place {
  readonly client: Client;
  readonly namespace: string;
  readonly sender: Sender;
  readonly signal: AbortSignal;
}

export function find(name: string, { client, namespace, signal }: Place): Promise<ConfigMap | undefined> {
  return client.find(configMaps, { namespace, name }, { signal });
}

/** What a config map is, without what is in it. */
export function findMetadata(
  name: string,
  { client, namespace, signal }: Pick<Place, 'client' | 'namespace' | 'signal'>,
): Promise<ConfigMap | undefined> {
  return client.find(configMaps, { namespace, name }, { signal, metadata: true });
}

export async function apply(configMap: ConfigMap, { client, signal }: Place): Promise<void> {
  await client.apply(configMaps, configMap, { fieldManager: FIELD_MANAGER, signal });
}

/** Removes those of a number of config maps that are still there. */
export async function removeNumbered(
  first: string,
  numbers: readonly number[],
  { client, namespace, signal }: Pick<Place, 'client' | 'namespace' | 'signal'>,
): Promise<void> {
  for (const number of numbers) {
    await client.remove(configMaps, { namespace, name: partName(first, number) }, { signal });
  }
}

/** `from` to `to`, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
