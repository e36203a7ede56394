import { giveBackPageCache } from '../aide/page-cache.ts';
import type { Log } from './log.ts';

/** Gives the page cache back that AIDE has read, where the daemon may. */
export async function givePageCacheBack(log: Log): Promise<void> {
  const result = await giveBackPageCache();
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
