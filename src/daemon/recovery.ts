import { removeUnfinished } from './baseline.ts';
import type { Message } from './outbox.ts';
import { recoverMessages } from './spool.ts';
import type { Workbench } from './workbench.ts';

/** Puts right what an earlier daemon, which may have ended at any point, left on the node. */
export async function recover(bench: Workbench, node: string): Promise<{ messages: Message[]; last: number }> {
  await removeUnfinished(bench);
  const recovered = await recoverMessages(bench.paths.outbox, node);
  if (recovered.messages.length > 0) bench.log.info(`${recovered.messages.length} results are still to be sent`);
  return recovered;
}
