import { lstat } from 'node:fs/promises';
import { relative } from 'node:path';
import { removeIfThere } from '../disk/files.ts';

/** How often the trigger files are looked for. Two `lstat` calls; a notification would have to follow re-mounts. */
export const TRIGGER_LOOK_MS = 10_000;

/** Looks for trigger files and removes those that can be removed. The paths that it tells are the node's own. */
export async function lookForTriggers(
  hostRoot: string,
  paths: readonly string[],
): Promise<{ path: string; removed: boolean }[]> {
  const found: { path: string; removed: boolean }[] = [];
  for (const path of paths) {
    const there = await lstat(path).then(
      () => true,
      () => false,
    );
    if (there) found.push({ path: `/${relative(hostRoot, path)}`, removed: await removeIfThere(path) });
  }
  return found;
}
