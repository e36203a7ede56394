import { join } from 'node:path';
import { ensure } from './files.ts';

/** Beside the database, and left out by configurations as all of `aide.*` is; all daemons of a node share it. */
export const LOCK_FILE = 'aide.lock';

/**
 * The file that runs of AIDE on a node lock. Whoever may open a file may lock it, so it is root's alone: the folder itself,
 * which every user may read, could be held by any process on the node. Where there can be no such file the folder has to do.
 */
export async function lockOf(directory: string): Promise<string> {
  const path = join(directory, LOCK_FILE);
  try {
    await ensure(path);
    return path;
  } catch {
    return directory; // on a full disk, say
  }
}
