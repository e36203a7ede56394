import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { PARTS_ANNOTATION } from '../../../api/keys.ts';
import { PARTS_LIMIT, partName } from '../../../api/names.ts';
import { isConflict } from '../../../kube/errors.ts';
import { configMaps } from '../../../kube/resources.ts';
import { findMetadata, type Place, range } from './place.ts';
import { isPartOf, senderSaid } from './slot.ts';

/**
 * The numbers of the later parts of a message that are there. One that is announced and not known is asked for: a report
 * must not be taken for incomplete because the store is.
 * @param known those that the store has, by their number
 */
export async function partsOf(
  first: string,
  slot: ConfigMap | undefined,
  known: ReadonlyMap<number, ConfigMap>,
  place: Pick<Place, 'client' | 'namespace' | 'signal'>,
): Promise<number[]> {
  if (!slot) return [];
  const sender = senderSaid(slot);
  const numbers = new Set([...known].flatMap(([number, part]) => (isPartOf(part, number, sender) ? [number] : [])));
  for (const number of range(2, announced(slot))) {
    if (numbers.has(number)) continue;
    const part = await findMetadata(partName(first, number), place);
    if (!part || !isPartOf(part, number, sender)) break;
    numbers.add(number);
  }
  return [...numbers].sort((one, other) => one - other);
}

function announced({ metadata }: ConfigMap): number {
  const text = metadata?.annotations?.[PARTS_ANNOTATION] ?? '';
  const parts = /^\d{1,3}$/.test(text) ? Number(text) : 1;
  return parts > PARTS_LIMIT ? 1 : parts;
}

/** Removes what was seen, and nothing that came in its place. */
export async function removeOrphans(
  orphans: readonly ConfigMap[],
  { client, namespace, signal }: Pick<Place, 'client' | 'namespace' | 'signal'>,
): Promise<void> {
  for (const { metadata } of orphans) {
    const { name = '', uid } = metadata ?? {};
    try {
      await client.remove(configMaps, { namespace, name }, { ...(uid !== undefined && { uid }), signal });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
