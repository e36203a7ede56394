import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Outcome } from '../api/outcome.ts';
import { readSmallFile, removed, syncFolder, writeWhole } from './files.ts';
import { type Message, OUTBOX_LIMIT } from './outbox.ts';
import { outboxFile } from './paths.ts';

/**
 * The outbox on the node's disk, so that what was found is not lost when the daemon ends before the operator has it. Per
 * message: `aide.outbox-<number>-<id>.message.json`, and `aide.outbox-<id>.…` for its report. The number keeps the order.
 */
const MESSAGE_FILE = /^(\d{1,15})-([a-z0-9-]{1,100})\.message\.json$/;
/** A daemon's own messages stay below 8 KiB. */
const MESSAGE_BYTES = 64 * 1024;

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
      await removed(outboxFile(outbox, name));
    }
  }
  if (ids.length > 0) await syncFolder(dirname(outbox)).catch(() => {}); // it may not be there
}

/** What was kept, oldest first, with the highest number given. All else whose name begins like theirs is removed. */
export async function recoverMessages(outbox: string, node: string): Promise<{ messages: Message[]; last: number }> {
  const names = await list(outbox);
  const found: { number: number; message: Message; name: string }[] = [];
  for (const name of names) {
    const match = MESSAGE_FILE.exec(name);
    if (match === null) continue;
    const message = await readMessage(outbox, name, node, match[2] ?? '');
    if (message !== undefined) found.push({ number: Number(match[1]), message, name });
  }
  found.sort((a, b) => a.number - b.number);
  const kept = found.slice(-OUTBOX_LIMIT);
  const wanted = new Set(kept.flatMap(({ name, message: { report } }) => [name, report?.log, report?.json]));
  for (const name of names) {
    if (!wanted.has(name)) await rm(outboxFile(outbox, name), { force: true, recursive: true });
  }
  return { messages: kept.map(({ message }) => message), last: found.at(-1)?.number ?? 0 };
}

/** Undefined when it is not one that a daemon of this node wrote whole. */
async function readMessage(outbox: string, name: string, node: string, id: string): Promise<Message | undefined> {
  try {
    const text = await readSmallFile(outboxFile(outbox, name), MESSAGE_BYTES);
    const message = text === undefined ? undefined : (JSON.parse(text) as Partial<Message> | null);
    const outcome: Partial<Outcome> | undefined = message?.outcome;
    if (message?.outcome === undefined || outcome?.id !== id || outcome.node !== node) return undefined;
    if (!['scan', 'baseline', 'notice'].includes(outcome.kind ?? '')) return undefined;
    const { report } = message;
    for (const file of report === undefined ? [] : [report.log, ...(report.json === undefined ? [] : [report.json])]) {
      // A name with a path in it could make the daemon send any file of the node.
      if (typeof file !== 'string' || !file.startsWith(`${id}.`) || file.includes('/')) return undefined;
      if (!(await stat(outboxFile(outbox, file))).isFile()) return undefined;
    }
    return message as Message;
  } catch {
    return undefined; // half written or tampered with: there is nobody to tell but the next scan
  }
}

/** The names of the outbox's files, without how all of them begin. */
async function list(outbox: string): Promise<string[]> {
  const names = await readdir(dirname(outbox)).catch((): string[] => []);
  const start = basename(outbox);
  return names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
}
