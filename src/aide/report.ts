import { Readable } from 'node:stream';
import { FioError } from '../lib/errors.ts';
import { errorCode, openFile } from './file.ts';
import { JsonStream } from './json-stream.ts';
import { ReportBuilder } from './report-builder.ts';
import type { Report, ReportLimits } from './report-types.ts';

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
