import type { Condition } from '../../api/condition.ts';
import { type Statement, stamp } from '../conditions.ts';
import type { Blind } from '../reads.ts';
import { SLOT_TAKEN } from '../results/inbox/look.ts';
import type { NodeStatePlan } from './state.ts';

/** Reason of what is not known because the operator cannot read what it is told by. */
export const CANNOT_READ = 'OperatorCannotRead';

export interface BlindWorld {
  readonly now: Date;
  readonly standing: readonly Condition[];
  readonly blind: Blind;
  /** Why the node cannot report; see `ResultsPlan.slotTaken`. */
  readonly slotTaken: string | undefined;
}

/**
 * What holds of a node when not all that speaks of it is known: what is bad stays, what is good is unknown. That a scan is
 * recent enough was known before, and ends by itself.
 */
export function withoutSight(plan: NodeStatePlan, { now, standing, blind, slotTaken }: BlindWorld): NodeStatePlan {
  const changed: Statement[] = [];
  const isTrue = (type: string) => plan.conditions.some((each) => each.type === type && each.status === 'True');
  // A node that is not known is not gone.
  const isGone = plan.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'NodeNotReady');
  if (slotTaken !== undefined && isTrue('Ready')) {
    changed.push({ type: 'Ready', status: 'False', reason: SLOT_TAKEN, message: slotTaken });
  } else if (blind.daemon !== undefined && (isTrue('Ready') || isGone)) {
    changed.push({ type: 'Ready', status: 'Unknown', reason: CANNOT_READ, message: blind.daemon });
  }
  const cannotKnow = blind.results ?? slotTaken;
  if (cannotKnow !== undefined && isTrue('IntegrityHeld')) {
    const reason = blind.results === undefined ? SLOT_TAKEN : CANNOT_READ;
    changed.push({ type: 'IntegrityHeld', status: 'Unknown', reason, message: cannotKnow });
  }
  if (changed.length === 0) return plan;
  const conditions = plan.conditions.map((each) => {
    const statement = changed.find(({ type }) => type === each.type);
    return statement ? stamp(statement, standing, now) : each;
  });
  const state = cannotKnow !== undefined && plan.state === 'Succeeded' ? 'Silent' : plan.state;
  return { ...plan, state, conditions };
}
