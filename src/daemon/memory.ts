import { giveBackPageCache } from '../aide/page-cache.ts';
import type { Log } from './log.ts';

/**
 * After AIDE has run: gives back what the kernel and V8 keep of it, so that between scans the daemon's container takes
 * what the daemon needs. The garbage collector is there with the Node flag `--expose-gc` (see `flags.ts`).
 */
export async function relieveMemory(log: Log): Promise<void> {
  globalThis.gc?.();
  const result = await giveBackPageCache();
  log.debug(result.done ? `page cache ${result.before} → ${result.after} bytes` : `page cache kept: ${result.reason}`);
}
