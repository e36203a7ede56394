import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityStatus } from '../../api/fileintegrity.ts';
import {
  FORGET_ANNOTATION,
  KEEP_SPEC_ANNOTATION,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REINIT_REQUEST_ANNOTATION,
  REQUESTED_BY_ANNOTATION,
} from '../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Outcome } from '../../kube/controller.ts';
import { printable } from '../../lib/text.ts';
import { CANNOT_READ } from '../nodes/blind.ts';
import { isFailing } from '../nodes/failure.ts';
import { profileOf } from '../nodes/profile.ts';
import { notTolerated, selectNodes, watchedNames } from '../nodes/selection.ts';
import { hasCarriedOut, memoryOf } from '../orders/orders.ts';
import { isOwnedBy } from '../owner.ts';
import type { ReinitRecord } from '../records/record.ts';
import { parseRequests, planReinit, type ReinitPlan } from '../requests/reinit.ts';
import type { Action } from './actions.ts';
import {
  type ConfigurationPlan,
  desiredConfigMap,
  earlierTexts,
  isEffective,
  isForeign,
  planConfiguration,
} from './configuration.ts';
import { DESIRED_ANNOTATION, desiredDaemonSet, isAsDesired, isOurs } from './daemonset.ts';
import { tellNotForgotten, tellTakenUp } from './news.ts';
import { type NodesPlan, planDeparted, planNodes } from './nodes.ts';
import { sharedNodes } from './overlap.ts';
import { tellRules } from './rules.ts';
import {
  nextFreshUntil,
  nextLost,
  type OwnStatus,
  planStatus,
  planTrouble,
  says,
  type Trouble,
  unknownHoldsIn,
} from './status.ts';
import { forgetOf, nextOver } from './unselected.ts';
import type { World } from './world.ts';

export interface Plan {
  readonly actions: readonly Action[];
  readonly outcome: Outcome;
}

/** How often it is looked whether a name has become free, in milliseconds: nothing that is watched tells. */
const NAME_RETRY_MS = 30_000;

/** What has to be done so that the cluster is as a FileIntegrity wants it: nothing, when it is. */
export function plan(world: World): Plan {
  if (world.integrity.metadata.deletionTimestamp !== undefined) {
    return { actions: planDeparted(world, []), outcome: { kind: 'done' } };
  }
  if (isForeign(world.integrity, world.effective)) return nameIsTaken(world);

  const selected = selectNodes(world.spec, world.nodes, watchedNames(world.statuses.values()));
  // A node cannot change which default it gets, and have itself re-initialised, by saying other things of itself.
  const profile = (node: Node) => memoryOf(world.statuses.get(nameOf(node))).profile ?? profileOf(node);
  const configuration = planConfiguration({ ...world, nodes: selected, profileOf: profile });
  const reinit = planRequests(world, selected);
  const nodes = planNodes({ world, selected, configuration, profileOf: profile, requestOf: reinit.requestOf });
  const waitMs = delayLeft(world);
  const daemons = waitMs > 0 ? { actions: [], isCurrent: false } : planDaemonSet(world);
  const status = planOwnStatus(world, nodes, selected, daemons.isCurrent, configuration, reinit);

  return {
    actions: [
      ...planConfigMap(world, configuration, reinit),
      ...takenUp(world, reinit, waitMs > 0 ? [] : nodes.records),
      ...planPriorityClass(world),
      ...(waitMs > 0 ? [] : nodes.actions),
      ...daemons.actions,
      ...(waitMs > 0 ? [] : forgotten(world, selected)),
      ...statusActions(world.integrity, status),
    ],
    outcome: outcomeOf(world, nodes, status, waitMs),
  };
}

function outcomeOf(
  { now, spec }: World,
  { statuses, kept, writesAt }: NodesPlan,
  status: OwnStatus,
  delayMs: number,
): Outcome {
  if (delayMs > 0) return { kind: 'waiting', reason: 'the initial delay is not over', requeueAfterMs: delayMs };
  const times = [nextLost({ statuses, now }), writesAt, nextFreshUntil(status, now)].flatMap((time) =>
    time ? [time.getTime()] : [],
  );
  const next = Math.min(...times, nextOver(kept, spec));
  return Number.isFinite(next)
    ? { kind: 'done', requeueAfterMs: Math.max(next - now.getTime(), 0) + 1 }
    : { kind: 'done' };
}

/** The annotation goes once the statuses have gone: until then it is carried out again. */
function forgotten({ integrity }: World, selected: readonly Node[]): Action[] {
  const forget = forgetOf(integrity);
  if (!forget) return [];
  const values = annotationsOf(integrity, [FORGET_ANNOTATION, REQUESTED_BY_ANNOTATION]);
  const remove: Action = { do: 'remove-annotations', values };
  const { list } = forget;
  return [remove, ...(list.all ? [] : tellNotForgotten(selected.map(nameOf).filter((name) => list.names.has(name))))];
}

