import { parseArgs } from 'node:util';
import { explain, FioError } from '../src/lib/errors.ts';
import { playOnDevcluster, stopDevcluster } from './on-devcluster.ts';
import { playOnExisting } from './on-existing.ts';
import { tellOnTerminal } from './tell.ts';

const HELP = `npm run demo [-- OPTIONS]

Shows the main job of the File Integrity Operator on a real Kubernetes: a changed file on a node becomes a Failed status.
Without options it starts a cluster of three nodes on this machine and leaves it up. Needs Linux and root for that.

  --once              tear the cluster down at the end; exit 0 only if all was seen
  --down              stop the cluster that an earlier run left up
  --name NAME         the cluster's name, to have several; demo unless told
  --kubeconfig FILE   use an existing cluster instead; no node is touched
  --image REFERENCE   with --kubeconfig: the operator's image, in a registry that the cluster reaches
  --help
`;

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());

try {
  process.exitCode = await main();
} catch (error) {
  if (ended.signal.aborted) {
    console.error('\nInterrupted; nothing is left running.');
    process.exitCode = 130;
  } else {
    const code = error instanceof FioError ? ` (${error.code})` : '';
    console.error(`\nThe demo could not go on: ${explain(error)}${code}`);
    process.exitCode = 1;
  }
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === undefined) return 2;
  const tell = tellOnTerminal();
  if (flags.help) console.log(HELP);
  else if (flags.down) {
    const stopped = await stopDevcluster(flags.name, () => tell.step(`Stop the cluster ${flags.name}`));
    tell.step(stopped ? 'It is stopped.' : `No cluster ${flags.name} runs: there is nothing to stop.`);
  } else if (flags.kubeconfig)
    await playOnExisting({ kubeconfig: flags.kubeconfig, image: flags.image, tell, signal: ended.signal });
  else await playOnDevcluster({ name: flags.name, once: flags.once ?? false, tell, signal: ended.signal });
  return 0;
}

function readFlags() {
  try {
    return parseArgs({
      options: {
        once: { type: 'boolean' },
        down: { type: 'boolean' },
        name: { type: 'string', default: 'demo' },
        kubeconfig: { type: 'string' },
        image: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    console.error(`${explain(error)}\n\n${HELP}`);
    return undefined;
  }
}
