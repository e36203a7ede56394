import { isUtf8 } from 'node:buffer';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PARTS_LIMIT } from '../../api/names.ts';
import { clear, keepAs, move, openRegular, presence, syncFile, syncFolder } from '../disk/files.ts';
import { outboxFile } from '../disk/paths.ts';
import type { ReportFiles } from '../machine/outbox.ts';
import { PART_BYTES } from './parts.ts';
import { compress } from './report-compress.ts';
import { fingerprintOf } from './report-fingerprint.ts';

/** Text and JSON together up to this many bytes are sent as they are, since a person reads them more easily so. */
const PLAIN_LIMIT = 256 * 1024;

/**
 * Compressed bytes of the text, and of the JSON, that are kept at most: half of the config maps that a message may have,
 * 32 MiB each, which is some 200,000 files whose checksums all changed. What a larger report loses is said in it and in
 * the message.
 */
const COMPRESSED_LIMIT = Math.floor((PARTS_LIMIT - 1) / 2) * PART_BYTES;

/** Bytes of the node's disk that all waiting reports together may take. */
const OUTBOX_BYTES = 512 * 1024 * 1024;

/** A report made ready to be sent. */
export interface OutboxReport {
  /** Absent when there is none. */
  files?: ReportFiles;
  /** Digest of what the report says but for when it was made; absent when there is no JSON. */
  fingerprint?: string;
  /** Sentences when something is missing from it. */
  loss?: string;
}

/** Where AIDE left its two reports of a scan. */
export interface ScanReports {
  log: string;
  /** Absent when there is none. */
  json?: string;
}

export interface KeepOptions {
  /** See `outboxOf`. */
  outbox: string;
  /** The message's id. */
  id: string;
  /** Sentences about what is known to be missing from the report. */
  loss?: string | undefined;
  /** Text to be put before the text report. */
  head?: string | undefined;
  /** Compressed bytes of each of the two that are kept; default some 169 MiB. */
  limit?: number;
}

/**
 * Puts a scan's reports into the outbox under the message's id, compressed when they are large. Streams: a report
 * of any size takes a few hundred KiB of memory; a small one takes no more room on the disk than it has already.
 */
export async function keepReport(
  reports: ScanReports,
  options: KeepOptions,
  signal: AbortSignal,
): Promise<OutboxReport> {
  const { outbox, id } = options;
  const fingerprint = reports.json === undefined ? undefined : await fingerprintOf(reports.json, signal);
  const known = fingerprint === undefined ? {} : { fingerprint };
  const losses = options.loss === undefined ? [] : [options.loss];
  if ((await presence(reports.log)) !== 'file') {
    return { ...known, loss: [...losses, 'AIDE wrote no text report.'].join(' ') };
  }
  if (await isCut(reports.log)) {
    losses.push('AIDE’s text report ends early, as it does when the disk of the node’s /etc/kubernetes is full.');
  }
  try {
    const files = (await isPlain(reports))
      ? await keepPlain(reports, options, losses)
      : await keepCompressed(reports, options, losses, signal);
    await syncFolder(dirname(outbox));
    return { files, ...known, ...(losses.length > 0 && { loss: losses.join(' ') }) };
  } catch (error) {
    for (const path of await outboxFiles(outbox)) {
      if (basename(path).startsWith(basename(outboxFile(outbox, `${id}.`)))) await clear(path);
    }
    throw error;
  }
}

/** The text gets a second name, since AIDE never writes into a file that is there; nobody else needs the JSON. */
async function keepPlain(
  { log, json }: ScanReports,
  { outbox, id, head }: KeepOptions,
  losses: readonly string[],
): Promise<ReportFiles> {
  const files: ReportFiles = { compressed: false, log: `${id}.log` };
  await keepAs(log, outboxFile(outbox, files.log));
  await syncFile(log);
  if (json !== undefined) {
    files.json = `${id}.report.json`;
    await syncFile(json);
    await move(json, outboxFile(outbox, files.json));
  }
  if (head !== undefined) files.head = head;
  if (losses.length > 0) files.note = noteOf(losses);
  return files;
}

async function keepCompressed(
  { log, json }: ScanReports,
  { outbox, id, head, limit = COMPRESSED_LIMIT }: KeepOptions,
  losses: string[],
  signal: AbortSignal,
): Promise<ReportFiles> {
  const most = Math.min(limit, (OUTBOX_BYTES - (await bytesOf(outbox))) / 2);
  const files: ReportFiles = { compressed: true, log: `${id}.log.gz` };
  if (json !== undefined) {
    const name = `${id}.report.json.gz`;
    const kept = await compress(json, outboxFile(outbox, name), { limit: most }, signal);
    if (kept.whole) files.json = name;
    else {
      await clear(outboxFile(outbox, name)); // a part of it could not be read
      losses.push('The JSON report is too large to send.');
    }
  }
  const kept = await compress(
    log,
    outboxFile(outbox, files.log),
    { limit: most, head, last: (whole, bytes) => lastWords(losses, whole, bytes) },
    signal,
  );
  if (!kept.whole) losses.push(tooLarge(kept.bytes));
  return files;
}

function tooLarge(bytes: number): string {
  return `The text report is too large to send whole: its first ${bytes} bytes are kept.`;
}

function lastWords(losses: readonly string[], whole: boolean, bytes: number): string {
  const all = whole ? losses : [...losses, tooLarge(bytes)];
  return all.length === 0 ? '' : noteOf(all);
}

/** What a person who reads the report is told at its end. */
function noteOf(losses: readonly string[]): string {
  return `\n\nThis report is not whole. ${losses.join(' ')}\n`;
}

/** Whether a text report that has its beginning lacks its end. AIDE does not say when it could not write it. */
async function isCut(log: string): Promise<boolean> {
  await using file = await openRegular(log);
  const { size } = await file.stat();
  const read = async (from: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(200), 0, 200, from);
    return buffer.toString('latin1', 0, bytesRead);
  };
  if (size === 0) return true;
  // Below the report level `summary` there is neither.
  if (!(await read(0)).startsWith('Start timestamp: ')) return false;
  return !/^End timestamp: .*\n$/m.test(await read(Math.max(0, size - 200)));
}

async function isPlain({ log, json }: ScanReports): Promise<boolean> {
  let bytes = 0;
  for (const path of json === undefined ? [log] : [log, json]) {
    await using file = await openRegular(path);
    bytes += (await file.stat()).size;
    // A config map's data is UTF-8; other bytes (file names may have any) stay what they are only when compressed.
    if (bytes > PLAIN_LIMIT || !isUtf8(await file.readFile())) return false;
  }
  return true;
}

/** Bytes that the outbox takes. */
async function bytesOf(outbox: string): Promise<number> {
  let bytes = 0;
  for (const path of await outboxFiles(outbox)) bytes += (await stat(path)).size;
  return bytes;
}

async function outboxFiles(outbox: string): Promise<string[]> {
  const names = await readdir(dirname(outbox));
  return names.filter((name) => name.startsWith(basename(outbox))).map((name) => join(dirname(outbox), name));
}
