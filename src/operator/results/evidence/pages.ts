import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FINDINGS_LIMITS, findingsPages } from '../../../aide/findings.ts';
import { readReportStream } from '../../../aide/report.ts';
import type { FindingsHead } from '../../../api/findings.ts';

/** Pages of structured findings, or why there are none: a code and a sentence. */
export type PagesMade =
  | { readonly pages: readonly string[]; readonly problem?: never }
  | { readonly pages?: never; readonly problem: string };

/** A report that takes longer gets no pages, in milliseconds. */
const TIME_LIMIT = 60_000;

/** Of all nodes' large reports one at a time is in memory. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Makes the pages of AIDE's JSON report out of the texts that carry it: what a node wrote, so anything may be in them.
 * @param texts in their order; base64 of gzip when `compressed`
 * @param isSmall all is in one config map as it is: it waits for no other
 * @throws what `texts` throws; the signal's reason.
 */
export function makePages(
  texts: () => AsyncIterable<string>,
  { compressed, isSmall }: { readonly compressed: boolean; readonly isSmall: boolean },
  head: FindingsHead,
  signal: AbortSignal,
): Promise<PagesMade> {
  if (isSmall) return make(texts, compressed, head, signal);
  const made = turn.then(() => make(texts, compressed, head, signal));
  turn = made.catch(() => {});
  return made;
}

async function make(
  texts: () => AsyncIterable<string>,
  compressed: boolean,
  head: FindingsHead,
  signal: AbortSignal,
): Promise<PagesMade> {
  signal.throwIfAborted();
  const failure: { error?: unknown } = {};
  const taken = { bytes: 0 };
  async function* bytes(): AsyncGenerator<Buffer> {
    try {
      for await (const text of texts()) {
        const piece = Buffer.from(text, compressed ? 'base64' : 'utf8');
        taken.bytes += piece.length;
        yield piece;
      }
    } catch (error) {
      failure.error = error;
      throw error;
    }
  }
  const source = Readable.from(bytes(), { objectMode: false });
  const stream = compressed ? unzipped(source, taken) : source;
  const limit = AbortSignal.timeout(TIME_LIMIT);
  try {
    const reading = await readReportStream(stream, { ...FINDINGS_LIMITS, signal: AbortSignal.any([signal, limit]) });
    if (failure.error !== undefined) throw failure.error;
    if (reading.ok) return { pages: findingsPages(reading.report, head) };
    return { problem: `${reading.code}: ${reading.sentence}` };
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    return { problem: 'REPORT_TOO_LARGE: AIDE’s report takes too long to read' };
  } finally {
    source.destroy();
  }
}

/** What a report is compressed to at the least: its checksums cannot be. A bomb is. */
const MOST_COMPRESSED = 100;
const ALWAYS_READ = 1024 * 1024;

function unzipped(source: Readable, taken: { readonly bytes: number }): Readable {
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  gunzip.on('close', () => source.destroy());
  source.pipe(gunzip);
  async function* bounded(): AsyncGenerator<Buffer> {
    let given = 0;
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      given += chunk.length;
      if (given > ALWAYS_READ + MOST_COMPRESSED * taken.bytes) throw new Error('it is compressed too well');
      yield chunk;
    }
  }
  return Readable.from(bounded(), { objectMode: false });
}
