import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  INTEGRITY_LOG_KEY,
  LOG_ERROR_ANNOTATION,
  OUTCOME_ANNOTATION,
  PARTS_ANNOTATION,
} from '../../../api/keys.ts';
import { PARTS_LIMIT, resultName } from '../../../api/names.ts';
import type { NodeStatusFields } from '../../../api/nodestatus.ts';
import type {
  BaselineClosing,
  BaselineFault,
  BaselineReceipt,
  FileCounts,
  NoticeOutcome,
  ScanOutcome,
  UnseenRecord,
  Verdict,
} from '../../../api/protocol.ts';
import { isMessageId, parseOutcome } from '../../../api/protocol.ts';
import type { ObjectMeta } from '../../../kube/types.ts';
import { explain, FioError } from '../../../lib/errors.ts';
import { printable } from '../../../lib/text.ts';
import { writtenAt } from '../../managers.ts';
import type { Sender } from './slot.ts';
import { describeSender, isLabelledAs } from './slot.ts';

/** A daemon's message as the operator understood it. Every text in it is safe to show. */
export type Message =
  | ScanMessage
  | { readonly kind: 'baseline'; readonly id: string; readonly receipt: BaselineReceipt }
  | {
      readonly kind: 'notice';
      readonly id: string;
      readonly notice: NoticeOutcome['notice'];
      /** RFC 3339, by the node's clock. */
      readonly at: string;
      readonly message: string;
    };

export interface ScanMessage {
  readonly kind: 'scan';
  readonly id: string;
  readonly verdict: Verdict;
  /** RFC 3339, by the node's clock. */
  readonly finishedAt: string;
  /** When the API server got it, by its own clock. */
  readonly arrivedAt?: string;
  readonly errorMessage?: string;
  /** For `Errored`: which of the errors it is. The daemon's word: bound it. */
  readonly errorCode?: string;
  /** For `Failed`: nothing that was compared is verified, and why. */
  readonly baselineFault?: BaselineFault;
  /** For `Failed`: mounts that are otherwise than at the baseline, at least one. */
  readonly mountChanges?: number;
  /** What AIDE did not see; absent: nothing. */
  readonly unseen?: UnseenRecord;
  readonly counts?: FileCounts;
  /** The order of a new baseline before which it was done. */
  readonly closes?: string;
  /** By its daemon's word it is known already, and has no report for that. */
  readonly again?: true;
  /** Absent for what an earlier daemon said, and for what could not be read. */
  readonly facts?: NonNullable<NodeStatusFields['lastScan']>;
  /** Config maps that carry the report, the first included, as the message says. */
  readonly parts: number;
}

/**
 * What a config map in the place of a node's message says of itself, when it is another's; undefined when it is the node's.
 * Admission binds a daemon's labels to its own node: such a one is no word of this node.
 */
export function otherSender(slot: ConfigMap, sender: Sender): string | undefined {
  if (slot.metadata?.name === resultName(sender.integrity, sender.node) && isLabelledAs(slot, sender)) return undefined;
  return describeSender(slot);
}

/**
 * Understands the temporary config map of a node. It never fails: what cannot be read is a scan that `Errored`, with the
 * reason, so that no message is lost and the node shows that something is wrong.
 *
 * A config map without an `outcome` annotation, of a daemon of the earlier operator, is understood by the contract's
 * labels and annotations.
 */
export function readSlot(slot: ConfigMap, sender: Sender): Message {
  try {
    const text = slot.metadata?.annotations?.[OUTCOME_ANNOTATION];
    if (text === undefined) return readLegacy(slot);
    return arrived(readOutcome(text, sender, readParts(slot)), slot.metadata?.creationTimestamp);
  } catch (error) {
    return {
      kind: 'scan',
      id: idOf(slot),
      verdict: 'Errored',
      finishedAt: slot.metadata?.creationTimestamp ?? '',
      errorMessage: printable(`The result of the scan could not be read: ${explain(error)}`),
      errorCode: error instanceof FioError ? error.code : 'RESULT_UNREADABLE',
      parts: 1,
    };
  }
}

/** Understands a heartbeat; undefined when there is none or it is no scan of that node. */
export function readHeartbeat(lease: Lease | undefined, sender: Sender): ScanMessage | undefined {
  const text = lease?.metadata?.annotations?.[OUTCOME_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const message = arrived(readOutcome(text, sender, 1), writtenAt(lease?.metadata as ObjectMeta | undefined));
    return message.kind === 'scan' ? message : undefined;
  } catch {
    return undefined;
  }
}

function arrived(message: Message, arrivedAt: string | undefined): Message {
  return message.kind === 'scan' && arrivedAt !== undefined ? { ...message, arrivedAt } : message;
}

