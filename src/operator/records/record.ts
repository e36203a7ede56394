import { createHash } from 'node:crypto';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { failedName, historyName, labelValue, recordName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus, KeptFailure, ScanResult } from '../../api/nodestatus.ts';
import type { BaselineOrder } from '../../api/protocol.ts';
import { isFailing, standingFailure } from '../nodes/failure.ts';

/** Label on a record: why the baselines were ordered. */
export const REASON_LABEL = 'file-integrity.openshift.io/reason';
/** Its value on what was on record of departed nodes. */
export const DEPARTED = 'Departed';

/** A node that gets a new baseline, and what is known of it before. */
export interface Rebased {
  readonly before: FileIntegrityNodeStatus;
  readonly order: BaselineOrder;
  /** Who asked for it, as far as that is known. */
  readonly who: string;
}

/** What a re-initialisation erases, to be written before it is ordered. */
export interface ReinitRecord {
  readonly name: string;
  readonly id: string;
  readonly integrity: FileIntegrity;
  readonly nodes: readonly Rebased[];
}

/**
 * The records that new orders need: one for all nodes of a plan that get theirs for the same reason. Their ids follow from
 * the orders: planned again, it is the same record.
 */
export function planRecords(integrity: FileIntegrity, nodes: readonly Rebased[]): ReinitRecord[] {
  const groups = Map.groupBy(nodes, ({ order, who }) => JSON.stringify([order.reason, order.detail, who]));
  return [...groups].map(([why, group]) => {
    const orders = [...new Set(group.map(({ order }) => order.id))].sort();
    return recordOf(integrity, hash(why, ...orders), group);
  });
}

/** A record of some nodes of one, for those that one of the same id does not have. */
export function supplementOf({ integrity, id }: ReinitRecord, nodes: readonly Rebased[]): ReinitRecord {
  return recordOf(integrity, `${id}-${hash(...nodes.map(({ before }) => before.nodeName).sort())}`, nodes);
}

function recordOf(integrity: FileIntegrity, id: string, nodes: readonly Rebased[]): ReinitRecord {
  return { name: recordName(integrity.metadata.name ?? '', id), id, integrity, nodes };
}

function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}

/** Bytes of a record at most. */
export const RECORD_BYTES = 900 * 1024;

/** The config map of a record. It has no owner reference: it outlives the FileIntegrity, as kept failures do. */
export function recordMap(record: ReinitRecord, bytes = RECORD_BYTES): ConfigMap {
  const { name = '', namespace = '' } = record.integrity.metadata;
  const reason = record.nodes[0]?.order.reason;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: record.name,
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(name),
        [RECORD_LABEL]: '',
        ...(reason !== undefined && { [REASON_LABEL]: reason }),
      },
    },
    data: { [RECORD_KEY]: recordText(record, bytes) },
  };
}

/**
 * Which records one pushes out when there are too many. Those of updates of nodes come in great numbers, and a node can
 * bring them about itself; what was on record of departed nodes is no record of a re-initialisation.
 */
export function kindOf({ metadata }: ConfigMap): string {
  const reason = metadata?.labels?.[REASON_LABEL];
  return reason === DEPARTED || reason === ('NodeUpdate' satisfies BaselineOrder['reason']) ? reason : '';
}

