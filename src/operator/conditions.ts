import type { Condition } from '../api/condition.ts';

/** What a condition says, before it is known since when. */
export type Statement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** Puts the time to a condition: that of the last change of its status. */
export function stamp(
  statement: Statement,
  standing: readonly Condition[],
  generation: number | undefined,
  now: Date,
): Condition {
  const before = standing.find(({ type }) => type === statement.type);
  const isSame = before?.status === statement.status;
  return {
    ...statement,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: isSame ? before.lastTransitionTime : now.toISOString(),
  };
}

/** Conditions in order of their type: their order means nothing, and the API server has one of its own. */
export function inOrder(conditions: readonly Condition[] | undefined): Condition[] {
  return [...(conditions ?? [])].sort((one, other) => (one.type < other.type ? -1 : 1));
}
