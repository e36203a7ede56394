import { join } from 'node:path';
import type { AideResult } from '../../aide/run.ts';
import { keyOf, type Unseen, type UnseenPath, unseenOf } from '../../aide/unseen.ts';
import type { UnseenRecord } from '../../api/protocol.ts';
import { explain } from '../../lib/errors.ts';
import { ownConfiguration } from '../sources/configuration.ts';
import type { AideSetup } from './aide-setup.ts';

/**
 * What a run of AIDE did not see where the configuration looks, for the operator; nothing where it saw all. AIDE opens what
 * lies beside the watched files, too, before it knows that no rule wants it, and says so where it cannot.
 * @throws the signal's reason when it aborts.
 */
export async function unseenIn({ unseen }: AideResult, setup: AideSetup, signal: AbortSignal): Promise<UnseenRecord> {
  const { count, digest, paths } = await watchedOnly(unseen, setup, signal);
  if (count > 0) setup.log.info(`AIDE did not see all that is watched: ${inWords({ count, paths })}`);
  return { count, digest, paths: listOf(paths) };
}

async function watchedOnly(unseen: Unseen, setup: AideSetup, signal: AbortSignal): Promise<Unseen> {
  // AIDE opens the content of those files only that a rule wants. Where not all paths were kept, all are counted.
  const asked = unseen.paths.filter(({ what }) => what === 'Path' || what === 'Content');
  if (unseen.count === 0 || unseen.count > unseen.paths.length) return unseen;
  const places = asked.flatMap(({ place }) => (place === undefined ? [] : [place]));
  if (places.length === 0) return unseen;
  try {
    const { findReached } = await import('../../aide/reach.ts'); // memory that is not needed between scans
    const reached = await findReached(places, {
      command: setup.aide,
      configuration: await ownConfiguration(setup),
      folder: join(setup.scratch, 'unseen'),
      signal,
      timeoutMs: Math.min(setup.timeoutMs, 120_000),
    });
    const left = new Set(asked.filter(({ place }) => place !== undefined && !reached.has(place)).map(keyOf));
    return unseenOf(unseen.paths.filter((each) => !left.has(keyOf(each))));
  } catch (error) {
    signal.throwIfAborted();
    setup.log.info(`it is not known whether all that AIDE did not see is watched: ${explain(error)}`);
    return unseen;
  }
}

/** That AIDE saw all. */
export function nothingUnseen(): UnseenRecord {
  const { count, digest } = unseenOf([]);
  return { count, digest, paths: [] };
}

/** Characters that all listed paths may take. */
const LIST_CHARACTERS = 1500;
const LIST_LENGTH = 32;

function listOf(paths: readonly UnseenPath[]): UnseenRecord['paths'] {
  let room = LIST_CHARACTERS;
  const list: UnseenRecord['paths'] = [];
  for (const { path, what } of paths) {
    room -= path.length + 40;
    if (room < 0 || list.length === LIST_LENGTH) break;
    list.push({ path, what });
  }
  return list;
}

const NAMED = 3;

function inWords({ count, paths }: Pick<Unseen, 'count' | 'paths'>): string {
  const named = paths.slice(0, NAMED).map(({ path, what }) => `${path} (${what})`);
  return count > NAMED ? `${named.join(', ')} and ${count - NAMED} more` : named.join(', ');
}
