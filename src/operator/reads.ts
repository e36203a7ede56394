import type { Informer } from '../kube/informer.ts';
import type { KubeObject } from '../kube/types.ts';
import { explain } from '../lib/errors.ts';
import { printable } from '../lib/text.ts';

/** What the operator does not have in its memory though it should. */
export interface Unread {
  /** Plural name of the resource. */
  readonly resource: string;
  /** Safe to show. */
  readonly why: string;
}

type Store = Pick<Informer<KubeObject>, 'resource' | 'isSynced' | 'isComplete' | 'lastContact' | 'trouble'>;

/**
 * A watch that failed, and has heard nothing for so long while others have, is blind, in milliseconds. Silence alone proves
 * nothing: not every API server tells every minute that nothing happened.
 */
const QUIET_MS = 180_000;

/**
 * Which of the stores do not have what is in the cluster now. That none has heard anything is not told of: then there is no
 * API server that could be told.
 */
export function unreadOf(stores: readonly Store[]): Unread[] {
  const newest = Math.max(...stores.map(({ lastContact = 0 }) => lastContact));
  return stores.flatMap((store) => {
    const why = whyUnread(store, newest);
    return why === undefined ? [] : [{ resource: store.resource.plural, why }];
  });
}

function whyUnread(
  { isSynced, isComplete, lastContact = 0, trouble }: Store,
  newestContact: number,
): string | undefined {
  const said = trouble === undefined ? '' : `: ${printable(explain(trouble), 256)}`;
  if (!isSynced) return `not read yet${said}`;
  if (trouble !== undefined && newestContact - lastContact > QUIET_MS)
    return `nothing was heard of them for minutes${said}`;
  return isComplete ? undefined : 'there are too many, or one is too large';
}

/** In a sentence; undefined: all is read. */
export function tellUnread(unread: readonly Unread[]): string | undefined {
  if (unread.length === 0) return undefined;
  const all = unread.map(({ resource, why }) => `${resource} (${why})`).join(', ');
  return `The operator leads and cannot read ${all}: what these say of nodes is not known.`;
}

/** What of a node is unknown while some of the stores are unread. */
export interface Blind {
  /** Messages and heartbeats: what it found, if it did. */
  readonly results?: string;
  /** How its daemon is. */
  readonly daemon?: string;
}

export function blindFor(unread: readonly Unread[]): Blind {
  const tell = (...resources: string[]) => tellUnread(unread.filter(({ resource }) => resources.includes(resource)));
  const results = tell('configmaps', 'leases');
  const daemon = tell('pods', 'nodes');
  return { ...(results !== undefined && { results }), ...(daemon !== undefined && { daemon }) };
}
