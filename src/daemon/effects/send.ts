import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  BASELINE_LABEL,
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  INTEGRITY_LOG_KEY,
  LOG_ERROR_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  REPORT_JSON_KEY,
} from '../../api/keys.ts';
import { labelValue, PARTS_LIMIT, partName, resultName } from '../../api/names.ts';
import type { Outcome } from '../../api/protocol.ts';
import type { Client } from '../../kube/client.ts';
import { ApiError, isAlreadyExists } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import { explain, FioError } from '../../lib/errors.ts';
import { openRegular } from '../disk/files.ts';
import { outboxFile } from '../disk/paths.ts';
import type { Message, ReportFiles } from '../machine/outbox.ts';
import { PART_BYTES, type Part, planParts } from '../scans/parts.ts';

/** Whose results these are, and where they go. */
export interface MessageRoute {
  client: Client;
  namespace: string;
  /** Name of the FileIntegrity. */
  integrity: string;
  node: string;
  /** Where reports lie; see `outboxOf`. */
  outbox: string;
}

export type SendResult =
  | { type: 'stored' }
  /** `squatted`: what is in the slot is no daemon's message for this node. */
  | { type: 'busy'; squatted: boolean }
  | { type: 'unsent'; message: string }
  | { type: 'refused'; message: string };

/** The daemon itself keeps less of each; a larger file was put there by somebody else, or by an earlier daemon. */
const REPORT_BYTES = PARTS_LIMIT * PART_BYTES;

/**
 * Puts a message into the node's slot: the temporary config map. May be repeated: the slot is looked at first, and parts
 * are written over. Large reports go in parts of 900 KiB, of which one is in memory at a time; the first, which makes the
 * message visible, goes last. Never throws.
 */
