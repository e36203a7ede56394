import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { FIELD_MANAGER } from '../../../api/keys.ts';
import { partName } from '../../../api/names.ts';
import { isKept } from '../../../evidence/kept.ts';
import type { Client } from '../../../kube/client.ts';
import { configMaps } from '../../../kube/resources.ts';
import { FioError } from '../../../lib/errors.ts';
import { describeSender, isLabelledAs, isMessage, type Sender } from './slot.ts';

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

/**
 * What lies under a name where something of this node's is to be kept. Names can meet: what is kept of a node is called like
 * the message of a node `<node>-failed`, or like what is kept of another FileIntegrity's node.
 * @throws FioError `KEPT_NAME_TAKEN` when it is a message of another, or kept of another.
 */
export function withoutOthers(there: ConfigMap | undefined, { sender }: Pick<Place, 'sender'>): ConfigMap | undefined {
  if (!there || !(isMessage(there) || isKept(there)) || isLabelledAs(there, sender)) return there;
  throw new FioError(
    'KEPT_NAME_TAKEN',
    `The config map ${there.metadata?.name} is where a report is to be kept, and holds one of another: ${describeSender(there)}. Rename one of the nodes or FileIntegrities`,
  );
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
