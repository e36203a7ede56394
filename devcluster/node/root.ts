import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { takeLock } from '../lib/lock.ts';
import { run } from '../lib/run.ts';
import { cacheDirectory } from '../paths.ts';

const SUITE = 'trixie';

/** What a node needs beside Debian's smallest system: to run containers, to connect them, and what the kubelet calls. */
const PACKAGES = [
  'runc',
  'iptables',
  'iproute2',
  'containernetworking-plugins',
  'mount',
  'kmod',
  'conntrack',
  'procps',
];

function nodeRootDirectory(): string {
  const digest = createHash('sha256')
    .update([SUITE, process.arch, ...PACKAGES].join('\n'))
    .digest('hex')
    .slice(0, 12);
  return join(cacheDirectory(), 'node-root', `${SUITE}-${digest}`);
}

/**
 * The file system that all nodes start from, made from Debian packages the first time.
 * @throws FioError `DEVCLUSTER_NODE_ROOT_FAILED`
 */
export async function ensureNodeRoot(onProgress: (line: string) => void, signal: AbortSignal): Promise<string> {
  const directory = nodeRootDirectory();
  if (existsSync(directory)) return directory;
  mkdirSync(dirname(directory), { recursive: true });
  using _lock = await takeLock(`${directory}.lock`, signal, (holder) =>
    onProgress(`Waiting for process ${holder}, which is making the nodes’ file system`),
  );
  if (existsSync(directory)) return directory;
  onProgress(`Making the nodes’ file system from Debian ${SUITE}, once, about 20 to 60 s and 190 MB`);
  const draft = `${directory}.draft`;
  rmSync(draft, { recursive: true, force: true });
  try {
    const argv = [
      'mmdebstrap',
      '--quiet',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      SUITE,
      draft,
    ] as const;
    const made = await run(argv, { signal });
    if (made.code !== 0) throw rootFailure(made.stderr);
    renameSync(draft, directory);
    return directory;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function rootFailure(output: string): FioError {
  const end = output.trim().split('\n').slice(-5).join('\n');
  if (/no space left on device/i.test(output)) {
    return new FioError('DEVCLUSTER_DISK_FULL', 'The nodes’ file system could not be made because the disk is full');
  }
  return new FioError(
    'DEVCLUSTER_NODE_ROOT_FAILED',
    `The nodes’ file system could not be made from Debian packages: ${end}`,
  );
}