function nameIsTaken({ integrity, statuses, now, admission }: World): Plan {
  const name = integrity.metadata.name ?? '';
  const message =
    `The config map ${name} exists and is not the operator's. The effective configuration needs that name: ` +
    'rename the config map or the FileIntegrity.';
  return {
    actions: troubleActions(integrity, [...statuses.values()], {
      reason: 'NameTaken',
      message,
      now,
      ...(admission && { admission }),
    }),
    outcome: { kind: 'waiting', reason: message, requeueAfterMs: NAME_RETRY_MS },
  };
}

/** What a user sees when nothing can be done for a FileIntegrity: its phase and condition, and one event. */
export function troubleActions(
  integrity: World['integrity'],
  statuses: readonly FileIntegrityNodeStatus[],
  trouble: Trouble,
): Action[] {
  return statusActions(integrity, planTrouble(integrity, statuses, trouble));
}

/** Milliseconds of `initialDelay` that are left, counted from the creation of the FileIntegrity; 0 once daemons run. */
function delayLeft({ integrity, spec, daemonSet, now }: World): number {
  if (daemonSet && isOwnedBy(daemonSet, integrity)) return 0;
  const created = Date.parse(integrity.metadata.creationTimestamp ?? '');
  const left = created + spec.config.initialDelay * 1000 - now.getTime();
  return Math.max(left, 0);
}

type RequestsPlan = ReinitPlan & { readonly failed: ReadonlySet<string> };

function planRequests(world: World, selected: readonly Node[]): RequestsPlan {
  const names = new Set(selected.map(nameOf));
  const failed = new Set([...names].filter((name) => isFailing(world.statuses.get(name) ?? {})));
  const reinit = planReinit({
    ...world,
    selected: names,
    failed,
    standing: parseRequests(world.effective?.metadata?.annotations?.[REINIT_REQUEST_ANNOTATION]),
    hasCarriedOut: (node, request) => hasCarriedOut(world.statuses.get(node), request),
  });
  return { ...reinit, failed };
}

/** `re-init-once` stays: what is applied again would bring it back. */
function takenUp({ integrity }: World, { taken, failed }: RequestsPlan, records: readonly ReinitRecord[]): Action[] {
  if (!taken) return [];
  const keys = [REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION, REQUESTED_BY_ANNOTATION];
  const values = annotationsOf(integrity, keys);
  const remove: Action[] = Object.keys(values).length > 0 ? [{ do: 'remove-annotations', values }] : [];
  return [...remove, ...tellTakenUp(taken, failed, records)];
}

function annotationsOf({ metadata }: World['integrity'], keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => keys.includes(key)));
}

/** The version that was read goes along: a plan made from an old copy must not take a request back that is in a newer one. */
function planConfigMap(world: World, configuration: ConfigurationPlan, reinit: ReinitPlan): Action[] {
  const earlier = earlierTexts(world.effective, configuration, world.statuses.values());
  const desired = desiredConfigMap(world.integrity, configuration, reinit, earlier);
  if (!world.effective) return [{ do: 'apply-configuration', object: desired }];
  if (isEffective(world.effective, desired)) return [];
  const { resourceVersion } = world.effective.metadata ?? {};
  const metadata = { ...desired.metadata, ...(resourceVersion !== undefined && { resourceVersion }) };
  return [{ do: 'apply-configuration', object: { ...desired, metadata } }];
}

function planPriorityClass({ integrity, spec, priorityClass }: World): Action[] {
  const name = spec.priorityClassName;
  if (!name || priorityClass !== 'unknown' || keepsSpec(integrity)) return [];
  return [
    { do: 'clear-priority-class', name },
    { do: 'event', type: 'Warning', reason: 'PriorityClass', message: tellNoPriorityClass(name) },
  ];
}

/** The annotation says that the spec is somebody's who would put back what the operator takes away. */
function keepsSpec({ metadata }: World['integrity']): boolean {
  return metadata.annotations?.[KEEP_SPEC_ANNOTATION] !== undefined;
}

function tellNoPriorityClass(name: string): string {
  return `The priority class ${printable(name, 253)} does not exist. The daemons go without one.`;
}

function planDaemonSet(world: World): { actions: Action[]; isCurrent: boolean } {
  const { daemonSet } = world;
  // Its end brings the next look. Until then it could only be changed to no effect.
  if (daemonSet?.metadata?.deletionTimestamp !== undefined) return { actions: [], isCurrent: false };
  if (daemonSet && !isOurs(daemonSet)) {
    const { name = '', uid = '' } = daemonSet.metadata ?? {};
    return { actions: [{ do: 'remove-daemon-set', name, uid }], isCurrent: false };
  }
  const { priorityClassName, ...rest } = world.spec;
  const spec = priorityClassName && world.priorityClass === 'known' ? world.spec : rest;
  const desired = desiredDaemonSet(world.integrity, spec, world.image);
  const isSettled = desired.metadata?.annotations?.[DESIRED_ANNOTATION] === world.settledDaemonSet;
  if (daemonSet && isAsDesired(daemonSet, desired, isSettled)) {
    return { actions: [], isCurrent: true };
  }
  return { actions: [{ do: 'apply-daemon-set', object: desired }], isCurrent: false };
}

