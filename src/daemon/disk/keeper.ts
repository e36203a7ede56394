import { read, write } from 'node:fs';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { FioError } from '../../lib/errors.ts';

/** What a daemon may ask for; `image/keeper` says what each does. */
type Request =
  | [verb: 'create' | 'ensure' | 'remove', path: string]
  | [verb: 'rename' | 'link', from: string, to: string];

/** Makes, renames and removes the daemon's files in the node's `/etc/kubernetes`, where the daemon itself may not. */
export interface Keeper {
  /** The folder whose names it keeps. */
  readonly folder: string;
  /**
   * Has it done, with paths in that folder, one request after the other.
   * @throws FioError `KEEPER_REFUSED` with what it said; `KEEPER_GONE` when there is none any more.
   */
  ask(...request: Request): Promise<void>;
}

/** An answer has at most 300 bytes of what a program said, and some more. */
const ANSWER_BYTES = 1024;

/**
 * The keeper behind two pipes, as `image/confined` has opened them.
 * @param onGone called once when it has ended: without it nothing can be kept any more
 */
export function openKeeper(folder: string, requests: number, answers: number, onGone: () => void): Keeper {
  let queue: Promise<unknown> = Promise.resolve();
  let isKnown = false;
  const gone = (cause?: unknown) => {
    if (!isKnown) onGone();
    isKnown = true;
    return new FioError('KEEPER_GONE', `The program that keeps the files in ${folder} has ended`, { cause });
  };
  const exchange = async (line: string): Promise<string> => {
    try {
      await promisify(write)(requests, Buffer.from(line));
      let answer = '';
      while (!answer.endsWith('\n') && answer.length < ANSWER_BYTES) {
        const { bytesRead, buffer } = await promisify(read)(answers, Buffer.alloc(ANSWER_BYTES), 0, ANSWER_BYTES, null);
        if (bytesRead === 0) throw gone();
        answer += buffer.toString('utf8', 0, bytesRead);
      }
      return answer.trim();
    } catch (error) {
      throw error instanceof FioError ? error : gone(error);
    }
  };
  return {
    folder,
    async ask(verb, ...paths) {
      const answer = queue.then(() => exchange(`${[verb, ...paths.map((path) => basename(path))].join(' ')}\n`));
      queue = answer.catch(() => {});
      const said = await answer;
      if (said !== 'ok') throw new FioError('KEEPER_REFUSED', `${paths[0]} could not be changed: ${said}`);
    },
  };
}

let installed: Keeper | undefined;

/** From now on all that this process does to the names in the keeper's folder goes by it. */
export function useKeeper(keeper: Keeper | undefined): void {
  installed = keeper;
}

/** Who keeps the name of this path; undefined where the process may change it itself. */
export function keeperOf(path: string): Keeper | undefined {
  return installed !== undefined && dirname(path) === installed.folder ? installed : undefined;
}
