import { recordName } from '../../../src/api/names.ts';
import { MEMORY_ANNOTATION, parseMemory } from '../../../src/operator/nodes/memory.ts';
import type { Happened } from '../history.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * No baseline changes without an order of the operator and, but for a node's first one, a record of what the order erases,
 * which is there before the order is.
 */
export function checkBaselines(history: readonly Happened[]): Violation[] {
  const records = new Map<string, Of<'record'>>();
  for (const record of ofType(history, 'record')) if (!records.has(record.name)) records.set(record.name, record);
  const byStatus = group(
    ofType(history, 'status').filter(({ change }) => change !== 'deleted'),
    ({ uid }) => uid,
  );
  return [...byStatus.values()].flatMap((versions) => checkStatus(versions, records));
}

function checkStatus(versions: readonly Of<'status'>[], records: ReadonlyMap<string, Of<'record'>>): Violation[] {
  const violations: Violation[] = [];
  const given = new Map<string, Of<'status'>>();
  let before: Of<'status'> | undefined;
  for (const version of versions) {
    const { nodeName, orders, baseline, metadata } = version.status;
    for (const id of parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).orders ?? []) {
      if (!given.has(id)) given.set(id, version);
    }
    if (orders && !given.has(orders.baseline.id)) {
      given.set(orders.baseline.id, version);
      violations.push(...checkOrder(version, records));
    }
    const last = before?.status.baseline;
    if (last && !baseline) violations.push(violation(`${nodeName}: the baseline on record is gone`, before, version));
    if (baseline && baseline.digest !== last?.digest) {
      if (!given.has(baseline.orderId)) {
        violations.push(violation(`${nodeName}: a baseline that nobody ordered is on record`, before, version));
      }
      if (last?.orderId === baseline.orderId) {
        violations.push(violation(`${nodeName}: two baselines were taken in for one order`, before, version));
      }
    }
    before = version;
  }
  return violations;
}

function checkOrder(version: Of<'status'>, records: ReadonlyMap<string, Of<'record'>>): Violation[] {
  const { nodeName, orders, metadata } = version.status;
  if (orders === undefined || orders.baseline.reason === 'Initial') return [];
  const integrity = metadata.ownerReferences?.[0]?.name ?? '';
  const record = records.get(recordName(integrity, orders.baseline.id));
  const order = `${nodeName}: the order ${orders.baseline.id} (${orders.baseline.reason})`;
  if (record === undefined) return [violation(`${order} went out without a record of what it erases`, version)];
  if (record.change === 'applied' && record.rv > version.rv) {
    return [violation(`${order} went out before its record was written`, version, record)];
  }
  return names(record, nodeName) ? [] : [violation(`${order} is in no word of its record`, record, version)];
}

/** Records of a request for every node are written before it is known which nodes join meanwhile. */
function names({ text }: Of<'record'>, node: string): boolean {
  return text.includes(JSON.stringify(node));
}
