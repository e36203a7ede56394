import type { RecordedMount } from '../../api/protocol.ts';
import { readBootId } from '../disk/receipt.ts';
import type { RecordedBaseline } from '../machine/state.ts';
import type { AideSetup } from './aide-setup.ts';
import { type Look, lookAtMounts } from './mount-look.ts';
import { changesSentence, compareMounts, type MountChange, type UnseenMount, unseenSentence } from './mounts.ts';

/** What a scan has to say of the node's mounts. */
export interface MountFindings {
  /** Mounts that are otherwise than at the baseline, at the scan's beginning or its end. */
  readonly changes: number;
  readonly changed?: string;
  /** Why the scan proves nothing: the code of an error, and sentences. */
  readonly unproven?: { readonly code: string; readonly sentence: string };
  /** For the report: the same with all names that a person may want. */
  readonly head?: string;
}

/** A look at the mounts before AIDE runs, and what it comes to with one more look when AIDE has run. */
export async function beginMounts(setup: AideSetup, signal: AbortSignal): Promise<() => Promise<MountFindingsOf>> {
  const before = await lookAtMounts(setup, signal);
  return async () => {
    const after = await lookAtMounts(setup, signal);
    const bootId = await readBootId();
    return (recorded) => findingsOf([before, after], recorded, bootId);
  };
}

/** The findings, given the baseline on record. */
type MountFindingsOf = (recorded: RecordedBaseline | undefined) => MountFindings;

/** The names in a report. */
const NAMED_IN_REPORT = 40;

function findingsOf(looks: readonly Look[], recorded: RecordedBaseline | undefined, bootId: string): MountFindings {
  const changes = new Map<string, MountChange>();
  const unseen = new Map<string, UnseenMount>();
  let unknown: string | undefined;
  for (const look of looks) {
    if (!look.ok) {
      unknown ??= `${look.sentence}. ${UNKNOWN}.`;
      continue;
    }
    for (const each of look.sight.unseen) unseen.set(each.path, each);
    if (recorded?.mounts === undefined) continue;
    for (const each of compareMounts(look.sight.mounts, recorded.mounts, recorded.bootId === bootId)) {
      changes.set(`${each.change} ${each.mount?.path ?? ''}`, each);
    }
  }
  const changed = [...changes.values()];
  const hidden = [...unseen.values()];
  const sentences = (named?: number) => ({
    ...(changed.length > 0 && { changed: changesSentence(changed, named) }),
    ...(hidden.length > 0 && { hidden: unseenSentence(hidden, named) }),
  });
  const short = sentences();
  const head = [...Object.values(sentences(NAMED_IN_REPORT)), unknown].filter((text) => text !== undefined);
  return {
    changes: changed.length,
    ...(short.changed !== undefined && { changed: short.changed }),
    ...(short.hidden !== undefined
      ? { unproven: { code: 'MOUNT_NOT_SEEN', sentence: short.hidden } }
      : unknown !== undefined && { unproven: { code: 'MOUNTS_UNKNOWN', sentence: unknown } }),
    ...(head.length > 0 && { head: head.join('\n') }),
  };
}

const UNKNOWN = 'So it is not known whether the scan sees the files that the node sees';

/** The mounts as a baseline finds them, or why there can be no baseline: code and sentence. */
export async function mountsForBaseline(
  setup: AideSetup,
  signal: AbortSignal,
): Promise<{ mounts: readonly RecordedMount[] } | { code: string; sentence: string }> {
  const look = await lookAtMounts(setup, signal);
  const { unproven } = findingsOf([look], undefined, '');
  if (unproven !== undefined) return unproven;
  return { mounts: look.ok ? look.sight.mounts : [] };
}
