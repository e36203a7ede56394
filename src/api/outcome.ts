/**
 * What a daemon says to the operator: one message at a time, in the `outcome` annotation of its temporary config map or,
 * when a scan's verdict is the one the operator has already acknowledged, of its heartbeat lease.
 *
 * The daemon keeps each message until the operator has written its `id` into `acknowledged` of the node's
 * FileIntegrityNodeStatus, and sends the next one only then: so messages are folded in order, each exactly once.
 *
 * The operator does not trust a message: it reads it with `parseOutcome` (`outcome-schema.ts`).
 */
export type Outcome = ScanOutcome | BaselineOutcome | NoticeOutcome;

/** `Succeeded`: no difference. `Failed`: the node differs from its baseline. `Errored`: the scan could not be done. */
export type Verdict = 'Succeeded' | 'Failed' | 'Errored';

interface Message {
  /** Unique per message; made by the daemon. */
  id: string;
  /** The node the daemon runs on, as in `spec.nodeName` of its pod. */
  node: string;
}

/** A scan ended. */
export interface ScanOutcome extends Message {
  kind: 'scan';
  verdict: Verdict;
  /** RFC 3339, by the node's clock. */
  startedAt: string;
  finishedAt: string;
  /** AIDE's exit status; absent when it was ended by a signal or never ran. */
  exitStatus?: number;
  /** For `Errored`, and for a `Failed` that lacks something or has a `baselineFault`: a sentence for the person. */
  errorMessage?: string;
  /** For `Errored`: which of the errors it is, upper snake case (`docs/errors.md`). */
  errorCode?: string;
  counts?: FileCounts;
  /** Entries in AIDE's new view of the tree. */
  entries?: number;
  /** SHA-256 of the uncompressed database that the scan read, hex, as AIDE itself reported it. */
  baselineDigest?: string;
  /** For `Failed`: the node's database is not the one on record, so nothing that was compared is verified. */
  baselineFault?: BaselineFault;
  /** For `Failed`: how many mounts where the configuration looks are otherwise than at the baseline; absent: none. */
  mountChanges?: number;
  /** What AIDE said that it did not see; absent: nothing. */
  unseen?: UnseenRecord;
  /** SHA-256 of the text, hex, of the configuration that it was done with. */
  configurationDigest: string;
  /** It compared the node with its baseline before that gives way to a new one: id of the order for the new one. */
  closes?: string;
  /**
   * By heartbeat only: the place of the daemon's messages holds something that no daemon put there, so the message with
   * this result, and those before it, wait on the node.
   */
  slotTaken?: boolean;
  /** The operator has this result already, with its report; it comes as a message because there was no place for a heartbeat. */
  again?: boolean;
}

/**
 * What is the matter with a node's database.
 * - `Replaced`: another one lies there than the one whose receipt is on record;
 * - `Missing`, `Damaged`: the one on record is gone, or cannot be read;
 * - `Unordered`: its receipt names no order of the operator, or is a second one for the same order.
 */
export type BaselineFault = 'Replaced' | 'Missing' | 'Damaged' | 'Unordered';

export interface FileCounts {
  added: number;
  changed: number;
  removed: number;
}

/** A baseline was made or adopted, and this is its receipt. */
interface BaselineOutcome extends Message {
  kind: 'baseline';
  receipt: BaselineReceipt;
}

/** Something on the node that the operator must hear of though nothing was scanned. */
export interface NoticeOutcome extends Message {
  kind: 'notice';
  /**
   * - `UnorderedReinit`: a trigger file was found on the node without an order of the operator; it was not carried out;
   * - `ResultsDamaged`: what waited on the node's disk to be sent was no result when the daemon started again;
   * - `SlotTaken`, by heartbeat: see `ScanOutcome.slotTaken`; no result of a scan waits.
   */
  notice: 'UnorderedReinit' | 'ResultsDamaged' | 'SlotTaken';
  at: string;
  /** A sentence for the person. */
  message: string;
}

/** Facts about a node's database, recorded outside the node. */
export interface BaselineReceipt {
  /** The order that it carries out; see `BaselineOrder.id`. */
  orderId: string;
  /** SHA-256 of the uncompressed database, hex. */
  digest: string;
  entries: number;
  /** SHA-256 of the effective configuration's text, hex. */
  configurationDigest: string;
  aideVersion: string;
  /** `/proc/sys/kernel/random/boot_id` of the node. */
  bootId: string;
  reason: BaselineReason;
  /** The database was on the node already (made by an earlier operator or daemon) and was taken over. */
  adopted?: boolean;
  /** Why the database that was on the node already was not taken over, a sentence; it is a backup now. */
  refused?: string;
  /** Absent in receipts of daemons that did not look at mounts. */
  mounts?: MountRecord;
  /** What AIDE did not see when it made the database; absent: that is not known. */
  unseen?: UnseenRecord;
  /** Absent: nobody looked. */
  rules?: RuleRecord;
  /** What the baseline before was found to differ in before this one took its place. */
  closing?: BaselineClosing;
  /** RFC 3339, by the node's clock. */
  createdAt: string;
}

