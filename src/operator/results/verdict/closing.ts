import { SET_ASIDE_LABEL } from '../../../api/keys.ts';
import type { NodeStatusFields } from '../../../api/nodestatus.ts';
import type { BaselineClosing, BaselineOrder, BaselineReceipt } from '../../../api/protocol.ts';
import type { KeepReport, Kept } from '../evidence/types.ts';
import type { ScanMessage } from '../inbox/message.ts';
import type { ResultEvent, ResultFields } from './types.ts';

/** A comparison before a new baseline, as a node status has it until the receipt of that baseline is in. */
type StandingClosing = NonNullable<NodeStatusFields['closing']>;

/**
 * Notes what a comparison before a new baseline came to, and where its report is kept. Only for the order that stands: of
 * another one no receipt will be taken that it could be put to.
 */
export function foldClosing(
  fields: ResultFields,
  scan: ScanMessage,
  keep: Pick<KeepReport, 'to' | 'label'> | undefined,
  standing: string | undefined,
): ResultFields {
  if (scan.closes === undefined || scan.closes !== standing) return fields;
  const { id, verdict, counts, baselineFault, mountChanges, errorMessage } = scan;
  const isUnverified = verdict === 'Errored' || baselineFault !== undefined;
  const closing: StandingClosing = {
    order: scan.closes,
    scan: id,
    verdict,
    ...(counts && { counts }),
    ...(mountChanges !== undefined && { mountChanges }),
    ...(baselineFault !== undefined && { baselineFault }),
    ...(isUnverified && { uncompared: errorMessage ?? 'The comparison could not be done.' }),
    ...(keep && {
      kept: { configMapName: keep.to, ...(keep.label === SET_ASIDE_LABEL && { setAside: true }) },
    }),
  };
  return { ...fields, closing };
}

/** Its place in the record of kept failures, once it has one. */
export function foldKeptClosing(fields: ResultFields, message: string, { newest }: Pick<Kept, 'newest'>): ResultFields {
  const { closing } = fields;
  if (!newest || closing?.scan !== message || !closing.kept || closing.kept.setAside) return fields;
  const { configMapName, sequence, digest } = newest;
  return { ...fields, closing: { ...closing, kept: { configMapName, sequence, digest } } };
}

/**
 * A receipt with what its baseline accepts: as the operator has it on record, not as the daemon says it. The daemon alone
 * knows whether there was a time in which nobody looked.
 */
export function withClosing(
  { closing: standing, baseline }: ResultFields,
  receipt: BaselineReceipt,
  now: Date,
): BaselineReceipt {
  const at = now.toISOString();
  const { closing: said, ...rest } = receipt;
  const known = standing?.order === receipt.orderId ? standing : undefined;
  if (known && known.scan === said?.scan) {
    const { order: _, ...closing } = known;
    return { ...rest, closing: { ...closing, ...(said?.gap && { gap: said.gap }), at } };
  }
  if (receipt.adopted || (!baseline && !said && receipt.refused === undefined)) return rest;
  const uncompared = said
    ? 'The comparison that the receipt names is not on record.'
    : 'The daemon told of no comparison with the baseline before.';
  return { ...rest, closing: { uncompared, at } };
}

/** What a new baseline accepts is news, whoever ordered it, and so is that nobody knows what it accepts. */
export function tellClosing(
  node: string,
  namespace: string,
  { closing, orderId }: BaselineReceipt,
  order: BaselineOrder | undefined,
): ResultEvent[] {
  if (!closing || (closing.verdict === 'Succeeded' && closing.uncompared === undefined)) return [];
  const ordered = order?.id === orderId ? order : undefined;
  const by = ordered?.who === undefined ? undefined : `by ${ordered.who}`;
  const why = [ordered?.reason, ordered?.detail, by].filter((text) => text !== undefined).join(', ');
  const baseline = `node ${node}: the new baseline${why === '' ? '' : ` (${why})`}`;
  const found = closing.verdict === 'Failed' ? ` ${inCounts(closing)}${logOf(closing, namespace)}` : '';
  const message =
    closing.uncompared === undefined
      ? `${baseline} accepts what differed from the one before:${found}${gapOf(closing)}`
      : `${baseline} was made without a comparison with the one before that proves anything. ${closing.uncompared}${found}`;
  return [{ type: 'Warning', reason: 'BaselineAccepted', message }];
}

function inCounts({ counts, mountChanges }: BaselineClosing): string {
  const files = counts ? `a:${counts.added},c:${counts.changed},r:${counts.removed}` : 'not counted';
  return mountChanges === undefined ? files : `${files}, mounts: ${mountChanges}`;
}

function logOf({ kept }: BaselineClosing, namespace: string): string {
  return kept ? ` log:${namespace}/${kept.configMapName}` : '';
}

function gapOf({ gap }: BaselineClosing): string {
  return gap ? `. What changed from ${gap.from} to ${gap.to} is in it unseen` : '';
}
