import type { BaselineOrder } from '../../api/protocol.ts';
import type { Closing, Now, RecordedBaseline, ReplacedBaseline, State } from './state.ts';

/** Seconds between scans when no orders say otherwise. */
const DEFAULT_GRACE_PERIOD = 900;

/** Milliseconds between the end of a scan and the start of the next. */
export function gracePeriodMs(state: State): number {
  return Math.max(10, state.record?.orders?.settings.gracePeriod ?? DEFAULT_GRACE_PERIOD) * 1000;
}

/** When the next scan is due, on the monotonic clock. */
export function scanDueAt(state: State, now: Now): number {
  return state.scannedAt === undefined ? now.mono : state.scannedAt + gracePeriodMs(state);
}

/** The order that is still to be carried out, if there is one. The API server's record counts, not the node's. */
export function pendingOrder(state: State): BaselineOrder | undefined {
  const order = state.record?.orders?.baseline;
  if (order === undefined || order.id === state.record?.baseline?.orderId || order.id === state.made) return undefined;
  const answered = state.outbox.queue.some(
    ({ outcome }) => outcome.kind === 'baseline' && outcome.receipt.orderId === order.id,
  );
  return answered ? undefined : order;
}

/**
 * The database that scans must compare with: by the newest receipt, be it on its way to the operator or recorded by it
 * outside of the node.
 */
export function recordedBaseline(state: State): RecordedBaseline | undefined {
  const replaced = replacedBaseline(state);
  if (replaced === undefined) return undefined;
  const { configurationDigest: _, ...recorded } = replaced;
  return recorded;
}

/** The same with its configuration, for the comparison before that baseline is replaced. */
export function replacedBaseline(state: State): ReplacedBaseline | undefined {
  const newest = state.outbox.queue.findLast(({ outcome }) => outcome.kind === 'baseline')?.outcome;
  const recorded = newest?.kind === 'baseline' ? newest.receipt : state.record?.baseline;
  if (recorded === undefined) return undefined;
  const { digest, entries, bootId, mounts, configurationDigest } = recorded;
  return {
    digest,
    entries,
    ...(bootId !== undefined && { bootId }),
    ...(mounts !== undefined && { mounts }),
    ...(configurationDigest !== undefined && { configurationDigest }),
  };
}

/** The comparison that was done for this order and the ordered configuration; undefined when it is still to be done. */
export function closingOf(state: State, order: BaselineOrder): Closing | undefined {
  const { closing, record } = state;
  const isOfOrder =
    closing?.orderId === order.id && closing.configurationDigest === record?.orders?.configuration.digest;
  return isOfOrder && !closing.spent ? closing : undefined;
}
