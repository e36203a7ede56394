import { createHash } from 'node:crypto';
import { DEFAULT_FILES } from '../../api/names.ts';
import type { BaselineOrder, BaselineReason, Orders } from '../../api/protocol.ts';
import type { NodeMemory, Transition } from '../nodes/memory.ts';
import type { OrdersWorld } from './types.ts';

/** What may ask for a new baseline of a node. */
export interface BaselineWorld extends OrdersWorld {
  readonly memory: NodeMemory;
  /** The update whose changes are in no baseline yet. */
  readonly updated: Transition | undefined;
  /** It has ended since the last look. */
  readonly isUpdateOver: boolean;
  /** The request is newer than what the node was asked for last. */
  readonly isAsked: boolean;
}

/** An order that something asks for; undefined: it asks for none. `standing` are the node's orders until now. */
type Source = (world: BaselineWorld, standing: Orders) => BaselineOrder | undefined;

/**
 * In this order, the first that asks for a baseline has it. The update first, because it has to be told from which
 * configuration to which: a request or a new configuration goes with it.
 */
const SOURCES: readonly Source[] = [afterUpdate, onRequest, byConfiguration, forOwnFiles];

/**
 * The order for a node's baseline: the one that stands, as long as nothing asks for a new one. Ids are made of what they follow
 * from: planning again gives the same.
 */
export function planBaseline(world: BaselineWorld): BaselineOrder {
  const standing = world.current?.orders;
  if (!standing) return initialOrder(world);
  for (const source of SOURCES) {
    const order = source(world, standing);
    if (order) return order;
  }
  return standing.baseline;
}

function initialOrder(world: BaselineWorld): BaselineOrder {
  const { integrity, node, predecessor } = world;
  // What was carried out under an earlier status is no answer to this one's order.
  const before = predecessor ? [predecessor.at, predecessor.baseline.digest] : [];
  return orderOf(world, 'Initial', `initial-${hash(integrity.metadata.uid, node.metadata?.uid, ...before)}`, undefined);
}

function afterUpdate(world: BaselineWorld, standing: Orders): BaselineOrder | undefined {
  const { updated, isUpdateOver } = world;
  if (!updated || !isUpdateOver) return undefined;
  const id = `update-${hash(standing.baseline.id, updated.from, updated.to)}`;
  return orderOf(world, 'NodeUpdate', id, beganBy(standing), inWords(updated));
}

function onRequest(world: BaselineWorld): BaselineOrder | undefined {
  const { request, isAsked } = world;
  if (!request || !isAsked) return undefined;
  const details = [`asked for by ${request.who}`, ...unseenUpdate(world)];
  return { ...orderOf(world, request.reason, request.id, request.who, ...details), requestedAt: request.at };
}

function byConfiguration(world: BaselineWorld, standing: Orders): BaselineOrder | undefined {
  const { configuration, configuredBy } = world;
  if (standing.configuration.digest === configuration.digest) return undefined;
  const digest = configuration.digest.slice(0, 16);
  const change = `from ${standing.configuration.digest.slice(0, 16)} to ${digest}`;
  const id = `configuration-${digest}-${hash(standing.baseline.id)}`;
  return orderOf(world, 'Configuration', id, configuredBy, change, ...unseenUpdate(world));
}

function forOwnFiles(world: BaselineWorld, standing: Orders): BaselineOrder | undefined {
  const { files } = world;
  if ((standing.files ?? DEFAULT_FILES) === files) return undefined;
  const why = `files of its own, ${files}.db.gz and so on, because another FileIntegrity watches the node, too`;
  const id = `files-${hash(standing.baseline.id, files)}`;
  return orderOf(world, 'Configuration', id, undefined, why, ...unseenUpdate(world));
}

function orderOf(
  { now }: BaselineWorld,
  reason: BaselineReason,
  id: string,
  who: string | undefined,
  ...details: readonly string[]
): BaselineOrder {
  return {
    id,
    reason,
    requestedAt: now.toISOString(),
    ...(details.length > 0 && { detail: details.join('; ') }),
    ...(who !== undefined && { who }),
  };
}

function unseenUpdate({ updated }: BaselineWorld): string[] {
  return updated ? [`the node was updated ${inWords(updated)}`] : [];
}

/** Who began the update that held the node until now. */
function beganBy({ hold }: Orders): string | undefined {
  return hold && hold.reason !== 'Annotation' ? hold.owner : undefined;
}

function inWords({ from, to }: Transition): string {
  return `from ${from} to ${to}`;
}

function hash(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}
