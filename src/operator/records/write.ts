import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { CLOSING_LABEL, OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import type { Tools } from '../tools.ts';
import { type ClosingRecord, closingMap } from './closing.ts';
import { kindOf, lackingIn, type ReinitRecord, recordMap, supplementOf } from './record.ts';

/**
 * Writes a record, once: one that is there already stays as it is. Then removes the oldest of the FileIntegrity's, of which
 * `spec.history.reinitRecords` stay; of those of node updates as many again, so that updates push out no others; and the
 * same of those that tell what new baselines accepted.
 */
export async function writeRecord(record: ReinitRecord, tools: Tools, signal: AbortSignal): Promise<void> {
  const created = await create(record, tools, signal);
  if (created) await prune(created, record, tools, signal);
}

/** The same for what new baselines accepted. */
export async function writeClosingRecord(record: ClosingRecord, tools: Tools, signal: AbortSignal): Promise<void> {
  const object = closingMap(record);
  try {
    await tools.client.create(configMaps, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return; // before a crash
  }
  await prune(object, record, tools, signal);
}

/** What there is more now; undefined when all was there. */
async function create(record: ReinitRecord, tools: Tools, signal: AbortSignal): Promise<ConfigMap | undefined> {
  const object = recordMap(record);
  try {
    await tools.client.create(configMaps, object, { signal });
    return object;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const { name = '', namespace = '' } = object.metadata ?? {};
  const there = await tools.client.find(configMaps, { namespace, name }, { signal });
  const lacking = lackingIn(there?.data?.[RECORD_KEY], record);
  return lacking.length > 0 ? create(supplementOf(record, lacking), tools, signal) : undefined;
}

async function prune(
  created: ConfigMap,
  { integrity }: Pick<ReinitRecord, 'integrity'>,
  { client, stores }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const { name: own, namespace = '', labels } = created.metadata ?? {};
  const others = [...stores.configMaps.list()].filter(
    (other) =>
      other.metadata?.namespace === namespace &&
      other.metadata.name !== own &&
      RECORD_LABEL in (other.metadata.labels ?? {}) &&
      other.metadata.labels?.[OWNER_LABEL] === labels?.[OWNER_LABEL] &&
      CLOSING_LABEL in (other.metadata.labels ?? {}) === CLOSING_LABEL in (labels ?? {}) &&
      kindOf(other) === kindOf(created),
  );
  const madeAt = ({ metadata }: ConfigMap) => metadata?.creationTimestamp ?? '';
  const newestFirst = others.sort((one, other) => madeAt(other).localeCompare(madeAt(one)));
  for (const { metadata } of newestFirst.slice(integrity.spec.history.reinitRecords - 1)) {
    await client.remove(configMaps, { namespace, name: metadata?.name ?? '' }, { signal });
  }
}
