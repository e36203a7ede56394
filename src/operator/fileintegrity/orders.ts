import { createHash } from 'node:crypto';
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity, FileIntegritySpec } from '../../api/fileintegrity.ts';
import { effectiveGracePeriod } from '../../api/fileintegrity.ts';
import { API_VERSION } from '../../api/group.ts';
import { HOLDOFF_ANNOTATION, NODE_LABEL, OWNER_LABEL } from '../../api/keys.ts';
import { labelValue, nodeStatusName } from '../../api/names.ts';
import { listsNode, type NodeList, parseNodeList } from '../../api/nodelist.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineOrder, BaselineReason, Hold, Orders } from '../../api/outcome.ts';
import { formatMemory, MEMORY_ANNOTATION, type NodeMemory, parseMemory } from '../nodes/memory.ts';
import { followUpdate } from '../nodes/update.ts';
import { ownerReference } from '../owner.ts';
import type { ReinitRequest } from './reinit.ts';

/** Everything that the orders of one node depend on. */
export interface OrdersWorld {
  readonly integrity: FileIntegrity;
  readonly spec: FileIntegritySpec;
  readonly node: Node;
  /** The node's status as it is, if it has one. */
  readonly current: FileIntegrityNodeStatus | undefined;
  readonly configuration: Orders['configuration'];
  /** The newest re-init request that speaks of the node. */
  readonly request: ReinitRequest | undefined;
  readonly now: Date;
}

export interface OrdersPlan {
  readonly orders: Orders;
  readonly memory: NodeMemory;
}

/**
 * The orders of one node. Ids of baseline orders are made of what they follow from, not of chance: planning again from
 * the same world, or from an old copy of it, gives the same order and not another re-initialisation.
 */
export function planOrders(world: OrdersWorld): OrdersPlan {
  const { integrity, spec, node, current, now } = world;
  const memory = memoryOf(current);
  const update = followUpdate(node, memory, now);
  const hold = update.hold ?? annotationHold(integrity, node, current?.orders?.hold, now);
  const request = world.request?.id ?? memory.request;
  return {
    memory: { ...update.memory, ...(request !== undefined && { request }) },
    orders: {
      settings: {
        gracePeriod: effectiveGracePeriod(spec),
        maxBackups: spec.config.maxBackups,
        debug: spec.debug,
      },
      configuration: world.configuration,
      ...(hold && { hold }),
      baseline: planBaseline(world, memory, update.finished),
    },
  };
}

/** Whether a node has carried out a request, or an order that it got after it. */
export function hasCarriedOut(current: FileIntegrityNodeStatus | undefined, request: ReinitRequest): boolean {
  return memoryOf(current).request === request.id && current?.baseline?.orderId === current?.orders?.baseline.id;
}

function memoryOf(current: FileIntegrityNodeStatus | undefined): NodeMemory {
  return parseMemory(current?.metadata.annotations?.[MEMORY_ANNOTATION]);
}

function planBaseline(world: OrdersWorld, memory: NodeMemory, finishedUpdate: string | undefined): BaselineOrder {
  const { integrity, node, current, configuration, request, now } = world;
  const standing = current?.orders;
  const order = (reason: BaselineReason, id: string, detail?: string): BaselineOrder => ({
    id,
    reason,
    requestedAt: now.toISOString(),
    ...(detail !== undefined && { detail }),
  });
  if (!standing) return order('Initial', `initial-${hash(integrity.metadata.uid, node.metadata?.uid)}`);

  const { id } = standing.baseline;
  if (request && request.id !== memory.request) {
    return { ...order(request.reason, request.id, `asked for by ${request.who}`), requestedAt: request.at };
  }
  if (standing.configuration.digest !== configuration.digest) {
    const digest = configuration.digest.slice(0, 16);
    return order(
      'Configuration',
      `configuration-${digest}-${hash(id)}`,
      `from ${standing.configuration.digest.slice(0, 16)} to ${digest}`,
    );
  }
  if (finishedUpdate !== undefined) return order('NodeUpdate', `update-${hash(id, finishedUpdate)}`, finishedUpdate);
  return standing.baseline;
}

function hash(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}

function annotationHold(integrity: FileIntegrity, node: Node, standing: Hold | undefined, now: Date): Hold | undefined {
  const list = holdoffList(integrity);
  if (!list || !listsNode(list, node.metadata?.name ?? '')) return undefined;
  return {
    reason: 'Annotation',
    message: `The annotation ${HOLDOFF_ANNOTATION} of the FileIntegrity holds the node.`,
    since: standing?.reason === 'Annotation' ? standing.since : now.toISOString(),
  };
}

function holdoffList(integrity: FileIntegrity): NodeList | undefined {
  const value = integrity.metadata.annotations?.[HOLDOFF_ANNOTATION];
  return value === undefined ? undefined : parseNodeList(value);
}

/** The part of a node status that carries the orders, as it goes out by server-side apply. */
export function desiredNodeStatus(world: OrdersWorld, plan: OrdersPlan): FileIntegrityNodeStatus {
  const { integrity, node } = world;
  const name = integrity.metadata.name ?? '';
  const nodeName = node.metadata?.name ?? '';
  const memory = formatMemory(plan.memory);
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
    orders: plan.orders,
  };
}
