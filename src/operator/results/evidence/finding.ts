import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createGunzip } from 'node:zlib';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { COMPRESSED_ANNOTATION, INTEGRITY_LOG_KEY, REPORT_JSON_KEY } from '../../../api/keys.ts';
import type { KeepReport } from './types.ts';

/** A report that takes longer to read is a finding of its own, in milliseconds. */
const TIME_LIMIT = 60_000;

/** Bytes that all of a report may have once it is unpacked: some two million files. */
const BYTES_LIMIT = 1024 * 1024 * 1024;

/**
 * SHA-256, hex, over what a scan found, whenever that was: what AIDE reported, in both of its forms, but for the times in it,
 * and what it was compared with. Two scans with the same found the same. It is made by the operator of what is kept, and
 * never taken from a node.
 * @param sources the config maps of the message, in their order; undefined for what came without one
 * @returns undefined for a report that cannot be read as a whole, which is a finding of its own.
 * @throws what `sources` throws.
 */
export async function findingOf(
  keep: KeepReport,
  sources: AsyncIterable<ConfigMap | undefined>,
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(TIME_LIMIT);
  let text: Reading | undefined;
  let json: Reading | undefined;
  try {
    for await (const source of sources) {
      const { [INTEGRITY_LOG_KEY]: said, [REPORT_JSON_KEY]: structured } = source?.data ?? {};
      text ??= readingOf(source, /^(Start|End) timestamp: /);
      json ??= readingOf(source, /^ {2}"(start_time|end_time|run_time_seconds)": /);
      if (said !== undefined) await text.add(said);
      if (structured !== undefined) await json.add(structured);
      if (limit.aborted) return undefined;
    }
    const [saidDigest, structuredDigest] = [await text?.end(), await json?.end()];
    if (saidDigest === undefined || structuredDigest === undefined) return undefined;
    return sha256(JSON.stringify([factsOf(keep), saidDigest, structuredDigest]));
  } finally {
    text?.close();
    json?.close();
  }
}

/** What is the same of a finding in each scan that finds it, beside the report. */
function factsOf({ scan, announced }: KeepReport): unknown {
  const { verdict, counts, baselineFault, mountChanges, errorMessage, facts } = scan;
  const { baselineDigest, configurationDigest } = facts ?? {};
  const found = [counts?.added, counts?.changed, counts?.removed, mountChanges, baselineFault];
  return [verdict, ...found, errorMessage, baselineDigest, configurationDigest, announced];
}

/** One of the two forms of a report, as it comes. */
interface Reading {
  add(piece: string): Promise<void>;
  /** The digest; undefined when it cannot be read. */
  end(): Promise<string | undefined>;
  close(): void;
}

function readingOf(first: ConfigMap | undefined, times: RegExp): Reading {
  const hash = timeless(times);
  if (first?.metadata?.annotations?.[COMPRESSED_ANNOTATION] === undefined) {
    return {
      add: async (piece) => hash.update(Buffer.from(piece)),
      end: async () => hash.digest(),
      close: () => {},
    };
  }
  const gunzip = createGunzip();
  let isEmpty = true;
  const unpacked = (async () => {
    let bytes = 0;
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BYTES_LIMIT) throw new Error('it is compressed too well');
      hash.update(chunk);
    }
  })();
  unpacked.catch(() => {}); // seen by `end`
  return {
    async add(piece) {
      isEmpty = false;
      if (gunzip.destroyed || gunzip.write(Buffer.from(piece, 'base64'))) return;
      await Promise.race([once(gunzip, 'drain'), unpacked]).catch(() => {});
    },
    async end() {
      if (isEmpty) return hash.digest();
      gunzip.end();
      return await unpacked.then(
        () => hash.digest(),
        () => undefined,
      );
    },
    close: () => void gunzip.destroy(),
  };
}

/** A line about time is no longer than that, in bytes. */
const LINE_LIMIT = 128;

/** A digest that leaves out lines about time, one of each kind: a report has no more. */
function timeless(times: RegExp) {
  const hash = createHash('sha256');
  const leftOut = new Set<string>();
  let line = '';
  let isWithin = false;
  const take = (text: string) => {
    const kind = isWithin || text.length > LINE_LIMIT ? undefined : times.exec(text)?.[1];
    isWithin = !text.endsWith('\n');
    if (kind === undefined || leftOut.has(kind)) hash.update(text, 'latin1');
    else leftOut.add(kind);
  };
  return {
    update(bytes: Buffer): void {
      const lines = (line + bytes.toString('latin1')).split(/(?<=\n)/);
      const last = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '');
      for (const each of lines) take(each);
      // What is longer than a line about time is none.
      if (last.length > LINE_LIMIT) take(last);
      line = last.length > LINE_LIMIT ? '' : last;
    },
    digest(): string {
      if (line !== '') take(line);
      return hash.digest('hex');
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
