import { createHash } from 'node:crypto';
import { open, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findReached } from '../../aide/reach.ts';
import { explain, FioError } from '../../lib/errors.ts';
import { ownConfiguration } from '../sources/configuration.ts';
import type { AideSetup } from './aide-setup.ts';
import { type MountTable, parseMountTable, TABLE_BYTES } from './mount-table.ts';
import { type MountSight, questionablePaths, sightOf } from './mounts.ts';

/** `sentence`: why nothing is known of the mounts, without a full stop. */
export type Look =
  | { readonly ok: true; readonly sight: MountSight }
  | { readonly ok: false; readonly sentence: string };

/** The two tables are not read in the same moment: a difference that is gone at the next look was a mount just being made. */
const LOOKS = 3;

/** Compares the node's own table of mounts with what the daemon sees. Never throws but for the signal's reason. */
export async function lookAtMounts(setup: AideSetup, signal: AbortSignal): Promise<Look> {
  try {
    let sight = await look(setup, signal);
    for (let looks = 1; looks < LOOKS && sight.unseen.length > 0; looks += 1) sight = await look(setup, signal);
    return { ok: true, sight };
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, sentence: `The node’s table of mounts could not be compared: ${explain(error)}` };
  }
}

async function look(setup: AideSetup, signal: AbortSignal): Promise<MountSight> {
  const { hostRoot, mountTables } = setup;
  const own = await readTable(mountTables.own);
  if (mountTables.proc !== undefined) await checkProc(mountTables.proc, mountTables.node, own);
  const node = await readTable(mountTables.node);
  const root = Buffer.from(hostRoot).toString('latin1');
  const paths = questionablePaths(node, own, root);
  const watched = await watchedOf(setup, root, paths, signal);
  return sightOf(node, own, root, (path) => watched.has(path));
}

/**
 * Root on the node can mount something over its `/proc`, or over the table in it, for the next daemon to read: a file, or the
 * `/proc` of other processes that see nothing wrong. The real one has the daemon itself in it.
 */
async function checkProc(proc: string, file: string, own: MountTable): Promise<void> {
  const place = own.find(Buffer.from(file).toString('latin1'));
  const within = file.slice(proc.length);
  if (place?.mount.type !== 'proc' || place.within !== within) {
    throw new FioError('MOUNTS_UNREADABLE', `${file} is not the kernel’s: something is mounted over it`);
  }
  await readlink(`${proc}/self`).catch((cause: unknown) => {
    throw new FioError('MOUNTS_UNREADABLE', `${proc} is not that of the node: the daemon is not in it`, { cause });
  });
}

async function readTable(path: string): Promise<MountTable> {
  await using file = await open(path, 'r');
  const pieces: Buffer[] = [];
  let size = 0;
  while (true) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, null);
    if (bytesRead === 0) break;
    size += bytesRead;
    if (size > TABLE_BYTES) throw new FioError('MOUNTS_UNREADABLE', `${path} has more than ${TABLE_BYTES} bytes`);
    pieces.push(buffer.subarray(0, bytesRead));
  }
  const reading = parseMountTable(Buffer.concat(pieces, size).toString('latin1'));
  if (reading.ok) return reading.table;
  throw new FioError('MOUNTS_UNREADABLE', `${path}: ${reading.sentence}`);
}

/** What AIDE said last, since mounts change rarely. */
let last: { readonly key: string; readonly reached: ReadonlySet<string> } | undefined;

async function watchedOf(setup: AideSetup, root: string, paths: readonly string[], signal: AbortSignal) {
  const asked = paths.filter((path) => path !== '/');
  if (asked.length === 0) return new Set(paths);
  const configuration = await ownConfiguration(setup);
  const key = createHash('sha256')
    .update(await readFile(configuration))
    .update(asked.join('\0'))
    .digest('hex');
  if (last?.key !== key) {
    const prefix = root === '/' ? '' : root;
    const reached = await findReached(
      asked.map((path) => `${prefix}${path}`),
      {
        command: setup.aide,
        configuration,
        folder: join(setup.scratch, 'mounts'),
        signal,
        timeoutMs: Math.min(setup.timeoutMs, 120_000),
      },
    );
    last = { key, reached: new Set([...reached].map((path) => path.slice(prefix.length))) };
  }
  return new Set([...last.reached, '/']);
}
