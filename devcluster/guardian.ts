import { existsSync } from 'node:fs';
import { sleep } from '../src/lib/signal.ts';
import { cleanUp } from './leftovers.ts';
import { isAlive } from './lib/identity.ts';
import { takeLock } from './lib/lock.ts';
import { readState } from './state.ts';

// Watches over an ephemeral cluster: when the process that it belongs to is gone without having stopped it (Ctrl-C,
// a crash, KILL), cleans it up. A process of its own, because a killed process can do nothing any more.
const [directory = ''] = process.argv.slice(2);
for (;;) {
  const state = readState(directory);
  if (state?.owner === undefined) break;
  if (isAlive(state.owner)) {
    await sleep(500);
    continue;
  }
  using _lock = await takeLock(`${directory}.lock`, new AbortController().signal);
  if (existsSync(directory) && readState(directory)?.owner?.pid === state.owner.pid) await cleanUp(directory);
  break;
}
