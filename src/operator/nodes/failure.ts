import type { AcceptedFailure, NodeStatusFields, ScanResult, StandingFailure } from '../../api/nodestatus.ts';
import type { BaselineFault, BaselineOrder, BaselineReceipt } from '../../api/protocol.ts';
import { isPartlyUnseen } from './unseen.ts';

/** Accepted failures that a status keeps. */
const ACCEPTED = 10;

/** What a failure is told by. */
export type FailureFields = Pick<
  NodeStatusFields,
  'lastResult' | 'results' | 'baseline' | 'failure' | 'accepted' | 'freshness'
>;

/**
 * The failure that stands: what a scan found, until one finds no difference from the same baseline, or a new baseline accepts
 * it. A scan that could not be done, a hold, an update and all else leave it.
 */
export function standingFailure(fields: FailureFields): StandingFailure | undefined {
  const { failure, accepted, freshness, baseline } = fields;
  // A status that an earlier version wrote has no such record: its results tell.
  if (failure !== undefined || accepted !== undefined || freshness !== undefined) return failure;
  const found = newestDone(fields);
  if (found?.condition !== 'Failed') return undefined;
  if (baseline && Date.parse(baseline.createdAt) > Date.parse(found.lastProbeTime)) return undefined;
  return failureOf(found, found.lastProbeTime, baseline?.digest);
}

/** Whether a node has findings that nobody has accepted, or that no scan has looked for again since. */
export function isFailing(fields: FailureFields): boolean {
  return fields.lastResult?.condition === 'Failed' || standingFailure(fields) !== undefined;
}

/** What is the matter with the baseline: the one source of condition and metric. It counts until a scan without it. */
export function baselineFaultOf(fields: FailureFields): BaselineFault | undefined {
  return (standingFailure(fields) ?? newestDone(fields))?.baselineFault;
}

/** The newest result of a scan that was done: one that could not be done proves nothing of what was found before. */
function newestDone({ lastResult, results = [] }: FailureFields): ScanResult | undefined {
  if (lastResult?.condition !== 'Errored' && !lastResult?.unproven) return lastResult;
  const done = results.filter(({ condition, unproven }) => condition !== 'Errored' && !unproven);
  return done.sort((one, other) => Date.parse(other.lastProbeTime) - Date.parse(one.lastProbeTime))[0];
}

/**
 * The failure that stands once a result is taken in.
 * @param compared digest of the database that the scan was compared with, as far as it is proven
 */
export function failureAfter(
  fields: FailureFields,
  result: ScanResult,
  compared: string | undefined,
  now: Date,
): StandingFailure | undefined {
  const standing = standingFailure(fields);
  switch (result.condition) {
    case 'Failed':
      return failureOf(
        result,
        standing?.since ?? now.toISOString(),
        standing?.baselineDigest ?? fields.baseline?.digest ?? compared,
      );
    case 'Errored':
      return standing;
    case 'Succeeded':
      // One that did not see all that the baseline holds has not seen that what was found is gone.
      if (isPartlyUnseen(result)) return standing;
      return compared !== undefined && compared === standing?.baselineDigest ? undefined : standing;
  }
}

/** What a result of a scan that found something leaves standing. */
export function failureOf(result: ScanResult, since: string, baselineDigest: string | undefined): StandingFailure {
  const { lastProbeTime, resultConfigMapName, filesAdded, filesChanged, filesRemoved, baselineFault, mountChanges } =
    result;
  const { failureSequence, failureDigest } = result;
  return {
    since,
    lastProbeTime,
    ...(baselineDigest !== undefined && { baselineDigest }),
    ...(resultConfigMapName !== undefined && { configMapName: resultConfigMapName }),
    ...(failureSequence !== undefined && { sequence: failureSequence }),
    ...(failureDigest !== undefined && { digest: failureDigest }),
    ...(filesAdded !== undefined && { filesAdded }),
    ...(filesChanged !== undefined && { filesChanged }),
    ...(filesRemoved !== undefined && { filesRemoved }),
    ...(mountChanges !== undefined && { mountChanges }),
    ...(baselineFault !== undefined && { baselineFault }),
  };
}

/**
 * What a receipt makes of the failure that stands. A baseline that was ordered and made accepts it. One that was on the node
 * already does not: what the node brought itself ends nothing.
 */
export function afterReceipt(
  fields: FailureFields,
  { orderId, reason, adopted, digest }: BaselineReceipt,
  order: BaselineOrder | undefined,
  now: Date,
): Pick<FailureFields, 'failure' | 'accepted'> {
  const standing = standingFailure(fields);
  const { accepted } = fields;
  const earlier = accepted && { accepted };
  if (!standing) return { ...earlier };
  if (adopted) return { ...earlier, failure: { ...standing, baselineDigest: standing.baselineDigest ?? digest } };
  const who = (order?.id === orderId ? order.who : undefined) ?? 'unknown';
  const ended: AcceptedFailure = { ...standing, acceptedAt: now.toISOString(), order: orderId, reason, who };
  return { accepted: [ended, ...(accepted ?? [])].slice(0, ACCEPTED) };
}

/** `1 added, 2 changed, 0 removed` */
export function countsInWords({
  filesAdded = 0,
  filesChanged = 0,
  filesRemoved = 0,
}: Pick<StandingFailure, 'filesAdded' | 'filesChanged' | 'filesRemoved'>): string {
  return `${filesAdded} added, ${filesChanged} changed, ${filesRemoved} removed`;
}
