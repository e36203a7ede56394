import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { failedName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus, ScanResult } from '../../api/nodestatus.ts';
import { foldHeartbeat, foldScan, foldSetAside, isNews, type ResultFields, repeats } from './fold.ts';
import { idOf, type Message, readHeartbeat, readSlot, type ScanMessage } from './message.ts';

/** Annotation on a node status: id of the heartbeat that was taken in last. */
export const HEARTBEAT_ANNOTATION = 'file-integrity.openshift.io/heartbeat';

/** All that taking in the results of one node looks at. */
export interface ResultsWorld {
  readonly now: Date;
  /** Name of the FileIntegrity. */
  readonly integrity: string;
  readonly status: FileIntegrityNodeStatus;
  /** The node's temporary config map; of its data, the keys are enough. */
  readonly slot: ConfigMap | undefined;
  readonly lease: Lease | undefined;
}

/** What is to be done, in this order; every part may be repeated after a crash. */
export interface ResultsPlan {
  /** Copy the report to where it is kept, before anything says that it is there. */
  readonly keep?: KeepReport;
  /** The node status's new fields. */
  readonly fields?: ResultFields;
  readonly events: readonly ResultEvent[];
  /** Remove the message, which is in the status now. */
  readonly remove?: { readonly name: string; readonly uid: string; readonly parts: number };
}

export interface KeepReport {
  readonly messageId: string;
  readonly from: { readonly name: string; readonly uid: string };
  readonly to: string;
  readonly parts: number;
  readonly counts: ScanMessage['counts'];
}

export interface ResultEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** For the metrics: the transition that it tells. */
  readonly result?: ScanResult;
  /** Which error it was, if it was one. */
  readonly errorCode?: string;
}

export function planResults(world: ResultsWorld): ResultsPlan {
  const sender = { integrity: world.integrity, node: world.status.nodeName };
  const heartbeat = readHeartbeat(world.lease, sender);
  const before = fieldsOf(world.status);
  const rested = heartbeat ? takeHeartbeat(before, heartbeat, world.now) : before;
  const { slot } = world;
  if (!slot) return { ...(rested !== before && { fields: rested }), events: [] };

  const message = readSlot(slot, sender);
  const remove = {
    name: slot.metadata?.name ?? '',
    uid: slot.metadata?.uid ?? '',
    parts: message.kind === 'scan' ? message.parts : 1,
  };
  if (before.acknowledged === idOf(slot)) return { ...(rested !== before && { fields: rested }), events: [], remove };

  const taken = takeMessage(world, rested, message, slot);
  const fields: ResultFields = {
    ...taken.fields,
    acknowledged: message.id,
    // A heartbeat older than this message must not be taken in after it.
    ...(heartbeat && { heartbeat: heartbeat.id }),
  };
  return { ...taken, fields, remove };
}

function takeHeartbeat(fields: ResultFields, heartbeat: ScanMessage, now: Date): ResultFields {
  if (heartbeat.id === fields.heartbeat || !repeats(fields, heartbeat)) return fields;
  return foldHeartbeat(fields, heartbeat, now);
}

type Taken = Pick<ResultsPlan, 'keep' | 'events'> & { readonly fields: ResultFields };

function takeMessage(world: ResultsWorld, fields: ResultFields, message: Message, slot: ConfigMap): Taken {
  switch (message.kind) {
    case 'baseline':
      return { fields: { ...fields, baseline: message.receipt }, events: [] };
    case 'notice': {
      const text = `node ${world.status.nodeName}: ${message.message}`;
      return { fields, events: [{ type: 'Warning', reason: message.notice, message: text }] };
    }
    case 'scan':
      return takeScan(world, fields, message, slot);
  }
}

function takeScan(world: ResultsWorld, fields: ResultFields, scan: ScanMessage, slot: ConfigMap): Taken {
  const { status, integrity, now } = world;
  if (scan.verdict === 'Failed' && isBeingUpdated(status)) {
    return { fields: foldSetAside(fields, scan), events: [] };
  }
  const name = failedName(integrity, status.nodeName);
  const namespace = status.metadata.namespace ?? '';
  const after = foldScan(fields, scan, scan.verdict === 'Failed' ? { name, namespace } : undefined, now);
  const result = after.lastResult;
  const from = { name: slot.metadata?.name ?? '', uid: slot.metadata?.uid ?? '' };
  return {
    fields: after,
    ...(scan.verdict === 'Failed' && {
      keep: { messageId: scan.id, from, to: name, parts: scan.parts, counts: scan.counts },
    }),
    events: result && isNews(fields.lastResult, result) ? [tell(status.nodeName, result, scan.errorCode)] : [],
  };
}

/** What an update changes on its node is no finding: while it lasts, and until the baseline after it is made. */
function isBeingUpdated({ orders, baseline }: FileIntegrityNodeStatus): boolean {
  if (orders?.hold && orders.hold.reason !== 'Annotation') return true;
  return orders?.baseline.reason === 'NodeUpdate' && orders.baseline.id !== baseline?.orderId;
}

/** The contract's words. */
function tell(node: string, result: ScanResult, errorCode: string | undefined): ResultEvent {
  const common = { reason: 'NodeIntegrityStatus', result, ...(errorCode !== undefined && { errorCode }) } as const;
  switch (result.condition) {
    case 'Succeeded':
      return { ...common, type: 'Normal', message: `no changes to node ${node}` };
    case 'Failed': {
      const { filesAdded = 0, filesChanged = 0, filesRemoved = 0 } = result;
      const log = `${result.resultConfigMapNamespace}/${result.resultConfigMapName}`;
      const counts = `a:${filesAdded},c:${filesChanged},r:${filesRemoved}`;
      return { ...common, type: 'Warning', message: `node ${node} has changed! ${counts} log:${log}` };
    }
    case 'Errored': {
      const message = `node ${node} has an error! ${result.errorMessage ?? ''}`;
      return { ...common, type: 'Warning', message };
    }
  }
}

function fieldsOf(status: FileIntegrityNodeStatus): ResultFields {
  const { lastResult, results, lastScan, baseline, acknowledged } = status;
  const heartbeat = status.metadata.annotations?.[HEARTBEAT_ANNOTATION];
  return {
    ...(lastResult && { lastResult }),
    ...(results && { results }),
    ...(lastScan && { lastScan }),
    ...(baseline && { baseline }),
    ...(acknowledged !== undefined && { acknowledged }),
    ...(heartbeat !== undefined && { heartbeat }),
  };
}
