import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { COMPRESSED_ANNOTATION, RESULT_LOG_LABEL, SET_ASIDE_LABEL } from '../../../api/keys.ts';
import { failedName, setAsideName } from '../../../api/names.ts';
import type { AcceptedFailure, FileIntegrityNodeStatus, ScanResult } from '../../../api/nodestatus.ts';
import type { BaselineReceipt } from '../../../api/protocol.ts';
import { isKept } from '../../../evidence/kept.ts';
import { countsInWords, failureOf } from '../../nodes/failure.ts';
import { MEMORY_ANNOTATION, parseMemory, type Transition } from '../../nodes/memory.ts';
import { unseenInWords } from '../../nodes/unseen.ts';
import type { KeepReport } from '../evidence/types.ts';
import { isLeaseOf } from '../inbox/lease.ts';
import { type Squatter, squatterIn } from '../inbox/look.ts';
import { idOf, type Message, otherSender, readHeartbeat, readSlot, type ScanMessage } from '../inbox/message.ts';

import { foldClosing, tellClosing, withClosing } from './closing.ts';
import {
  foldAgain,
  foldNotice,
  foldReceipt,
  foldScan,
  foldSetAside,
  foldVerdict,
  isNews,
  probeTime,
  repeated,
} from './fold.ts';
import type { ResultEvent, ResultFields, ResultsPlan, ResultsWorld } from './types.ts';
import { isUnseenNews } from './unseen.ts';
import { isOlder, judgeReceipt, judgeScan, updateOf } from './verdict.ts';

/** Annotation on a node status: id of the heartbeat that was taken in last. */
export const HEARTBEAT_ANNOTATION = 'file-integrity.openshift.io/heartbeat';

export function planResults(world: ResultsWorld): ResultsPlan {
  const before = fieldsOf(world.status);
  const resumed = resume(before, world);
  const plan = planMessages(world, resumed);
  return resumed === before || plan.fields ? plan : { ...plan, fields: resumed };
}

/**
 * What was on record of the node of this name before this status was made goes on to count: somebody may have removed the
 * status, or the node, so that the node's own database is taken for a beginning.
 */
function resume(fields: ResultFields, { status, kept = [] }: ResultsWorld): ResultFields {
  const { predecessor, metadata } = status;
  if (!predecessor || fields.baseline) return fields;
  const { baseline, lastResult, uid } = predecessor;
  // Another machine may have the name: what was found on this one, its own scan tells.
  const isSame = uid !== undefined && uid === parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).node;
  const stands = isSame &&
    lastResult &&
    !fields.lastResult && {
      lastResult,
      results: [lastResult],
      failure: failureOf(lastResult, lastResult.lastProbeTime, baseline.digest),
    };
  const failures = fields.failures ?? [...kept];
  return { ...fields, baseline, baselines: [baseline], ...(failures.length > 0 && { failures }), ...stands };
}

function planMessages(world: ResultsWorld, before: ResultFields): ResultsPlan {
  const { slot } = world;
  const sender = { integrity: world.integrity, node: world.status.nodeName };
  const heartbeat =
    world.lease && isLeaseOf(world.lease, world.status) ? readHeartbeat(world.lease, sender) : undefined;
  // Names can meet: what was kept of another node is no message of this one.
  if (!slot || isKept(slot)) return planHeartbeat(world, before, heartbeat);
  const squatter = squatterIn(slot);
  if (squatter) {
    const { events, ...noted } = planHeartbeat(world, before, heartbeat);
    const { name = '', uid = '' } = slot.metadata ?? {};
    const told = tellSquatter(sender.node, name, squatter);
    if (!squatter.removable) return { ...noted, events, slotTaken: told.message };
    return { ...noted, events: [...events, told], remove: { name, uid, parts: [] } };
  }

  const remove = { name: slot.metadata?.name ?? '', uid: slot.metadata?.uid ?? '', parts: world.parts };
  const other = otherSender(slot, sender);
  if (other !== undefined) {
    const { events, ...noted } = planHeartbeat(world, before, heartbeat);
    return { ...noted, events: [...events, tellRefused(sender.node, other)], remove };
  }
  if (before.acknowledged === idOf(slot)) return { ...planHeartbeat(world, before, heartbeat), remove };

  const message = readSlot(slot, sender);
  const taken = takeMessage(world, before, message, slot);
  const { unkept: _, ...takenFields } = taken.fields;
  // Its verdict is written, and told of; the report was still to be kept.
  const events = before.unkept === message.id ? [] : taken.events;
  const fields: ResultFields = {
    ...takenFields,
    acknowledged: message.id,
    // A heartbeat is older than a message, and must not be taken in after it. What it says of a scan, a later scan says.
    ...(message.kind === 'scan' && heartbeat && { heartbeat: heartbeat.id }),
  };
  return { ...taken, events, fields, remove };
}

