import type { FileIntegrity } from '../../../src/api/fileintegrity.ts';
import type { Happened } from '../history.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

const STATES = ['succeeded', 'failed', 'errored', 'initializing', 'held', 'silent', 'unwatched'] as const;

/** At a quiet point the FileIntegrity says of its nodes what their own statuses say. */
export function checkCounts(history: readonly Happened[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) =>
    quiet.unsettled === undefined ? quiet.integrities.flatMap((integrity) => checkIntegrity(quiet, integrity)) : [],
  );
}

function checkIntegrity(quiet: Of<'quiet'>, { metadata: { name = '' }, status }: FileIntegrity): Violation[] {
  const counts = status?.nodes;
  if (counts === undefined) return [violation(`${name} has no counts of nodes`, quiet)];
  const violations: Violation[] = [];
  const sum = STATES.reduce((all, state) => all + counts[state], 0);
  const all = counts.selected + (counts.deselected ?? 0);
  if (sum !== all) {
    violations.push(violation(`${name}: ${sum} nodes in all states, and ${all} are selected, or were`, quiet));
  }
  for (const state of STATES) {
    const is = quiet.statuses.filter((each) => each.state?.toLowerCase() === state).length;
    if (is === counts[state]) continue;
    violations.push(violation(`${name}: ${counts[state]} nodes are ${state}, and ${is} say so`, quiet));
  }
  const says = (type: string) => status?.conditions?.find((condition) => condition.type === type)?.status;
  for (const [type, isFalse] of [
    ['IntegrityHeld', quiet.statuses.some(({ lastResult, failure }) => failure || lastResult?.condition === 'Failed')],
    ['BaselineTrusted', quiet.statuses.some((each) => isConditionFalse(each, 'BaselineTrusted'))],
  ] as const) {
    if ((says(type) === 'False') === isFalse) continue;
    violations.push(violation(`${name}: ${type} is ${says(type)}, and its nodes say otherwise`, quiet));
  }
  return violations;
}

function isConditionFalse({ status }: Of<'quiet'>['statuses'][number], type: string): boolean {
  return (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'False');
}
