import { Readable } from 'node:stream';
import { FioError } from '../lib/errors.ts';
import { errorCode, openFile } from './file.ts';
import { JsonStream } from './json-stream.ts';
import { ReportBuilder } from './report-builder.ts';

/** What AIDE found, from its JSON report (`report_format=json`, AIDE 0.18 and later). */
export interface Report {
  readonly aideVersion?: string;
  /** As AIDE writes it, e.g. `2026-11-24 02:45:17 +0000`. */
  readonly startedAt?: string;
  /** Absent when AIDE did not come to the end of its report. */
  readonly endedAt?: string;
  /** AIDE’s one sentence. */
  readonly outline?: string;
  /** Entries in AIDE’s view of the tree; absent when the report does not come that far. */
  readonly entries?: number;
  /** From `number_of_entries`, which precedes every file name. */
  readonly counts: ReportCounts;
  /** At most `maxFiles`, in the report’s order: added, removed, changed. */
  readonly files: readonly FileChange[];
  /** Files that are in the report and not in `files`. */
  readonly omitted: number;
  /** Digests of the uncompressed databases that AIDE read or wrote. */
  readonly databases: readonly DatabaseDigest[];
}

export interface ReportCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

export interface FileChange {
  /** Untrusted: any bytes but `/` and NUL. Bytes that are not UTF-8 are lone surrogates. Show it with `showPath`. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** AIDE’s summary, e.g. `f   p..    .HA.    ` (aide.conf(5), report_summarize_changes). */
  readonly summary: string;
  readonly attributes: readonly AttributeChange[];
}

/** One attribute of a file, e.g. `perm`, `sha512`, `acl`. Values as AIDE writes them; several lines for `acl`, `xattrs`. */
interface AttributeChange {
  readonly name: string;
  readonly old?: readonly string[];
  readonly new?: readonly string[];
}

export interface DatabaseDigest {
  /** As in the configuration, e.g. `/hostroot/etc/kubernetes/aide.db.gz`. */
  readonly path: string;
  /** e.g. `sha256`. */
  readonly algorithm: string;
  /** Hex. */
  readonly digest: string;
}

/** A report was read whole and agrees with itself, or what is wrong, with what could be read. */
export type ReportReading =
  | { readonly ok: true; readonly report: Report }
  | { readonly ok: false; readonly code: ReportProblem; readonly sentence: string; readonly partial: Report };

type ReportProblem =
  | 'REPORT_MISSING'
  | 'REPORT_EMPTY'
  | 'REPORT_UNREADABLE'
  | 'REPORT_TOO_LARGE'
  | 'REPORT_MALFORMED'
  | 'REPORT_INCOMPLETE'
  | 'REPORT_INCONSISTENT';

export interface ReportLimits {
  /** Bytes read; default 1 GiB. */
  readonly maxSize?: number;
  /** Files kept, the first of the report; default 10,000. All are counted. */
  readonly maxFiles?: number;
  /** Characters kept of names and values, each of which costs some more; default 32 Mi. */
  readonly maxText?: number;
  /** Where there are more files than are kept, keep as many of each kind: a thousand added ones hide no changed one. */
  readonly fair?: boolean;
  readonly signal?: AbortSignal;
}

const SENTENCES: Readonly<Record<ReportProblem, string>> = {
  REPORT_MISSING: 'AIDE wrote no report',
  REPORT_EMPTY: 'AIDE’s report is empty',
  REPORT_UNREADABLE: 'AIDE’s report cannot be read',
  REPORT_TOO_LARGE: 'AIDE’s report is larger than is accepted',
  REPORT_MALFORMED: 'AIDE’s report is damaged',
  REPORT_INCOMPLETE: 'AIDE’s report ends early',
  REPORT_INCONSISTENT: 'AIDE’s report contradicts itself, as one forged by a file name would',
};
const DEFAULT_SIZE = 1024 ** 3;
const DEFAULT_FILES = 10_000;
// The deepest that AIDE writes is details → file → attribute → old → lines. A file name has at most 4096 bytes, an extended
// attribute 64 KiB.
const JSON_LIMITS = { depth: 8, stringBytes: 128 * 1024 };

/**
 * Reads AIDE’s JSON report from a file with bounded memory. What can be wrong with it is a value.
 * @throws the signal’s reason when it aborts.
 */
export async function readReport(file: string, limits: ReportLimits = {}): Promise<ReportReading> {
  limits.signal?.throwIfAborted();
  const stream = await openFile(file).catch((error: unknown) => error);
  if (stream instanceof Readable) return readReportStream(stream, limits);
  const partial = new ReportBuilder(0).report();
  const code = errorCode(stream) === 'ENOENT' ? 'REPORT_MISSING' : 'REPORT_UNREADABLE';
  return { ok: false, code, sentence: SENTENCES[code], partial };
}

/** The same from a stream of bytes, which is destroyed at the end. */
export async function readReportStream(stream: Readable, limits: ReportLimits = {}): Promise<ReportReading> {
  const maxSize = limits.maxSize ?? DEFAULT_SIZE;
  const builder = new ReportBuilder(limits.maxFiles ?? DEFAULT_FILES, limits);
  const json = new JsonStream(builder, JSON_LIMITS);
  const problem = (code: ReportProblem): ReportReading => ({
    ok: false,
    code,
    sentence: SENTENCES[code],
    partial: builder.report(),
  });
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      limits.signal?.throwIfAborted();
      size += chunk.length;
      if (size > maxSize) return problem('REPORT_TOO_LARGE');
      json.push(chunk);
    }
    if (size === 0) return problem('REPORT_EMPTY');
    if (!json.done) return problem('REPORT_INCOMPLETE');
  } catch (error) {
    limits.signal?.throwIfAborted();
    if (error instanceof FioError) return problem('REPORT_MALFORMED');
    return problem('REPORT_UNREADABLE');
  }
  if (builder.endedAt === undefined) return problem('REPORT_INCOMPLETE');
  if (!builder.isConsistent()) return problem('REPORT_INCONSISTENT');
  return { ok: true, report: builder.report() };
}
