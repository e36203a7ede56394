import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { printable } from '../lib/text.ts';
import { errorCode, openFile } from './file.ts';

/** Facts about a whole, readable database of AIDE. */
export interface DatabaseFacts {
  /** SHA-256 of the uncompressed database, hex: what AIDE itself reports of the database that a check read. */
  readonly digest: string;
  /** Files, folders and other entries in it. */
  readonly entries: number;
  /** Bytes, uncompressed. */
  readonly size: number;
  readonly compressed: boolean;
  /** From the comments at its head; absent with `database_add_metadata=no`. */
  readonly aideVersion?: string;
  /** As the head says, e.g. `2026-11-24 02:45:17 +0000`. */
  readonly createdAt?: string;
}

/** A database was read, or why not. Codes: see `DatabaseProblem`. */
export type DatabaseReading =
  | { readonly ok: true; readonly facts: DatabaseFacts }
  | { readonly ok: false; readonly code: DatabaseProblem; readonly sentence: string };

type DatabaseProblem =
  | 'DATABASE_MISSING'
  | 'DATABASE_EMPTY'
  | 'DATABASE_UNREADABLE'
  | 'DATABASE_NOT_AIDE'
  | 'DATABASE_DAMAGED'
  | 'DATABASE_INCOMPLETE'
  | 'DATABASE_TOO_LARGE';

export interface DatabaseLimits {
  /** Bytes of the uncompressed database; default 4 GiB (about ten million files). */
  readonly maxSize?: number;
  readonly signal?: AbortSignal;
}

const GIB = 1024 ** 3;
const SENTENCES: Readonly<Record<DatabaseProblem, string>> = {
  DATABASE_MISSING: 'There is no database on the node',
  DATABASE_EMPTY: 'The database on the node is empty',
  DATABASE_UNREADABLE: 'The database on the node cannot be read',
  DATABASE_NOT_AIDE: 'The file on the node is not a database of AIDE',
  DATABASE_DAMAGED: 'The database on the node is damaged: its compressed data end early or are wrong',
  DATABASE_INCOMPLETE: 'The database on the node is incomplete: it was not written to its end',
  DATABASE_TOO_LARGE: 'The database on the node is larger than is accepted',
};

/**
 * Reads a database (plain or gzip) from beginning to end with bounded memory. What can be wrong with the file is a value.
 * @throws the signal’s reason when it aborts.
 */
export async function readDatabase(file: string, limits: DatabaseLimits = {}): Promise<DatabaseReading> {
  limits.signal?.throwIfAborted();
  const scanner = new DatabaseScanner(limits.maxSize ?? 4 * GIB);
  const options = limits.signal === undefined ? {} : { signal: limits.signal };
  let compressed = false;
  try {
    // Opened twice, because a stream does not give back what was read of it. What is read counts, not what was looked at.
    compressed = await isCompressed(file);
    const source = await openFile(file);
    if (compressed) await pipeline(source, createGunzip({ chunkSize: 256 * 1024 }), scanner, options);
    else await pipeline(source, scanner, options);
  } catch (error) {
    limits.signal?.throwIfAborted();
    return problem(classify(error, scanner), error);
  }
  return scanner.reading(compressed);
}

async function isCompressed(file: string): Promise<boolean> {
  const source = await openFile(file);
  for await (const chunk of source as AsyncIterable<Buffer>) return chunk[0] === 0x1f && chunk[1] === 0x8b;
  return false;
}

function classify(error: unknown, scanner: DatabaseScanner): DatabaseProblem {
  if (scanner.tooLarge) return 'DATABASE_TOO_LARGE';
  const code = errorCode(error);
  if (code === 'ENOENT') return 'DATABASE_MISSING';
  if (code === 'EINVAL') return 'DATABASE_NOT_AIDE';
  return code.startsWith('Z_') ? 'DATABASE_DAMAGED' : 'DATABASE_UNREADABLE';
}

function problem(code: DatabaseProblem, cause?: unknown): DatabaseReading {
  const detail = code === 'DATABASE_UNREADABLE' && cause instanceof Error ? ` (${printable(cause.message, 200)})` : '';
  return { ok: false, code, sentence: `${SENTENCES[code]}${detail}` };
}

const NEWLINE = 0x0a;
const HASH = 0x23;
const AT = 0x40;
/** Lines that matter (`@@…`, comments at the head) are short; of longer ones only the beginning is looked at. */
const LINE_START = 256;

/** Takes a database as it streams by: digest, lines and size, and nothing kept but the beginning of one line. */
class DatabaseScanner extends Writable {
  tooLarge = false;
  readonly #maxSize: number;
  readonly #hash = createHash('sha256');
  #size = 0;
  #lineStart = Buffer.alloc(0);
  #entries = 0;
  #state: 'before' | 'begun' | 'entries' | 'ended' | 'foreign' = 'before';
  #aideVersion: string | undefined;
  #createdAt: string | undefined;

  constructor(maxSize: number) {
    super({ highWaterMark: 1024 * 1024 });
    this.#maxSize = maxSize;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxSize) {
      this.tooLarge = true;
      done(new Error('too large'));
      return;
    }
    this.#hash.update(chunk);
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      const room = LINE_START - this.#lineStart.length;
      if (end !== -1 && this.#lineStart.length === 0) this.#takeLine(piece);
      else {
        if (room > 0) this.#lineStart = Buffer.concat([this.#lineStart, piece.subarray(0, room)]);
        if (end !== -1) {
          this.#takeLine(this.#lineStart);
          this.#lineStart = Buffer.alloc(0);
        }
      }
      if (end === -1) break;
      start = end + 1;
    }
    done();
  }

  #takeLine(line: Buffer): void {
    const first = line[0];
    if (first === undefined) return;
    if (first === AT) this.#takeDirective(line.toString('latin1', 0, LINE_START));
    else if (first === HASH) this.#takeComment(line.toString('latin1', 0, LINE_START));
    else if (this.#state === 'entries') this.#entries += 1;
    else if (this.#state === 'before' || this.#state === 'ended') this.#state = 'foreign';
  }

  #takeDirective(line: string): void {
    if (line.startsWith('@@begin_db') && this.#state === 'before') this.#state = 'begun';
    else if (line.startsWith('@@db_spec') && this.#state === 'begun') this.#state = 'entries';
    else if (line.startsWith('@@end_db') && this.#state === 'entries') this.#state = 'ended';
  }

  #takeComment(line: string): void {
    if (this.#state === 'entries' || this.#state === 'ended') return;
    this.#aideVersion ??= /^# This file was generated by Aide, version (\d[\w.+~-]*)/.exec(line)?.[1];
    this.#createdAt ??= /^# Time of generation was (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: [+-]\d{4})?)/.exec(line)?.[1];
  }

  reading(compressed: boolean): DatabaseReading {
    // AIDE always ends `@@end_db` with a newline; a last line without one was cut.
    if (this.#size === 0) return problem('DATABASE_EMPTY');
    if (this.#state === 'foreign' || this.#state === 'before') return problem('DATABASE_NOT_AIDE');
    if (this.#state !== 'ended') return problem('DATABASE_INCOMPLETE');
    const facts: DatabaseFacts = {
      digest: this.#hash.digest('hex'),
      entries: this.#entries,
      size: this.#size,
      compressed,
      ...(this.#aideVersion === undefined ? {} : { aideVersion: this.#aideVersion }),
      ...(this.#createdAt === undefined ? {} : { createdAt: this.#createdAt }),
    };
    return { ok: true, facts };
  }
}
