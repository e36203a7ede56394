import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { clearForeign } from './files.ts';

/** Beside the database, and left out by configurations as all of `aide.*` is; all daemons of a node share it. */
export const LOCK_FILE = 'aide.lock';

/**
 * The file that runs of AIDE on a node lock. Whoever may open a file may lock it, so it is root's alone: the folder itself,
 * which every user may read, could be held by any process on the node. Where there can be no such file the folder has to do.
 */
export async function lockOf(directory: string): Promise<string> {
  const path = join(directory, LOCK_FILE);
  try {
    await clearForeign(path);
    await using file = await open(path, constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
    await file.chmod(0o600);
    return path;
  } catch {
    return directory; // on a full disk, say
  }
}
