import { isDeepStrictEqual } from 'node:util';
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION, REINIT_REQUEST_ANNOTATION } from '../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Outcome } from '../../kube/controller.ts';
import { printable } from '../../lib/text.ts';
import { contains } from '../contains.ts';
import { MEMORY_ANNOTATION } from '../nodes/memory.ts';
import { desiredLease, isLeaseOf } from '../results/lease.ts';
import type { Action, OrderNews } from './actions.ts';
import {
  type ConfigurationPlan,
  desiredConfigMap,
  isEffective,
  isForeign,
  planConfiguration,
} from './configuration.ts';
import { DESIRED_ANNOTATION, desiredDaemonSet, isAsDesired } from './daemonset.ts';
import { desiredNodeStatus, hasCarriedOut, planOrders } from './orders.ts';
import {
  addRequest,
  parseRequests,
  type ReinitRequest,
  reinitProgress,
  requestsByNode,
  takeUpReinit,
} from './reinit.ts';
import { selectNodes } from './selection.ts';
import { planStatus } from './status.ts';
import type { World } from './world.ts';

export interface Plan {
  readonly actions: readonly Action[];
  readonly outcome: Outcome;
}

/** What has to be done so that the cluster is as a FileIntegrity wants it: nothing, when it is. */
export function plan(world: World): Plan {
  if (world.integrity.metadata.deletionTimestamp !== undefined) return { actions: [], outcome: { kind: 'done' } };
  if (isForeign(world.integrity, world.effective)) return nameIsTaken(world);

  const selected = selectNodes(world.spec, world.nodes, new Set(world.statuses.keys()));
  const configuration = planConfiguration({ ...world, nodes: selected });
  const reinit = planReinit(world, selected);
  const nodes = planNodes(world, selected, configuration, reinit.requests);
  const waitMs = delayLeft(world);
  const daemons = waitMs > 0 ? { actions: [], isCurrent: false } : planDaemonSet(world);
  const status = planStatusActions(
    world,
    nodes.statuses,
    selected,
    daemons.isCurrent,
    configuration,
    reinit.isUnderWay,
  );

  return {
    actions: [
      ...planConfigMap(world, configuration, reinit),
      ...reinit.actions,
      ...planPriorityClass(world),
      ...(waitMs > 0 ? [] : nodes.actions),
      ...daemons.actions,
      ...status,
    ],
    outcome:
      waitMs > 0
        ? { kind: 'waiting', reason: 'the initial delay is not over', requeueAfterMs: waitMs }
        : { kind: 'done' },
  };
}

function nameIsTaken({ integrity }: World): Plan {
  const name = integrity.metadata.name ?? '';
  const message =
    `The config map ${name} exists and is not the operator's. The effective configuration needs that name: ` +
    'rename the config map or the FileIntegrity.';
  return {
    actions: [{ do: 'event', type: 'Warning', reason: 'NameTaken', message }],
    outcome: { kind: 'stalled', reason: 'NameTaken', message },
  };
}

/** Milliseconds of `initialDelay` that are left, counted from the creation of the FileIntegrity; 0 once daemons run. */
function delayLeft({ integrity, spec, daemonSet, now }: World): number {
  if (daemonSet) return 0;
  const created = Date.parse(integrity.metadata.creationTimestamp ?? '');
  const left = created + spec.config.initialDelay * 1000 - now.getTime();
  return Math.max(left, 0);
}

interface ReinitPlan {
  /** Under way or newly taken up; with the newest, finished or not, so that it is not taken up twice. */
  readonly requests: readonly ReinitRequest[];
  readonly updated: string | undefined;
  readonly isUnderWay: boolean;
  readonly actions: readonly Action[];
}

