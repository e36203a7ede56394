import { OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { labelValue } from '../../api/names.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import type { Tools } from '../tools.ts';
import { lackingIn, type ReinitRecord, recordMap, supplementOf } from './record.ts';

/**
 * Writes a record, once: one that is there already stays as it is. Then removes the oldest of the FileIntegrity's, of which
 * `spec.history.reinitRecords` stay.
 */
export async function writeRecord(record: ReinitRecord, tools: Tools, signal: AbortSignal): Promise<void> {
  if (await create(record, tools, signal)) await prune(record, tools, signal);
}

/** Whether there is one more now. */
async function create(record: ReinitRecord, tools: Tools, signal: AbortSignal): Promise<boolean> {
  const object = recordMap(record);
  try {
    await tools.client.create(configMaps, object, { signal });
    return true;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const { name = '', namespace = '' } = object.metadata ?? {};
  const there = await tools.client.find(configMaps, { namespace, name }, { signal });
  const lacking = lackingIn(there?.data?.[RECORD_KEY], record);
  return lacking.length > 0 ? create(supplementOf(record, lacking), tools, signal) : false;
}

async function prune(record: ReinitRecord, { client, stores }: Tools, signal: AbortSignal): Promise<void> {
  const { name: integrity = '', namespace = '' } = record.integrity.metadata;
  const owner = labelValue(integrity);
  const others = [...stores.configMaps.list()].filter(
    ({ metadata }) =>
      metadata?.namespace === namespace &&
      metadata.name !== record.name &&
      RECORD_LABEL in (metadata.labels ?? {}) &&
      metadata.labels?.[OWNER_LABEL] === owner,
  );
  const madeAt = (index: number) => others[index]?.metadata?.creationTimestamp ?? '';
  const newestFirst = [...others.keys()].sort((one, other) => madeAt(other).localeCompare(madeAt(one)));
  for (const index of newestFirst.slice(record.integrity.spec.history.reinitRecords - 1)) {
    const { name = '' } = others[index]?.metadata ?? {};
    await client.remove(configMaps, { namespace, name }, { signal });
  }
}
