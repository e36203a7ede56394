import type { FileIntegrity } from '../../../src/api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../../src/api/nodestatus.ts';
import type { Happened } from '../history.ts';
import { ofType, type Violation, violation } from './violation.ts';

const STATES = ['succeeded', 'failed', 'errored', 'initializing', 'held', 'silent', 'unwatched'] as const;

/** At a quiet point the FileIntegrity says of its nodes what their own statuses say. */
export function checkCounts(history: readonly Happened[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) =>
    quiet.unsettled === undefined
      ? quiet.integrities.flatMap((integrity) =>
          compareCounts(integrity, quiet.statuses).map((message) => violation(message, quiet)),
        )
      : [],
  );
}

/** What a FileIntegrity says of its nodes and they do not, in sentences. */
export function compareCounts(
  { metadata: { name = '' }, status }: FileIntegrity,
  statuses: readonly FileIntegrityNodeStatus[],
): string[] {
  const counts = status?.nodes;
  if (counts === undefined) return [`${name} has no counts of nodes`];
  const differences: string[] = [];
  const sum = STATES.reduce((all, state) => all + counts[state], 0);
  const all = counts.selected + (counts.deselected ?? 0);
  if (sum !== all) differences.push(`${name}: ${sum} nodes in all states, and ${all} are selected, or were`);
  for (const state of STATES) {
    const is = statuses.filter((each) => each.state?.toLowerCase() === state).length;
    if (is !== counts[state]) differences.push(`${name}: ${counts[state]} nodes are ${state}, and ${is} say so`);
  }
  const says = (type: string) => status?.conditions?.find((condition) => condition.type === type)?.status;
  for (const [type, isFalse] of [
    ['IntegrityHeld', statuses.some(({ lastResult, failure }) => failure || lastResult?.condition === 'Failed')],
    ['BaselineTrusted', statuses.some((each) => isConditionFalse(each, 'BaselineTrusted'))],
  ] as const) {
    if ((says(type) === 'False') === isFalse) continue;
    differences.push(`${name}: ${type} is ${says(type)}, and its nodes say otherwise`);
  }
  return differences;
}

function isConditionFalse({ status }: FileIntegrityNodeStatus, type: string): boolean {
  return (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'False');
}