function planReinit(world: World, selected: readonly Node[]): ReinitPlan {
  const names = new Set(selected.map(nameOf));
  const failed = new Set([...names].filter((name) => world.statuses.get(name)?.lastResult?.condition === 'Failed'));
  const annotations = world.effective?.metadata?.annotations ?? {};
  const standing = parseRequests(annotations[REINIT_REQUEST_ANNOTATION]);
  const taken = takeUpReinit({ integrity: world.integrity, selected: names, failed, now: world.now });
  const requests = taken ? addRequest(standing, taken.request) : standing;
  const newest = requestsByNode(requests);
  const todo = new Set(
    [...names].filter((name) => {
      const request = newest(name);
      return request !== undefined && !hasCarriedOut(world.statuses.get(name), request);
    }),
  );
  const progress = reinitProgress(requests, todo);
  const last = requests.at(-1);
  return {
    requests: last && !progress.requests.includes(last) ? [...progress.requests, last] : progress.requests,
    updated: progress.updated,
    isUnderWay: progress.updated !== undefined,
    actions: taken ? [removeAnnotations(world), ...leftOver(taken)] : [],
  };
}

function removeAnnotations({ integrity }: World): Action {
  const annotations = Object.entries(integrity.metadata.annotations ?? {});
  const values = annotations.filter(([key]) => key === REINIT_ANNOTATION || key === REINIT_ON_FAILED_ANNOTATION);
  return { do: 'remove-annotations', values: Object.fromEntries(values) };
}

function leftOver({ unknown, leftOut }: { unknown: readonly string[]; leftOut: number }): Action[] {
  const warnings: string[] = [];
  if (unknown.length > 0) {
    const shown = unknown
      .slice(0, 10)
      .map((name) => printable(name, 63))
      .join(', ');
    const more = unknown.length > 10 ? ` and ${unknown.length - 10} more` : '';
    warnings.push(`Not re-initialised, because this FileIntegrity watches no such node: ${shown}${more}.`);
  }
  if (leftOut > 0) warnings.push(`The node list is too long: ${leftOut} nodes were left out. Ask for them again.`);
  return warnings.map((message) => ({ do: 'event', type: 'Warning', reason: 'ReinitUnknownNode', message }));
}

function planConfigMap(world: World, configuration: ConfigurationPlan, reinit: ReinitPlan): Action[] {
  const desired = desiredConfigMap(world.integrity, configuration, reinit);
  if (world.effective && isEffective(world.effective, desired)) return [];
  return [{ do: 'apply-configuration', object: desired }];
}

function planPriorityClass({ spec, priorityClass }: World): Action[] {
  const name = spec.priorityClassName;
  if (!name || priorityClass !== 'unknown') return [];
  const message = `The priority class ${printable(name, 253)} does not exist. The daemons go without one.`;
  return [
    { do: 'clear-priority-class', name },
    { do: 'event', type: 'Warning', reason: 'PriorityClass', message },
  ];
}

function planDaemonSet(world: World): { actions: Action[]; isCurrent: boolean } {
  const { priorityClassName, ...rest } = world.spec;
  const spec = priorityClassName && world.priorityClass === 'known' ? world.spec : rest;
  const desired = desiredDaemonSet(world.integrity, spec, world.image);
  const isSettled = desired.metadata?.annotations?.[DESIRED_ANNOTATION] === world.settledDaemonSet;
  if (world.daemonSet && (isSettled || isAsDesired(world.daemonSet, desired))) {
    return { actions: [], isCurrent: true };
  }
  return { actions: [{ do: 'apply-daemon-set', object: desired }], isCurrent: false };
}

interface NodesPlan {
  readonly actions: readonly Action[];
  /** As they will be. */
  readonly statuses: readonly FileIntegrityNodeStatus[];
}

function planNodes(
  world: World,
  selected: readonly Node[],
  configuration: ConfigurationPlan,
  requests: readonly ReinitRequest[],
): NodesPlan {
  const newest = requestsByNode(requests);
  const actions: Action[] = [];
  const statuses: FileIntegrityNodeStatus[] = [];
  const remaining = new Map(world.statuses);
  for (const node of selected) {
    const current = world.statuses.get(nameOf(node));
    remaining.delete(nameOf(node));
    const orders = {
      ...world,
      node,
      current,
      configuration: configuration.forNode(node),
      request: newest(nameOf(node)),
    };
    const desired = desiredNodeStatus(orders, planOrders(orders));
    statuses.push({ ...current, ...desired, metadata: { ...current?.metadata, ...desired.metadata } });
    if (world.foreignStatuses.has(desired.metadata.name ?? '')) {
      actions.push(statusNameTaken(desired));
      continue;
    }
    if (!current || !hasOrders(current, desired)) {
      actions.push({ do: 'apply-node-status', object: desired, news: orderNews(current, desired) });
    }
    if (current) actions.push(...planLease(world, current));
  }
  for (const gone of remaining.values()) actions.push(removal(gone));
  return { actions, statuses };
}

