import { readFile } from 'node:fs/promises';
import type { BaselineReceipt } from '../../api/protocol.ts';
import { isReceipt } from '../machine/kept-shapes.ts';
import { readSmallFile, writeWhole } from './files.ts';

/** A receipt has some 600 bytes, and what it says of mounts, rules and what was not seen: no more than 10 KiB. */
const RECEIPT_BYTES = 16 * 1024;

/** Puts a receipt beside the database, before that moves in: a crash in between then loses nothing. */
export async function writeReceipt(path: string, receipt: BaselineReceipt): Promise<void> {
  await writeWhole(path, `${JSON.stringify(receipt)}\n`);
}

/**
 * The receipt beside the database, or undefined when there is none that can be read. Root on the node can write it, so it
 * counts only for the order that the API server still wants carried out, and only with the database that it names.
 */
export async function readReceipt(path: string): Promise<BaselineReceipt | undefined> {
  try {
    const text = await readSmallFile(path, RECEIPT_BYTES);
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return isReceipt(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Which boot of the node this is; the same in a container. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
