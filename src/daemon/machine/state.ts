import type {
  BaselineClosing,
  BaselineOrder,
  BaselineReceipt,
  MountRecord,
  Orders,
  Outcome,
  ScanOutcome,
  UnseenRecord,
} from '../../api/protocol.ts';
import { emptyOutbox, type Message, type Outbox, type ReportFiles } from './outbox.ts';

/** When something happens. Intervals go by `mono`, so that a clock set back or forth changes none. */
export interface Now {
  /** Milliseconds since 1970, by the node's clock: for time stamps only. */
  wall: number;
  /** Milliseconds of a clock that only goes forward. */
  mono: number;
  /** In [0, 1): spreads the retries of many daemons. */
  random: number;
}

/** What is on record of a baseline outside the node: a scan compares the node's database with it. */
export type RecordedBaseline = Pick<BaselineReceipt, 'digest' | 'entries'> &
  Partial<Pick<BaselineReceipt, 'bootId' | 'mounts'>>;

/** The same, with the configuration that it was made with: the comparison before a new baseline needs both. */
export type ReplacedBaseline = RecordedBaseline & { configurationDigest?: string };

/** What the API server says about this node: the part of its FileIntegrityNodeStatus that a daemon needs. */
export interface NodeRecord {
  orders?: Orders;
  /** Why it has orders that a daemon does not carry out; they count as none. */
  refused?: string;
  /** The newest baseline whose receipt the operator has. */
  baseline?: ReplacedBaseline & { orderId: string };
  /** Id of the message that the operator took in last. */
  acknowledged?: string;
}

/** AIDE does one thing at a time on a node, and this is it. */
type Activity =
  | { kind: 'idle' }
  | { kind: 'scan'; id: string; configurationDigest: string; cancelled: boolean }
  /** The comparison with the baseline before, for that order; `id` is that of its message. */
  | { kind: 'closing'; id: string; order: BaselineOrder; configurationDigest: string; cancelled: boolean }
  | { kind: 'baseline'; order: BaselineOrder; configurationDigest: string; cancelled: boolean };

/** The effective configuration on this node: which text lies in the daemon's file, by its digest. */
interface Configuration {
  /** Digest of the text that can be used now. */
  loaded?: string;
  /** Digest of the text that is being fetched. */
  loading?: string;
  failure?: { digest: string; count: number; retryAt: number };
}

/** How far the comparison is that goes before a new baseline. */
export interface Closing {
  readonly orderId: string;
  /** Of the ordered configuration. */
  readonly configurationDigest: string;
  /** Result of the comparison; absent where there was no baseline before. */
  readonly facts?: ClosingFacts;
  readonly sameness?: string;
  /** The operator has the result, so the new baseline may be made. */
  readonly acknowledged: boolean;
  /** An attempt to make the new baseline has failed since, so the comparison is done again. */
  readonly spent: boolean;
}

/** The comparison as the new baseline's receipt has it, and what is needed to make that baseline. */
export interface ClosingFacts extends Required<Pick<BaselineClosing, 'scan' | 'verdict'>> {
  readonly counts?: NonNullable<BaselineClosing['counts']>;
  readonly baselineFault?: NonNullable<BaselineClosing['baselineFault']>;
  readonly mountChanges?: number;
  readonly errorMessage?: string;
  /** RFC 3339: changes from then on may not have been seen, unless there is a `successor`. */
  readonly startedAt: string;
  /** Digest of the new database, if AIDE wrote it in the very walk that compared: it is to be moved in as it is. */
  readonly successor?: string;
  /** What was mounted where the configuration looks after that walk. */
  readonly mounts?: MountRecord;
  /** What AIDE did not see in that walk. */
  readonly unseen?: UnseenRecord;
}

/** A quiet scan's message on its way to the heartbeat lease; a newer one takes its place. */
interface Heartbeat {
  message: Message;
  failures: number;
  retryAt: number;
}

export interface State {
  readonly node: string;
  /** Begins the ids of this process's messages. */
  readonly run: string;
  /** Messages made so far. */
  serial: number;
  /** What an earlier daemon left on the node has been looked at. */
  recovered: boolean;
  /** Undefined until the API server has answered; without `orders` while the object is not there. */
  record?: NodeRecord;
  configuration: Configuration;
  activity: Activity;
  /** The comparison for the order that is still to be carried out. */
  closing?: Closing;
  /** Order that this process has carried out. */
  made?: string;
  baselineFailure?: { orderId: string; configurationDigest: string; count: number; retryAt: number };
  /** When the last scan ended, on the monotonic clock; absent: a scan is due at once. */
  scannedAt?: number;
  outbox: Outbox;
  heartbeat?: Heartbeat;
  /**
   * The slot holds what is no daemon's message. `reportedWith`: the scan with which the heartbeat has said so, by the id of its
   * waiting message; empty when none waited.
   */
  slotTaken?: { reportedWith?: string };
  /** Id of the message that is being patched into the lease now. */
  beating?: string;
  /** Content of the message that the operator took in last, without ids and times; see `sameness`. */
  acknowledged?: string;
  /** Trigger files that lay on the node at the last look. */
  triggers: readonly string[];
  /** When the state machine's only timer goes off, on the monotonic clock. */
  wakeAt?: number;
  stopping: boolean;
  exited: boolean;
  /** Why nothing is started, as it was logged last: each reason is logged once. */
  waiting?: string;
}

