import { giveBackPageCache, giveBackPageCacheOf } from '../aide/page-cache.ts';
import type { Log } from './log.ts';
import { findOwnCgroup, type OwnCgroup } from './own-cgroup.ts';

let own: OwnCgroup | undefined;

/**
 * Gives back what the kernel holds of the files that AIDE has read. A container may not write to its own view of its
 * control group, unless it is privileged, but to the one below the node's root; see docs/decisions/0003-page-cache.md.
 */
export async function givePageCacheBack(log: Log, hostRoot: string): Promise<void> {
  let result = await giveBackPageCache();
  if (!result.done) {
    own ??= await findOwnCgroup(hostRoot);
    if (own !== undefined) result = await giveBackPageCacheOf(own.directory, own.version);
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
