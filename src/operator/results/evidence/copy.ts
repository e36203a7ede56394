import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  COMPRESSED_ANNOTATION,
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
} from '../../../api/keys.ts';
import { labelValue, partName } from '../../../api/names.ts';
import { MESSAGE_ANNOTATION } from '../../../evidence/kept.ts';
import { FioError } from '../../../lib/errors.ts';
import { find, type Place, range } from '../inbox/place.ts';

import type { KeepReport } from './types.ts';

/**
 * A config map of the message; undefined for what came without one.
 * @throws FioError `REPORT_INCOMPLETE` when it is not there any more.
 */
export async function sourceOf({ from }: KeepReport, number: number, place: Place): Promise<ConfigMap | undefined> {
  if (!from) return undefined;
  const name = partName(from.name, number);
  const source = await find(name, place);
  if (source && (number > 1 || source.metadata?.uid === from.uid)) return source;
  throw new FioError('REPORT_INCOMPLETE', `The config map ${name}, part ${number} of a report, is not there.`);
}

/** All config maps of the message, one at a time. @throws as `sourceOf` */
export async function* sourcesOf(keep: KeepReport, place: Place): AsyncGenerator<ConfigMap | undefined> {
  for (const number of range(1, keep.parts)) yield await sourceOf(keep, number, place);
}

/** Of a message's data, the reports and nothing else that a daemon might have put there. */
export function copyOf(source: ConfigMap | undefined, keep: KeepReport, number: number, place: Place): ConfigMap {
  const data = Object.fromEntries(
    Object.entries(source?.data ?? {}).filter(([key]) => key === INTEGRITY_LOG_KEY || key === REPORT_JSON_KEY),
  );
  const isCompressed = source?.metadata?.annotations?.[COMPRESSED_ANNOTATION] !== undefined;
  const lacksText = number === 1 && !isCompressed && data[INTEGRITY_LOG_KEY] === undefined;
  return configMapOf(partName(keep.to, number), keep.scan.id, place, {
    // Whoever lists the kept results gets each once.
    labels: number === 1 ? { [keep.label]: '' } : { [PART_LABEL]: String(number) },
    annotations: {
      ...(isCompressed && { [COMPRESSED_ANNOTATION]: '' }),
      ...(number === 1 && firstAnnotations(source, keep)),
    },
    data: lacksText ? { ...data, [INTEGRITY_LOG_KEY]: withoutReport(keep) } : data,
  });
}

function withoutReport({ scan }: KeepReport): string {
  return `${scan.errorMessage ?? 'Of this scan there is no report.'}\n`;
}

function firstAnnotations(
  source: ConfigMap | undefined,
  { scan: { counts }, parts, announced }: KeepReport,
): Record<string, string> {
  const outcome = source?.metadata?.annotations?.[OUTCOME_ANNOTATION];
  return {
    [FILES_ADDED_ANNOTATION]: String(counts?.added ?? 0),
    [FILES_CHANGED_ANNOTATION]: String(counts?.changed ?? 0),
    [FILES_REMOVED_ANNOTATION]: String(counts?.removed ?? 0),
    ...(parts > 1 && { [PARTS_ANNOTATION]: String(parts) }),
    ...(announced !== undefined && { [INCOMPLETE_ANNOTATION]: String(announced) }),
    ...(outcome !== undefined && { [OUTCOME_ANNOTATION]: outcome }),
  };
}

/** One of the config maps of what is kept of a message. */
export function configMapOf(
  name: string,
  messageId: string,
  { namespace, sender }: Place,
  { labels, annotations, data }: { labels: Record<string, string>; annotations: object; data: Record<string, string> },
): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: {
        ...labels,
        [OWNER_LABEL]: labelValue(sender.integrity),
        [NODE_LABEL]: labelValue(sender.node),
      },
      annotations: { [MESSAGE_ANNOTATION]: messageId, ...annotations },
    },
    data,
  };
}