/** What is known of a scan, or of what was to be one. */
export type ScanFacts = Omit<ScanOutcome, 'kind' | 'id' | 'node' | 'configurationDigest' | 'closes'>;

/** What a scan came to. `stopped`: it was ended before its time and says nothing. */
export type ScanEnd =
  | { kind: 'stopped' }
  | {
      kind: 'ended';
      facts: ScanFacts;
      report?: ReportFiles;
      /** Digest of the report but for its times: two reports with the same one say the same. */
      fingerprint?: string;
    };

/** `needless`: no baseline is there that a new one would replace. */
export type ClosingEnd =
  | { kind: 'stopped' }
  | { kind: 'needless' }
  | (Extract<ScanEnd, { kind: 'ended' }> & {
      /** Of the configuration that the node was compared with. */
      configurationDigest: string;
      /** See `ClosingFacts`. */
      successor?: string;
      mounts?: MountRecord;
      unseen?: UnseenRecord;
    });

/** What an attempt at a baseline came to. `lost`: the database that the comparison wrote is not there as it was. */
export type BaselineEnd =
  | { kind: 'stopped' }
  | { kind: 'lost' }
  | { kind: 'made'; receipt: BaselineReceipt }
  | { kind: 'failed'; facts: ScanFacts & { verdict: 'Errored'; errorMessage: string } };

export type Event =
  /** `damaged`: names of what lay in the place of messages and is none. */
  | { type: 'recovered'; messages: readonly Message[]; damaged?: readonly string[] }
  | { type: 'record'; record: NodeRecord }
  | { type: 'configured'; digest: string }
  /** `transient`: the API server did not answer; nothing is known about the configuration. */
  | { type: 'unconfigured'; digest: string; code: string; message: string; transient: boolean }
  | { type: 'scanned'; result: ScanEnd }
  | { type: 'closed'; result: ClosingEnd }
  | { type: 'baselined'; result: BaselineEnd }
  | { type: 'stored'; id: string }
  /** The slot holds another message, which the operator has not taken in yet; `squatted`: or what is no message. */
  | { type: 'busy'; id: string; squatted: boolean }
  | { type: 'unsent'; id: string; message: string }
  /** The API server will never take this message as it is. */
  | { type: 'refused'; id: string; message: string }
  | { type: 'beaten'; id: string }
  /** `missing`: there is no lease to patch. */
  | { type: 'unbeaten'; id: string; message: string; missing: boolean }
  | { type: 'triggers'; found: readonly { path: string; removed: boolean }[] }
  | { type: 'wake' }
  | { type: 'stop' };

export type Effect =
  | { type: 'configure'; configuration: Orders['configuration'] }
  /** `files`: see `Orders.files`. Without `baseline` none is on record. */
  | { type: 'scan'; id: string; files: string; baseline: RecordedBaseline | undefined }
  | {
      type: 'close';
      id: string;
      order: BaselineOrder;
      files: string;
      configuration: Orders['configuration'];
      baseline: ReplacedBaseline | undefined;
    }
  | {
      type: 'baseline';
      order: BaselineOrder;
      files: string;
      configurationDigest: string;
      settings: Orders['settings'];
      closing: ClosingFacts | undefined;
    }
  | { type: 'cancel' }
  | { type: 'keep'; message: Message }
  | { type: 'forget'; ids: readonly string[] }
  | { type: 'send'; message: Message }
  | { type: 'beat'; outcome: Outcome }
  /** Without `at`: no timer is needed. */
  | { type: 'timer'; at: number | undefined }
  | { type: 'log'; text: string }
  | { type: 'exit' };

/** A state, and what is to be done about it. */
export interface Step {
  state: State;
  effects: Effect[];
}

/** A daemon that knows nothing yet. `run` must differ between processes. */
export function initialState(node: string, run: string): State {
  return {
    node,
    run,
    serial: 0,
    recovered: false,
    configuration: {},
    activity: { kind: 'idle' },
    outbox: emptyOutbox,
    triggers: [],
    stopping: false,
    exited: false,
  };
}
