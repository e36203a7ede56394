import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { PAGES } from '../../aide/findings.ts';
import { FINDINGS_VERSION, type FindingsHead } from '../../api/findings.ts';
import {
  COMPRESSED_ANNOTATION,
  FIELD_MANAGER,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  FINDINGS_KEY,
  FINDINGS_LABEL,
  INCOMPLETE_ANNOTATION,
  INTEGRITY_LOG_KEY,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  REPORT_JSON_KEY,
  RESULT_LOG_LABEL,
} from '../../api/keys.ts';
import { findingsName, historyName, labelValue, partName } from '../../api/names.ts';
import type { KeptFailure } from '../../api/nodestatus.ts';
import { ApiError } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import { FioError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { archive, earlierOf, entryOf, type Place, range, removeNumbered, sketchOf } from './archive.ts';
import {
  dataDigest,
  type HistoryBreak,
  type HistoryPlan,
  type KeptSketch,
  linkDigest,
  planHistory,
  verifyHistory,
} from './history.ts';
import { makePages } from './pages.ts';
import type { KeepReport } from './plan.ts';
import {
  DIGEST_ANNOTATION,
  MESSAGE_ANNOTATION,
  NO_PAGES_ANNOTATION,
  PAGES_ANNOTATION,
  PREVIOUS_ANNOTATION,
  partsThere,
  SEQUENCE_ANNOTATION,
} from './slot.ts';

/** What keeping a failure looks at beside the failure. */
export interface KeepWorld extends Place {
  /** The Failed results that the node status has on record, newest first. */
  readonly listed: readonly KeptFailure[];
  /** How many are kept beside the newest. */
  readonly limit: number;
  /** All config maps; of their data, the keys are enough. */
  readonly known: () => Iterable<ConfigMap>;
  readonly get: (name: string) => ConfigMap | undefined;
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
  if (newest && sketchOf(newest).message === keep.scan.id) {
    return keptAs(keep, sketchOf(newest), history, world.listed);
  }
  const listed = history ? await verified(keep, newest, world) : [];
  if (newest && history?.archive !== undefined) await archive(newest, history.archive, world);
  // Written by another, it would keep what that one wrote into it.
  if (newest?.metadata?.annotations?.[MESSAGE_ANNOTATION] === undefined) await removeNumbered(keep.to, [1], world);
  await removeSurplusParts(keep, world);
  const first = await writeReport(keep, newest, history, world);
  return keptAs(keep, sketchOf(first), history, listed);
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
  { to, scan, label, probedAt }: KeepReport,
  { sequence = 1, digest, pages }: KeptSketch,
  history: HistoryPlan | undefined,
  listed: readonly KeptFailure[],
): Kept {
  const findings = pages > 0 ? { findings: findingsName(to) } : {};
  if (!history || label !== RESULT_LOG_LABEL) return { ...findings, surplus: [] };
  const failure: KeptFailure = {
    sequence,
    digest,
    configMapName: to,
    lastProbeTime: probedAt,
    ...(scan.counts && {
      filesAdded: scan.counts.added,
      filesChanged: scan.counts.changed,
      filesRemoved: scan.counts.removed,
    }),
    ...(scan.baselineFault !== undefined && { baselineFault: scan.baselineFault }),
  };
  const earlier = listed
    .filter((each) => each.sequence !== sequence && history.staying.has(each.sequence))
    .map((each) => ({ ...each, configMapName: historyName(to, each.sequence) }));
  return { ...findings, failures: [failure, ...earlier], surplus: history.surplus };
}

/** Parts that an earlier report had, and this one has not. */
async function removeSurplusParts({ to, parts }: KeepReport, world: KeepWorld): Promise<void> {
  const surplus = partsThere(to, world.sender, world.get).filter((number) => number > parts);
  await removeNumbered(to, surplus, world);
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

/** A config map of the message; undefined for what came without one. */
async function sourceOf({ from }: KeepReport, number: number, world: KeepWorld): Promise<ConfigMap | undefined> {
  if (!from) return undefined;
  const name = partName(from.name, number);
  const source = await find(name, world);
  if (source && (number > 1 || source.metadata?.uid === from.uid)) return source;
  throw new FioError('REPORT_INCOMPLETE', `The config map ${name}, part ${number} of a report, is not there.`);
}

/** Of a message's data, the reports and nothing else that a daemon might have put there. */
function copyOf(source: ConfigMap | undefined, keep: KeepReport, number: number, world: KeepWorld): ConfigMap {
  const data = Object.fromEntries(
    Object.entries(source?.data ?? {}).filter(([key]) => key === INTEGRITY_LOG_KEY || key === REPORT_JSON_KEY),
  );
  const isCompressed = source?.metadata?.annotations?.[COMPRESSED_ANNOTATION] !== undefined;
  const lacksText = number === 1 && !isCompressed && data[INTEGRITY_LOG_KEY] === undefined;
  return configMapOf(partName(keep.to, number), keep, world, {
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

/** Writes the structured findings, where they can be made; what a report is like holds up no result. */
async function writePages(
  keep: KeepReport,
  first: ConfigMap | undefined,
  withJson: readonly number[],
  before: ConfigMap | undefined,
  world: KeepWorld,
): Promise<Record<string, string>> {
  const to = findingsName(keep.to);
  const isCompressed = first?.metadata?.annotations?.[COMPRESSED_ANNOTATION] !== undefined;
  async function* texts(): AsyncGenerator<string> {
    for (const number of withJson) {
      const part = number === 1 ? first : await sourceOf(keep, number, world);
      yield part?.data?.[REPORT_JSON_KEY] ?? '';
    }
  }
  const made =
    withJson.length === 0
      ? { problem: 'REPORT_MISSING: The daemon sent no JSON report' }
      : await makePages(texts, isCompressed, headOf(keep, world), world.signal);
  const { pages = [] } = made;
  let { problem } = made;
  try {
    for (const [index, page] of pages.entries()) {
      const name = partName(to, index + 1);
      const parts = { labels: { [FINDINGS_LABEL]: '' }, annotations: {}, data: { [FINDINGS_KEY]: page } };
      await apply(configMapOf(name, keep, world, parts), world);
    }
  } catch (error) {
    if (!(error instanceof ApiError && [400, 403, 413, 422].includes(error.status))) throw error;
    problem = `${error.code}: The API server refused the findings`;
  }
  const count = problem === undefined ? pages.length : 0;
  const known = before ? sketchOf(before).pages : await pagesLeft(to, count, world);
  await removeNumbered(to, range(count + 1, Math.max(pages.length, known)), world);
  return problem === undefined ? { [PAGES_ANNOTATION]: String(count) } : { [NO_PAGES_ANNOTATION]: problem };
}

/** Somebody removed a report, and left its pages: the number of the last that is there. */
async function pagesLeft(to: string, from: number, world: KeepWorld): Promise<number> {
  let last = from;
  while (last < PAGES && (await find(partName(to, last + 1), world))) last += 1;
  return last;
}

function headOf({ scan }: KeepReport, { sender }: KeepWorld): FindingsHead {
  const { startedAt, baselineDigest } = scan.facts ?? {};
  return {
    apiVersion: FINDINGS_VERSION,
    kind: 'Findings',
    fileIntegrity: sender.integrity,
    node: sender.node,
    message: printable(scan.id),
    scan: { ...(startedAt !== undefined && { startedAt }), finishedAt: scan.finishedAt },
    baseline: {
      ...(baselineDigest !== undefined && { digest: baselineDigest }),
      ...(scan.baselineFault !== undefined && { fault: scan.baselineFault }),
    },
    unverified: scan.baselineFault !== undefined,
  };
}

function configMapOf(
  name: string,
  { scan }: KeepReport,
  { namespace, sender }: KeepWorld,
  { labels, annotations, data }: { labels: Record<string, string>; annotations: object; data: Record<string, string> },
): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(sender.integrity),
        [NODE_LABEL]: labelValue(sender.node),
        ...labels,
      },
      annotations: { [MESSAGE_ANNOTATION]: scan.id, ...annotations },
    },
    data,
  };
}

function find(name: string, { client, namespace, signal }: Place): Promise<ConfigMap | undefined> {
  return client.find(configMaps, { namespace, name }, { signal });
}

async function apply(configMap: ConfigMap, { client, signal }: Place): Promise<void> {
  await client.apply(configMaps, configMap, { fieldManager: FIELD_MANAGER, signal });
}
