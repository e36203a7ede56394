import { createCipheriv } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../../devcluster/paths.ts';
import { FioError } from '../../src/lib/errors.ts';
import { fileSizes } from './sizes.ts';

/** What a tree is to be. */
export interface TreeShape {
  readonly files: number;
  /** Of all files together. */
  readonly bytes: number;
}

/** Counts whenever the same shape gives another tree. */
const TREE_VERSION = 1;
const FILES_PER_FOLDER = 50;
const FOLDERS_PER_FOLDER = 40;
/** What a file system takes beside the files' bytes: half a block and an inode each, and some room to breathe. */
const OVERHEAD_PER_FILE = 2048 + 256;
const SPARE_BYTES = 1e9;

/**
 * A tree of files for AIDE, always the same for a shape: names, sizes and contents, which no file system can compress or
 * share. Made the first time and kept in the folder `home`.
 * @throws FioError `BENCH_DISK_FULL`
 */
export async function ensureTree(
  shape: TreeShape,
  onProgress: (line: string) => void,
  signal: AbortSignal,
  home = join(cacheDirectory(), 'bench'),
): Promise<string> {
  const directory = join(home, `tree-${TREE_VERSION}-${shape.files}-${shape.bytes}`);
  if (existsSync(directory)) return directory;
  mkdirSync(home, { recursive: true });
  checkRoom(home, shape);
  const draft = `${directory}.draft`;
  rmSync(draft, { recursive: true, force: true });
  try {
    await grow(draft, shape, onProgress, signal);
    renameSync(draft, directory);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return directory;
}

async function grow(
  root: string,
  { files, bytes }: TreeShape,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const contents = randomBytes();
  let folder = root;
  let written = 0;
  let told = performance.now();
  onProgress(`Making ${files} files of ${bytes} bytes in all in ${root}, once`);
  for (const [index, size] of fileSizes(files, bytes).entries()) {
    signal.throwIfAborted();
    if (index % FILES_PER_FOLDER === 0) {
      const number = index / FILES_PER_FOLDER;
      folder = join(root, `group-${Math.floor(number / FOLDERS_PER_FOLDER)}`, `folder-${number % FOLDERS_PER_FOLDER}`);
      mkdirSync(folder, { recursive: true });
    }
    await writeFile(join(folder, `file-${index}`), contents(size));
    written += size;
    if (performance.now() - told > 5000) {
      told = performance.now();
      onProgress(`  ${Math.round((100 * written) / bytes)} %`);
    }
  }
}

/** The next bytes of an endless, always equal stream that looks random. */
function randomBytes(): (size: number) => Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  return (size) => cipher.update(Buffer.alloc(size));
}

function checkRoom(directory: string, { files, bytes }: TreeShape): void {
  const { bavail, bsize } = statfsSync(directory);
  const needed = bytes + files * OVERHEAD_PER_FILE + SPARE_BYTES;
  if (bavail * bsize >= needed) return;
  const gigabytes = (amount: number) => `${(amount / 1e9).toFixed(1)} GB`;
  throw new FioError(
    'BENCH_DISK_FULL',
    `${gigabytes(needed)} are needed at ${directory} and ${gigabytes(bavail * bsize)} are free; make room, or ask for a smaller tree with --files and --bytes.`,
  );
}
