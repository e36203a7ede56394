import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../api/outcome.ts';
import { readSmallFile, removed, syncFolder, writeWhole } from './files.ts';
import { type Message, OUTBOX_LIMIT } from './outbox.ts';

/**
 * The outbox on the node's disk, so that what was found is not lost when the daemon ends before the operator has it. Per
 * message: `<number>-<id>.message.json`, and `<id>.…` for its report. The number keeps the order.
 */
const MESSAGE_FILE = /^(\d{1,15})-([a-z0-9-]{1,100})\.message\.json$/;
/** A daemon's own messages stay below 8 KiB. */
const MESSAGE_BYTES = 64 * 1024;

/** Writes a message to the disk; its report lies there already. */
export async function keepMessage(folder: string, message: Message, number: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWhole(join(folder, `${number}-${message.outcome.id}.message.json`), JSON.stringify(message));
}

/** Removes messages and reports, in the order of `ids`. */
export async function forgetMessages(folder: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const names = await list(folder);
    const mine = names.filter((name) => name.startsWith(`${id}.`) || MESSAGE_FILE.exec(name)?.[2] === id);
    // The message first: one without its report would be sent as if it had none.
    for (const name of mine.sort((a, b) => Number(MESSAGE_FILE.test(b)) - Number(MESSAGE_FILE.test(a)))) {
      await removed(join(folder, name));
    }
  }
  if (ids.length > 0) await syncFolder(folder).catch(() => {}); // it may not be there
}

/** What was kept, oldest first, with the highest number given. Everything else in the folder is removed. */
export async function recoverMessages(folder: string, node: string): Promise<{ messages: Message[]; last: number }> {
  const names = await list(folder);
  const found: { number: number; message: Message; name: string }[] = [];
  for (const name of names) {
    const match = MESSAGE_FILE.exec(name);
    if (match === null) continue;
    const message = await readMessage(folder, name, node, match[2] ?? '');
    if (message !== undefined) found.push({ number: Number(match[1]), message, name });
  }
  found.sort((a, b) => a.number - b.number);
  const kept = found.slice(-OUTBOX_LIMIT);
  const wanted = new Set(kept.flatMap(({ name, message: { report } }) => [name, report?.log, report?.json]));
  for (const name of names) {
    if (!wanted.has(name)) await rm(join(folder, name), { force: true, recursive: true });
  }
  return { messages: kept.map(({ message }) => message), last: found.at(-1)?.number ?? 0 };
}

/** Undefined when it is not one that a daemon of this node wrote whole. */
async function readMessage(folder: string, name: string, node: string, id: string): Promise<Message | undefined> {
  try {
    const text = await readSmallFile(join(folder, name), MESSAGE_BYTES);
    const message = text === undefined ? undefined : (JSON.parse(text) as Partial<Message> | null);
    const outcome: Partial<Outcome> | undefined = message?.outcome;
    if (message?.outcome === undefined || outcome?.id !== id || outcome.node !== node) return undefined;
    if (!['scan', 'baseline', 'notice'].includes(outcome.kind ?? '')) return undefined;
    const { report } = message;
    for (const file of report === undefined ? [] : [report.log, ...(report.json === undefined ? [] : [report.json])]) {
      // A name with a path in it could make the daemon send any file of the node.
      if (typeof file !== 'string' || !file.startsWith(`${id}.`) || file.includes('/')) return undefined;
      if (!(await stat(join(folder, file))).isFile()) return undefined;
    }
    return message as Message;
  } catch {
    return undefined; // half written or tampered with: there is nobody to tell but the next scan
  }
}

async function list(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
