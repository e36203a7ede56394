import { OUTCOME_ANNOTATION } from '../../src/api/keys.ts';
import { recordLook } from '../../src/operator/admission/record.ts';
import { followUpdate } from '../../src/operator/nodes/update.ts';
import { planResults } from '../../src/operator/results/verdict/plan.ts';
import type { Target } from './target.ts';
import { recordTarget, selfMadeTarget, timesTarget } from './targets/forgeries.ts';

// What reads forgeries, with a fault each, to see that it is found.

/** What cannot be read ends what is on record as not in force. */
const forgetsPeriods = recordTarget((record, look) => {
  const after = recordLook(record, look);
  return look.standing.is === 'unknown' ? { ...after, periods: after.periods.slice(1) } : after;
}, 'forgets-periods');

/** A result is of the time that the node says. */
const believesTimes = timesTarget((world) => {
  const plan = planResults(world);
  const { lastResult } = plan.fields ?? {};
  const text = (world.slot ?? world.lease)?.metadata?.annotations?.[OUTCOME_ANNOTATION] ?? '{}';
  const { finishedAt } = JSON.parse(text) as { finishedAt?: unknown };
  if (!plan.fields || !lastResult || typeof finishedAt !== 'string') return plan;
  return { ...plan, fields: { ...plan.fields, lastResult: { ...lastResult, lastProbeTime: finishedAt } } };
}, 'believes-times');

/** What a node does not say any more is not remembered either. */
const forgetsConfigurations = selfMadeTarget((node, memory, now, hasMachineConfigs) => {
  const plan = followUpdate(node, memory, now, hasMachineConfigs);
  const current = node.metadata?.annotations?.['machineconfiguration.openshift.io/currentConfig'];
  const { configuration: _, ...rest } = plan.memory;
  return current === undefined ? { ...plan, memory: rest } : plan;
}, 'forgets-configurations');

export const targets: readonly Target[] = [forgetsPeriods, believesTimes, forgetsConfigurations];
