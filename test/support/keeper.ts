import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Keeper, openKeeper, useKeeper } from '../../src/daemon/disk/keeper.ts';

const PROGRAM = fileURLToPath(new URL('../../image/keeper', import.meta.url));

/** The group that a daemon has in its container. */
export const DAEMON_GROUP = 65529;

export interface TestKeeper extends Keeper, Disposable {
  /** Its answer to a line as it is. */
  say(line: string): string;
  /** Kills it. */
  end(): void;
  /** How often the daemon was told that it has ended. */
  readonly goneCount: number;
}

/** Starts the real keeper of a folder; what this process does there goes by it until it is disposed. Needs root. */
export function startKeeper(folder: string): TestKeeper {
  const pipes = mkdtempSync(join(tmpdir(), 'fio-keeper-'));
  const [requests, answers] = [join(pipes, 'requests'), join(pipes, 'answers')];
  execFileSync('mkfifo', [requests, answers]);
  // As a member of the group it may give files to it without a capability.
  const words = ['setpriv', '--groups', `0,${DAEMON_GROUP}`, PROGRAM, folder, String(DAEMON_GROUP)];
  const line = `exec ${words.join(' ')} <"${requests}" >"${answers}"`;
  const child = spawn('sh', ['-c', line], { stdio: ['ignore', 'ignore', 'inherit'] });
  const descriptors = [openSync(requests, 'w'), openSync(answers, 'r')] as const;
  rmSync(pipes, { recursive: true });
  let goneCount = 0;
  const keeper = openKeeper(folder, ...descriptors, () => {
    goneCount += 1;
  });
  useKeeper(keeper);
  return {
    ...keeper,
    say(line) {
      writeSync(descriptors[0], line);
      const answer = Buffer.alloc(1024);
      return answer.toString('utf8', 0, readSync(descriptors[1], answer)).trim();
    },
    end: () => child.kill('SIGKILL'),
    get goneCount() {
      return goneCount;
    },
    [Symbol.dispose]() {
      useKeeper(undefined);
      for (const descriptor of descriptors) closeSync(descriptor);
    },
  };
}