/** Nodes with findings first: of them there is more to tell, and they are the last to be left out. */
function recordText({ id, integrity, nodes }: ReinitRecord, bytes: number): string {
  const [first] = nodes;
  const head = {
    apiVersion: 'records.fileintegrity.openshift.io/v1',
    kind: 'Reinitialisation',
    id,
    fileIntegrity: integrity.metadata.name ?? '',
    reason: first?.order.reason,
    ...(first?.order.detail !== undefined && { detail: first.order.detail }),
    who: first?.who,
    requestedAt: first?.order.requestedAt,
  };
  const { found = [], quiet = [] } = Object.groupBy(nodes, ({ before }) => (hasFindings(before) ? 'found' : 'quiet'));
  // For what is between the parts, and for the number of those that were left out.
  let room = bytes - Buffer.byteLength(JSON.stringify(head)) - 128;
  const fits = (text: string) => {
    room -= Buffer.byteLength(text) + 2;
    return room >= 0;
  };
  const withFindings = found.map((node) => JSON.stringify(facts(node, integrity.metadata.name ?? ''))).filter(fits);
  const without = quiet.map(({ before }) => JSON.stringify(before.nodeName)).filter(fits);
  const leftOut = nodes.length - withFindings.length - without.length;
  const lists =
    `"nodes":[\n${withFindings.join(',\n')}\n],` + `"withoutFindings":[${without.join(',')}],"leftOut":${leftOut}`;
  return `${JSON.stringify(head).slice(0, -1)},${lists}}\n`;
}

function hasFindings(status: FileIntegrityNodeStatus): boolean {
  return status.lastResult?.condition === 'Errored' || isFailing(status);
}

/** The kept failure that is what was found last; nothing while its report is not kept. */
function keptFailureOf(before: FileIntegrityNodeStatus): KeptFailure | undefined {
  const { lastResult, failures = [], accepted = [] } = before;
  const found = standingFailure(before) ?? (lastResult?.condition === 'Failed' ? accepted[0] : undefined);
  const number = found?.sequence ?? lastResult?.failureSequence;
  // A status of an earlier version says not which one it is.
  if (number === undefined)
    return lastResult?.condition === 'Failed' && !lastResult.resultConfigMapName ? undefined : failures[0];
  return failures.find(({ sequence }) => sequence === number);
}

/**
 * A reference to a kept failure that stays true: the name that it has for good once there is a newer one, and the one that it has
 * until then, under which there is another one later. Number and digest tell which it is.
 */
export function referenceTo(failed: string, { sequence, digest }: Pick<KeptFailure, 'sequence' | 'digest'>) {
  return { configMapName: historyName(failed, sequence), newestConfigMapName: failed, sequence, digest };
}

function facts({ before, order }: Rebased, integrity: string): object {
  const { nodeName, lastResult, baseline } = before;
  const kept = keptFailureOf(before);
  const name = failedName(integrity, nodeName);
  const failure = standingFailure(before);
  return {
    node: nodeName,
    order: order.id,
    lastResult,
    ...(failure && { failure }),
    ...(kept && { keptFailure: referenceTo(name, kept) }),
    ...(baseline && { baselineDigest: baseline.digest }),
  };
}

/**
 * The nodes of a record that the text of one with the same id lacks, or of which it says something else than their findings
 * now: they may have come while the operator was away. None for one that left out some: it is full.
 */
export function lackingIn(text: string | undefined, { nodes }: ReinitRecord): readonly Rebased[] {
  const said = new Map<string, string>();
  try {
    const recorded = JSON.parse(text ?? '');
    if (recorded.leftOut !== 0) return [];
    for (const name of recorded.withoutFindings) said.set(name, '');
    for (const { node, lastResult, keptFailure } of recorded.nodes) said.set(node, essence(lastResult, keptFailure));
  } catch {
    return [];
  }
  return nodes.filter(({ before }) => {
    const { nodeName, lastResult } = before;
    const now = hasFindings(before) ? essence(lastResult, keptFailureOf(before)) : '';
    const then = said.get(nodeName);
    return then === undefined || (now !== '' && now !== then);
  });
}

/** What of a result is another finding when it differs. */
function essence(result: Partial<ScanResult> = {}, kept: Pick<KeptFailure, 'digest'> | undefined): string {
  const { condition, filesAdded, filesChanged, filesRemoved, baselineFault } = result;
  return JSON.stringify([condition, filesAdded, filesChanged, filesRemoved, baselineFault, kept?.digest]);
}
