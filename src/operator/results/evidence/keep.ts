import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { OUTCOME_ANNOTATION, REPORT_JSON_KEY, RESULT_LOG_LABEL } from '../../../api/keys.ts';
import { failedName, findingsName, historyName, PARTS_LIMIT, partName } from '../../../api/names.ts';
import type { Departed, KeptFailure } from '../../../api/nodestatus.ts';
import type { Outcome, ScanOutcome } from '../../../api/protocol.ts';
import { parseOutcome } from '../../../api/protocol.ts';
import { dataDigest, type HistoryBreak, linkDigest, verifyHistory } from '../../../evidence/chain.ts';
import {
  DIGEST_ANNOTATION,
  FINDING_ANNOTATION,
  MESSAGE_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from '../../../evidence/kept.ts';
import { FioError } from '../../../lib/errors.ts';
import { countsIn } from '../inbox/message.ts';
import { apply, find, findMetadata, type Place, range, removeNumbered, withoutOthers } from '../inbox/place.ts';
import { isLabelledAs } from '../inbox/slot.ts';

import { archive, earlierOf, entryOf, restore, sketchOf } from './archive.ts';
import { copyOf, sourceOf, sourcesOf } from './copy.ts';
import { findingOf } from './finding.ts';
import { pagesLeft, writePages } from './findings.ts';
import { HISTORY_MAPS, type HistoryPlan, planHistory, type Recorded } from './history.ts';
import type { KeepReport, Kept, KeptSketch } from './types.ts';

/** What keeping a failure looks at beside the failure. */
export interface KeepWorld extends Place {
  /** The Failed results that the node status has on record, newest first. */
  readonly listed: readonly KeptFailure[];
  /** How many are kept beside the newest. */
  readonly limit: number;
  /** Which of them a record refers to. */
  readonly recorded: () => Promise<Recorded>;
  /** The first config maps of all earlier failures; their metadata is enough. */
  readonly known: () => Iterable<ConfigMap>;
  /** Told at once of what does not hold of the failures that are on record. */
  readonly onBroken: (breaks: readonly HistoryBreak[]) => void;
}

/**
 * Keeps a report where it outlives its message, with structured findings beside it, and what was kept before as a part of
 * the history; one config map at a time, so that a report of any size takes the memory of one. The first is written last;
 * when it carries the message's id, all is done already.
 *
 * What was found before, and is kept, is not kept again: it goes back to the place of the newest.
 * @throws FioError `REPORT_INCOMPLETE` when a part is not there any more; the plan is made anew then.
 */
export async function keepReport(keep: KeepReport, world: KeepWorld): Promise<Kept> {
  const newest = withoutOthers(await find(keep.to, world), world);
  if (keep.label !== RESULT_LOG_LABEL) return await keepAside(keep, newest, world);
  if (newest && sketchOf(newest).message === keep.scan.id) {
    const history = await historyOf(keep, newest, world);
    return keptAs(keep, sketchOf(newest), history, await withUnlisted(sketchOf(newest), keep, world.listed, world));
  }
  const finding = await findingOf(keep, sourcesOf(keep, world));
  const known = finding === undefined ? undefined : world.listed.find((each) => each.finding === finding);
  if (known && (await isIntact(known, newest, keep, world))) return await keepAgain(known, newest, keep, world);
  const history = await historyOf(keep, newest, world);
  const listed = await verified(keep, newest, world);
  if (newest && history.archive !== undefined) await archive(newest, history.archive, world);
  const kept = sketchOf(await replace(keep, newest, { ...history, finding }, world));
  return keptAs(keep, kept, history, await withUnlisted(kept, keep, listed, world));
}

async function isIntact(
  failure: KeptFailure,
  newest: ConfigMap | undefined,
  { to, scan }: KeepReport,
  world: KeepWorld,
): Promise<boolean> {
  return (await entryOf(failure, newest, to, scan.id, world))?.found?.digest === failure.digest;
}

/** What was found before is the newest again, which says more than what came later: it is what is on the node now. */
async function keepAgain(
  known: KeptFailure,
  newest: ConfigMap | undefined,
  keep: KeepReport,
  world: KeepWorld,
): Promise<Kept> {
  const { to, probedAt } = keep;
  const { sequence } = known;
  const isThere = newest !== undefined && sketchOf(newest).digest === known.digest;
  const history = await historyOf(keep, newest, world, sequence);
  let first = newest;
  if (!isThere) {
    if (newest && history.archive !== undefined) await archive(newest, history.archive, world);
    first = await find(historyName(to, sequence), world);
    if (!first) throw new FioError('REPORT_INCOMPLETE', `The config map ${historyName(to, sequence)} is not there.`);
    if (newest && !isOurs(newest)) await removeNumbered(to, [1], world);
    const { parts, pages } = sketchOf(first);
    await removeSurplusParts({ ...keep, parts }, newest, world);
    const before = newest ? sketchOf(newest).pages : await pagesLeft(findingsName(to), pages, world);
    await removeNumbered(findingsName(to), range(pages + 1, before), world);
    await restore(first, to, world);
  }
  const again = { ...known, configMapName: to, times: (known.times ?? 1) + 1, lastSeen: probedAt };
  const failures = namedAs(
    to,
    sequence,
    world.listed.map((each) => (each.sequence === sequence ? again : each)),
  ).filter((each) => each.sequence === sequence || history.staying.has(each.sequence));
  const hasPages = first !== undefined && sketchOf(first).pages > 0;
  return {
    ...(hasPages && { findings: findingsName(to) }),
    failures,
    newest: again,
    isResult: true,
    surplus: history.surplus.filter((each) => each.sequence !== sequence),
  };
}

/** Each under the name that it has while this one is in the place of the newest. */
function namedAs(to: string, newest: number, failures: readonly KeptFailure[]): KeptFailure[] {
  return failures.map((each) => ({
    ...each,
    configMapName: each.sequence === newest ? to : historyName(to, each.sequence),
  }));
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
  const failure = failureOf(newest, keep.probedAt);
  return { failures: [failure, ...earlier], newest: failure, surplus: [] };
}

/** A place in the history, and what is to be kept there. */
type LinkedPlan = HistoryPlan & { readonly finding: string | undefined };

async function replace(
  keep: KeepReport,
  before: ConfigMap | undefined,
  history: LinkedPlan | undefined,
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
  { to, probedAt }: KeepReport,
  listed: readonly KeptFailure[],
  world: KeepWorld,
): Promise<readonly KeptFailure[]> {
  const [last] = listed;
  if (!last) return await withoutStatus(sequence, { to, probedAt }, world);
  const unlisted: KeptFailure[] = [];
  for (const number of range(Math.max(last.sequence + 1, sequence - HISTORY_MAPS), sequence - 1)) {
    const found = await find(historyName(to, number), world);
    if (found) unlisted.unshift(failureOf(found, last.lastProbeTime));
  }
  return [...unlisted, ...listed];
}

/** The failures before this one that are there, newest first, where no status lists any: it went, and what was kept did not. */
async function withoutStatus(
  before: number,
  { to, probedAt }: Pick<KeepReport, 'to' | 'probedAt'>,
  world: Place & Pick<KeepWorld, 'known'>,
): Promise<KeptFailure[]> {
  const numbers = earlierOf(world.known(), world).flatMap(({ sequence }) => sequence ?? []);
  const failures: KeptFailure[] = [];
  for (const number of new Set(numbers.sort((one, other) => other - one))) {
    const found = number > 0 && number < before ? await find(historyName(to, number), world) : undefined;
    if (found) failures.push(failureOf(found, probedAt));
  }
  return failures;
}

/**
 * What is kept of a node whose status went, newest first, as a new status lists it.
 * @param departed what was on record of it when the status went: the digest that it has of the newest is believed, and not
 * what the config map says
 */
export async function keptOf({ kept, at }: Departed, world: Place & Pick<KeepWorld, 'known'>): Promise<KeptFailure[]> {
  const to = failedName(world.sender.integrity, world.sender.node);
  const newest = await find(to, world);
  const first = newest && sketchOf(newest).sequence !== undefined ? [failureOf(newest, at)] : [];
  const [last] = first;
  const earlier = await withoutStatus(Number.POSITIVE_INFINITY, { to, probedAt: at }, world);
  const all = [...first, ...earlier.filter(({ sequence }) => sequence !== last?.sequence)];
  // One that is not there any more is told of when the next one is kept, and its number is not given again.
  if (kept && !all.some(({ sequence }) => sequence === kept.sequence)) {
    all.push({ ...kept, configMapName: historyName(to, kept.sequence), lastProbeTime: at });
  }
  return all
    .map((each) => (each.sequence === kept?.sequence ? { ...each, digest: kept.digest } : each))
    .sort((one, other) => other.sequence - one.sequence);
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
  { name, digest, finding }: KeptSketch,
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
    ...(finding !== undefined && { finding }),
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

/** Records are read only where something would go that one may refer to. */
async function historyOf(
  { scan, to }: KeepReport,
  newest: ConfigMap | undefined,
  { listed, limit, known, recorded, ...place }: KeepWorld,
  again?: number,
): Promise<HistoryPlan> {
  const kept = newest && sketchOf(newest);
  // Only then can there be earlier ones, and a fleet that fails at once must not look through all that there is.
  const earlier = kept || listed.length > 0 ? earlierOf(known(), place) : [];
  const nameOf = (sequence: number) => historyName(to, sequence);
  const looked = { message: scan.id, nameOf, kept, earlier, listed, limit, ...(again !== undefined && { again }) };
  const plan = planHistory(looked);
  const isDropped = kept !== undefined && kept.message !== scan.id && plan.archive === undefined;
  const stays = plan.surplus.length === 0 && listed.every(({ sequence }) => plan.staying.has(sequence));
  return stays && !isDropped ? plan : planHistory({ ...looked, recorded: await recorded() });
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
  const earlier = listed.filter((each) => each.sequence !== failure.sequence && history.staying.has(each.sequence));
  const failures = [failure, ...namedAs(to, failure.sequence, earlier)];
  return { ...findings, failures, newest: failure, isResult: true, surplus: history.surplus };
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
  history: LinkedPlan | undefined,
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
    ...(history?.finding !== undefined && { [FINDING_ANNOTATION]: history.finding }),
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
