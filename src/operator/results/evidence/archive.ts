import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { HISTORY_LABEL, OUTCOME_ANNOTATION, PARTS_ANNOTATION, RESULT_LOG_LABEL } from '../../../api/keys.ts';
import { findingsName, historyName, partName } from '../../../api/names.ts';
import type { KeptFailure } from '../../../api/nodestatus.ts';
import { dataDigest, type HistoryEntry, linkDigest } from '../../../evidence/chain.ts';
import {
  DIGEST_ANNOTATION,
  FINDING_ANNOTATION,
  MESSAGE_ANNOTATION,
  PAGES_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from '../../../evidence/kept.ts';
import { apply, find, type Place, range, removeNumbered, withoutOthers } from '../inbox/place.ts';
import type { Sender } from '../inbox/slot.ts';
import { isLabelledAs } from '../inbox/slot.ts';
import { configMapOf } from './copy.ts';

import type { KeptSketch } from './types.ts';

/** Config maps that a kept failure can have: messages had more once. */
const KEPT_LIMIT = 999;

/** What the first config map of a kept failure says of it. */
export function sketchOf({ metadata }: ConfigMap): KeptSketch {
  const { name = '', annotations = {} } = metadata ?? {};
  const { [FINDING_ANNOTATION]: finding } = annotations;
  return {
    name,
    ...(finding !== undefined && { finding }),
    sequence: wholeNumber(annotations[SEQUENCE_ANNOTATION]),
    digest: annotations[DIGEST_ANNOTATION] ?? '',
    previous: annotations[PREVIOUS_ANNOTATION] ?? '',
    message: annotations[MESSAGE_ANNOTATION] ?? '',
    parts: Math.min(KEPT_LIMIT, Math.max(1, wholeNumber(annotations[PARTS_ANNOTATION]) ?? 1)),
    pages: Math.min(KEPT_LIMIT, wholeNumber(annotations[PAGES_ANNOTATION]) ?? 0),
  };
}

/** The earlier failures of a node, of the first config maps of all. */
export function earlierOf(all: Iterable<ConfigMap>, { namespace, sender }: Place): KeptSketch[] {
  const sketches: KeptSketch[] = [];
  for (const configMap of all) {
    const { labels = {}, namespace: where } = configMap.metadata ?? {};
    if (HISTORY_LABEL in labels && where === namespace && isLabelledAs(configMap, sender)) {
      sketches.push(sketchOf(configMap));
    }
  }
  return sketches;
}

/**
 * Copies the newest failure, its pages and all, to where it stays when a newer one takes its place; one config map at a
 * time, the first last: when that is there, all is done already.
 */
export async function archive(newest: ConfigMap, sequence: number, place: Place): Promise<void> {
  const { name: from, message } = sketchOf(newest);
  const to = historyName(from, sequence);
  const there = withoutOthers(await find(to, place), place);
  if (there?.metadata?.annotations?.[MESSAGE_ANNOTATION] === message) return;
  await copyRest(newest, to, place);
  const { [RESULT_LOG_LABEL]: _, ...labels } = newest.metadata?.labels ?? {};
  const marks = { labels: { ...labels, [HISTORY_LABEL]: '' }, sequence };
  await write(newest, to, marks, place);
}

/** Copies an earlier failure to the place of the newest, since it was found again; the first config map last. */
export async function restore(earlier: ConfigMap, to: string, place: Place): Promise<void> {
  await copyRest(earlier, to, place);
  const { [HISTORY_LABEL]: _, ...labels } = earlier.metadata?.labels ?? {};
  await write(earlier, to, { labels: { ...labels, [RESULT_LOG_LABEL]: '' } }, place);
}

/** Copies all config maps of a kept failure but the first. */
async function copyRest(first: ConfigMap, to: string, place: Place): Promise<void> {
  const { name: from, parts, pages } = sketchOf(first);
  const rest = [
    ...range(2, parts).map((number) => [partName(from, number), partName(to, number)] as const),
    ...range(1, pages).map(
      (number) => [partName(findingsName(from), number), partName(findingsName(to), number)] as const,
    ),
  ];
  for (const [source, target] of rest) {
    const copied = await find(source, place);
    if (copied) await write(copied, target, {}, place);
  }
}

/** What was found of a failure that is on record; undefined while that cannot be told. */
export async function entryOf(
  { sequence, digest }: KeptFailure,
  newest: ConfigMap | undefined,
  to: string,
  message: string,
  place: Place,
): Promise<HistoryEntry | undefined> {
  const archived = await find(historyName(to, sequence), place);
  const first = archived ?? (isNumber(newest, sequence) ? newest : undefined);
  if (!first) return { sequence, digest, found: undefined };
  const { name, parts, previous } = sketchOf(first);
  const digests = [dataDigest(first.data)];
  for (const number of range(2, parts)) {
    const part = await find(partName(name, number), place);
    // The new one is being written over it, since there is no room for this one in the history.
    if (part?.metadata?.annotations?.[MESSAGE_ANNOTATION] === message) return undefined;
    digests.push(part ? dataDigest(part.data) : '');
  }
  const found = linkOf(first, digests, place.sender);
  return { sequence, digest, found: { previous, digest: linkDigest(found) } };
}

/** Its number may have been taken from it. */
function isNumber(newest: ConfigMap | undefined, sequence: number): boolean {
  return newest !== undefined && (sketchOf(newest).sequence ?? sequence) === sequence;
}

function linkOf(first: ConfigMap, parts: readonly string[], { integrity, node }: Sender) {
  const { sequence = 0, previous, message } = sketchOf(first);
  const outcome = first.metadata?.annotations?.[OUTCOME_ANNOTATION] ?? '';
  return { sequence, previous, integrity, node, message, outcome, parts };
}

/** Removes a kept failure, the first config map last. */
export async function removeKept({ name, parts, pages }: KeptSketch, place: Place): Promise<void> {
  await removeNumbered(findingsName(name), range(1, pages), place);
  await removeNumbered(name, range(2, parts), place);
  await removeNumbered(name, [1], place);
}

async function write(
  { metadata, data = {} }: ConfigMap,
  name: string,
  { labels = metadata?.labels ?? {}, sequence }: { labels?: Record<string, string>; sequence?: number },
  place: Place,
): Promise<void> {
  const annotations = {
    ...metadata?.annotations,
    ...(sequence !== undefined && { [SEQUENCE_ANNOTATION]: String(sequence) }),
  };
  await apply(configMapOf(name, '', place, { labels, annotations, data }), place);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
