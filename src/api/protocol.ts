import { z } from 'zod';
import { FioError } from '../lib/errors.ts';

/**
 * What the operator and the daemons say to each other through the API server: the only place where it is written down.
 *
 * A daemon says one message at a time (`Outcome`), in the `outcome` annotation of its temporary config map or, when a scan's
 * verdict is the one the operator has already acknowledged, of its heartbeat lease. It keeps each message until the operator
 * has written its `id` into `acknowledged` of the node's FileIntegrityNodeStatus, and sends the next one only then: so
 * messages are folded in order, each exactly once. The operator does not trust a message: it reads it with `parseOutcome`.
 *
 * The operator says what is to be done in `orders` of the same object (`Orders`).
 *
 * A daemon imports types from here and nothing else: what it loads, every node pays for. What it reads from its node's disk
 * it checks with `src/daemon/machine/kept-shapes.ts`.
 */

/** Ids are compared with what the API server gives back, and shown: no other characters than are the same everywhere. */
const id = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[!-~]+$/);
/** SHA-256, hex. */
const digest = z.string().regex(/^[0-9a-f]{64}$/);
/** RFC 3339. A daemon writes it by the node's clock. */
const time = z.iso.datetime({ offset: true });
/** For the person. */
const sentence = z.string().max(4096);
const count = z.int().nonnegative();
/** A line of a configuration, from 1. */
const line = z.int().nonnegative().max(100_000);
/** Text of the node, in which each byte that is no visible ASCII stands as `\ooo`, as in the kernel's own tables. */
const nodeText = z
  .string()
  .min(1)
  .regex(/^[!-~]+$/);
/** A daemon lists no longer ones. */
const mountText = nodeText.max(512);

/** `Succeeded`: no difference. `Failed`: the node differs from its baseline. `Errored`: the scan could not be done. */
export const verdictSchema = z.enum(['Succeeded', 'Failed', 'Errored']);
export type Verdict = z.output<typeof verdictSchema>;

/**
 * What is the matter with a node's database.
 * - `Replaced`: another one lies there than the one whose receipt is on record;
 * - `Missing`, `Damaged`: the one on record is gone, or cannot be read;
 * - `Unordered`: its receipt names no order of the operator, or is a second one for the same order.
 */
export const baselineFaultSchema = z.enum(['Replaced', 'Missing', 'Damaged', 'Unordered']);
export type BaselineFault = z.output<typeof baselineFaultSchema>;

/** Why a baseline is made. */
export const reasonSchema = z.enum(['Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate']);
export type BaselineReason = z.output<typeof reasonSchema>;

const countsSchema = z.object({ added: count, changed: count, removed: count });
export type FileCounts = z.output<typeof countsSchema>;

const recordedMountSchema = z.object({
  path: mountText,
  /** Of the file system. */
  type: mountText,
  /** What of the file system is mounted. */
  root: mountText,
  /** `major:minor` of the file system. */
  device: mountText,
});
export type RecordedMount = z.output<typeof recordedMountSchema>;

/**
 * The node's mounts where the configuration looks: over what it watches, and below. The digest leaves out their devices,
 * which are others once the node starts again. A daemon's own lists stay below 3,000 characters; see `recordOf` in
 * `src/daemon/scans/mounts.ts`.
 */
export const mountRecordSchema = z.object({
  count: count.describe('How many mounts there were where the configuration looks.'),
  digest: digest.describe('SHA-256, hex, of all of them but for their devices.'),
  mounts: z
    .array(recordedMountSchema)
    .max(64)
    .describe('The first of them by path, as many as fit; none in an earlier receipt.'),
});
export type MountRecord = z.output<typeof mountRecordSchema>;

export const unseenPathSchema = z.object({
  path: nodeText.max(256),
  /**
   * `Path`: nothing of it, so that it is in no database. `Content`: of a file what is in it, of a folder what lies in it.
   * `Attributes`: an extended attribute, say. `Other`: AIDE said what is not understood, and that stands in the place of the path.
   */
  what: z.enum(['Path', 'Content', 'Attributes', 'Other']),
});
export type UnseenPath = z.output<typeof unseenPathSchema>;

/**
 * What of the node AIDE did not see where the configuration looks: it may be otherwise than at the baseline all the same.
 * A daemon's own lists stay below 1,500 characters.
 */
export const unseenRecordSchema = z.object({
  count: count.describe('How much there was.'),
  digest: digest.describe('SHA-256 sums, hex, over all of it.'),
  paths: z.array(unseenPathSchema).max(32).describe('The first of it by path, as many as fit.'),
});
export type UnseenRecord = z.output<typeof unseenRecordSchema>;