/**
 * What of a plan whose report takes long to keep can be written at once: what was found, and no more. The message stays until the
 * report is kept, so that an operator which dies in between keeps it afterwards.
 */
export function verdictOf(before: ResultFields, { keep, fields, slotTaken, ...plan }: ResultsPlan): ResultsPlan {
  const isFinding = keep?.label === RESULT_LOG_LABEL && fields;
  const noted = isFinding ? foldVerdict(before, fields, keep.scan.id) : before;
  const taken = slotTaken === undefined ? {} : { slotTaken };
  return noted === before ? { events: [], ...taken } : { events: plan.events, fields: noted, ...taken };
}

type Taken = Pick<ResultsPlan, 'keep' | 'events'> & { readonly fields: ResultFields };

function planHeartbeat(world: ResultsWorld, before: ResultFields, heartbeat: ScanMessage | undefined): ResultsPlan {
  if (!heartbeat) return { events: [] };
  const { fields, ...taken } = takeHeartbeat(world, before, heartbeat);
  return { ...taken, ...(fields !== before && { fields }) };
}

/**
 * A heartbeat says the last result again, later. One that says something else (the message behind it could not be read, or
 * was set aside) is believed as well when it is the newest: the daemon takes it for known and will not say it otherwise.
 */
function takeHeartbeat(world: ResultsWorld, fields: ResultFields, heartbeat: ScanMessage): Taken {
  const { status, now } = world;
  const nothing = { fields, events: [] };
  if (heartbeat.id === fields.heartbeat) return nothing;
  if (fields.baseline && isOlder(heartbeat, fields.baseline)) return nothing;
  // A receipt that nobody ordered came after this scan, which proves nothing against it.
  if (fields.lastResult?.baselineFault === 'Unordered' && !isLater(heartbeat, fields.lastResult)) return nothing;
  const scan = judgeScan(fields, heartbeat);
  const { unkept, ...others } = fields;
  const noted = { ...others, heartbeat: scan.id };
  const isUnkept = unkept === scan.id;
  const isOld = !isUnkept && !isNewest(scan, fields);
  // One of a process before, which is seen behind the message of the next one, must set no time back.
  if (isOld && Date.parse(scan.finishedAt) < Date.parse(fields.lastScan?.finishedAt ?? '')) return nothing;
  const last = isUnkept ? undefined : repeated(fields, scan);
  if (last) return takeAgain(world, noted, last, scan);
  if (isOld) return nothing;
  if (scan.verdict === 'Failed') {
    if (!isUnkept && coverOf(world, scan)) return { fields: foldSetAside(noted, scan, now), events: [] };
    const kept = keepFailure(world, noted, { scan, from: undefined, parts: 1, isLight: isFirst(noted) });
    return isUnkept ? { ...kept, events: [] } : kept;
  }
  const after = foldScan(noted, scan, undefined, now);
  return { fields: after, events: tellResult(status.nodeName, fields, after, scan) };
}

/** What is said again is no news; what the scan does not see may be. */
function takeAgain({ status, now }: ResultsWorld, fields: ResultFields, last: ScanResult, scan: ScanMessage): Taken {
  const after = foldAgain(fields, last, scan, now);
  return { fields: after, events: tellUnseen(status.nodeName, fields, after) };
}

/** By so much the clocks of the API server and the operator may differ, in milliseconds. */
const SKEW_MS = 60_000;

/**
 * By the node's clock; and by when it came, or one time that a node said, which was to come, would make all that it says later
 * look older.
 */
function isNewest({ finishedAt, arrivedAt = '' }: ScanMessage, { lastScan }: ResultFields): boolean {
  if (!lastScan || Date.parse(finishedAt) > Date.parse(lastScan.finishedAt)) return true;
  return Date.parse(arrivedAt) > Date.parse(lastScan.observedAt ?? '') + SKEW_MS;
}

/**
 * Where the place of the messages was taken, a heartbeat has told the newest result, and those before it come later. They
 * end nothing of what it found.
 */
function isOvertaken(scan: ScanMessage, fields: ResultFields): boolean {
  const { lastResult, lastScan } = fields;
  // Of one without facts, such as an earlier operator's daemon sends, only the second is known in which it came.
  if (scan.facts === undefined || lastScan === undefined || lastResult?.condition !== 'Failed') return false;
  if (isNewest(scan, fields)) return false;
  return Date.parse(scan.finishedAt) < Date.parse(lastScan.finishedAt);
}

