import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  COMPRESSED_ANNOTATION,
  FIELD_MANAGER,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  INCOMPLETE_ANNOTATION,
  INTEGRITY_LOG_KEY,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  REPORT_JSON_KEY,
} from '../../api/keys.ts';
import { labelValue, partName } from '../../api/names.ts';
import type { Client } from '../../kube/client.ts';
import { configMaps } from '../../kube/resources.ts';
import { FioError } from '../../lib/errors.ts';
import type { Sender } from './message.ts';
import type { KeepReport } from './plan.ts';
import { MESSAGE_ANNOTATION } from './slot.ts';

/**
 * Copies the report of a failure to where it outlives its message, one part at a time: a report of any size takes the
 * memory of one part. The first part is written last; when it carries the message's id, all is done already.
 * @param surplus numbers of parts that an earlier report had, and this one has not
 * @throws FioError `REPORT_INCOMPLETE` when a part is not there any more; the plan is made anew then.
 */
export async function keepReport(
  client: Client,
  namespace: string,
  sender: Sender,
  keep: KeepReport,
  surplus: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const kept = await client.find(configMaps, { namespace, name: keep.to }, { signal });
  if (kept?.metadata?.annotations?.[MESSAGE_ANNOTATION] === keep.messageId) return;
  await removeParts(client, namespace, keep.to, surplus, signal);
  for (let number = keep.parts; number >= 1; number--) {
    const name = partName(keep.from.name, number);
    const source = await client.find(configMaps, { namespace, name }, { signal });
    if (!source || (number === 1 && source.metadata?.uid !== keep.from.uid)) {
      throw new FioError('REPORT_INCOMPLETE', `The config map ${name}, part ${number} of a report, is not there.`);
    }
    const copy = copyOf(source, namespace, sender, keep, number);
    await client.apply(configMaps, copy, { fieldManager: FIELD_MANAGER, signal });
  }
}

/** Removes these parts of a report, those that are still there. */
export async function removeParts(
  client: Client,
  namespace: string,
  first: string,
  parts: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (const number of parts) await client.remove(configMaps, { namespace, name: partName(first, number) }, { signal });
}

/** Of a message's data, the reports and nothing else that a daemon might have put there. */
function copyOf(source: ConfigMap, namespace: string, sender: Sender, keep: KeepReport, number: number): ConfigMap {
  const data = Object.entries(source.data ?? {}).filter(
    ([key]) => key === INTEGRITY_LOG_KEY || key === REPORT_JSON_KEY,
  );
  const isCompressed = source.metadata?.annotations?.[COMPRESSED_ANNOTATION] !== undefined;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: partName(keep.to, number),
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(sender.integrity),
        [NODE_LABEL]: labelValue(sender.node),
        // Whoever lists the kept results gets each once.
        ...(number === 1 ? { [keep.label]: '' } : { [PART_LABEL]: String(number) }),
      },
      annotations: {
        ...(isCompressed && { [COMPRESSED_ANNOTATION]: '' }),
        [MESSAGE_ANNOTATION]: keep.messageId,
        ...(number === 1 && firstAnnotations(source, keep)),
      },
    },
    data: Object.fromEntries(data),
  };
}

function firstAnnotations(source: ConfigMap, { counts, parts, announced }: KeepReport): Record<string, string> {
  const outcome = source.metadata?.annotations?.[OUTCOME_ANNOTATION];
  return {
    [FILES_ADDED_ANNOTATION]: String(counts?.added ?? 0),
    [FILES_CHANGED_ANNOTATION]: String(counts?.changed ?? 0),
    [FILES_REMOVED_ANNOTATION]: String(counts?.removed ?? 0),
    ...(parts > 1 && { [PARTS_ANNOTATION]: String(parts) }),
    ...(announced !== undefined && { [INCOMPLETE_ANNOTATION]: String(announced) }),
    ...(outcome !== undefined && { [OUTCOME_ANNOTATION]: outcome }),
  };
}
