import { createHash } from 'node:crypto';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { CLOSING_LABEL, OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { failedName, labelValue, recordName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineReceipt } from '../../api/protocol.ts';
import { REASON_LABEL, RECORD_BYTES, referenceTo } from './record.ts';

/** What the comparisons before some new baselines came to: what these accept that is not in the record of their order. */
export interface ClosingRecord {
  readonly name: string;
  readonly id: string;
  readonly integrity: FileIntegrity;
  readonly nodes: readonly Accepted[];
}

/** A node whose new baseline accepts something, or nobody knows what. */
interface Accepted {
  readonly status: FileIntegrityNodeStatus;
  readonly baseline: BaselineReceipt;
}

export interface ClosingsPlan {
  readonly records: readonly ClosingRecord[];
  /** Nodes that the records speak of, each with the id of the order. */
  readonly noted: ReadonlyMap<string, string>;
  /** When there is more to write, if nothing happens before. */
  readonly at?: Date;
}

/** How long what was found on one node waits for the other nodes of the same order, in milliseconds. */
const WAIT_MS = 60_000;

/**
 * The records of what new baselines accept: one for all nodes whose baselines were ordered for the same reason, when the
 * last of them has made its own or the first has waited for a minute. A fleet that is updated at once writes one, or some.
 * @param noted the id of the order of which a node's closing is on record already
 */
export function planClosings(
  integrity: FileIntegrity,
  statuses: readonly FileIntegrityNodeStatus[],
  noted: (status: FileIntegrityNodeStatus) => string | undefined,
  now: Date,
): ClosingsPlan {
  const accepted = statuses.flatMap((status): Accepted[] => {
    const { baseline } = status;
    return baseline && accepts(baseline) && noted(status) !== baseline.orderId ? [{ status, baseline }] : [];
  });
  if (accepted.length === 0) return { records: [], noted: new Map() };
  const underWay = new Set(statuses.filter(isUnderWay).map(whyOfOrder));
  const records: ClosingRecord[] = [];
  const written = new Map<string, string>();
  let at: Date | undefined;
  for (const [why, nodes] of Map.groupBy(accepted, whyOf)) {
    const since = Math.min(...nodes.map(({ baseline }) => Date.parse(baseline.closing?.at ?? '') || 0));
    const due = underWay.has(why) ? since + WAIT_MS : 0;
    if (due > now.getTime()) {
      at = new Date(Math.min(due, at?.getTime() ?? due));
      continue;
    }
    records.push(recordOf(integrity, why, nodes));
    for (const { status, baseline } of nodes) written.set(status.nodeName, baseline.orderId);
  }
  return { records, noted: written, ...(at && { at }) };
}

function accepts({ closing }: BaselineReceipt): boolean {
  return closing !== undefined && (closing.verdict !== 'Succeeded' || closing.uncompared !== undefined);
}

function isUnderWay({ orders, baseline }: FileIntegrityNodeStatus): boolean {
  return orders !== undefined && baseline !== undefined && orders.baseline.id !== baseline.orderId;
}

/** The standing order says more of the reason than the receipt, while it is that of the receipt. */
function whyOf({ status, baseline }: Accepted): string {
  return status.orders?.baseline.id === baseline.orderId ? whyOfOrder(status) : JSON.stringify([baseline.reason]);
}

function whyOfOrder({ orders }: FileIntegrityNodeStatus): string {
  const { reason, detail, who } = orders?.baseline ?? {};
  return JSON.stringify([reason, detail, who]);
}

function recordOf(integrity: FileIntegrity, why: string, nodes: readonly Accepted[]): ClosingRecord {
  const parts = nodes.map(({ status, baseline }) => [status.nodeName, baseline.orderId, baseline.digest]).sort();
  const hash = createHash('sha256')
    .update(JSON.stringify([why, parts]))
    .digest('hex')
    .slice(0, 20);
  const id = `accepted-${hash}`;
  return { name: recordName(integrity.metadata.name ?? '', id), id, integrity, nodes };
}

/** The config map of such a record: like that of an order, to which it is linked by each node's order. */
export function closingMap({ name, id, integrity, nodes }: ClosingRecord, bytes = RECORD_BYTES): ConfigMap {
  const [first] = nodes;
  const order =
    first && first.status.orders?.baseline.id === first.baseline.orderId ? first.status.orders.baseline : undefined;
  const reason = first?.baseline.reason;
  const own = integrity.metadata.name ?? '';
  const head = {
    apiVersion: 'records.fileintegrity.openshift.io/v1',
    kind: 'Acceptance',
    id,
    fileIntegrity: own,
    reason,
    ...(order?.detail !== undefined && { detail: order.detail }),
    ...(order?.who !== undefined && { who: order.who }),
    ...(order && { requestedAt: order.requestedAt }),
  };
  let room = bytes - Buffer.byteLength(JSON.stringify(head)) - 64;
  const texts = nodes
    .map((node) => factsOf(node, own))
    .filter((text) => {
      room -= Buffer.byteLength(text) + 2;
      return room >= 0;
    });
  const lists = `"nodes":[\n${texts.join(',\n')}\n],"leftOut":${nodes.length - texts.length}`;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: integrity.metadata.namespace ?? '',
      labels: {
        [OWNER_LABEL]: labelValue(own),
        [RECORD_LABEL]: '',
        [CLOSING_LABEL]: '',
        ...(reason !== undefined && { [REASON_LABEL]: reason }),
      },
    },
    data: { [RECORD_KEY]: `${JSON.stringify(head).slice(0, -1)},${lists}}\n` },
  };
}

function factsOf({ status: { nodeName }, baseline }: Accepted, integrity: string): string {
  const { orderId, digest, closing } = baseline;
  const { sequence, digest: keptDigest } = closing?.kept ?? {};
  const isNumbered = sequence !== undefined && keptDigest !== undefined;
  const accepted = isNumbered
    ? { ...closing, kept: referenceTo(failedName(integrity, nodeName), { sequence, digest: keptDigest }) }
    : closing;
  return JSON.stringify({ node: nodeName, order: orderId, accepted, baselineDigest: digest });
}
