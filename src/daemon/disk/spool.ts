import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isMessage } from '../machine/kept-shapes.ts';
import { type Message, OUTBOX_LIMIT } from '../machine/outbox.ts';
import { clear, move, presence, readSmallFile, removeIfThere, syncFolder, writeWhole } from './files.ts';
import { outboxFile } from './paths.ts';

/**
 * The outbox on the node's disk, so that what was found is not lost when the daemon ends before the operator has it. Per
 * message: `<outbox><number>-<id>.message.json`, and `<outbox><id>.…` for its report. The number keeps the order.
 */
const MESSAGE_FILE = /^(\d{1,15})-([a-z0-9-]{1,100})\.message\.json$/;
/** A daemon's own messages stay below 8 KiB. */
const MESSAGE_BYTES = 64 * 1024;
/** Names of damaged messages that are remembered. */
const DAMAGED_LIMIT = 100;

/** Writes a message to the disk; its report lies there already. */
export async function keepMessage(outbox: string, message: Message, number: number): Promise<void> {
  await mkdir(dirname(outbox), { recursive: true });
  await writeWhole(outboxFile(outbox, `${number}-${message.outcome.id}.message.json`), JSON.stringify(message));
}

/** Removes messages and reports, in the order of `ids`. */
export async function forgetMessages(outbox: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const names = await list(outbox);
    const mine = names.filter((name) => name.startsWith(`${id}.`) || MESSAGE_FILE.exec(name)?.[2] === id);
    // The message first: one without its report would be sent as if it had none.
    for (const name of mine.sort((a, b) => Number(MESSAGE_FILE.test(b)) - Number(MESSAGE_FILE.test(a)))) {
      await removeIfThere(outboxFile(outbox, name));
    }
  }
  if (ids.length > 0) await syncFolder(dirname(outbox)).catch(() => {}); // it may not be there
}

/** A message on the disk. */
export interface KeptMessage {
  message: Message;
  /** Its file, without how the names of all begin. */
  name: string;
  number: number;
}

export interface FoundMessages {
  /** Oldest first: the newest that a daemon of this node wrote whole. */
  readonly kept: KeptMessage[];
  /** Names of files in the place of messages that are none: some of them, where there are very many. */
  readonly damaged: string[];
}

/** What an earlier daemon kept. */
export async function findMessages(outbox: string, node: string): Promise<FoundMessages> {
  const numbered = (await list(outbox)).flatMap((name) => {
    const [, number, id] = MESSAGE_FILE.exec(name) ?? [];
    return number === undefined || id === undefined ? [] : [{ name, number: Number(number), id }];
  });
  numbered.sort((a, b) => b.number - a.number);
  const kept: KeptMessage[] = [];
  const damaged: string[] = [];
  for (const { name, number, id } of numbered) {
    if (kept.length === OUTBOX_LIMIT) break; // there may be any number of files
    const message = await readMessage(outbox, name, node, id);
    if (message !== undefined) kept.unshift({ message, name, number });
    else if (damaged.length < DAMAGED_LIMIT) damaged.push(name);
  }
  return { kept, damaged };
}

/**
 * Numbers the messages from 1 again, and removes all else whose name begins like theirs: what a daemon that ended left
 * half written, and what is none of a daemon's.
 */
export async function tidyOutbox(outbox: string, kept: readonly KeptMessage[]): Promise<void> {
  const wanted = new Set(kept.flatMap(({ name, message: { report } }) => [name, report?.log, report?.json]));
  for (const name of await list(outbox)) if (!wanted.has(name)) await clear(outboxFile(outbox, name));
  // Each gets its own number or a smaller one, so an end in between keeps the order.
  for (const [index, { name, message }] of kept.entries()) {
    const next = `${index + 1}-${message.outcome.id}.message.json`;
    if (next !== name) await move(outboxFile(outbox, name), outboxFile(outbox, next));
  }
}

/** Undefined when it is not one that a daemon of this node wrote whole. */
async function readMessage(outbox: string, name: string, node: string, id: string): Promise<Message | undefined> {
  try {
    const text = await readSmallFile(outboxFile(outbox, name), MESSAGE_BYTES);
    const message: unknown = text === undefined ? undefined : JSON.parse(text);
    if (!isMessage(message) || message.outcome.id !== id || message.outcome.node !== node) return undefined;
    const { report } = message;
    for (const file of report === undefined ? [] : [report.log, ...(report.json === undefined ? [] : [report.json])]) {
      // A name with a path in it, or a link, could make the daemon send any file of the node.
      if (!file.startsWith(`${id}.`) || file.includes('/')) return undefined;
      if ((await presence(outboxFile(outbox, file))) !== 'file') return undefined;
    }
    return message;
  } catch {
    return undefined; // half written or tampered with
  }
}

/** The names of the outbox's files, without how all of them begin. */
async function list(outbox: string): Promise<string[]> {
  const names = await readdir(dirname(outbox)).catch((): string[] => []);
  const start = basename(outbox);
  return names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
}