function isLater({ finishedAt }: ScanMessage, { lastProbeTime }: ScanResult): boolean {
  return Date.parse(finishedAt) > Date.parse(lastProbeTime);
}

function takeMessage(world: ResultsWorld, fields: ResultFields, message: Message, slot: ConfigMap): Taken {
  const { status } = world;
  switch (message.kind) {
    case 'baseline':
      return takeReceipt(world, fields, message, slot);
    case 'notice': {
      const text = `node ${status.nodeName}: ${message.message}`;
      const event: ResultEvent = { type: 'Warning', reason: message.notice, message: text };
      return { fields: foldNotice(fields, message), events: [event] };
    }
    case 'scan': {
      const scan = judgeScan(fields, message);
      // What is kept of it is more than this, which has no report.
      const last = scan.again ? repeated(fields, scan) : undefined;
      if (last) return takeAgain(world, fields, last, scan);
      const taken = scan.verdict === 'Failed' ? takeFailure(world, fields, scan, slot) : takeScan(world, fields, scan);
      return { ...taken, fields: foldClosing(taken.fields, scan, taken.keep, status.orders?.baseline.id) };
    }
  }
}

function takeScan({ status, now }: ResultsWorld, fields: ResultFields, scan: ScanMessage): Taken {
  if (isOvertaken(scan, fields)) return { fields, events: [] };
  const after = foldScan(fields, scan, undefined, now);
  return { fields: after, events: tellResult(status.nodeName, fields, after, scan) };
}

/** A receipt that is none of an order leaves what is on record, and the node is Failed: what lies on it, nobody asked for. */
function takeReceipt(
  world: ResultsWorld,
  fields: ResultFields,
  { id, receipt }: Extract<Message, { kind: 'baseline' }>,
  slot: ConfigMap,
): Taken {
  const judged = judgeReceipt(world.status, fields, receipt);
  if (judged.kind === 'known') return { fields, events: [] };
  if (judged.kind === 'good') {
    const taken = takeGoodReceipt(world, fields, withClosing(fields, receipt, world.now));
    const [accepted] = taken.fields.accepted === fields.accepted ? [] : (taken.fields.accepted ?? []);
    const { closing } = taken.fields.baseline ?? {};
    // What the comparison before it found is the failure that it accepts, and is told already.
    const isTold = closing?.verdict === 'Failed' && closing.uncompared === undefined;
    return { ...taken, events: [...taken.events, ...(isTold ? [] : tellAccepted(world.status, accepted))] };
  }
  const scan: ScanMessage = {
    kind: 'scan',
    id,
    verdict: 'Failed',
    finishedAt: receipt.createdAt,
    errorMessage: judged.why,
    baselineFault: judged.fault,
    parts: 1,
  };
  const taken = takeFailure(world, fields, scan, slot);
  const message = `node ${world.status.nodeName}: ${judged.why}`;
  // That the node is Failed for it may be no news; that it came again is.
  const reason = judged.fault === 'Unordered' ? 'BaselineUnordered' : 'BaselineUntrusted';
  const isTold = taken.events.some((event) => event.reason === reason);
  return isTold ? taken : { ...taken, events: [{ type: 'Warning', reason, message }] };
}

/** A database that is adopted and is the one on record is no other than before, and nothing of it is unknown. */
function takeGoodReceipt(world: ResultsWorld, fields: ResultFields, receipt: BaselineReceipt): Taken {
  const { baseline } = fields;
  const fold = (made: BaselineReceipt) => foldReceipt(fields, made, receipt, world);
  const isFirst = world.status.orders?.baseline.reason === 'Initial' && baseline?.orderId !== receipt.orderId;
  if (!baseline || !isFirst) return { fields: fold(receipt), events: tellReceipt(world, receipt) };
  const node = `node ${world.status.nodeName}`;
  if (receipt.adopted) {
    const { adopted: _, ...own } = receipt;
    // What was mounted when it was made is what scans go by: what is mounted now, nobody has accepted.
    const { bootId, mounts, unseen } = baseline;
    const known: BaselineReceipt = {
      ...own,
      ...(baseline.adopted && { adopted: true }),
      ...(mounts && { bootId, mounts }),
      ...(unseen && { unseen }),
      reason: baseline.reason,
    };
    const message = `${node}: the database on the node is the one on record since ${baseline.createdAt}`;
    return { fields: fold(known), events: [{ type: 'Normal', reason: 'DatabaseRecognised', message }] };
  }
  const why = receipt.refused === undefined ? '' : ` ${receipt.refused}`;
  const message =
    `${node}: a baseline was on record for a node of this name (${baseline.digest.slice(0, 16)}…, of ${baseline.createdAt}), ` +
    `and it began with a new one.${why}`;
  return { fields: fold(receipt), events: [{ type: 'Warning', reason: 'BaselineBeganAnew', message }] };
}