function planOwnStatus(
  world: World,
  { statuses, kept, taken }: NodesPlan,
  selected: readonly Node[],
  daemonSetIsCurrent: boolean,
  configuration: ConfigurationPlan,
  reinit: ReinitPlan,
): OwnStatus {
  const { judged, spec, priorityClass } = world;
  const { priorityClassName = '' } = spec;
  const isKept = priorityClass === 'unknown' && keepsSpec(world.integrity);
  const rules = tellRules(judged, statuses, Object.values(world.defaults));
  return planStatus({
    ...world,
    daemonSetIsCurrent,
    statuses,
    kept,
    notTolerated: notTolerated(world.spec, world.nodes, new Set(world.statuses.keys())),
    selected: selected.length,
    taken,
    shared: sharedNodes(world.others, selected),
    reinit: reinit.updated !== undefined,
    configuration: {
      ...(judged.kind === 'refused' && { refused: judged.message }),
      ...(judged.kind === 'missing' && { missing: judged.message }),
      ...(judged.kind === 'user' && { notes: [...judged.notes, ...rules.notes], remarks: judged.remarks }),
      idle: rules.idle,
      description: configuration.description,
      exceeded: world.exceeded,
      ...(isKept && { unheeded: tellNoPriorityClass(priorityClassName) }),
    },
    reinitOnce: reinit.once,
  });
}

function statusActions({ status: before }: World['integrity'], status: OwnStatus): Action[] {
  if (before && says(before, status)) return [];
  return [
    { do: 'write-status', status },
    ...phaseEvent(before, status),
    ...conditionEvent(before, status, 'ConfigurationValid', ['Refused', 'Missing', 'Warnings'], 'Configuration'),
    ...conditionEvent(before, status, 'Ready', ['NameTaken', 'SpecInvalid', 'Refused', CANNOT_READ], ''),
    ...sharedEvent(before, status),
    ...holdoffEvent(before, status),
    ...admissionEvent(before, status),
  ];
}

function phaseEvent(before: FileIntegrityStatus | undefined, { phase }: OwnStatus): Action[] {
  if (phase === before?.phase) return [];
  const type = phase === 'Error' ? 'Warning' : 'Normal';
  return [{ do: 'event', type, reason: 'FileIntegrityStatus', message: phase }];
}

function conditionIn(conditions: FileIntegrityStatus['conditions'], type: string) {
  return conditions?.find((condition) => condition.type === type);
}

/** A condition that the user has to do something about, when it is news. */
function conditionEvent(
  before: FileIntegrityStatus | undefined,
  { conditions }: OwnStatus,
  type: string,
  reasons: readonly string[],
  prefix: string,
): Action[] {
  const earlier = conditionIn(before?.conditions, type);
  const condition = conditionIn(conditions, type);
  if (!condition || !reasons.includes(condition.reason) || condition.message === earlier?.message) return [];
  return [{ do: 'event', type: 'Warning', reason: `${prefix}${condition.reason}`, message: condition.message }];
}

/** Once, and not at each node that comes or goes. */
function sharedEvent(before: FileIntegrityStatus | undefined, { conditions }: OwnStatus): Action[] {
  const exclusive = conditionIn(conditions, 'Exclusive');
  if (exclusive?.status !== 'False') return [];
  if (conditionIn(before?.conditions, 'Exclusive')?.status === 'False') return [];
  return [{ do: 'event', type: 'Warning', reason: exclusive.reason, message: exclusive.message }];
}

/** An annotation that holds nobody is told of when it is written. */
function holdoffEvent(before: FileIntegrityStatus | undefined, { conditions }: OwnStatus): Action[] {
  const told = (all: FileIntegrityStatus['conditions']) => unknownHoldsIn(conditionIn(all, 'Ready')?.message ?? '');
  const message = told(conditions);
  if (message === undefined || message === told(before?.conditions)) return [];
  return [{ do: 'event', type: 'Warning', reason: 'HoldoffUnknownNode', message }];
}

/** To one that is new; the others are told when it happens. */
function admissionEvent(before: FileIntegrityStatus | undefined, { conditions }: OwnStatus): Action[] {
  const admission = conditionIn(conditions, 'AdmissionEnforced');
  if (admission?.status !== 'False' || conditionIn(before?.conditions, 'AdmissionEnforced')) return [];
  return [{ do: 'event', type: 'Warning', reason: 'AdmissionNotEnforced', message: admission.message }];
}

function nameOf(node: Node): string {
  return node.metadata?.name ?? '';
}