export async function sendMessage(route: MessageRoute, message: Message, signal: AbortSignal): Promise<SendResult> {
  try {
    const taken = await slotHolder(route, signal);
    if (taken !== undefined) return resultOf(taken, message);
    const report = message.withoutReport === undefined ? message.report : undefined;
    const parts = await partsOf(route, report);
    for (let number = 2; number <= parts.length; number += 1) {
      await writePart(route, await configMapOf(route, message, parts, number), signal);
    }
    if (report !== undefined) await removeParts(route, parts.length + 1, signal);
    try {
      await route.client.create(configMaps, await configMapOf(route, message, parts, 1), { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return resultOf(await slotHolder(route, signal), message);
    }
    return { type: 'stored' };
  } catch (error) {
    const never = error instanceof ApiError && [400, 413, 422].includes(error.status);
    // A report that cannot be read any more would otherwise hold up all that comes after it.
    const local = error instanceof Error && 'syscall' in error && 'path' in error;
    const unreadable = local || (error instanceof FioError && !error.code.startsWith('KUBE_'));
    return { type: never || unreadable ? 'refused' : 'unsent', message: explain(error) };
  }
}

/** What is in the slot. `id`: empty when it is no message of ours. */
interface Holder {
  readonly id: string;
  readonly squatted: boolean;
}

function resultOf(holder: Holder | undefined, { outcome }: Message): SendResult {
  if (holder?.id === outcome.id) return { type: 'stored' };
  return { type: 'busy', squatted: holder?.squatted ?? false };
}

/** Undefined when the slot is free. Of what is there only the metadata is read, which anybody may have written. */
async function slotHolder(
  { client, namespace, integrity, node }: MessageRoute,
  signal: AbortSignal,
): Promise<Holder | undefined> {
  const ref = { namespace, name: resultName(integrity, node) };
  const found = await client.find(configMaps, ref, { metadata: true, signal });
  if (found === undefined) return undefined;
  const { labels = {}, annotations = {} } = found.metadata ?? {};
  const isMessage =
    LOG_LABEL in labels && labels[OWNER_LABEL] === labelValue(integrity) && labels[NODE_LABEL] === labelValue(node);
  if (!isMessage) return { id: '', squatted: true };
  try {
    const outcome = JSON.parse(annotations[OUTCOME_ANNOTATION] ?? '') as Partial<Outcome> | null;
    return { id: outcome?.id ?? '', squatted: false };
  } catch {
    return { id: '', squatted: false }; // an earlier operator's daemon left it; ours folds and deletes it
  }
}

/**
 * A part that is there already is of an earlier attempt, since the operator empties the slot in the opposite order. It is
 * created anew, because the operator removes old parts without a message, and their age counts from their creation.
 */
async function writePart({ client }: MessageRoute, part: ConfigMap, signal: AbortSignal): Promise<void> {
  try {
    await client.create(configMaps, part, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { namespace = '', name = '' } = part.metadata ?? {};
    await client.remove(configMaps, { namespace, name }, { signal });
    await client.create(configMaps, part, { signal });
  }
}

/** Parts of a longer message that an earlier daemon began to send and never finished. */
async function removeParts({ client, namespace, integrity, node }: MessageRoute, from: number, signal: AbortSignal) {
  const remove = async (number: number) =>
    await client.remove(configMaps, { namespace, name: partName(resultName(integrity, node), number) }, { signal });
  for (let number = from; await remove(number); number += 1);
}

async function partsOf({ outbox }: MessageRoute, report: ReportFiles | undefined): Promise<Part[]> {
  if (report === undefined) return planParts(0, 0);
  const parts = planParts(await sizeOf(outbox, report.log), await sizeOf(outbox, report.json));
  if (parts.length <= PARTS_LIMIT) return parts;
  throw new FioError(
    'REPORT_TOO_LARGE',
    `The report would take ${parts.length} config maps, and may have ${PARTS_LIMIT}`,
  );
}

async function configMapOf(
  { namespace, integrity, node, outbox }: MessageRoute,
  { outcome, report, withoutReport }: Message,
  parts: readonly Part[],
  number: number,
): Promise<ConfigMap> {
  const part = parts[number - 1] ?? { log: [0, 0], json: [0, 0] };
  const name = partName(resultName(integrity, node), number);
  const owned = { [OWNER_LABEL]: labelValue(integrity), [NODE_LABEL]: labelValue(node) };
  const compressed = withoutReport === undefined && report?.compressed === true;
  const data: Record<string, string> = {};
  if (withoutReport !== undefined) {
    data[INTEGRITY_LOG_KEY] = `${withoutReport}\n`;
  } else if (report !== undefined) {
    const encoding = compressed ? 'base64' : 'utf8';
    if (part.log[1] > part.log[0]) data[INTEGRITY_LOG_KEY] = await readPiece(outbox, report.log, part.log, encoding);
    if (number === 1 && (report.head !== undefined || report.note !== undefined)) {
      data[INTEGRITY_LOG_KEY] = `${report.head ?? ''}${data[INTEGRITY_LOG_KEY] ?? ''}${report.note ?? ''}`;
    }
    if (part.json[1] > part.json[0]) data[REPORT_JSON_KEY] = await readPiece(outbox, report.json, part.json, encoding);
  }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: { ...owned, ...(number === 1 ? labelsOf(outcome) : { [PART_LABEL]: String(number) }) },
      annotations: {
        ...(compressed && { [COMPRESSED_ANNOTATION]: '' }),
        ...(number === 1 && annotationsOf(outcome)),
        ...(number === 1 && parts.length > 1 && { [PARTS_ANNOTATION]: String(parts.length) }),
      },
    },
    data,
  };
}

function labelsOf(outcome: Outcome): Record<string, string> {
  return outcome.kind === 'baseline' ? { [LOG_LABEL]: '', [BASELINE_LABEL]: '' } : { [LOG_LABEL]: '' };
}

function annotationsOf(outcome: Outcome): Record<string, string> {
  const annotations = { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) };
  if (outcome.kind !== 'scan') return annotations;
  const { verdict, counts, errorMessage } = outcome;
  return {
    ...annotations,
    ...(verdict === 'Errored' && { [LOG_ERROR_ANNOTATION]: errorMessage ?? 'The scan could not be done.' }),
    ...(counts !== undefined && {
      [FILES_ADDED_ANNOTATION]: String(counts.added),
      [FILES_CHANGED_ANNOTATION]: String(counts.changed),
      [FILES_REMOVED_ANNOTATION]: String(counts.removed),
    }),
  };
}

async function sizeOf(outbox: string, name: string | undefined): Promise<number> {
  if (name === undefined) return 0;
  await using file = await openRegular(outboxFile(outbox, name));
  const { size } = await file.stat();
  if (size > REPORT_BYTES) throw new FioError('REPORT_TOO_LARGE', `${name} has ${size} bytes, more than a report has`);
  return size;
}

async function readPiece(
  outbox: string,
  name: string | undefined,
  [from, to]: readonly [number, number],
  encoding: 'base64' | 'utf8',
): Promise<string> {
  await using file = await openRegular(outboxFile(outbox, name ?? ''));
  const buffer = Buffer.allocUnsafe(to - from);
  const { bytesRead } = await file.read(buffer, 0, to - from, from);
  return buffer.subarray(0, bytesRead).toString(encoding);
}
