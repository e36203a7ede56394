import { createWriteStream, mkdirSync, readFileSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineFault, BaselineReason, Verdict } from '../../src/api/protocol.ts';
import type { Step } from './steps.ts';

/** What an intruder leaves as part of a message that never comes. */
export const ORPHAN = 'left by an intruder as part of a message';

/** Begins the note of a step that went wrong. */
export const FAILED = 'failed: ';

/** Whose: a node under a FileIntegrity, and the machine that has the node's name now. */
export interface Subject {
  readonly integrity: string;
  readonly node: string;
  readonly machine: string;
}

/** Something that happened, as whoever did it or saw it tells. */
export type Happening =
  | { type: 'begin'; seed: number; steps: number; staleAfter: number }
  | { type: 'step'; done: Step; note?: string }
  | { type: 'note'; text: string }
  /** `ended`: by itself, and what it said last. */
  | { type: 'operator'; what: 'started' | 'killed' | 'stopped' | 'frozen' | 'ended'; said?: string }
  | { type: 'machine'; node: string; machine: string; what: 'joined' | 'left' }
  /** Files of a machine changed. */
  | { type: 'files'; node: string; machine: string; what: 'planted' | 'reverted' | 'updated'; paths: readonly string[] }
  /** An update of the node, whose changes are no findings until a baseline has them. */
  | { type: 'update'; node: string; machine: string; what: 'begins' | 'ends' }
  | ({ type: 'intrusion'; how: string; detail?: string } & Subject)
  /** An administrator says that what is on record of these nodes need not be shown any more. */
  | { type: 'forget'; nodes: readonly string[] | 'all' }
  /** The binding of an admission policy goes, or is there again. */
  | { type: 'policy'; binding: string; what: 'away' | 'back' }
  /** Somebody tried to take the name of the node's message. */
  | ({ type: 'squat'; by: string; taken: boolean } & Subject)
  | ({ type: 'daemon'; run: string; what: 'started' | 'killed' | 'stopped' | 'frozen' | 'thawed' } & Subject)
  | ScanHappening
  /** A database moved into its place. */
  | ({ type: 'baseline'; run: string; orderId: string; reason: BaselineReason; digest: string; at: string } & Subject)
  | MessageHappening
  | StatusHappening
  | { type: 'integrity'; change: Change; rv: number; integrity: FileIntegrity }
  | KeptHappening
  | { type: 'record'; change: Change; rv: number; name: string; text: string }
  | QuietHappening;

/** `listed`: seen in a list after a gap in the watch, so that versions in between may not have been seen. */
export type Change = 'applied' | 'listed' | 'deleted';

/**
 * A scan of a daemon ended. What it saw is what was there when it began. It counts when there is a message of its id: one that
 * was cancelled, or whose daemon was killed before it could write it down, says nothing.
 */
export interface ScanHappening extends Subject {
  type: 'scan';
  run: string;
  id: string;
  startedAt: string;
  finishedAt: string;
  verdict: Verdict;
  /** How many files differed from the database on the node; absent when it could not be read. */
  differences?: number;
  /** How many mounts it found otherwise than at the baseline; absent: none. */
  mounts?: number;
  /** What was the matter with the database on the node. */
  fault?: BaselineFault;
}

export interface MessageHappening extends Subject {
  type: 'message';
  run: string;
  id: string;
  kind: 'scan' | 'baseline' | 'notice';
  verdict?: Verdict;
  fault?: BaselineFault;
  /**
   * `queued`: into the outbox; `spooled`: onto the node's disk; `acknowledged`: out of it, the operator has it; `superseded`: out of it, another took its
   * place, or it was given up because the outbox was full; `heartbeat`: told by the lease.
   */
  what: 'queued' | 'spooled' | 'sent' | 'acknowledged' | 'superseded' | 'heartbeat';
  /** For `superseded`: the message that is the newest in the outbox now, and how many there are. */
  by?: { kind: string; verdict?: Verdict; fault?: BaselineFault; waiting: number };
}

/** A version of a node status. */
interface StatusHappening {
  type: 'status';
  change: Change;
  rv: number;
  uid: string;
  status: FileIntegrityNodeStatus;
}

/** A version of a config map that keeps a report. */
export interface KeptHappening {
  type: 'kept';
  change: Change;
  rv: number;
  name: string;
  node: string;
  kind: 'failed' | 'history' | 'set-aside';
  /** Id of the message that it was made of. */
  message: string;
  /** It has what an intruder left as part of a message that never came. */
  orphaned?: true;
  /** Its place in the chain of failures; absent for what was set aside. */
  link?: { sequence: number; digest: string; previous: string };
}

/** All that was under way has come to its end, or was given time to. */
export interface QuietHappening {
  type: 'quiet';
  /** Absent when all settled; else what did not. */
  unsettled?: string;
  /** Every fault is mended: all daemons run, nothing is held. */
  healed: boolean;
  /** Milliseconds since 1970. */
  now: number;
  nodes: readonly QuietNode[];
  statuses: readonly FileIntegrityNodeStatus[];
  integrities: readonly FileIntegrity[];
  /** Names of the config maps that keep reports, and of records. */
  configMaps: readonly string[];
  /** Names of parts of messages that are no part of what is kept. */
  parts?: readonly string[];
  /** Nodes in the place of whose message something lies that is none. */
  squatted?: readonly string[];
  /** Bindings of admission policies that are away. */
  policiesAway?: readonly string[];
  /** When the admission policies were not in force, as the operator has it on record. */
  admission?: readonly { readonly from: string; readonly until?: string; readonly faults: readonly string[] }[];
}

/** What is true of a node under a FileIntegrity at a quiet point. */
export interface QuietNode extends Subject {
  /** `none`: the FileIntegrity does not watch the node, or its daemon's pod is not there. */
  daemon: 'runs' | 'frozen' | 'down' | 'cut-off' | 'none';
  selected: boolean;
  /** Why it is not selected. */
  away?: 'Deselected' | 'NotTolerated';
  /** Files that differ from the database on the node; absent: it cannot be read. */
  differences?: number;
  /** Digest of the database on the node. */
  digest?: string;
}

export type Happened = Happening & {
  /** In the order in which it became known. */
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The number of the step that was the last to begin; 0 before the first. */
  readonly step: number;
};

/** Where all that happens is written down. */
export interface Recorder {
  readonly file: string;
  readonly events: readonly Happened[];
  /** The step that the next entries belong to. */
  step: number;
  record(happening: Happening): void;
  close(): Promise<void>;
}

/** Writes a file of JSON lines, and keeps all of it in memory for the checkers. */
export function createRecorder(file: string): Recorder {
  mkdirSync(dirname(file), { recursive: true });
  const stream: WriteStream = createWriteStream(file);
  const events: Happened[] = [];
  return {
    file,
    events,
    step: 0,
    record(happening) {
      const event = { n: events.length, time: Date.now(), step: this.step, ...happening } as Happened;
      events.push(event);
      stream.write(`${JSON.stringify(event)}\n`);
    },
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}

/** Reads a file that `createRecorder` wrote. */
export function readHistory(file: string): Happened[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Happened);
}
