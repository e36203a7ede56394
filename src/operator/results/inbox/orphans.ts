import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { PARTS_LIMIT } from '../../../api/names.ts';

/**
 * A daemon writes the parts of a message before its first config map, which it may take some time for: 99 MiB through an
 * API server that is busy. Each attempt makes them anew.
 */
const GRACE_MS = 10 * 60_000;

export interface OrphansWorld {
  readonly now: Date;
  /** The message itself is there, and its parts are removed with it. */
  readonly hasMessage: boolean;
  /** The parts that are there, by their number. */
  readonly parts: ReadonlyMap<number, ConfigMap>;
}

export interface OrphansPlan {
  /** What belongs to no message. */
  readonly remove: readonly ConfigMap[];
  /** When there may be something to remove though nothing happens. */
  readonly looksAgainAt?: Date;
}

/**
 * Parts that belong to no message: those of one that never came, and those above the number that a message may have. Each
 * may have 1 MiB, and stays in the API server until somebody removes it.
 */
export function planOrphans({ now, hasMessage, parts }: OrphansWorld): OrphansPlan {
  const all = [...parts].sort(([one], [other]) => one - other);
  const surplus = all.filter(([number]) => number > PARTS_LIMIT).map(([, part]) => part);
  const usual = all.filter(([number]) => number <= PARTS_LIMIT).map(([, part]) => part);
  if (hasMessage || usual.length === 0) return { remove: surplus };
  // One whose time cannot be read is as old as can be.
  const newest = Math.max(...usual.map(({ metadata }) => Date.parse(metadata?.creationTimestamp ?? '') || 0));
  const until = newest + GRACE_MS;
  if (until > now.getTime()) return { remove: surplus, looksAgainAt: new Date(until) };
  return { remove: [...usual, ...surplus] };
}