/** The id by which a message is acknowledged, also when the rest of it cannot be read; else the config map's own. */
export function idOf(slot: ConfigMap): string {
  const text = slot.metadata?.annotations?.[OUTCOME_ANNOTATION];
  const uid = slot.metadata?.uid ?? '';
  if (text === undefined) return uid;
  try {
    const value: unknown = JSON.parse(text);
    const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
    return isMessageId(id) ? id : uid;
  } catch {
    return uid;
  }
}

function readParts(slot: ConfigMap): number {
  const text = slot.metadata?.annotations?.[PARTS_ANNOTATION];
  if (text === undefined) return 1;
  const parts = readCount(text);
  if (parts === undefined || parts < 1 || parts > PARTS_LIMIT) {
    return refuse(`the number of its parts is not one of 1 to ${PARTS_LIMIT}`);
  }
  return parts;
}

function readOutcome(text: string, { node }: Sender, parts: number): Message {
  const outcome = parseOutcome(text);
  if (outcome.node !== node) return refuse('it speaks of another node');
  switch (outcome.kind) {
    case 'scan':
      return fromScan(outcome, parts);
    case 'baseline':
      return { kind: 'baseline', id: outcome.id, receipt: safeReceipt(outcome.receipt) };
    case 'notice':
      return {
        kind: 'notice',
        id: outcome.id,
        notice: outcome.notice,
        at: outcome.at,
        message: printable(outcome.message, 512),
      };
  }
}

function safeReceipt(receipt: BaselineReceipt): BaselineReceipt {
  const { closing, ...rest } = receipt;
  const { aideVersion, bootId, refused } = receipt;
  return {
    ...rest,
    ...(closing && { closing: safeClosing(closing) }),
    aideVersion: printable(aideVersion, 64),
    bootId: printable(bootId, 64),
    ...(refused !== undefined && { refused: printable(refused, 512) }),
  };
}

/** Of the daemon's word on a comparison what the operator cannot know itself: which one it was, and when nobody looked. */
function safeClosing({ scan, gap }: BaselineClosing): BaselineClosing {
  return { ...(scan !== undefined && { scan }), ...(gap && { gap }) };
}

function fromScan(scan: ScanOutcome, parts: number): ScanMessage {
  const { startedAt, finishedAt, exitStatus, entries, baselineDigest, configurationDigest } = scan;
  const reason = scan.errorMessage ?? (scan.verdict === 'Errored' ? 'The daemon gave no reason.' : undefined);
  return {
    kind: 'scan',
    id: scan.id,
    verdict: scan.verdict,
    finishedAt,
    ...(scan.verdict !== 'Succeeded' && reason !== undefined && { errorMessage: printable(reason) }),
    ...(scan.verdict === 'Errored' && scan.errorCode !== undefined && { errorCode: scan.errorCode }),
    ...(scan.baselineFault !== undefined && { baselineFault: scan.baselineFault }),
    ...(scan.verdict === 'Failed' && scan.mountChanges && { mountChanges: scan.mountChanges }),
    ...(scan.verdict !== 'Errored' && scan.unseen && { unseen: scan.unseen }),
    ...(scan.verdict === 'Failed' && scan.counts && { counts: scan.counts }),
    ...(scan.closes !== undefined && { closes: scan.closes }),
    ...(scan.again && { again: true }),
    facts: {
      startedAt,
      finishedAt,
      ...(exitStatus !== undefined && { exitStatus }),
      ...(entries !== undefined && { entries }),
      ...(baselineDigest !== undefined && { baselineDigest }),
      configurationDigest,
    },
    parts,
  };
}

function readLegacy(slot: ConfigMap): ScanMessage {
  const { annotations = {}, creationTimestamp = '' } = slot.metadata ?? {};
  const common = { kind: 'scan', id: idOf(slot), finishedAt: creationTimestamp, parts: 1 } as const;
  const reason = annotations[LOG_ERROR_ANNOTATION];
  if (reason !== undefined) return { ...common, verdict: 'Errored', errorMessage: printable(reason) };
  if (slot.data?.[INTEGRITY_LOG_KEY] === undefined) return { ...common, verdict: 'Succeeded' };
  const [added, changed, removed] = [FILES_ADDED_ANNOTATION, FILES_CHANGED_ANNOTATION, FILES_REMOVED_ANNOTATION].map(
    (key) => readCount(annotations[key] ?? ''),
  );
  const isCounted = added !== undefined && changed !== undefined && removed !== undefined;
  return { ...common, verdict: 'Failed', ...(isCounted && { counts: { added, changed, removed } }) };
}

function readCount(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function refuse(why: string): never {
  throw new FioError('RESULT_REFUSED', `The result was refused: ${why}.`);
}

/** The counts of a scan as the contract names them; nothing where there are none. */
export function countsIn({ counts }: { counts?: FileCounts }) {
  return counts && { filesAdded: counts.added, filesChanged: counts.changed, filesRemoved: counts.removed };
}
