import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegritySpec } from '../../api/fileintegrity.ts';
import { FORGET_ANNOTATION, REQUESTED_BY_ANNOTATION } from '../../api/keys.ts';
import { listsNode, type NodeList, parseNodeList } from '../../api/nodelist.ts';
import type { FileIntegrityNodeStatus, Unselected } from '../../api/nodestatus.ts';
import { printable } from '../../lib/text.ts';
import { managerOf } from '../managers.ts';
import { whyUnselected } from '../nodes/selection.ts';
import { memoryOf } from '../orders/orders.ts';
import type { World } from './world.ts';

/** The status of a node that is in the cluster, was watched, and is not selected any more. */
export interface KeptStatus {
  readonly status: FileIntegrityNodeStatus;
  readonly unselected: Unselected;
}

/**
 * Why a status goes. `gone`: its node is not in the cluster. `replaced`: another machine has the name. `forgotten`: somebody
 * has said that it is right. `over`: its FileIntegrity has not asked for it for as long as it is to be kept.
 */
export interface Departure {
  readonly status: FileIntegrityNodeStatus;
  readonly why: 'gone' | 'replaced' | 'forgotten' | 'over';
}

export interface UnselectedPlan {
  readonly kept: readonly KeptStatus[];
  readonly departed: readonly Departure[];
}

/** What an administrator has said about nodes that are not watched any more. */
export interface Forget {
  readonly list: NodeList;
  /** The user that set the annotation, or its field manager, as far as the API server tells. */
  readonly who: string;
}

/** What becomes of the statuses of nodes that are not selected. What is on record of a node outlives its selection. */
export function planUnselected(
  { integrity, statuses, nodes, spec, now }: Pick<World, 'integrity' | 'statuses' | 'nodes' | 'spec' | 'now'>,
  selected: readonly Node[],
): UnselectedPlan {
  const watched = new Map(selected.map((node) => [node.metadata?.name ?? '', node]));
  const there = new Map(nodes.map((node) => [node.metadata?.name ?? '', node]));
  const forget = forgetOf(integrity);
  const kept: KeptStatus[] = [];
  const departed: Departure[] = [];
  for (const [name, status] of statuses) {
    const node = there.get(name);
    if (!node) departed.push({ status, why: 'gone' });
    else if (!isOfNode(status, node)) departed.push({ status, why: 'replaced' });
    else if (!watched.has(name)) {
      const unselected = unselectedOf(spec, node, status, now);
      if (forget && listsNode(forget.list, name)) departed.push({ status, why: 'forgotten' });
      else if (isOver(unselected, spec, now)) departed.push({ status, why: 'over' });
      else kept.push({ status, unselected });
    }
  }
  return { kept, departed };
}

/** A status is of a node, and not of an earlier machine of its name. */
export function isOfNode(status: FileIntegrityNodeStatus, { metadata }: Node): boolean {
  const remembered = memoryOf(status).node;
  return remembered === undefined || remembered === metadata?.uid;
}

function unselectedOf(spec: FileIntegritySpec, node: Node, status: FileIntegrityNodeStatus, now: Date): Unselected {
  const why = whyUnselected(spec, node, memoryOf(status).selected);
  const standing = status.unselected;
  return { ...why, since: standing?.reason === why.reason ? standing.since : now.toISOString() };
}

/** Only what the FileIntegrity does not ask for goes by itself: for the rest, somebody has to say so. */
function isOver({ reason, since }: Unselected, spec: FileIntegritySpec, now: Date): boolean {
  return reason === 'SpecChanged' && !(now.getTime() < endOf(since, spec));
}

function endOf(since: string, { history }: FileIntegritySpec): number {
  return Date.parse(since) + history.departedFor * 1000;
}

/** When the next of the statuses that are kept goes by itself. */
export function nextOver(kept: readonly FileIntegrityNodeStatus[], spec: FileIntegritySpec): number {
  const ends = kept.flatMap(({ unselected }) =>
    unselected?.reason === 'SpecChanged' ? [endOf(unselected.since, spec)] : [],
  );
  return Math.min(...ends);
}

/** What the annotation `forget` says; undefined when it is not there. */
export function forgetOf({ metadata }: World['integrity']): Forget | undefined {
  const value = metadata.annotations?.[FORGET_ANNOTATION];
  if (value === undefined) return undefined;
  const user = metadata.annotations?.[REQUESTED_BY_ANNOTATION];
  const who = user ? user : managerOf(metadata, 'annotations', FORGET_ANNOTATION);
  return { list: parseNodeList(value), who: printable(who ?? 'unknown', 253) };
}
