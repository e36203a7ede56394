import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readDatabase } from '../../src/aide/database.ts';
import { runAide } from '../../src/aide/run.ts';
import { nodePaths } from '../../src/daemon/disk/paths.ts';
import { FioError } from '../../src/lib/errors.ts';

/** A node's folder for database and reports, with the baseline of a tree that lies elsewhere. */
export interface BenchNode extends AsyncDisposable {
  readonly root: string;
  readonly configuration: string;
  /** SHA-256 of the uncompressed database, hex. */
  readonly baselineDigest: string;
}

/**
 * Makes a baseline of `tree`, which also brings it into the page cache. The configuration asks of each file what the
 * default for Linux nodes asks.
 * @throws FioError `BENCH_SCAN_FAILED`
 */
export async function makeNode(
  directory: string,
  tree: string,
  aide: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<BenchNode> {
  const root = await mkdtemp(join(directory, 'node-'));
  try {
    const paths = nodePaths(root);
    await mkdir(paths.directory, { recursive: true });
    const configuration = join(root, 'aide.conf');
    await writeFile(
      configuration,
      [
        `database_in=file:${paths.database}`,
        `database_out=file:${paths.newDatabase}`,
        'gzip_dbout=yes',
        `report_url=file:${paths.newLog}`,
        // What the daemon's JSON report needs; AIDE alone would compute all its digests of the database, and lose by it.
        'database_attrs=sha256+sha512',
        'CONTENT = sha512+ftype+l+p+u+g+n+acl+selinux+xattrs',
        `${tree.replace(/[^\w/-]/g, '\\$&')} CONTENT`,
        '',
      ].join('\n'),
    );
    const workers = availableParallelism();
    const made = await runAide('init', { command: aide, configuration, workers, signal, priority: 'normal' });
    signal.throwIfAborted();
    if (made.meaning.verdict !== 'Succeeded') {
      throw new FioError('BENCH_SCAN_FAILED', `No baseline could be made: ${made.meaning.sentence}`);
    }
    await rename(paths.newDatabase, paths.database);
    const reading = await readDatabase(paths.database, { signal });
    if (!reading.ok) throw new FioError('BENCH_SCAN_FAILED', reading.sentence);
    const baselineDigest = reading.facts.digest;
    return {
      root,
      configuration,
      baselineDigest,
      [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw error;
  }
}