/**
 * The update that a finding may come of. What an update changes on its node is no finding, while it lasts and until the
 * baseline after it is made; but no update touches the database, so a fault of the baseline always counts.
 */
function coverOf(
  { status, node, now, hasMachineConfigs }: ResultsWorld,
  { baselineFault }: ScanMessage,
): Transition | undefined {
  return baselineFault === undefined ? updateOf(status, node, now, hasMachineConfigs) : undefined;
}

/** What counts as no finding may serve as cover, so its report is kept all the same, and told of. */
function takeFailure(world: ResultsWorld, fields: ResultFields, message: ScanMessage, slot: ConfigMap): Taken {
  const { status, integrity, now } = world;
  const from = { name: slot.metadata?.name ?? '', uid: slot.metadata?.uid ?? '' };
  const isPlain = message.parts === 1 && slot.metadata?.annotations?.[COMPRESSED_ANNOTATION] === undefined;
  const report = { ...withPartsThere(message, world.parts), from, isLight: isPlain && isFirst(fields) };
  // What counted when it was taken in goes on to count.
  const update = fields.unkept === message.id ? undefined : coverOf(world, message);
  if (!update) return keepFailure(world, fields, report);
  const name = setAsideName(integrity, status.nodeName);
  const log = `${status.metadata.namespace ?? ''}/${name}`;
  return {
    fields: foldSetAside(fields, message, now),
    keep: { ...report, to: name, probedAt: probeTime(message.finishedAt, now), label: SET_ASIDE_LABEL },
    events: [tellSetAside(status.nodeName, message, update, log)],
  };
}

/** Nothing is kept of the node yet. */
function isFirst({ failures = [] }: ResultFields): boolean {
  return failures.length === 0;
}

function keepFailure(
  { status, integrity, now }: ResultsWorld,
  fields: ResultFields,
  report: Pick<KeepReport, 'scan' | 'from' | 'parts' | 'announced' | 'isLight'>,
): Taken {
  const name = failedName(integrity, status.nodeName);
  const after = foldScan(fields, report.scan, { name, namespace: status.metadata.namespace ?? '' }, now);
  return {
    fields: after,
    keep: { ...report, to: name, probedAt: probeTime(report.scan.finishedAt, now), label: RESULT_LOG_LABEL },
    events: tellResult(status.nodeName, fields, after, report.scan),
  };
}

/** A report of which a part is missing (somebody removed it, or it was never written) goes as far as it is whole. */
function withPartsThere(
  scan: ScanMessage,
  there: readonly number[],
): { scan: ScanMessage; parts: number; announced?: number } {
  let parts = 1;
  while (parts < scan.parts && there.includes(parts + 1)) parts += 1;
  if (parts === scan.parts) return { scan, parts };
  const lack = `The report is incomplete: part ${parts + 1} of ${scan.parts} was not there.`;
  const errorMessage = scan.errorMessage === undefined ? lack : `${scan.errorMessage} ${lack}`;
  return { scan: { ...scan, errorMessage }, parts, announced: scan.parts };
}

function tellResult(
  node: string,
  before: ResultFields,
  { lastResult }: Pick<ResultFields, 'lastResult'>,
  { errorCode }: ScanMessage,
): ResultEvent[] {
  const unseen = tellUnseen(node, before, { lastResult });
  if (!lastResult || !isNews(before.lastResult, lastResult)) return unseen;
  return [tell(node, lastResult, errorCode), ...tellFault(node, lastResult), ...unseen];
}

function tellFault(node: string, { baselineFault, mountChanges, errorMessage = '' }: ScanResult): ResultEvent[] {
  if (mountChanges !== undefined && baselineFault === undefined) {
    return [{ type: 'Warning', reason: 'MountsChanged', message: `node ${node}: ${errorMessage}` }];
  }
  if (baselineFault === undefined) return [];
  const reason = baselineFault === 'Unordered' ? 'BaselineUnordered' : 'BaselineUntrusted';
  return [{ type: 'Warning', reason, message: `node ${node}: ${errorMessage}` }];
}

