import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { OUTCOME_ANNOTATION, REPORT_JSON_KEY, RESULT_LOG_LABEL } from '../../api/keys.ts';
import { failedName, findingsName, historyName, PARTS_LIMIT, partName } from '../../api/names.ts';
import type { KeptFailure } from '../../api/nodestatus.ts';
import type { Outcome, ScanOutcome } from '../../api/outcome.ts';
import { parseOutcome } from '../../api/outcome-schema.ts';
import { archive, earlierOf, entryOf, sketchOf } from './archive.ts';
import { copyOf, sourceOf } from './copy.ts';
import { writePages } from './findings.ts';
import { countsIn } from './fold.ts';
import {
  dataDigest,
  HISTORY_MAPS,
  type HistoryBreak,
  type HistoryPlan,
  type KeptSketch,
  linkDigest,
  planHistory,
  verifyHistory,
} from './history.ts';
import { apply, find, findMetadata, type Place, range, removeNumbered } from './place.ts';
import type { KeepReport } from './plan.ts';
import {
  DIGEST_ANNOTATION,
  isLabelledAs,
  MESSAGE_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from './slot.ts';

/** What keeping a failure looks at beside the failure. */
export interface KeepWorld extends Place {
  /** The Failed results that the node status has on record, newest first. */
  readonly listed: readonly KeptFailure[];
  /** How many are kept beside the newest. */
  readonly limit: number;
  /** The first config maps of all earlier failures; their metadata is enough. */
  readonly known: () => Iterable<ConfigMap>;
  /** Told at once of what does not hold of the failures that are on record. */
  readonly onBroken: (breaks: readonly HistoryBreak[]) => void;
}

/** What came of it. */
export interface Kept {
  /** Config map with the first page of the structured findings. */
  readonly findings?: string;
  /** Of a Failed result: what the node status has on record from now on. */
  readonly failures?: readonly KeptFailure[];
  /** Earlier failures to remove, once that is written. */
  readonly surplus: readonly KeptSketch[];
}

/**
 * Keeps a report where it outlives its message, with structured findings beside it, and what was kept before as a part of
 * the history; one config map at a time, so that a report of any size takes the memory of one. The first is written last;
 * when it carries the message's id, all is done already.
 * @throws FioError `REPORT_INCOMPLETE` when a part is not there any more; the plan is made anew then.
 */
export async function keepReport(keep: KeepReport, world: KeepWorld): Promise<Kept> {
  const newest = await find(keep.to, world);
  const history = keep.label === RESULT_LOG_LABEL ? historyOf(keep, newest, world) : undefined;
  if (history && newest && sketchOf(newest).message === keep.scan.id) {
    return keptAs(keep, sketchOf(newest), history, await withUnlisted(sketchOf(newest), keep, world.listed, world));
  }
  if (!history) return await keepAside(keep, newest, world);
  const listed = await verified(keep, newest, world);
  if (newest && history.archive !== undefined) await archive(newest, history.archive, world);
  const kept = sketchOf(await replace(keep, newest, history, world));
  return keptAs(keep, kept, history, await withUnlisted(kept, keep, listed, world));
}

/**
 * Keeps a report that counts as no finding. If it counted as one before, and only the status did not say so yet, it is on
 * record all the same, since it is what is kept as the newest failure.
 */
async function keepAside(keep: KeepReport, before: ConfigMap | undefined, world: KeepWorld): Promise<Kept> {
  if (!before || sketchOf(before).message !== keep.scan.id) await replace(keep, before, undefined, world);
  const { sender, listed } = world;
  const name = failedName(sender.integrity, sender.node);
  const newest = await find(name, world);
  const [last] = listed;
  if (!newest || sketchOf(newest).sequence !== (last?.sequence ?? 0) + 1) return { surplus: [] };
  // Where none are kept beside the newest, the one before it is gone.
  const isThere = last && (await find(historyName(name, last.sequence), world)) !== undefined;
  const earlier = isThere ? listed.map((each) => ({ ...each, configMapName: historyName(name, each.sequence) })) : [];
  return { failures: [failureOf(newest, keep.probedAt), ...earlier], surplus: [] };
}

async function replace(
  keep: KeepReport,
  before: ConfigMap | undefined,
  history: HistoryPlan | undefined,
  world: KeepWorld,
): Promise<ConfigMap> {
  // Written by another, it would keep what that one wrote into it.
  if (before && !isOurs(before)) await removeNumbered(keep.to, [1], world);
  await removeSurplusParts(keep, before, world);
  return await writeReport(keep, before, history, world);
}

/**
 * The failures on record, and those between them and the new one that are not among them: they were kept, and the status
 * that was to list each was never written, because an update began on the node meanwhile, say, or a newer heartbeat came.
 * Else the record had a hole.
 */
async function withUnlisted(
  { sequence = 0 }: KeptSketch,
  { to }: KeepReport,
  listed: readonly KeptFailure[],
  world: KeepWorld,
): Promise<readonly KeptFailure[]> {
  const [last] = listed;
  if (!last) return listed;
  const unlisted: KeptFailure[] = [];
  for (const number of range(Math.max(last.sequence + 1, sequence - HISTORY_MAPS), sequence - 1)) {
    const found = await find(historyName(to, number), world);
    if (found) unlisted.unshift(failureOf(found, last.lastProbeTime));
  }
  return [...unlisted, ...listed];
}

/**
 * A kept failure as its config map tells of it.
 * @param otherwise the time of the scan where it does not tell
 */
function failureOf(configMap: ConfigMap, otherwise: string): KeptFailure {
  const outcome = readOutcome(configMap.metadata?.annotations?.[OUTCOME_ANNOTATION]);
  const scan = outcome?.kind === 'scan' ? outcome : undefined;
  const sketch = sketchOf(configMap);
  return listing(sketch, sketch.sequence ?? 0, scan?.finishedAt ?? otherwise, scan);
}

/** A kept failure as a node status lists it. */
function listing(
  { name, digest }: KeptSketch,
  sequence: number,
  lastProbeTime: string,
  scan: Pick<ScanOutcome, 'counts' | 'baselineFault'> = {},
): KeptFailure {
  return {
    sequence,
    digest,
    configMapName: name,
    lastProbeTime,
    ...countsIn(scan),
    ...(scan.baselineFault !== undefined && { baselineFault: scan.baselineFault }),
  };
}

function readOutcome(text: string | undefined): Outcome | undefined {
  try {
    return text === undefined ? undefined : parseOutcome(text);
  } catch {
    return undefined;
  }
}

function isOurs({ metadata }: ConfigMap): boolean {
  return metadata?.annotations?.[MESSAGE_ANNOTATION] !== undefined;
}

function historyOf(
  { scan, to }: KeepReport,
  newest: ConfigMap | undefined,
  { listed, limit, known, ...place }: KeepWorld,
): HistoryPlan {
  const kept = newest && sketchOf(newest);
  // Only then can there be earlier ones, and a fleet that fails at once must not look through all that there is.
  const earlier = kept || listed.length > 0 ? earlierOf(known(), place) : [];
  const nameOf = (sequence: number) => historyName(to, sequence);
  return planHistory({ message: scan.id, nameOf, kept, earlier, listed, limit });
}

/** Of the failures on record those that are still there; what does not hold is told. */
async function verified(
  { to, scan }: KeepReport,
  newest: ConfigMap | undefined,
  world: KeepWorld,
): Promise<readonly KeptFailure[]> {
  const entries = [];
  for (const failure of world.listed) entries.push(await entryOf(failure, newest, to, scan.id, world));
  const breaks = verifyHistory(entries.filter((entry) => entry !== undefined));
  if (breaks.length > 0) world.onBroken(breaks);
  const removed = new Set(breaks.filter(({ fault }) => fault === 'removed').map(({ sequence }) => sequence));
  return world.listed.filter(({ sequence }) => !removed.has(sequence));
}

function keptAs(
  { to, scan, probedAt }: KeepReport,
  sketch: KeptSketch,
  history: HistoryPlan,
  listed: readonly KeptFailure[],
): Kept {
  const findings = sketch.pages > 0 ? { findings: findingsName(to) } : {};
  const failure = listing(sketch, sketch.sequence ?? 1, probedAt, scan);
  const earlier = listed
    .filter((each) => each.sequence !== failure.sequence && history.staying.has(each.sequence))
    .map((each) => ({ ...each, configMapName: historyName(to, each.sequence) }));
  return { ...findings, failures: [failure, ...earlier], surplus: history.surplus };
}

/** Parts that an earlier report had, and this one has not. */
async function removeSurplusParts(
  { to, parts }: KeepReport,
  before: ConfigMap | undefined,
  world: KeepWorld,
): Promise<void> {
  const surplus = range(parts + 1, before ? sketchOf(before).parts : await partsLeft(to, parts, world));
  await removeNumbered(to, surplus, world);
}

/** Somebody removed a report, and left its parts: the number of the last that is there. */
async function partsLeft(to: string, from: number, world: KeepWorld): Promise<number> {
  let last = from;
  while (last < PARTS_LIMIT) {
    const part = await findMetadata(partName(to, last + 1), world);
    // Names can meet: what is no part of this node's is left alone.
    if (!part || !isOurs(part) || !isLabelledAs(part, world.sender)) return last;
    last += 1;
  }
  return last;
}

async function writeReport(
  keep: KeepReport,
  before: ConfigMap | undefined,
  history: HistoryPlan | undefined,
  world: KeepWorld,
): Promise<ConfigMap> {
  const digests: string[] = [];
  const withJson: number[] = [];
  let source: ConfigMap | undefined;
  for (const number of range(1, keep.parts).reverse()) {
    source = await sourceOf(keep, number, world);
    if (source?.data?.[REPORT_JSON_KEY] !== undefined) withJson.unshift(number);
    const copy = copyOf(source, keep, number, world);
    digests.unshift(dataDigest(copy.data));
    if (number > 1) await apply(copy, world);
  }
  const pages = await writePages(keep, source, withJson, before, world);
  const copy = copyOf(source, keep, 1, world);
  const annotations = {
    ...copy.metadata?.annotations,
    ...pages,
    ...(history && linked(keep, source, history, digests, world)),
  };
  const first = { ...copy, metadata: { ...copy.metadata, annotations } };
  await apply(first, world);
  return first;
}

/** The place in the chain of the node's kept failures. */
function linked(
  { scan }: KeepReport,
  source: ConfigMap | undefined,
  { sequence, previous }: HistoryPlan,
  parts: readonly string[],
  { sender: { integrity, node } }: KeepWorld,
): Record<string, string> {
  const outcome = source?.metadata?.annotations?.[OUTCOME_ANNOTATION] ?? '';
  const digest = linkDigest({ sequence, previous, integrity, node, message: scan.id, outcome, parts });
  return {
    [SEQUENCE_ANNOTATION]: String(sequence),
    [DIGEST_ANNOTATION]: digest,
    [PREVIOUS_ANNOTATION]: previous,
  };
}
