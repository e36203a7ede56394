import type { DatabaseReading } from '../aide/database.ts';
import { presence } from './files.ts';

/** What is the matter with the node's database. */
export interface DatabaseFault {
  /** Upper snake case. */
  code: string;
  /** For the person. */
  sentence: string;
}

const REMEDY = 'Find out why, since this can be an attack; then re-initialise the node';

/** Reads a database of the node: a regular file, or it is none. Never throws but for the signal's reason. */
export async function readDatabase(path: string, signal: AbortSignal): Promise<DatabaseReading> {
  if ((await presence(path)) === 'other') return { ok: false, ...NOT_REGULAR };
  const database = await import('../aide/database.ts'); // memory that most of a daemon's life does not need
  return await database.readDatabase(path, { signal });
}

const NOT_REGULAR = {
  code: 'DATABASE_NOT_AIDE',
  sentence: 'The database on the node is not a regular file',
} as const;

/**
 * Why AIDE must not be started with the database as it lies there: a FIFO would keep it waiting for ever, and behind a
 * link there may be anything. One that is missing or damaged is for AIDE to say.
 */
export async function foreignDatabase(path: string): Promise<DatabaseFault | undefined> {
  if ((await presence(path)) !== 'other') return undefined;
  return { code: NOT_REGULAR.code, sentence: `${NOT_REGULAR.sentence}. ${REMEDY}.` };
}

/** Why a comparison with the database as it lies there says nothing: it is not the one whose digest was `recorded`. */
export async function databaseFault(
  path: string,
  found: string | undefined,
  recorded: string | undefined,
  signal: AbortSignal,
): Promise<DatabaseFault | undefined> {
  if (recorded === undefined || found === recorded) return undefined;
  const reading = await readDatabase(path, signal);
  if (!reading.ok) return { code: reading.code, sentence: `${reading.sentence}. ${REMEDY}.` };
  // AIDE's report may be cut where the disk is full; then the database itself tells.
  if (found === undefined && reading.facts.digest === recorded) return undefined;
  const sentence = `The database on the node is not the one that was recorded when it was made. ${REMEDY}.`;
  return { code: 'DATABASE_REPLACED', sentence };
}
