import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineReceipt } from '../../api/outcome.ts';
import { MEMORY_ANNOTATION, parseMemory, type Transition } from '../nodes/memory.ts';
import { followUpdate } from '../nodes/update.ts';
import type { ScanMessage } from './message.ts';

/**
 * The update whose changes a scan may have found: one that is under way on the node, or one that is in no baseline yet.
 * The node is looked at, too: what it says may not have become orders yet, above all when the operator has just started.
 */
export function updateOf(status: FileIntegrityNodeStatus, node: Node | undefined, now: Date): Transition | undefined {
  const { orders, baseline, metadata } = status;
  const memory = parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]);
  const seen = node && followUpdate(node, memory, now);
  const underWay = seen ? (seen.memory.update ?? seen.finished) : memory.update;
  const isBaselined = orders !== undefined && orders.baseline.id === baseline?.orderId;
  const pending = isBaselined ? undefined : memory.updated;
  return pending && underWay ? { from: pending.from, to: underWay.to } : (underWay ?? pending);
}

/**
 * A scan without findings proves something only when it was compared with the baseline whose receipt the operator has: AIDE
 * itself says what it read. Otherwise the database on the node was replaced.
 */
export function provenBy(receipt: BaselineReceipt | undefined, scan: ScanMessage): ScanMessage {
  const digest = scan.facts?.baselineDigest;
  if (scan.verdict !== 'Succeeded' || !receipt || digest === undefined || digest === receipt.digest) return scan;
  if (isOlder(scan, receipt)) return scan;
  const short = (whole: string) => whole.slice(0, 16);
  const errorMessage =
    `The node was compared with another baseline (${short(digest)}…) than the one whose receipt is on record ` +
    `(${short(receipt.digest)}…): its database was replaced. Re-initialise the node once you know why.`;
  return { ...scan, verdict: 'Errored', errorCode: 'DATABASE_REPLACED', errorMessage };
}

/** The scan began before the baseline was made. Both times are by the node's clock. */
export function isOlder(scan: ScanMessage, receipt: BaselineReceipt): boolean {
  return Date.parse(scan.facts?.startedAt ?? '') < Date.parse(receipt.createdAt);
}
