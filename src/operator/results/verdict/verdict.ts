import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityNodeStatus } from '../../../api/nodestatus.ts';
import type { BaselineFault, BaselineReceipt } from '../../../api/protocol.ts';
import { MEMORY_ANNOTATION, parseMemory, type Transition } from '../../nodes/memory.ts';
import { followUpdate } from '../../nodes/update.ts';
import type { ScanMessage } from '../inbox/message.ts';
import type { ResultFields } from './types.ts';

/**
 * The update whose changes a scan may have found: one that is under way on the node, or one that is in no baseline yet.
 * The node is looked at, too: what it says may not have become orders yet, above all when the operator has just started.
 */
export function updateOf(
  status: FileIntegrityNodeStatus,
  node: Node | undefined,
  now: Date,
  hasMachineConfigs: boolean,
): Transition | undefined {
  const { orders, baseline, metadata } = status;
  const memory = parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]);
  const seen = node && followUpdate(node, memory, now, hasMachineConfigs);
  const underWay = seen ? (seen.memory.update ?? seen.finished) : memory.update;
  const isBaselined = orders !== undefined && orders.baseline.id === baseline?.orderId;
  const pending = isBaselined ? undefined : memory.updated;
  return pending && underWay ? { from: pending.from, to: underWay.to } : (underWay ?? pending);
}

/**
 * What a scan is worth, by the database that it was compared with: AIDE itself says what it read. Unless that is the one
 * whose receipt is on record, nothing is verified, and the node is Failed whatever the scan found.
 */
export function judgeScan(fields: ResultFields, scan: ScanMessage): ScanMessage {
  const { baseline, lastResult } = fields;
  if (scan.baselineFault) return withFault(scan, scan.baselineFault);
  const digest = scan.facts?.baselineDigest;
  if (scan.verdict === 'Errored') return scan;
  if (digest === undefined) return judgeProof(fields, scan);
  if (!baseline && lastResult?.baselineFault === 'Unordered') return withFault(scan, 'Unordered');
  if (!baseline || digest === baseline.digest || isOlder(scan, baseline)) return judgeProof(fields, scan);
  const sentence =
    `The node was compared with another baseline (${short(digest)}) than the one whose receipt is on record ` +
    `(${short(baseline.digest)}): its database was replaced. Re-initialise the node once you know why.`;
  return withFault(scan, 'Replaced', sentence);
}

/**
 * That nothing has changed counts only with what it was compared with: a baseline that is on record, by its configuration. An
 * earlier operator's daemon says neither; see `ScanResult.unproven`.
 */
function judgeProof({ baseline, baselines = [] }: ResultFields, scan: ScanMessage): ScanMessage {
  const { verdict, facts } = scan;
  if (verdict !== 'Succeeded' || facts === undefined) return scan;
  const { baselineDigest, configurationDigest } = facts;
  if (baselineDigest === undefined) return unproven(scan, 'says not which database it was compared with');
  if (!baseline) return unproven(scan, 'was compared with a database of which no receipt is on record');
  const receipt = [baseline, ...baselines].find(({ digest }) => digest === baselineDigest);
  if (!receipt)
    return unproven(scan, `was compared with a database that was never on record (${short(baselineDigest)})`);
  if (configurationDigest === receipt.configurationDigest) return scan;
  return unproven(scan, `went by another configuration (${short(configurationDigest ?? '')}) than its baseline`);
}

function unproven({ verdict: _, ...scan }: ScanMessage, why: string): ScanMessage {
  const errorMessage = `The scan says that nothing has changed, which is not proven: it ${why}.`;
  return { ...scan, verdict: 'Errored', errorMessage, errorCode: 'SCAN_UNPROVEN' };
}

const FAULTS: Readonly<Record<BaselineFault, string>> = {
  Replaced: 'The database on the node is not the one whose receipt is on record.',
  Missing: 'The database whose receipt is on record is gone from the node.',
  Damaged: 'The database whose receipt is on record cannot be read any more.',
  Unordered: 'The database on the node was made without an order of the operator.',
};

function withFault(scan: ScanMessage, fault: BaselineFault, sentence?: string): ScanMessage {
  const { errorCode: _, errorMessage, ...rest } = scan;
  const sentences = [sentence, errorMessage].filter((text) => text !== undefined);
  const said = sentences.length > 0 ? sentences.join(' ') : FAULTS[fault];
  return { ...rest, verdict: 'Failed', baselineFault: fault, errorMessage: said };
}

/** `known`: it is on record already. `refused`: it is none that the operator asked for, and `why` says so in a sentence. */
export type ReceiptJudgement =
  | { readonly kind: 'good' }
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly fault: 'Unordered' | 'Replaced'; readonly why: string };

/**
 * Whether a receipt is that of an order. Orders are carried out in their turn: one of an order before that of the baseline
 * on record comes too late to be anything but a database that was put back.
 */
export function judgeReceipt(
  { orders, metadata }: FileIntegrityNodeStatus,
  { baseline, baselines = [] }: ResultFields,
  receipt: BaselineReceipt,
): ReceiptJudgement {
  const remembered = parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).orders ?? [];
  const given = orders ? [orders.baseline.id, ...remembered] : [];
  const turn = given.indexOf(receipt.orderId);
  if (turn < 0) return unordered('no order of that id was given');
  const earlier = [...(baseline ? [baseline] : []), ...baselines].find(({ orderId }) => orderId === receipt.orderId);
  if (earlier?.digest === receipt.digest) return { kind: 'known' };
  if (earlier) {
    const digests = `${short(receipt.digest)}, not ${short(earlier.digest)}`;
    return unordered(`its order was carried out already, with another database (${digests})`);
  }
  const recorded = baseline ? given.indexOf(baseline.orderId) : -1;
  if (recorded >= 0 && turn > recorded) return unordered('its order was given before that of the baseline on record');
  if (receipt.adopted && baseline && receipt.digest !== baseline.digest) {
    const digests = `${short(receipt.digest)}, not ${short(baseline.digest)}`;
    const why = `The database that the node has is not the one on record for it (${digests}). What was on record stays.`;
    return { kind: 'refused', fault: 'Replaced', why };
  }
  return { kind: 'good' };
}

function unordered(why: string): ReceiptJudgement {
  return {
    kind: 'refused',
    fault: 'Unordered',
    why: `The receipt of a baseline was refused: ${why}. What was on record stays.`,
  };
}

function short(digest: string): string {
  return `${digest.slice(0, 16)}…`;
}

/** The scan began before the baseline was made: it read another one. Both times are by the node's clock. */
export function isOlder(scan: ScanMessage, receipt: BaselineReceipt): boolean {
  if (scan.facts?.baselineDigest === receipt.digest) return false;
  return Date.parse(scan.facts?.startedAt ?? '') < Date.parse(receipt.createdAt);
}
