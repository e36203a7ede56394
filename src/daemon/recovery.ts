import { explain } from '../lib/errors.ts';
import { removeUnfinished } from './baseline.ts';
import type { Message } from './outbox.ts';
import { findMessages, tidyOutbox } from './spool.ts';
import type { Workbench } from './workbench.ts';

/** What an earlier daemon left to be sent. */
export interface Recovered {
  /** Oldest first. */
  messages: Message[];
  /** The highest number of a message on the disk. */
  last: number;
}

/** Puts right what an earlier daemon, which may have ended at any point, left on the node. Never throws. */
export async function recover(bench: Workbench, node: string): Promise<Recovered> {
  const { paths, log } = bench;
  // A disk that takes no change is told of by the scans, which need to write too; what lies on it is sent all the same.
  const tidy = async (work: () => Promise<void>) =>
    await work().then(
      () => true,
      (error: unknown) => {
        log.info(`what an earlier daemon left could not be put right: ${explain(error)}`);
        return false;
      },
    );
  await tidy(() => removeUnfinished(bench));
  const kept = await findMessages(paths.outbox, node);
  const tidied = await tidy(() => tidyOutbox(paths.outbox, kept));
  if (kept.length > 0) log.info(`${kept.length} results are still to be sent`);
  return { messages: kept.map(({ message }) => message), last: tidied ? kept.length : (kept.at(-1)?.number ?? 0) };
}
