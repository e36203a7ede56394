import type { FileIntegrity } from '../../api/fileintegrity.ts';
import type { BaselineOrder } from '../../api/protocol.ts';

/** A request for new baselines that a node is ordered by: the same for all nodes that it has them made on. */
export interface Request {
  /** Uid of the FileIntegrity. */
  readonly integrity: string;
  /** What is the same for all nodes of it; see `requestOf`. */
  readonly id: string;
  /** It is another configuration: the same one may come again, behind another. */
  readonly isConfiguration: boolean;
}

/**
 * The request that an order is of, which is the same for all nodes: an annotation, or another configuration; an update is each
 * node's own.
 */
export function requestOf({ metadata }: FileIntegrity, { id, reason }: BaselineOrder): Request {
  const configuration = reason === 'Configuration' ? /^configuration-[0-9a-f]+/.exec(id)?.[0] : undefined;
  return { integrity: metadata.uid ?? '', id: configuration ?? id, isConfiguration: configuration !== undefined };
}

/** Requests that are remembered when they are over, so that a node which is late counts for none anew. */
const REMEMBERED = 1000;

interface Known {
  /** Nodes that have the order, and not its baseline. */
  readonly pending: Set<string>;
  isOver: boolean;
}

/** Counts requests, each once, however many nodes it has. */
export class Requests {
  readonly #known = new Map<string, Known>();
  /** By FileIntegrity, the configuration that was ordered last. */
  readonly #configurations = new Map<string, string>();
  readonly #onOver: () => void;

  /** @param onOver told when the last node of a request has its baseline, or is gone */
  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  /** @returns whether it is the first order of its request */
  ordered(request: Request, node: string): boolean {
    const key = keyOf(request);
    const { integrity, id, isConfiguration } = request;
    const isAgain = isConfiguration && this.#configurations.get(integrity) !== id;
    if (isConfiguration) this.#configurations.set(integrity, id);
    const known = isAgain ? undefined : this.#known.get(key);
    if (known) {
      known.pending.add(node);
      return false;
    }
    this.#remember(key, new Set([node]));
    return true;
  }

  /** @param pending the nodes that the request has still to do, for one that was ordered before this operator began */
  carriedOut(request: Request, node: string, pending: () => Iterable<string>): void {
    const key = keyOf(request);
    const known = this.#known.get(key) ?? this.#remember(key, new Set(pending()));
    known.pending.delete(node);
    this.#check(known);
  }

  /** The node is gone from the cluster. */
  forget(node: string): void {
    for (const known of this.#known.values()) if (known.pending.delete(node)) this.#check(known);
  }

  #check(known: Known): void {
    if (known.isOver || known.pending.size > 0) return;
    known.isOver = true;
    this.#onOver();
  }

  #remember(key: string, pending: Set<string>): Known {
    const known = { pending, isOver: false };
    this.#known.delete(key); // its place is that of the newest
    this.#known.set(key, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break;
      this.#known.delete(oldest);
    }
    return known;
  }
}

function keyOf({ integrity, id }: Request): string {
  return `${integrity} ${id}`;
}
