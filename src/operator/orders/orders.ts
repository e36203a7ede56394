import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { effectiveGracePeriod } from '../../api/fileintegrity.ts';
import { API_VERSION } from '../../api/group.ts';
import { HOLDOFF_ANNOTATION, NODE_LABEL, OWNER_LABEL } from '../../api/keys.ts';
import { DEFAULT_FILES, labelValue, nodeStatusName } from '../../api/names.ts';
import { listsNode, type NodeList, parseNodeList } from '../../api/nodelist.ts';
import type { FileIntegrityNodeStatus, Unselected } from '../../api/nodestatus.ts';
import type { Hold, Orders } from '../../api/protocol.ts';
import { printable } from '../../lib/text.ts';
import { managerOf } from '../managers.ts';
import { formatMemory, MEMORY_ANNOTATION, type NodeMemory, ORDERS_LIMIT, parseMemory } from '../nodes/memory.ts';
import { selectionOf } from '../nodes/selection.ts';
import { followUpdate } from '../nodes/update.ts';
import { ownerReference } from '../owner.ts';
import type { ReinitRequest } from '../requests/reinit.ts';
import { planBaseline } from './baseline.ts';
import type { OrdersWorld } from './types.ts';

export interface OrdersPlan {
  readonly orders: Orders;
  readonly memory: NodeMemory;
}

/**
 * The orders of one node. Ids of baseline orders are made of what they follow from, not of chance: planning again from
 * the same world, or from an old copy of it, gives the same order and not another re-initialisation.
 */
export function planOrders(world: OrdersWorld): OrdersPlan {
  const { spec, node, current, now } = world;
  const memory = memoryOf(current);
  const update = followUpdate(node, memory, now, world.hasMachineConfigs);
  const hold = update.hold ?? annotationHold(world);
  const pending = isBaselined(current) ? undefined : memory.updated;
  const updated = update.finished ? { ...update.finished, ...(pending && { from: pending.from }) } : pending;
  const requestedAt = isNew(world.request, memory) ? world.request.at : memory.requestedAt;
  const baseline = planBaseline({
    ...world,
    memory,
    updated,
    isUpdateOver: update.finished !== undefined,
    isAsked: isNew(world.request, memory),
  });
  const accepted = world.accepted ?? memory.accepted;
  const earlier = earlierOrders(current?.orders?.baseline.id, baseline.id, memory);
  return {
    memory: {
      ...(node.metadata?.uid !== undefined && { node: node.metadata.uid }),
      profile: world.profile,
      selected: selectionOf(spec, node),
      ...update.memory,
      ...(updated && { updated }),
      ...(requestedAt !== undefined && { requestedAt }),
      ...(earlier.length > 0 && { orders: earlier }),
      ...(accepted !== undefined && { accepted }),
    },
    orders: {
      settings: {
        gracePeriod: effectiveGracePeriod(spec),
        maxBackups: spec.config.maxBackups,
        debug: spec.debug,
      },
      configuration: world.configuration,
      ...(world.files !== DEFAULT_FILES && { files: world.files }),
      ...(hold && { hold }),
      baseline,
    },
  };
}

/** The ids of the orders before `ordered`: one that stands no more may have been carried out all the same. */
function earlierOrders(standing: string | undefined, ordered: string, { orders = [] }: NodeMemory): readonly string[] {
  return standing === undefined || standing === ordered ? orders : [standing, ...orders].slice(0, ORDERS_LIMIT);
}

/** Whether a node has carried out a request, or an order that it got after it. */
export function hasCarriedOut(current: FileIntegrityNodeStatus | undefined, request: ReinitRequest): boolean {
  return !isNew(request, memoryOf(current)) && isBaselined(current);
}

/** What was remembered of statuses, by their annotations as the store has them: it is asked for often. */
const REMEMBERED = new WeakMap<object, { readonly text: string | undefined; readonly memory: NodeMemory }>();

/** What the operator remembers of the node of a status. */
export function memoryOf(current: FileIntegrityNodeStatus | undefined): NodeMemory {
  const { annotations } = current?.metadata ?? {};
  const text = annotations?.[MEMORY_ANNOTATION];
  if (!annotations) return parseMemory(text);
  const known = REMEMBERED.get(annotations);
  if (known && known.text === text) return known.memory;
  const memory = parseMemory(text);
  REMEMBERED.set(annotations, { text, memory });
  return memory;
}

/** The node's receipt is that of its newest order. */
function isBaselined(current: FileIntegrityNodeStatus | undefined): boolean {
  return current?.orders !== undefined && current.baseline?.orderId === current.orders.baseline.id;
}

function isNew(request: ReinitRequest | undefined, { requestedAt }: NodeMemory): request is ReinitRequest {
  return request !== undefined && !(Date.parse(requestedAt ?? '') >= Date.parse(request.at));
}

function annotationHold({ integrity, holdoff, node, current, now }: OrdersWorld): Hold | undefined {
  if (!holdoff || !listsNode(holdoff, node.metadata?.name ?? '')) return undefined;
  const standing = current?.orders?.hold;
  return {
    reason: 'Annotation',
    message: `The annotation ${HOLDOFF_ANNOTATION} of the FileIntegrity holds the node.`,
    owner: printable(managerOf(integrity.metadata, 'annotations', HOLDOFF_ANNOTATION) ?? 'unknown', 128),
    since: standing?.reason === 'Annotation' ? standing.since : now.toISOString(),
  };
}

/** The nodes that the annotation `holdoff` holds; undefined when it is not there. */
export function holdoffList(integrity: FileIntegrity): NodeList | undefined {
  const value = integrity.metadata.annotations?.[HOLDOFF_ANNOTATION];
  return value === undefined ? undefined : parseNodeList(value);
}

/** The part of a node status that carries the orders, as it goes out by server-side apply. */
export function desiredNodeStatus(world: OrdersWorld, plan: OrdersPlan): FileIntegrityNodeStatus {
  const { integrity, node, current, predecessor } = world;
  // Until the results have it, as the baseline on record.
  const before = current ? (current.baseline ? undefined : current.predecessor) : predecessor;
  return {
    ...statusOf(integrity, node.metadata?.name ?? '', formatMemory(plan.memory)),
    orders: plan.orders,
    ...(before && { predecessor: before }),
  };
}

/** The same of a node that is not selected any more: orders and memory stay as they were, and what it is marked with is said. */
export function unselectedStatus(
  integrity: FileIntegrity,
  { nodeName, metadata, orders }: FileIntegrityNodeStatus,
  unselected: Unselected,
): FileIntegrityNodeStatus {
  const memory = metadata.annotations?.[MEMORY_ANNOTATION];
  return { ...statusOf(integrity, nodeName, memory), ...(orders && { orders }), unselected };
}

function statusOf(integrity: FileIntegrity, nodeName: string, memory: string | undefined): FileIntegrityNodeStatus {
  const name = integrity.metadata.name ?? '';
  return {
    apiVersion: API_VERSION,
    kind: 'FileIntegrityNodeStatus',
    metadata: {
      name: nodeStatusName(name, nodeName),
      namespace: integrity.metadata.namespace ?? '',
      labels: { [OWNER_LABEL]: labelValue(name), [NODE_LABEL]: labelValue(nodeName) },
      ...(memory !== undefined && { annotations: { [MEMORY_ANNOTATION]: memory } }),
      ownerReferences: [ownerReference(integrity)],
    },
    nodeName,
  };
}
