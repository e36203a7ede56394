import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, readFile, rm, stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { syncFile } from './files.ts';
import type { ReportFiles } from './outbox.ts';
import { PART_BYTES } from './parts.ts';
import { outboxFile } from './paths.ts';

/** Text and JSON together up to this many bytes are sent as they are, since a person reads them more easily so. */
const PLAIN_LIMIT = 256 * 1024;

/**
 * Compressed bytes of the text, and of the JSON, that are kept at most: 32 config maps each, 21 MiB, which is some
 * hundred MiB of report and a million changed files. What a larger report loses is said in it and in the message.
 */
const COMPRESSED_LIMIT = 32 * PART_BYTES;

/** A report made ready to be sent. */
export interface KeptReport {
  files: ReportFiles;
  /** Digest of what the report says but for when it was made; absent when there is no JSON. */
  fingerprint?: string;
  /** A sentence when something had to be left out. */
  loss?: string;
}

/** Where AIDE left its two reports of a scan. */
export interface ScanReports {
  log: string;
  /** Absent when there is none. */
  json?: string;
}

/**
 * Puts a scan's reports into the outbox under the message's id, compressed when they are large. Streams: a report
 * of any size takes a few hundred KiB of memory.
 */
export async function keepReport(
  reports: ScanReports,
  outbox: string,
  id: string,
  signal: AbortSignal,
): Promise<KeptReport> {
  const fingerprint = reports.json === undefined ? undefined : await fingerprintOf(reports.json, signal);
  const known = fingerprint === undefined ? {} : { fingerprint };
  if (await isPlain(reports)) {
    const files: ReportFiles = { compressed: false, log: `${id}.log` };
    await copyFile(reports.log, outboxFile(outbox, files.log));
    if (reports.json !== undefined) {
      files.json = `${id}.report.json`;
      await copyFile(reports.json, outboxFile(outbox, files.json));
    }
    return { files, ...known };
  }
  const files: ReportFiles = { compressed: true, log: `${id}.log.gz` };
  const losses: string[] = [];
  const kept = await compress(reports.log, outboxFile(outbox, files.log), signal, true);
  if (kept.whole === false) losses.push(`the first ${kept.bytes} bytes of the text report are kept`);
  if (reports.json !== undefined) {
    const name = `${id}.report.json.gz`;
    const result = await compress(reports.json, outboxFile(outbox, name), signal, false);
    if (result.whole) files.json = name;
    else {
      await rm(outboxFile(outbox, name), { force: true });
      losses.push('the JSON report is left out'); // a part of it could not be read
    }
  }
  const loss = losses.length === 0 ? {} : { loss: `The report is too large to send whole: ${losses.join(', ')}.` };
  return { files, ...known, ...loss };
}

async function isPlain({ log, json }: ScanReports): Promise<boolean> {
  let bytes = 0;
  const paths = json === undefined ? [log] : [log, json];
  for (const path of paths) bytes += (await stat(path)).size;
  if (bytes > PLAIN_LIMIT) return false;
  // A config map's data is UTF-8; other bytes (file names may have any) stay what they are only when compressed.
  for (const path of paths) if (!isUtf8(await readFile(path))) return false;
  return true;
}

/** Compresses until the limit. `bytes`: how much of the source is in it. */
async function compress(
  source: string,
  target: string,
  signal: AbortSignal,
  note: boolean,
): Promise<{ whole: boolean; bytes: number }> {
  const { createGzip } = await import('node:zlib'); // most daemons never need it
  let written = 0;
  let bytes = 0;
  let whole = true;
  async function* read(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(source) as AsyncIterable<Buffer>) {
      // gzip holds back some hundred KiB, hence the margin.
      if (written > COMPRESSED_LIMIT - PART_BYTES) {
        whole = false;
        if (note) yield Buffer.from(`\n\nThe report goes on; its first ${bytes} bytes are kept here.\n`);
        return;
      }
      bytes += chunk.length;
      yield chunk;
    }
  }
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(read, createGzip(), count, createWriteStream(target, { mode: 0o600 }), { signal });
  await syncFile(target);
  return { whole, bytes };
}

const TIMES = /^ {2}"(start_time|end_time|run_time_seconds)":/;

/** Beyond this a line is no line about time, and is not held in memory whole. */
const LINE_LIMIT = 1024 * 1024;

/** SHA-256 of AIDE's JSON report without its three lines about time. */
async function fingerprintOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'latin1', signal }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!TIMES.test(line)) hash.update(line, 'latin1').update('\n');
    if (rest.length > LINE_LIMIT) {
      hash.update(rest, 'latin1');
      rest = '';
    }
  }
  return hash.update(rest, 'latin1').digest('hex');
}
