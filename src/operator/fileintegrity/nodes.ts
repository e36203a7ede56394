import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import { HOLDOFF_ANNOTATION } from '../../api/keys.ts';
import { resultName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { contains } from '../contains.ts';
import { managerOf } from '../managers.ts';
import { isFailing } from '../nodes/failure.ts';
import { MEMORY_ANNOTATION } from '../nodes/memory.ts';
import type { Profile } from '../nodes/profile.ts';
import { desiredNodeStatus, holdoffList, memoryOf, planOrders, unselectedStatus } from '../orders/orders.ts';
import type { OrdersWorld } from '../orders/types.ts';
import { planClosings } from '../records/closing.ts';
import { departedOf, predecessorOf } from '../records/departed.ts';
import { planRecords, type Rebased, type ReinitRecord } from '../records/record.ts';
import type { ReinitRequest } from '../requests/reinit.ts';
import { desiredLease, isLeaseOf } from '../results/inbox/lease.ts';
import { firstName } from '../results/inbox/slot.ts';
import type { Action, NodeChange, OrderNews } from './actions.ts';
import type { ConfigurationPlan } from './configuration.ts';
import { tellNews } from './news.ts';
import { filesOn } from './overlap.ts';
import { type Departure, forgetOf, isOfNode, type KeptStatus, planUnselected } from './unselected.ts';
import type { World } from './world.ts';

export interface NodesPlan {
  readonly actions: readonly Action[];
  /** What the actions write down before new orders go out. */
  readonly records: readonly ReinitRecord[];
  /** When there is more to write down, if nothing happens before. */
  readonly writesAt?: Date;
  /** Of the nodes that are watched, as they will be. */
  readonly statuses: readonly FileIntegrityNodeStatus[];
  /** Of those that are not any more, and of which the record is kept. */
  readonly kept: readonly FileIntegrityNodeStatus[];
  /** Nodes that cannot be watched, because their status's name belongs to something else. */
  readonly taken: readonly string[];
}

export interface NodesWorld {
  readonly world: World;
  /** The nodes that are watched. */
  readonly selected: readonly Node[];
  readonly configuration: ConfigurationPlan;
  readonly profileOf: (node: Node) => Profile;
  readonly requestOf: (node: string) => ReinitRequest | undefined;
}

/** What each node gets: its status with its orders, its lease; and what becomes of nodes that are watched no more. */
export function planNodes({ world, selected, configuration, profileOf, requestOf }: NodesWorld): NodesPlan {
  const holdoff = holdoffList(world.integrity);
  const actions: Action[] = [];
  const changes: NodeChange[] = [];
  const statuses: FileIntegrityNodeStatus[] = [];
  const taken: string[] = [];
  const { kept, departed } = planUnselected(world, selected);
  const closings = planClosings(
    world.integrity,
    selected.flatMap(({ metadata }) => world.statuses.get(metadata?.name ?? '') ?? []),
    (status) => memoryOf(status).accepted,
    world.now,
  );
  const { integrity, spec, hasMachineConfigs, now } = world;
  const wanted = { integrity, spec, hasMachineConfigs, holdoff, now };
  const wantedText = textOfWanted(world);
  for (const node of selected) {
    const name = node.metadata?.name ?? '';
    const standing = world.statuses.get(name);
    const current = standing && isOfNode(standing, node) ? standing : undefined;
    const orders = {
      ...wanted,
      node,
      current,
      configuration: configuration.forNode(node),
      configuredBy: configuration.who,
      profile: profileOf(node),
      request: requestOf(name),
      files: filesOn(name, world.integrity, current, world.others),
      predecessor: predecessorOf(world.departed.get(name)),
      accepted: closings.noted.get(name),
    };
    const causes = [wantedText, ...causesOf(orders), world.leases.get(leaseName(world, name))];
    const settled = current && SETTLED.get(current);
    if (settled && isSame(settled.causes, causes)) {
      statuses.push(settled.status);
      continue;
    }
    const desired = desiredNodeStatus(orders, planOrders(orders));
    const owner = world.foreignStatuses.get(desired.metadata.name ?? '');
    if (owner !== undefined && owner !== world.integrity.metadata.name) {
      taken.push(name);
      continue;
    }
    const { unselected: _, predecessor: __, ...before } = current ?? {};
    const status = { ...before, ...desired, metadata: { ...current?.metadata, ...desired.metadata } };
    statuses.push(status);
    // What another machine of the name had, or an earlier FileIntegrity of the name, goes first.
    if (standing !== current || owner !== undefined) continue;
    const lease = current ? planLease(world, current) : [];
    if (current && hasOrders(current, desired) && lease.length === 0) SETTLED.set(current, { causes, status });
    if (!current || !hasOrders(current, desired)) {
      const news = orderNews(current, desired);
      actions.push({ do: 'apply-node-status', object: desired, news });
      changes.push({ status: desired, news, isFailing: current !== undefined && isFailing(current) });
    }
    actions.push(...lease);
  }
  for (const { status, unselected } of kept) {
    const desired = unselectedStatus(world.integrity, status, unselected);
    if (hasOrders(status, desired)) continue;
    const news = orderNews(status, desired);
    actions.push({ do: 'apply-node-status', object: desired, news });
    changes.push({ status: desired, news, isFailing: isFailing(status) });
  }
  for (const { status } of departed) {
    const { metadata, nodeName } = status;
    actions.push({ do: 'remove-node-status', name: metadata.name ?? '', nodeName, uid: metadata.uid ?? '' });
  }
  actions.push(...removeMessages(world, selected, kept, departed));
  const records = planRecords(
    world.integrity,
    changes.flatMap((change) => rebased(change, world)),
  );
  const news = tellNews(changes, { departed, forget: forgetOf(world.integrity), before: world.statuses, records });
  return {
    actions: [
      ...records.map((record) => ({ do: 'write-record', record }) as const),
      ...planDeparted(world, departed),
      ...closings.records.map((record) => ({ do: 'write-closing-record', record }) as const),
      ...actions,
      ...news,
    ],
    records,
    ...(closings.at && { writesAt: closings.at }),
    statuses,
    kept: kept.map(({ status, unselected }) => ({ ...status, unselected })),
    taken,
  };
}

/** A node for which nothing was to be done, as it is then, and all that this followed from. */
interface Settled {
  readonly causes: readonly unknown[];
  readonly status: FileIntegrityNodeStatus;
}

/**
 * By the status as the store has it. A fleet is planned again at each change of one node: what the others get follows from
 * the same as before.
 */
const SETTLED = new WeakMap<FileIntegrityNodeStatus, Settled>();

/** What of the FileIntegrity a node's orders follow from, as text. */
function textOfWanted({ integrity, spec, hasMachineConfigs }: World): string {
  const { uid, name, namespace, annotations } = integrity.metadata;
  const holdoff = annotations?.[HOLDOFF_ANNOTATION];
  const owner = holdoff === undefined ? undefined : managerOf(integrity.metadata, 'annotations', HOLDOFF_ANNOTATION);
  return JSON.stringify([uid, name, namespace, spec, holdoff, owner, hasMachineConfigs]);
}

/** What else they follow from, but for the time, which counts only for what is new; each is compared as it is. */
function causesOf(orders: OrdersWorld): unknown[] {
  const { node, configuration, configuredBy, profile, request, files, predecessor, accepted } = orders;
  const { name, key, digest } = configuration;
  return [node, name, key, digest, configuredBy, profile, request?.id, request?.at, files, predecessor, accepted];
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((each, index) => Object.is(each, other[index]));
}

function leaseName({ integrity }: World, node: string): string {
  return resultName(integrity.metadata.name ?? '', node);
}

/** What is on record goes on to be, when statuses go: before they do, or as soon as it was seen that they went. */
export function planDeparted(
  { integrity, unwritten, now }: Pick<World, 'integrity' | 'unwritten' | 'now'>,
  departures: readonly Departure[],
): Action[] {
  const who = forgetOf(integrity)?.who;
  const leaving = departures.flatMap(({ status, why }) =>
    departedOf(status, why, now, why === 'forgotten' ? who : undefined),
  );
  const nodes = [...unwritten, ...leaving];
  return nodes.length > 0 ? [{ do: 'write-departed', nodes }] : [];
}

/** What a new order that is not the first erases: what the status says before it. */
function rebased({ status, news }: NodeChange, { statuses }: World): Rebased[] {
  const before = statuses.get(status.nodeName);
  const order = status.orders?.baseline;
  if (!news.ordered || news.ordered === 'Initial' || !before || !order) return [];
  return [{ before, order, who: order.who ?? 'unknown' }];
}

/** Whether a status has exactly these orders: fields that are not wanted any more, like a hold, count too. */
function hasOrders(current: FileIntegrityNodeStatus, desired: FileIntegrityNodeStatus): boolean {
  const wanted = desired.metadata.annotations?.[MEMORY_ANNOTATION];
  return (
    contains(current, desired) &&
    isDeepStrictEqual(current.orders, desired.orders) &&
    isDeepStrictEqual(current.unselected, desired.unselected) &&
    isDeepStrictEqual(current.predecessor, desired.predecessor) &&
    current.metadata.annotations?.[MEMORY_ANNOTATION] === wanted
  );
}

function orderNews(current: FileIntegrityNodeStatus | undefined, desired: FileIntegrityNodeStatus): OrderNews {
  const before = current?.orders;
  const after = desired.orders;
  const isOrdered = after && before && after.baseline.id !== before.baseline.id;
  const hold = !before?.hold && after?.hold ? 'begins' : before?.hold && !after?.hold ? 'ends' : undefined;
  const isUnselected = desired.unselected !== undefined;
  const wasUnselected = current?.unselected !== undefined;
  const hasChanged = isUnselected && current?.unselected?.reason !== desired.unselected?.reason;
  const unselected = hasChanged ? 'begins' : wasUnselected && !isUnselected ? 'ends' : undefined;
  return {
    ...(unselected && { unselected }),
    ...(isOrdered && { ordered: after.baseline.reason }),
    ...(hold && { hold }),
  };
}

function planLease(world: World, status: FileIntegrityNodeStatus): Action[] {
  const desired = desiredLease(world.integrity, status);
  const actual = world.leases.get(desired.metadata?.name ?? '');
  if (!actual) return [{ do: 'apply-lease', object: desired }];
  if (isLeaseOf(actual, status)) return [];
  // One of an earlier status would have that node's last heartbeat in it.
  const { name = '', uid = '' } = actual.metadata ?? {};
  return [{ do: 'remove-lease', name, uid }];
}

/** Messages that nobody waits for any more: of nodes that are not watched, or of an earlier machine of a node's name. */
function removeMessages(
  { integrity, messages }: World,
  selected: readonly Node[],
  kept: readonly KeptStatus[],
  departed: readonly Departure[],
): Action[] {
  if (messages.length === 0) return [];
  const own = integrity.metadata.name ?? '';
  const gone = new Set(departed.map(({ status }) => status.nodeName));
  const watched = selected.map(({ metadata }) => metadata?.name ?? '').filter((name) => !gone.has(name));
  // What the daemon of a node that was watched has still to say counts.
  const names = [...watched, ...kept.map(({ status }) => status.nodeName)];
  const expected = new Set(names.map((name) => resultName(own, name)));
  return messages.filter((message) => !expected.has(firstName(message))).map(removeMessage);
}

function removeMessage({ metadata }: ConfigMap): Action {
  return { do: 'remove-message', name: metadata?.name ?? '', uid: metadata?.uid ?? '' };
}
