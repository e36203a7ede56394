import { MEMORY_ANNOTATION, parseMemory } from '../../../src/operator/nodes/memory.ts';
import type { Happened } from '../history.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * No baseline changes without an order of the operator and, but for a node's first one, a record of what the order erases,
 * which is there before the order is. And none takes the place of another before the node was compared with that one.
 */
export function checkBaselines(history: readonly Happened[]): Violation[] {
  const records = ofType(history, 'record')
    .filter(({ change }) => change !== 'deleted')
    .map((event) => ({ event, ...read(event.text) }));
  const byStatus = group(
    ofType(history, 'status').filter(({ change }) => change !== 'deleted'),
    ({ uid }) => uid,
  );
  /** What was on record of each node under whatever status: it goes on to be under the next one. */
  const recorded = Map.groupBy([...byStatus.values()].flat(), ({ status }) => status.nodeName);
  const forgeries = readForgeries(history);
  return [...byStatus.values()].flatMap((versions) => {
    const [first] = versions;
    const before = (recorded.get(first?.status.nodeName ?? '') ?? []).filter(({ rv }) => rv < (first?.rv ?? 0));
    // Of a status that a list brought, the versions in which its baseline was ordered and taken in were not seen.
    if (first?.change === 'listed') before.push(first);
    const earlier = new Set(before.flatMap(({ status }) => [status.baseline?.orderId, status.orders?.baseline.id]));
    for (const id of forgeries.orders) earlier.delete(id);
    return checkStatus(versions, records, earlier, forgeries.digests);
  });
}

/** Orders that an intruder made up, and databases that a forged receipt names. */
function readForgeries(history: readonly Happened[]): { orders: Set<string>; digests: Set<string> } {
  const [orders, digests] = [new Set<string>(), new Set<string>()];
  for (const { how, detail = '' } of ofType(history, 'intrusion')) {
    const [, order, digest] = detail.split(' ');
    if (how === 'forge-receipt-unordered' && order !== undefined) orders.add(order);
    if (how.startsWith('forge-receipt') && digest !== undefined) digests.add(digest);
  }
  return { orders, digests };
}

/** What a record says. */
interface Recorded {
  readonly event: Of<'record'>;
  readonly reason?: string;
  readonly detail?: string;
  /** Nodes with findings, each with its order; and the others. */
  readonly nodes: readonly { readonly node: string; readonly order: string }[];
  readonly withoutFindings: readonly string[];
}

function read(text: string): Omit<Recorded, 'event'> {
  try {
    return { nodes: [], withoutFindings: [], ...(JSON.parse(text) as Partial<Recorded>) };
  } catch {
    return { nodes: [], withoutFindings: [] };
  }
}

/**
 * @param earlier the orders that were given for the node before, and those whose baselines were on record
 * @param forged databases that were never made: a daemon's token can name one for an order that stands, which is told
 */
function checkStatus(
  versions: readonly Of<'status'>[],
  records: readonly Recorded[],
  earlier: ReadonlySet<string | undefined>,
  forged: ReadonlySet<string>,
): Violation[] {
  const violations: Violation[] = [];
  const given = new Set(earlier);
  /** The orders that were seen to be given, and why. */
  const reasons = new Map<string, string | undefined>();
  let before: Of<'status'> | undefined;
  /** Since when the order before stands. */
  let orderedAt = 0;
  for (const version of versions) {
    const { nodeName, orders, baseline, metadata } = version.status;
    const id = orders?.baseline.id;
    for (const before of parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).orders ?? []) given.add(before);
    if (id !== undefined && before?.status.orders?.baseline.id !== id) {
      if (!given.has(id)) violations.push(...checkOrder(version, orderedAt, records));
      given.add(id);
      reasons.set(id, orders?.baseline.reason);
      orderedAt = version.rv;
    }
    const last = before?.status.baseline;
    if (last && !baseline) violations.push(violation(`${nodeName}: the baseline on record is gone`, before, version));
    if (baseline && baseline.digest !== last?.digest) {
      if (!given.has(baseline.orderId)) {
        violations.push(violation(`${nodeName}: a baseline that nobody ordered is on record`, before, version));
      }
      // What was on record under an earlier status was another machine's, perhaps: it may have nothing to compare with, which
      // is told in a warning. Another order may have followed before the receipt of the first one came.
      const unseen = versions[0]?.change === 'listed' ? 'Initial' : undefined;
      const reason = reasons.has(baseline.orderId) ? reasons.get(baseline.orderId) : unseen;
      const beginsAnew = reason === 'Initial' && last !== undefined && earlier.has(last.orderId);
      const isToldForgery = forged.has(baseline.digest) && baseline.closing?.uncompared !== undefined;
      const isExcused = beginsAnew || isToldForgery || baseline.adopted === true;
      if (last && !isExcused && baseline.closing?.scan === undefined) {
        const message = `${nodeName}: a baseline took the place of another, and nothing was compared before`;
        violations.push(violation(message, before, version));
      }
      if (last?.orderId === baseline.orderId) {
        violations.push(violation(`${nodeName}: two baselines were taken in for one order`, before, version));
      }
    }
    before = version;
  }
  return violations;
}

/** @param since when the order before was given: a record of before that is another order's */
function checkOrder(version: Of<'status'>, since: number, records: readonly Recorded[]): Violation[] {
  const { nodeName, orders } = version.status;
  if (orders === undefined || orders.baseline.reason === 'Initial') return [];
  const { id, reason, detail } = orders.baseline;
  const isOfIt = (record: Recorded) =>
    record.reason === reason &&
    record.detail === detail &&
    record.event.rv > since &&
    (record.nodes.some(({ node, order }) => node === nodeName && order === id) ||
      record.withoutFindings.includes(nodeName));
  const mine = records.filter(isOfIt);
  if (mine.some(({ event }) => event.rv < version.rv || event.change === 'listed')) return [];
  const order = `${nodeName}: the order ${id} (${reason})`;
  const [late] = mine;
  if (late) return [violation(`${order} went out before its record was written`, version, late.event)];
  return [violation(`${order} went out without a record of what it erases`, version)];
}
