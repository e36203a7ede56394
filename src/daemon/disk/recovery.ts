import { explain } from '../../lib/errors.ts';
import type { Log } from '../log.ts';
import type { Message } from '../machine/outbox.ts';
import { findMessages, tidyOutbox } from './spool.ts';

/** What an earlier daemon left to be sent. */
export interface Recovered {
  /** Oldest first. */
  messages: Message[];
  /** Names of what lay in the place of messages, is none, and was removed. */
  damaged: string[];
  /** The highest number of a message on the disk. */
  last: number;
}

/**
 * Takes up the outbox that an earlier daemon of this FileIntegrity, which may have ended at any point, left on the node.
 * What else it left half done is removed by the next scan or baseline: its names come with the orders. Never throws.
 */
export async function recover(outbox: string, node: string, log: Log): Promise<Recovered> {
  const { kept, damaged } = await findMessages(outbox, node);
  // A disk that takes no change is told of by the scans, which need to write too; what lies on it is sent all the same.
  const tidied = await tidyOutbox(outbox, kept).then(
    () => true,
    (error: unknown) => {
      log.info(`what an earlier daemon left could not be put right: ${explain(error)}`);
      return false;
    },
  );
  if (kept.length > 0) log.info(`${kept.length} results are still to be sent`);
  if (damaged.length > 0) log.info(`what was kept to be sent and is no result is removed: ${damaged.join(', ')}`);
  return {
    messages: kept.map(({ message }) => message),
    damaged,
    last: tidied ? kept.length : (kept.at(-1)?.number ?? 0),
  };
}
