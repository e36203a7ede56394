import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { giveBackPageCache, giveBackPageCacheOf } from '../../aide/page-cache.ts';
import type { Log } from '../log.ts';

/**
 * Gives back what the kernel holds of the files that AIDE has read. A container may not write to its own view of its
 * control group, unless it is privileged, but to the one in the node's tree; see docs/decisions/0003-page-cache.md.
 * @param own its folder there and the open file that takes the order, as `image/confined` found them; absent where it
 *   found none
 */
export async function givePageCacheBack(log: Log, own?: { folder: string; descriptor: number }): Promise<void> {
  let result = await giveBackPageCache();
  if (!result.done && own !== undefined) {
    const version = existsSync(join(own.folder, 'memory.force_empty')) ? 1 : 2;
    result = await giveBackPageCacheOf(own.folder, version, own.descriptor);
  }
  log.debug(result.done ? `page cache ${result.before} → ${result.after} bytes` : `page cache kept: ${result.reason}`);
}

/**
 * Gives the memory back that V8 holds for what comes next: between scans nothing comes. Needs the Node flag
 * `--expose-gc`, which `DAEMON_COMMAND` has.
 */
export function shrinkHeap(): void {
  // `last-resort` also throws away the code of what ran once; a few ms now, and a few at the next scan.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
