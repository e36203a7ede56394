import type { Profile } from './profile.ts';

/** What the operator remembers of a node's updates. */
export interface UpdateMemory {
  /** Machine configuration with which the node's baseline goes. */
  readonly configuration?: string;
  /** The update that is under way. */
  readonly update?: NodeUpdate;
}

/** What a node was changed from, and to what: names of configurations, or descriptions of its system. */
export interface Transition {
  readonly from: string;
  readonly to: string;
}

export interface NodeUpdate extends Transition {
  readonly source: 'MachineConfig' | 'NodeUpdating';
  /** RFC 3339. */
  readonly since: string;
  /** Others than the node have asked for it, at some time while it lasted. */
  readonly asked?: boolean;
}

/**
 * What the operator remembers of a node from one reconcile to the next, in an annotation of its status (JSON): it
 * outlives the operator.
 */
export interface NodeMemory extends UpdateMemory {
  /** Uid of the node object: another one of the same name is another machine. */
  readonly node?: string;
  /** The default configuration that was chosen for the node: it can say later that it is of another kind, to no effect. */
  readonly profile?: Profile;
  /** The update that is over and whose changes are in no baseline yet. */
  readonly updated?: Transition;
  /** When the newest re-init request that became an order of the node was taken up, RFC 3339. */
  readonly requestedAt?: string;
  /** By what the node was selected when it was watched last. */
  readonly selected?: Selection;
  /** Ids of the baseline orders before the one that stands, newest first: a receipt of one of them may still be under way. */
  readonly orders?: readonly string[];
  /** Id of the newest order of which it is on record what the new baseline accepted. */
  readonly accepted?: string;
}

/** By what a node was selected last: what has changed since is told by it. */
export interface Selection {
  /** The node selector; undefined where it is too large to be remembered with every node. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The taints that were tolerated: `key=value:effect`. */
  readonly taints?: readonly string[];
}

/** Earlier orders that are remembered. */
export const ORDERS_LIMIT = 10;

/** Annotation on a node status that holds its `NodeMemory`. */
export const MEMORY_ANNOTATION = 'file-integrity.openshift.io/node-memory';

/** Reads what was remembered; anything else than what `formatMemory` writes counts as nothing. */
export function parseMemory(text: string | undefined): NodeMemory {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    const { node, profile, configuration, update, updated, requestedAt, orders, accepted, selected } = value as Record<
      string,
      unknown
    >;
    return {
      ...(typeof node === 'string' && { node }),
      ...((profile === 'linux' || profile === 'openshift') && { profile }),
      ...(typeof configuration === 'string' && { configuration }),
      ...(isNodeUpdate(update) && { update: pickUpdate(update) }),
      ...(isTransition(updated) && { updated: pickTransition(updated) }),
      ...(isTime(requestedAt) && { requestedAt }),
      ...(isRecord(selected) && { selected: pickSelection(selected) }),
      ...(typeof accepted === 'string' && { accepted }),
      ...(isTexts(orders) && { orders: orders.slice(0, ORDERS_LIMIT) }),
    };
  } catch {
    return {};
  }
}

function isNodeUpdate(value: unknown): value is NodeUpdate {
  if (!isTransition(value)) return false;
  const { source, since } = value as Transition & Record<string, unknown>;
  return (source === 'MachineConfig' || source === 'NodeUpdating') && isTime(since);
}

function isTransition(value: unknown): value is Transition {
  if (typeof value !== 'object' || value === null) return false;
  const { from, to } = value as Record<string, unknown>;
  return typeof from === 'string' && typeof to === 'string';
}

function pickTransition({ from, to }: Transition): Transition {
  return { from, to };
}

function pickUpdate({ source, from, to, since, asked }: NodeUpdate): NodeUpdate {
  return { source, from, to, since, ...(asked === true && { asked }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function pickSelection({ labels, taints }: Record<string, unknown>): Selection {
  return {
    ...(isRecord(labels) && isTexts(Object.values(labels)) && { labels: labels as Record<string, string> }),
    ...(isTexts(taints) && { taints }),
  };
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

/** Undefined when there is nothing to remember. */
export function formatMemory(memory: NodeMemory): string | undefined {
  return Object.keys(memory).length === 0 ? undefined : JSON.stringify(memory);
}
