import type { KeptFailure } from '../../../api/nodestatus.ts';
import type { KeptSketch } from './types.ts';

/** Config maps that the earlier failures of one node have at most, together, but for those that a record refers to. */
export const HISTORY_MAPS = 64;

/**
 * The same of those that a record refers to. It is there for a node that has itself recorded again and again with a report as
 * large as can be: what the node brought about goes before what a person asked for.
 */
export const RECORDED_MAPS = 256;

/**
 * The numbers of a node's kept failures that a record refers to: `asked` when it is one of a re-initialisation or a
 * configuration, `update` when it is but one of an update of the node, which the node can bring about itself.
 */
export type Recorded = ReadonlyMap<number, 'asked' | 'update'>;

export interface HistoryWorld {
  /** Id of the message that is to be kept. */
  readonly message: string;
  /** The name that an earlier failure has by its number. */
  readonly nameOf: (sequence: number) => string;
  /** What is kept as the newest now. */
  readonly kept: KeptSketch | undefined;
  /** Earlier failures that are known to be there, in any order. One that was just written may be missing. */
  readonly earlier: readonly KeptSketch[];
  /** What the node status has on record, newest first. */
  readonly listed: readonly KeptFailure[];
  /** How many are kept beside the newest. */
  readonly limit: number;
  readonly recorded?: Recorded;
  /** The number of one that takes, or has, the place of the newest, since it was found again. */
  readonly again?: number;
}

export interface HistoryPlan {
  /** The place of the new one in the chain. */
  readonly sequence: number;
  readonly previous: string;
  /** The number under which the newest now is kept from now on; undefined when it is not, or is no longer the newest. */
  readonly archive: number | undefined;
  /** Numbers of the earlier failures that stay. */
  readonly staying: ReadonlySet<number>;
  /** Earlier failures that there is no room for any more. */
  readonly surplus: readonly KeptSketch[];
}

/** Where a new failure goes, and which of the earlier ones have to go. Planned again after a crash, it is the same. */
export function planHistory(world: HistoryWorld): HistoryPlan {
  const { message, kept, earlier, listed } = world;
  const newest = listed[0]?.sequence ?? 0;
  if (kept?.message === message) {
    return { sequence: kept.sequence ?? 1, previous: kept.previous, archive: undefined, ...fitting(world) };
  }
  const top = Math.max(kept?.sequence ?? 0, newest, ...earlier.map(({ sequence = 0 }) => sequence));
  // One whose status was never written, since the operator died, or went with its node, is in the chain all the same.
  const isAhead = kept?.sequence !== undefined && kept.sequence > newest;
  const archive = kept && numberFor(kept, earlier, newest, top);
  const { staying, surplus } = fitting(
    world,
    kept && archive !== undefined ? { ...kept, sequence: archive } : undefined,
  );
  return {
    sequence: Math.max(top, archive ?? 0) + 1,
    previous: isAhead ? kept.digest : (listed[0]?.digest ?? ''),
    archive: archive !== undefined && staying.has(archive) ? archive : undefined,
    staying,
    surplus,
  };
}

/** Its own number, unless another one has that already, which must not be overwritten. */
function numberFor(kept: KeptSketch, earlier: readonly KeptSketch[], onRecord: number, top: number): number {
  const own = kept.sequence ?? onRecord;
  return earlier.some(({ sequence, message }) => sequence === own && message !== kept.message) ? top + 1 : own;
}

/** The newest, as many as there is room for, and all that a record refers to. */
function fitting(
  { earlier, listed, limit, nameOf, recorded = new Map(), again }: HistoryWorld,
  archived?: KeptSketch,
): Pick<HistoryPlan, 'staying' | 'surplus'> {
  const unseen = { digest: '', previous: '', message: '', parts: 1, pages: 0 };
  const all = [
    ...listed.map(({ sequence }) => ({ ...unseen, sequence, name: nameOf(sequence) })),
    ...(archived ? [archived] : []),
    ...earlier,
  ];
  const byNumber = new Map<number, KeptSketch>(all.map((each) => [each.sequence ?? 0, each]));
  const newestFirst = [...byNumber].sort(([one], [other]) => other - one);
  const staying = new Set<number>(again === undefined ? [] : [again]);
  const take = (numbered: typeof newestFirst, most: { maps: number; count: number }) => {
    let maps = 0;
    for (const [index, [number, { parts, pages }]] of numbered.entries()) {
      maps += parts + pages;
      if (index < most.count && maps <= most.maps) staying.add(number);
    }
  };
  take(
    newestFirst.filter(([number]) => number !== again),
    { maps: HISTORY_MAPS, count: limit },
  );
  const isFor = (why: 'asked' | 'update') => newestFirst.filter(([number]) => recorded.get(number) === why);
  take([...isFor('asked'), ...isFor('update')], { maps: RECORDED_MAPS, count: Number.POSITIVE_INFINITY });
  return { staying, surplus: earlier.filter(({ sequence }) => !staying.has(sequence ?? 0)) };
}
