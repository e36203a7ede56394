import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { run } from '../lib/run.ts';
import { type DownloadLimits, downloadFile, megabytes } from './download.ts';
import { place } from './origins.ts';
import type { Download } from './plan.ts';

/** A broken connection is common on the way to a file of 100 MB; one that breaks each time is not worth more. */
const MOST_ATTEMPTS = 2;

/** What a download is told and may take. */
export interface InstallOptions {
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
  readonly environment?: NodeJS.ProcessEnv;
  readonly limits?: Partial<DownloadLimits>;
}

/**
 * Downloads a file of a release and puts the programs that are wanted of it into a folder, each whole or not at all.
 * @throws FioError as `downloadFile` does, and `DEVCLUSTER_UNPACK_FAILED`.
 */
export async function installRelease(download: Download, directory: string, options: InstallOptions): Promise<void> {
  const { file } = download;
  const draft = join(directory, `.download.${process.pid}`);
  const unpacked = join(directory, `.unpacked.${process.pid}`);
  try {
    const started = Date.now();
    const bytes = await downloadPatiently(download, draft, options);
    options.onProgress(
      `      ${megabytes(bytes)} MB in ${((Date.now() - started) / 1000).toFixed(0)} s, checksum right`,
    );
    const members = download.programs.flatMap(({ member }) => member ?? []);
    if (members.length > 0) await unpack(draft, file.url, members, unpacked, options.signal);
    for (const { name, member } of download.programs) {
      const program = member === undefined ? draft : join(unpacked, member);
      chmodSync(program, 0o755);
      place(directory, name, program, { from: file.url, sha256: file.sha256 });
    }
  } finally {
    rmSync(draft, { force: true });
    rmSync(unpacked, { recursive: true, force: true });
  }
}

async function downloadPatiently({ file }: Download, draft: string, options: InstallOptions): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await downloadFile({ environment: process.env, ...options, ...file, draft });
    } catch (error) {
      const mayPass = error instanceof FioError && error.code === 'DEVCLUSTER_DOWNLOAD_FAILED';
      if (!mayPass || attempt === MOST_ATTEMPTS) throw error;
      options.onProgress(`      ${error.message}; once more`);
    }
  }
}

async function unpack(
  archive: string,
  url: string,
  members: readonly string[],
  into: string,
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(into);
  const done = await run(['tar', '-xzf', archive, '-C', into, '--no-same-owner', '--', ...members], { signal });
  if (/no space left on device/i.test(done.stderr)) {
    throw new FioError('DEVCLUSTER_DISK_FULL', `${url} could not be unpacked because the disk is full at ${into}`);
  }
  if (done.code === 0 && members.every((member) => statSync(join(into, member)).isFile())) return;
  throw new FioError(
    'DEVCLUSTER_UNPACK_FAILED',
    `${url} could not be unpacked: ${done.stderr.trim().split('\n').slice(-3).join(' ')}`,
  );
}