function tellUnseen(
  node: string,
  before: Pick<ResultFields, 'lastResult'>,
  { lastResult }: { readonly lastResult?: ScanResult | undefined },
): ResultEvent[] {
  const unseen = lastResult?.unseen;
  if (!unseen || !isUnseenNews(before.lastResult?.unseen, unseen)) return [];
  const message = `node ${node}: ${unseenInWords(unseen)} It may have changed, and no scan would tell.`;
  return [{ type: 'Warning', reason: 'NodePartlyUnseen', message }];
}

function tellRefused(node: string, other: string): ResultEvent {
  const message =
    `A message in the place of those of node ${node} was removed and counts for no node. ` +
    `By its labels it is of another: ${other}.`;
  return { type: 'Warning', reason: 'ResultRefused', message };
}

/** Whoever takes the place of a message keeps its node from speaking. */
function tellSquatter(node: string, name: string, { who, removable }: Squatter): ResultEvent {
  const message =
    `The config map ${name}, ${who}, took the place of the messages of node ${node}, which could not report. ` +
    (removable
      ? 'It was removed.'
      : 'It was not removed, because it may be needed: remove it, or rename what it belongs to.');
  return { type: 'Warning', reason: 'SlotTaken', message };
}

function tellSetAside(node: string, { counts }: ScanMessage, { from, to }: Transition, log: string): ResultEvent {
  const { added = 0, changed = 0, removed = 0 } = counts ?? {};
  const found = `a:${added},c:${changed},r:${removed}`;
  const message = `node ${node} has changed while it was updated from ${from} to ${to}, which is not counted! ${found} log:${log}`;
  return { type: 'Warning', reason: 'NodeIntegritySetAside', message };
}

/** Which baseline a node begins with is news when it is not one that the operator had made for it. */
function tellReceipt({ status }: ResultsWorld, receipt: BaselineReceipt): ResultEvent[] {
  const { adopted, refused } = receipt;
  const node = `node ${status.nodeName}`;
  const accepted = tellClosing(status.nodeName, status.metadata.namespace ?? '', receipt, status.orders?.baseline);
  if (adopted) {
    const message = `${node}: the database that was on the node already is its baseline now`;
    return [{ type: 'Normal', reason: 'DatabaseAdopted', message }];
  }
  if (refused === undefined) return accepted;
  const message = `${node}: the database that was on the node was not adopted, and a new baseline was made. ${refused}`;
  return [{ type: 'Warning', reason: 'DatabaseRefused', message }, ...accepted];
}

/** Whatever ends findings without a scan is told, with who is behind it. */
function tellAccepted(
  { nodeName, metadata, orders }: FileIntegrityNodeStatus,
  accepted: AcceptedFailure | undefined,
): ResultEvent[] {
  if (!accepted) return [];
  const { since, reason, who, configMapName, baselineFault } = accepted;
  const isLater = orders && Date.parse(since) > Date.parse(orders.baseline.requestedAt);
  const found = baselineFault === undefined ? countsInWords(accepted) : `baseline ${baselineFault.toLowerCase()}`;
  const message =
    `node ${nodeName}: a new baseline (${reason}, asked for by ${who}) accepts the failure that stands since ${since}` +
    `${isLater ? ', found when the baseline was ordered already' : ''}: ${found}` +
    `${configMapName === undefined ? '' : ` log:${metadata.namespace ?? ''}/${configMapName}`}`;
  return [{ type: 'Warning', reason: 'FailureAccepted', message }];
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

/** All fields that are made of messages: what is not written again by the same field manager would go. */
export function fieldsOf(status: FileIntegrityNodeStatus): ResultFields {
  const { state, freshUntil, observedGeneration, lastResult, results, lastScan } = status;
  const { conditions } = status.status ?? {};
  const { baseline, baselines, closing, failures, failure, accepted, freshness, notices, unkept, acknowledged } =
    status;
  const heartbeat = status.metadata.annotations?.[HEARTBEAT_ANNOTATION];
  return {
    ...(state && { state }),
    ...(freshUntil !== undefined && { freshUntil }),
    ...(observedGeneration !== undefined && { observedGeneration }),
    ...(conditions && { conditions }),
    ...(lastResult && { lastResult }),
    ...(results && { results }),
    ...(lastScan && { lastScan }),
    ...(baseline && { baseline }),
    ...(baselines && { baselines }),
    ...(closing && { closing }),
    ...(failures && { failures }),
    ...(failure && { failure }),
    ...(accepted && { accepted }),
    ...(freshness && { freshness }),
    ...(notices && { notices }),
    ...(unkept !== undefined && { unkept }),
    ...(acknowledged !== undefined && { acknowledged }),
    ...(heartbeat !== undefined && { heartbeat }),
  };
}
