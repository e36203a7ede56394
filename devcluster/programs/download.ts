import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { networkProblem, requestFile } from './http.ts';

/** What a download may take. */
export interface DownloadLimits {
  readonly bytes: number;
  /** From the request to the last byte, in ms. */
  readonly overallMs: number;
  /** Without a single byte, in ms. */
  readonly stallMs: number;
  /** How often progress is told, in ms. */
  readonly progressMs: number;
}

/** Twice the largest program; 15 min is 110 kB/s for it. */
const LIMITS: DownloadLimits = { bytes: 256e6, overallMs: 15 * 60_000, stallMs: 30_000, progressMs: 5_000 };

/** How long a host may take to say that it has a file, in ms. */
const REACH_MS = 5_000;

/** A file to download, and around it what a test may change. */
export interface DownloadRequest {
  readonly url: string;
  readonly sha256: string;
  /** Where to write; whole and right when the download is done, absent when it failed. */
  readonly draft: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly limits?: Partial<DownloadLimits>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Downloads a file and compares it with its checksum while it comes.
 * @returns How many bytes it has.
 * @throws FioError `DEVCLUSTER_DOWNLOAD_FAILED` when the network or the host failed, `DEVCLUSTER_CHECKSUM_MISMATCH` when
 * something else than the pinned file came, `DEVCLUSTER_DISK_FULL`; the signal's reason when it aborts.
 */
export async function downloadFile(request: DownloadRequest): Promise<number> {
  const limits = { ...LIMITS, ...request.limits };
  const { url, draft, environment } = request;
  request.signal.throwIfAborted();
  const stalled = new AbortController();
  const stall = setTimeout(() => stalled.abort(), limits.stallMs);
  const late = AbortSignal.timeout(limits.overallMs);
  const signal = AbortSignal.any([request.signal, stalled.signal, late]);
  try {
    const answer = await requestFile(url, { method: 'GET', signal, environment });
    const { bytes, sha256 } = await save(answer, draft, limits, request.onProgress, stall);
    if (sha256 !== request.sha256) throw mismatch(request, sha256);
    return bytes;
  } catch (error) {
    rmSync(draft, { force: true });
    request.signal.throwIfAborted();
    if (stalled.signal.aborted) throw failure(url, `sent nothing for ${limits.stallMs / 1000} s`);
    if (late.aborted) throw failure(url, `did not send all of it within ${limits.overallMs / 1000} s`);
    throw asFioError(error, url, draft);
  } finally {
    clearTimeout(stall);
  }
}

/**
 * Asks a host once, and shortly, whether it has a file.
 * @returns Why it cannot be downloaded from, as the end of a sentence that begins with the host; undefined when it can.
 */
export async function tryHost(
  url: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  withinMs = REACH_MS,
): Promise<string | undefined> {
  const late = AbortSignal.timeout(withinMs);
  try {
    const answer = await requestFile(url, { method: 'HEAD', signal: AbortSignal.any([signal, late]), environment });
    answer.destroy();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return late.aborted ? `did not answer within ${withinMs / 1000} s` : networkProblem(error);
  }
}

// Writes the file, and on the way counts it, hashes it, bounds it, and tells how far it is.
async function save(
  answer: IncomingMessage,
  draft: string,
  limits: DownloadLimits,
  onProgress: (line: string) => void,
  stall: NodeJS.Timeout,
): Promise<{ bytes: number; sha256: string }> {
  const announced = Number(answer.headers['content-length'] ?? 0);
  const hash = createHash('sha256');
  let bytes = 0;
  let told = Date.now();
  await using file = await open(draft, 'w', 0o600);
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    stall.refresh();
    bytes += chunk.length;
    if (Math.max(bytes, announced) > limits.bytes) {
      throw new FioError('DEVCLUSTER_DOWNLOAD_FAILED', `sends more than the ${megabytes(limits.bytes)} MB allowed`);
    }
    hash.update(chunk);
    await file.appendFile(chunk);
    if (Date.now() - told >= limits.progressMs) {
      told = Date.now();
      onProgress(`      ${megabytes(bytes)}${announced > 0 ? ` of ${megabytes(announced)}` : ''} MB …`);
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Bytes as a person reads them, in units of 1,000,000. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);
}

function mismatch({ url, sha256 }: DownloadRequest, found: string): FioError {
  return new FioError(
    'DEVCLUSTER_CHECKSUM_MISMATCH',
    `What came from ${url} is not the file that is pinned (its sha256 is ${found}, not ${sha256}) and was thrown away; see what a proxy on the way answers and start again, or build from source with FIO_PROGRAMS=build`,
  );
}

function asFioError(error: unknown, url: string, draft: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code === 'DEVCLUSTER_CHECKSUM_MISMATCH') return error;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    return new FioError(
      'DEVCLUSTER_DISK_FULL',
      `${url} could not be downloaded because the disk is full at ${dirname(draft)}; the programs need about 700 MB`,
      { cause: error },
    );
  }
  // The draft cannot be opened: nothing that another try or a build would mend.
  if ('path' in error) return error;
  return failure(url, networkProblem(error), error);
}

function failure(url: string, problem: string, cause?: unknown): FioError {
  const { host } = new URL(url);
  return new FioError('DEVCLUSTER_DOWNLOAD_FAILED', `${url} could not be downloaded: ${host} ${problem}`, { cause });
}