/** Whether a status has exactly these orders: fields that are not wanted any more, like a hold, count too. */
function hasOrders(current: FileIntegrityNodeStatus, desired: FileIntegrityNodeStatus): boolean {
  const wanted = desired.metadata.annotations?.[MEMORY_ANNOTATION];
  return (
    contains(current, desired) &&
    isDeepStrictEqual(current.orders, desired.orders) &&
    current.metadata.annotations?.[MEMORY_ANNOTATION] === wanted
  );
}

function orderNews(current: FileIntegrityNodeStatus | undefined, desired: FileIntegrityNodeStatus): OrderNews {
  const before = current?.orders;
  const after = desired.orders;
  const isOrdered = after && before && after.baseline.id !== before.baseline.id;
  const hold = !before?.hold && after?.hold ? 'begins' : before?.hold && !after?.hold ? 'ends' : undefined;
  return { ...(isOrdered && { ordered: after.baseline.reason }), ...(hold && { hold }) };
}

function statusNameTaken({ metadata, nodeName }: FileIntegrityNodeStatus): Action {
  const message = `Node ${nodeName} cannot be watched: the node status ${metadata.name} belongs to another FileIntegrity.`;
  return { do: 'event', type: 'Warning', reason: 'NameTaken', message };
}

function planLease(world: World, status: FileIntegrityNodeStatus): Action[] {
  const desired = desiredLease(world.integrity, status);
  const actual = world.leases.get(desired.metadata?.name ?? '');
  return actual && isLeaseOf(actual, status) ? [] : [{ do: 'apply-lease', object: desired }];
}

function removal({ metadata, nodeName }: FileIntegrityNodeStatus): Action {
  return { do: 'remove-node-status', name: metadata.name ?? '', nodeName, uid: metadata.uid ?? '' };
}

function planStatusActions(
  world: World,
  statuses: NodesPlan['statuses'],
  selected: readonly Node[],
  daemonSetIsCurrent: boolean,
  configuration: ConfigurationPlan,
  reinit: boolean,
): Action[] {
  const { judged, integrity } = world;
  const status = planStatus({
    ...world,
    daemonSetIsCurrent,
    statuses,
    selected: selected.length,
    reinit,
    configuration: {
      ...(judged.kind === 'refused' && { refused: judged.message }),
      ...(judged.kind === 'missing' && { missing: judged.message }),
      ...(judged.kind === 'user' && { notes: judged.notes }),
      description: configuration.description,
    },
  });
  if (isDeepStrictEqual(integrity.status, status)) return [];
  return [
    { do: 'write-status', status },
    ...phaseEvent(world, status.phase),
    ...configurationEvent(world, status.conditions),
  ];
}

function phaseEvent({ integrity }: World, phase: string | undefined): Action[] {
  if (phase === undefined || phase === integrity.status?.phase) return [];
  const type = phase === 'Error' ? 'Warning' : 'Normal';
  return [{ do: 'event', type, reason: 'FileIntegrityStatus', message: phase }];
}

function configurationEvent({ integrity }: World, conditions: FileIntegrityConditions): Action[] {
  const pick = (all: FileIntegrityConditions) => all?.find(({ type }) => type === 'ConfigurationValid');
  const before = pick(integrity.status?.conditions);
  const after = pick(conditions);
  if (!after || after.reason === 'Valid' || after.message === before?.message) return [];
  return [{ do: 'event', type: 'Warning', reason: `Configuration${after.reason}`, message: after.message }];
}

type FileIntegrityConditions = NonNullable<World['integrity']['status']>['conditions'];

function nameOf(node: Node): string {
  return node.metadata?.name ?? '';
}
