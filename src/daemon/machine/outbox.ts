import type { Outcome } from '../../api/protocol.ts';

/** A report on the node's disk, waiting to be sent: names of files of the outbox. */
export interface ReportFiles {
  /** Both files are gzip. */
  compressed: boolean;
  /** AIDE's text report. */
  log: string;
  /** AIDE's JSON report; absent when there is none or it was too large to send. */
  json?: string;
  /** Texts to be put before and behind the text report; only where that is not compressed. */
  head?: string;
  note?: string;
}

export interface Message {
  outcome: Outcome;
  report?: ReportFiles;
  /** See `sameness`; only scans have one. */
  sameness?: string;
  /** A sentence that is sent in place of the report, when that cannot be sent. */
  withoutReport?: string;
}

/**
 * Messages that the operator has not acknowledged, oldest first. One at a time is on its way: the first, from the moment
 * that it was first sent. It then stays as it is, because the API server may have it though nobody said so.
 */
export interface Outbox {
  readonly queue: readonly Message[];
  /** The first message has been sent at least once. */
  readonly begun: boolean;
  /** Id of the message that is being sent now, which may be one that was acknowledged meanwhile. */
  readonly sending?: string;
  readonly attempts: number;
  /** When the first message is sent (again), on the monotonic clock; absent: at once. */
  readonly retryAt?: number;
}

/** How many messages may wait. Far more than an outage makes, since scans with the same verdict take one place. */
export const OUTBOX_LIMIT = 32;

export const emptyOutbox: Outbox = { queue: [], begun: false, attempts: 0 };

/** An outbox after a change, and the ids of messages that are in it no more. */
export interface OutboxChange {
  outbox: Outbox;
  dropped: string[];
}

/**
 * Adds a message behind the others. It takes the place of the one before it when that is not on its way and says the
 * same kind of thing (a scan with the same verdict and the same fault of the baseline, a notice of the same kind). When the
 * outbox is full, the least important message goes: notices, then scans without findings; a `Failed` goes only for a newer one.
 */
export function enqueue(outbox: Outbox, message: Message): OutboxChange {
  const last = outbox.queue.at(-1);
  const lastIsFree = last !== undefined && (outbox.queue.length > 1 || !outbox.begun);
  if (last !== undefined && lastIsFree && supersedes(message.outcome, last.outcome)) {
    return { outbox: { ...outbox, queue: [...outbox.queue.slice(0, -1), message] }, dropped: [last.outcome.id] };
  }
  const queue = [...outbox.queue, message];
  if (queue.length <= OUTBOX_LIMIT) return { outbox: { ...outbox, queue }, dropped: [] };
  const index = leastImportant(queue);
  return {
    outbox: { ...outbox, queue: queue.filter((_, at) => at !== index) },
    dropped: queue.slice(index, index + 1).map(({ outcome }) => outcome.id),
  };
}

/** Takes out the message with this id and those before it: the operator has them all, since they went in order. */
export function acknowledge(outbox: Outbox, id: string): OutboxChange & { message?: Message } {
  const index = outbox.queue.findIndex(({ outcome }) => outcome.id === id);
  const message = outbox.queue[index];
  if (message === undefined) return { outbox, dropped: [] };
  const { retryAt: _, ...rest } = outbox;
  return {
    outbox: { ...rest, queue: outbox.queue.slice(index + 1), begun: false, attempts: 0 },
    dropped: outbox.queue.slice(0, index + 1).map(({ outcome }) => outcome.id),
    message,
  };
}

/** The message to send now, if there is one. */
export function nextToSend(outbox: Outbox, mono: number): Message | undefined {
  if (outbox.sending !== undefined || (outbox.retryAt ?? mono) > mono) return undefined;
  return outbox.queue[0];
}

/** The first message is on its way. */
export function beginSending(outbox: Outbox, message: Message): Outbox {
  return { ...outbox, begun: true, sending: message.outcome.id };
}

/** An attempt ended: the first message is looked after again at `retryAt`, given how many attempts it has had. */
export function endSending(outbox: Outbox, id: string, retryAt: (attempts: number) => number): Outbox {
  const { sending: _, ...rest } = outbox;
  if (outbox.queue[0]?.outcome.id !== id) return rest; // acknowledged while it was being sent
  const attempts = outbox.attempts + 1;
  return { ...rest, attempts, retryAt: retryAt(attempts) };
}

/** Has the first message sent at once without its report. False when that was tried already. */
export function stripReport(outbox: Outbox, id: string, why: string): Outbox | undefined {
  const [first, ...others] = outbox.queue;
  if (first?.outcome.id !== id || first.withoutReport !== undefined) return undefined;
  const { retryAt: _, sending: __, ...rest } = outbox;
  const withoutReport = `The report could not be sent: ${why}`;
  return { ...rest, queue: [{ ...first, withoutReport }, ...others] };
}

function supersedes(newer: Outcome, older: Outcome): boolean {
  if (newer.kind === 'scan' && older.kind === 'scan') {
    // The new baseline is made only when the operator has this message.
    if (older.closes !== undefined) return false;
    // A finding against the recorded baseline is not replaced by one against another database.
    return newer.verdict === older.verdict && newer.baselineFault === older.baselineFault;
  }
  if (newer.kind === 'notice' && older.kind === 'notice') return newer.notice === older.notice;
  return false;
}

/** Index of the message that a full outbox gives up: never the first, which may be on its way, nor the newest. */
function leastImportant(queue: readonly Message[]): number {
  const newest = queue.findLast(({ outcome }) => outcome.kind === 'baseline');
  const weights = queue.slice(1, -1).map((message) => (message === newest ? 5 : weigh(message.outcome)));
  return 1 + weights.indexOf(Math.min(...weights));
}

function weigh(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'notice':
      return 0;
    case 'scan':
      if (outcome.closes !== undefined) return 5;
      return { Succeeded: 1, Errored: 2, Failed: 4 }[outcome.verdict];
    case 'baseline':
      return 3; // only the newest tells what the node is compared with now
  }
}
