/** What the operator remembers of a node's updates. */
export interface UpdateMemory {
  /** Machine configuration with which the node's baseline goes. */
  readonly configuration?: string;
  /** The update that is under way. */
  readonly update?: NodeUpdate;
}

export interface NodeUpdate {
  readonly source: 'MachineConfig' | 'NodeUpdating';
  readonly from: string;
  readonly to: string;
  /** RFC 3339. */
  readonly since: string;
}

/**
 * What the operator remembers of a node from one reconcile to the next, in an annotation of its status (JSON): it
 * outlives the operator.
 */
export interface NodeMemory extends UpdateMemory {
  /** Id of the newest re-init request that became an order of the node. */
  readonly request?: string;
}

/** Annotation on a node status that holds its `NodeMemory`. */
export const MEMORY_ANNOTATION = 'file-integrity.openshift.io/node-memory';

/** Reads what was remembered; anything else than what `formatMemory` writes counts as nothing. */
export function parseMemory(text: string | undefined): NodeMemory {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    const { configuration, update, request } = value as Record<string, unknown>;
    return {
      ...(typeof configuration === 'string' && { configuration }),
      ...(isNodeUpdate(update) && { update }),
      ...(typeof request === 'string' && { request }),
    };
  } catch {
    return {};
  }
}

function isNodeUpdate(value: unknown): value is NodeUpdate {
  if (typeof value !== 'object' || value === null) return false;
  const { source, from, to, since } = value as Record<string, unknown>;
  return (
    (source === 'MachineConfig' || source === 'NodeUpdating') &&
    [from, to, since].every((field) => typeof field === 'string')
  );
}

/** Undefined when there is nothing to remember. */
export function formatMemory(memory: NodeMemory): string | undefined {
  return Object.keys(memory).length === 0 ? undefined : JSON.stringify(memory);
}