/**
 * Rules of the effective configuration that have nothing on the node, by their lines.
 * `idle`: nothing is there whose name begins as the rule's path does. `links`: what the rule goes for is behind a link,
 * which AIDE does not follow: it is there.
 */
const ruleRecordSchema = z.object({
  idle: z.array(line).max(64).describe('Lines of rules that have nothing on the node.'),
  links: z
    .array(z.object({ line, target: mountText }))
    .max(16)
    .describe('Lines of rules that lead to a link, and where what they go for is.'),
  more: count.exactOptional().describe('How many more there are.'),
});
export type RuleRecord = z.output<typeof ruleRecordSchema>;

const keptClosingSchema = z.object({
  configMapName: z.string(),
  /** Of a kept failure: its number, and its digest. */
  sequence: z.int().exactOptional(),
  digest: z.string().exactOptional(),
  /** It was found while the node was updated, and counts as no failure. */
  setAside: z.boolean().exactOptional(),
});

/** The comparison of a node with its baseline before a new one takes its place: all that the new one accepts. */
export const closingSchema = z.object({
  /** Id of the scan's message; absent where there was none. */
  scan: id.exactOptional(),
  verdict: verdictSchema.exactOptional(),
  counts: countsSchema.exactOptional(),
  baselineFault: baselineFaultSchema.exactOptional(),
  /** Mounts where the configuration looks that were otherwise. */
  mountChanges: count.exactOptional(),
  /** Why nothing was compared, or nothing that is verified. */
  uncompared: sentence.exactOptional(),
  /** Two walks of the tree were needed: what changed in between is in the new baseline, and nobody has seen it. */
  gap: z.object({ from: time, to: time }).exactOptional(),
  /** Where the operator has kept what was found, and when it took the receipt in. The operator alone says it. */
  kept: keptClosingSchema.exactOptional(),
  at: time.exactOptional(),
});
export type BaselineClosing = z.output<typeof closingSchema>;

/** Facts about a node's database, recorded outside the node. */
export const receiptSchema = z.object({
  /** The order that it carries out; see `BaselineOrder`. */
  orderId: id,
  /** Of the uncompressed database. */
  digest,
  entries: count,
  /** Of the effective configuration's text. */
  configurationDigest: digest,
  aideVersion: z.string().max(64),
  /** `/proc/sys/kernel/random/boot_id` of the node. */
  bootId: z.string().max(64),
  reason: reasonSchema,
  /** The database was on the node already (made by an earlier operator or daemon) and was taken over. */
  adopted: z.boolean().exactOptional(),
  /** Why the database that was on the node already was not taken over; it is a backup now. */
  refused: sentence.exactOptional(),
  /** Absent in receipts of daemons that did not look at mounts. */
  mounts: mountRecordSchema.exactOptional(),
  unseen: unseenRecordSchema
    .exactOptional()
    .describe('What AIDE did not see when it made the database; not there: that is not known.'),
  /** Absent: nobody looked. */
  rules: ruleRecordSchema
    .exactOptional()
    .describe('Which rules of the effective configuration have nothing on the node, by line.'),
  /** What the baseline before was found to differ in before this one took its place. */
  closing: closingSchema.exactOptional(),
  /** By the node's clock. */
  createdAt: time,
});
export type BaselineReceipt = z.output<typeof receiptSchema>;

const message = {
  /** Unique per message; made by the daemon. */
  id,
  /** The node the daemon runs on, as in `spec.nodeName` of its pod. */
  node: z.string().min(1).max(253),
};

/** A scan ended. */
const scanOutcomeSchema = z.object({
  kind: z.literal('scan'),
  ...message,
  verdict: verdictSchema,
  /** By the node's clock. */
  startedAt: time,
  finishedAt: time,
  /** AIDE's exit status; absent when it was ended by a signal or never ran. */
  exitStatus: z.int().min(0).max(255).exactOptional(),
  /** For `Errored`, and for a `Failed` that lacks something or has a `baselineFault`. */
  errorMessage: sentence.exactOptional(),
  /** For `Errored`: which of the errors it is, upper snake case (`docs/errors.md`). */
  errorCode: z.string().max(64).exactOptional(),
  counts: countsSchema.exactOptional(),
  /** Entries in AIDE's new view of the tree. */
  entries: count.exactOptional(),
  /** Of the uncompressed database that the scan read, as AIDE itself reported it. */
  baselineDigest: digest.exactOptional(),
  /** For `Failed`: the node's database is not the one on record, so nothing that was compared is verified. */
  baselineFault: baselineFaultSchema.exactOptional(),
  /** For `Failed`: how many mounts where the configuration looks are otherwise than at the baseline; absent: none. */
  mountChanges: count.exactOptional(),
  /** What AIDE said that it did not see; absent: nothing. */
  unseen: unseenRecordSchema.exactOptional(),
  /** Of the text of the configuration that it was done with. */
  configurationDigest: digest,
  /** It compared the node with its baseline before that gives way to a new one: id of the order for the new one. */
  closes: id.exactOptional(),
  /**
   * By heartbeat only: the place of the daemon's messages holds something that no daemon put there, so the message with
   * this result, and those before it, wait on the node.
   */
  slotTaken: z.boolean().exactOptional(),
  /** The operator has this result already, with its report; it comes as a message because there was no place for a heartbeat. */
  again: z.boolean().exactOptional(),
});
export type ScanOutcome = z.output<typeof scanOutcomeSchema>;