/** The node's mounts where the configuration looks: over what it watches, and below. */
export interface MountRecord {
  count: number;
  /** SHA-256, hex, of all of them but for their devices, which are others once the node starts again. */
  digest: string;
  /** The first of them by path, as many as fit. */
  mounts: RecordedMount[];
}

/** Texts of the node, in which each byte that is no visible ASCII stands as `\ooo`, as in the kernel's own table. */
export interface RecordedMount {
  path: string;
  /** Of the file system. */
  type: string;
  /** What of the file system is mounted. */
  root: string;
  /** `major:minor` of the file system. */
  device: string;
}

/** What of the node AIDE did not see where the configuration looks: it may be otherwise than at the baseline all the same. */
export interface UnseenRecord {
  count: number;
  /** Hex, of all of them. */
  digest: string;
  /** The first of them by path, as many as fit. */
  paths: UnseenPath[];
}

/** Rules of the effective configuration that have nothing on the node, by their lines from 1. */
export interface RuleRecord {
  /** Nothing is there whose name begins as the rule's path does. */
  idle: number[];
  /** What the rule goes for is behind a link, which AIDE does not follow: it is there. */
  links: { line: number; target: string }[];
  /** How many more there are than are listed. */
  more?: number;
}

/** Texts of the node, in visible ASCII: each other byte stands as `\ooo`. */
export interface UnseenPath {
  path: string;
  /**
   * `Path`: nothing of it, so that it is in no database. `Content`: of a file what is in it, of a folder what lies in it.
   * `Attributes`: an extended attribute, say. `Other`: AIDE said what is not understood, and that stands in the place of the path.
   */
  what: 'Path' | 'Content' | 'Attributes' | 'Other';
}

/** The comparison of a node with its baseline before a new one takes its place: all that the new one accepts. */
export interface BaselineClosing {
  /** Id of the scan's message; absent where there was none. */
  scan?: string;
  verdict?: Verdict;
  counts?: FileCounts;
  baselineFault?: BaselineFault;
  /** Mounts where the configuration looks that were otherwise. */
  mountChanges?: number;
  /** Why nothing was compared, or nothing that is verified; a sentence. */
  uncompared?: string;
  /** Two walks of the tree were needed: what changed in between is in the new baseline, and nobody has seen it. */
  gap?: { from: string; to: string };
  /** Where the operator has kept what was found, and when it took the receipt in. The operator alone says it. */
  kept?: KeptClosing;
  at?: string;
}

interface KeptClosing {
  configMapName: string;
  /** Of a kept failure: its number, and its digest. */
  sequence?: number;
  digest?: string;
  /** It was found while the node was updated, and counts as no failure. */
  setAside?: boolean;
}

export type BaselineReason = 'Initial' | 'Demand' | 'Failed' | 'Configuration' | 'NodeUpdate';

/**
 * The operator's orders to one node's daemon: the `orders` field of the node's FileIntegrityNodeStatus, which the daemon
 * watches. The operator alone may write it.
 */
export interface Orders {
  settings: {
    /** Seconds between the end of a scan and the start of the next; at least 10. */
    gracePeriod: number;
    /** Backups of database and log kept on the node, each. */
    maxBackups: number;
    debug: boolean;
  };
  configuration: {
    /** Config map in the same namespace. */
    name: string;
    key: string;
    /** SHA-256 of the text under that key, hex. The daemon refuses another text. */
    digest: string;
  };
  /**
   * How the names of the node's database and log begin; `aide` when absent. Another FileIntegrity watches the node, too,
   * when they begin otherwise: `aide.<FileIntegrity>`.
   */
  files?: string;
  /** While present, no scan and no re-baseline is started on the node. */
  hold?: Hold;
  /** The newest order to make a baseline. Done when the node's `baseline.orderId` is its `id`. */
  baseline: BaselineOrder;
}

export interface Hold {
  reason: 'Annotation' | 'MachineConfig' | 'NodeUpdating';
  /** A sentence for the person. */
  message: string;
  /** Who holds the node, as far as the API server tells. */
  owner?: string;
  since: string;
}

export interface BaselineOrder {
  id: string;
  reason: BaselineReason;
  requestedAt: string;
  /** For the record: which update, which configuration, who asked. */
  detail?: string;
  /** Who asked for it, as far as the API server tells. */
  who?: string;
}
