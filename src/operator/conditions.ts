import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../api/condition.ts';

/** What a condition says, before it is known since when. */
export type Statement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** The conditions of a FileIntegrity that the operator writes. */
export const INTEGRITY_CONDITIONS: ReadonlySet<string> = new Set([
  'Ready',
  'Progressing',
  'ConfigurationValid',
  'IntegrityHeld',
  'Fresh',
  'BaselineTrusted',
  'Exclusive',
  'AdmissionEnforced',
  'Stalled',
]);

/** Puts the time to a condition: that of the last change of its status. */
export function stamp(statement: Statement, standing: readonly Condition[], now: Date, generation?: number): Condition {
  const before = standing.find(({ type }) => type === statement.type);
  const isSame = before?.status === statement.status;
  return {
    ...statement,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: isSame ? before.lastTransitionTime : now.toISOString(),
  };
}

/** Whether conditions say this already. Those of types that are not the operator's own do not count. */
export function sayAlready(
  actual: readonly Condition[] | undefined,
  wanted: readonly Condition[] | undefined,
  own: ReadonlySet<string>,
): boolean {
  const theirs = actual?.filter(({ type }) => own.has(type));
  return isDeepStrictEqual(inOrder(theirs), inOrder(wanted));
}

/** Conditions in order of their type: their order means nothing, and the API server has one of its own. */
function inOrder(conditions: readonly Condition[] | undefined): Condition[] {
  return [...(conditions ?? [])].sort((one, other) => (one.type < other.type ? -1 : 1));
}