/** A baseline was made or adopted, and this is its receipt. */
const baselineOutcomeSchema = z.object({ kind: z.literal('baseline'), ...message, receipt: receiptSchema });

/** Something on the node that the operator must hear of though nothing was scanned. */
const noticeOutcomeSchema = z.object({
  kind: z.literal('notice'),
  ...message,
  /**
   * - `UnorderedReinit`: a trigger file was found on the node without an order of the operator; it was not carried out;
   * - `ResultsDamaged`: what waited on the node's disk to be sent was no result when the daemon started again;
   * - `SlotTaken`, by heartbeat: see `slotTaken` of a scan; no result of a scan waits.
   */
  notice: z.enum(['UnorderedReinit', 'ResultsDamaged', 'SlotTaken']),
  /** By the node's clock. */
  at: time,
  message: sentence,
});
export type NoticeOutcome = z.output<typeof noticeOutcomeSchema>;

export const outcomeSchema = z.discriminatedUnion('kind', [
  scanOutcomeSchema,
  baselineOutcomeSchema,
  noticeOutcomeSchema,
]);
/** One message of a daemon to the operator. */
export type Outcome = z.output<typeof outcomeSchema>;

/** Longest `outcome` annotation that is read, in characters. A daemon's own stay below 3,000. */
const OUTCOME_LIMIT = 16_384;

/** Whether it can be the id of a message. */
export function isMessageId(value: unknown): value is string {
  return id.safeParse(value).success;
}

/**
 * Reads a daemon's message from its annotation.
 * @throws FioError `OUTCOME_UNREADABLE`, saying what is wrong with it.
 */
export function parseOutcome(text: string): Outcome {
  if (text.length > OUTCOME_LIMIT) {
    throw new FioError('OUTCOME_UNREADABLE', `The daemon's message is longer than ${OUTCOME_LIMIT} characters.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FioError('OUTCOME_UNREADABLE', "The daemon's message is not JSON.", { cause });
  }
  const parsed = outcomeSchema.safeParse(value);
  if (!parsed.success) {
    throw new FioError('OUTCOME_UNREADABLE', `The daemon's message is not valid: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

const holdSchema = z.object({
  reason: z.enum(['Annotation', 'MachineConfig', 'NodeUpdating']),
  /** A sentence for the person. */
  message: z.string(),
  owner: z.string().exactOptional().describe('Who holds the node, as far as the API server tells.'),
  since: time,
});
export type Hold = z.output<typeof holdSchema>;

const baselineOrderSchema = z.object({
  id: z.string(),
  reason: reasonSchema,
  requestedAt: time,
  /** For the record: which update, which configuration, who asked. */
  detail: z.string().exactOptional(),
  who: z.string().exactOptional().describe('Who asked for it, as far as the API server tells.'),
});
export type BaselineOrder = z.output<typeof baselineOrderSchema>;

/**
 * The operator's orders to one node's daemon: the `orders` field of the node's FileIntegrityNodeStatus, which the daemon
 * watches. The operator alone may write it.
 */
export const ordersSchema = z.object({
  settings: z.object({
    /** Seconds between the end of a scan and the start of the next; at least 10. */
    gracePeriod: z.int(),
    /** Backups of database and log kept on the node, each. */
    maxBackups: z.int(),
    debug: z.boolean(),
  }),
  configuration: z.object({
    /** Config map in the same namespace. */
    name: z.string(),
    key: z.string(),
    /** SHA-256 of the text under that key, hex. The daemon refuses another text. */
    digest: z.string(),
  }),
  hold: holdSchema.exactOptional().describe('While present, no scan and no re-baseline is started on the node.'),
  /**
   * `aide` when absent. Another FileIntegrity watches the node, too, when they begin otherwise: `aide.<FileIntegrity>`.
   */
  files: z
    .string()
    .exactOptional()
    .describe("How the names of the node's database and log begin; aide unless it is said."),
  /** The newest order to make a baseline. Done when the node's `baseline.orderId` is its `id`. */
  baseline: baselineOrderSchema,
});
export type Orders = z.output<typeof ordersSchema>;
