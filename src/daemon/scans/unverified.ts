import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AideResult } from '../../aide/run.ts';
import type { ScanEnd } from '../machine/state.ts';
import { clip, said } from './aide-setup.ts';
import { DATABASE_REMEDY, type DatabaseFault } from './database.ts';

/** A report that verifies nothing, and why. */
export interface Unverified extends DatabaseFault {
  /** AIDE compared with what lies there; else it only lists the files. */
  readonly compared: boolean;
}

/** What a person is told of it; it stands before the report, too. */
export function warningOf({ what, compared }: Unverified): string {
  const worth = compared
    ? 'What this scan found is unverified, and what it did not find may have changed all the same'
    : 'The report lists the files of the node as they are now, and none of them is verified';
  return `${what}. ${worth}. ${DATABASE_REMEDY}.`;
}

/** A scan with a database that is not the one on record, and that AIDE could not do: there is no list. */
export function unlisted({ fault, what }: DatabaseFault, result: AideResult, startedAt: Date): ScanEnd {
  const { end, meaning, stderr } = result;
  const why = `The files of the node could not be listed: ${meaning.sentence}${said(stderr)}`;
  return {
    kind: 'ended',
    facts: {
      verdict: 'Failed',
      baselineFault: fault,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      ...(end !== undefined && 'status' in end && { exitStatus: end.status }),
      errorMessage: clip(`${what}. ${DATABASE_REMEDY}. ${why}.`),
    },
    fingerprint: 'none', // the message says all that there is
  };
}

/** A database of AIDE without entries: of every file AIDE says that it was added. */
const EMPTY = '@@begin_db\n@@db_spec name attr\n@@end_db\n';

/** Puts a database without entries into the daemon's own folder; its path is the same each time, since reports name it. */
export async function placeEmptyDatabase(scratch: string): Promise<string> {
  const path = join(scratch, 'no-baseline.db');
  await writeFile(path, EMPTY);
  return path;
}
