import type { DatabaseReading } from '../../aide/database.ts';
import type { BaselineFault } from '../../api/protocol.ts';
import { presence } from '../disk/files.ts';
import type { RecordedBaseline } from '../machine/state.ts';

/** What is the matter with the node's database: it is not the one on record outside the node. */
export interface DatabaseFault {
  readonly fault: Exclude<BaselineFault, 'Unordered'>;
  /** For the person, without a full stop. */
  readonly what: string;
}

/** What a person does about it; without a full stop. */
export const DATABASE_REMEDY = 'Find out why, since this can be an attack; then re-initialise the node';

/** Reads a database of the node, which must be a regular file. Throws only the signal's reason. */
export async function readDatabase(path: string, signal: AbortSignal): Promise<DatabaseReading> {
  if ((await presence(path)) === 'other') return NOT_REGULAR;
  const database = await import('../../aide/database.ts'); // memory that most of a daemon's life does not need
  return await database.readDatabase(path, { signal });
}

/** AIDE is not started with it: a FIFO would keep it waiting for ever, and behind a link there may be anything. */
export const NOT_REGULAR = {
  ok: false,
  code: 'DATABASE_NOT_AIDE',
  sentence: 'The database on the node is not a regular file',
} as const satisfies DatabaseReading;

/**
 * Why a comparison with the database as it lies there verifies nothing. `found`: the digest of what AIDE has read, where
 * that is known. Undefined when it is the recorded one, and while none is recorded.
 */
export async function databaseFault(
  path: string,
  found: string | undefined,
  recorded: RecordedBaseline | undefined,
  signal: AbortSignal,
): Promise<DatabaseFault | undefined> {
  if (recorded === undefined || found === recorded.digest) return undefined;
  const reading = await readDatabase(path, signal);
  const onRecord = `${recorded.entries} ${recorded.entries === 1 ? 'entry' : 'entries'}`;
  if (!reading.ok) {
    const fault = reading.code === 'DATABASE_MISSING' ? 'Missing' : 'Damaged';
    return { fault, what: `${reading.sentence}; the one on record has ${onRecord}` };
  }
  // AIDE's report may be cut where the disk is full; then the database itself tells.
  if (found === undefined && reading.facts.digest === recorded.digest) return undefined;
  return { fault: 'Replaced', what: `The database on the node is not the one on record, which has ${onRecord}` };
}
