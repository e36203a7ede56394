import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { z } from 'zod';
import { ADMISSION_RECORD_LABEL, RECORD_KEY } from '../../api/keys.ts';
import { legible, printable } from '../../lib/text.ts';
import { ADMISSION_RECORD, type Standing } from './standing.ts';

/** Who takes policies away may write into the record, too, and what it says is shown. */
const text = z
  .string()
  .max(1024)
  .transform((said) => legible(said));
const periodSchema = z.object({
  /** When the operator saw it. */
  from: text,
  /** When it had last seen them in force, where it did not look in between: it began after that. */
  notBefore: text.exactOptional(),
  /** When it saw them in force again; none: it lasts. */
  until: text.exactOptional(),
  faults: z.array(text).max(64),
});
const recordSchema = z.object({
  apiVersion: z.literal('records.fileintegrity.openshift.io/v1'),
  kind: z.literal('AdmissionRecord'),
  /** The last look. */
  seen: z.object({ at: text, enforced: z.boolean(), versions: z.record(text, text) }),
  /** When the policies were not in force, the newest first. */
  periods: z.array(periodSchema),
  /** Older ones that the record has no room for. */
  leftOut: z.int().nonnegative(),
});

/** When the admission policies were not in force, as the operator saw it. It outlives the operator's pod. */
export type AdmissionRecord = z.output<typeof recordSchema>;
type Period = z.output<typeof periodSchema>;

/** What one look at the policies says. */
export interface Look {
  readonly standing: Standing;
  /** By object; see `AdmissionWatch.versions`. */
  readonly versions: Readonly<Record<string, string>>;
  readonly now: Date;
  /** Whether nobody looked since the look that the record speaks of. */
  readonly isFirst: boolean;
}

/** Periods that are kept, and faults of each. */
const PERIODS = 50;
const FAULTS = 32;
const UNREADABLE = 'the policies could not be read';

/**
 * The record after a look. Policies that are in force, and of another version than at the look before, were away or changed in
 * between: that is a period too, however short it was.
 */
export function recordLook(
  record: AdmissionRecord | undefined,
  { standing, versions, now, isFirst }: Look,
): AdmissionRecord {
  const at = now.toISOString();
  const enforced = standing.is === 'enforced';
  const { seen, periods = [], leftOut = 0 } = record ?? {};
  const [newest, ...older] = periods;
  const open = newest !== undefined && newest.until === undefined ? newest : undefined;
  const replaced = seen && standing.is !== 'unknown' ? changedSince(seen.versions, versions) : [];
  // While something is wrong already, something else may be taken away and put back unseen, too.
  const faults = [...new Set([...(open?.faults ?? []), ...faultsOf(standing), ...replaced])].slice(0, FAULTS);
  const after = (next: readonly Period[]): AdmissionRecord => ({
    apiVersion: 'records.fileintegrity.openshift.io/v1',
    kind: 'AdmissionRecord',
    // What cannot be read has no versions to compare with.
    seen: { at, enforced, versions: standing.is === 'unknown' ? (seen?.versions ?? {}) : { ...versions } },
    periods: next.slice(0, PERIODS),
    leftOut: leftOut + Math.max(0, next.length - PERIODS),
  });
  if (enforced && open) return after([{ ...open, until: at, faults }, ...older]);
  if (enforced) {
    if (replaced.length === 0 || !seen) return after(periods);
    return after([{ from: seen.at, until: at, faults: replaced }, ...periods]);
  }
  if (open) return after([{ ...open, faults }, ...older]);
  const notBefore = isFirst && seen?.enforced ? { notBefore: seen.at } : {};
  return after([{ from: at, ...notBefore, faults }, ...periods]);
}

function faultsOf(standing: Standing): string[] {
  if (standing.is === 'enforced') return [];
  return standing.is === 'unknown' ? [UNREADABLE] : standing.faults.slice(0, FAULTS);
}

function changedSince(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  const changed = Object.keys(now).filter((id) => id in before && before[id] !== now[id]);
  return changed.slice(0, FAULTS).map((id) => `${printable(id, 253)} was changed or made again between two looks`);
}

/** Undefined: there is none, or somebody made it unreadable. */
export function readRecord(configMap: ConfigMap | undefined): AdmissionRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(configMap?.data?.[RECORD_KEY] ?? '')).data;
  } catch {
    return undefined;
  }
}

export function recordMap(record: AdmissionRecord, namespace: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: ADMISSION_RECORD, namespace, labels: { [ADMISSION_RECORD_LABEL]: '' } },
    data: { [RECORD_KEY]: `${JSON.stringify(record, undefined, 2)}\n` },
  };
}
