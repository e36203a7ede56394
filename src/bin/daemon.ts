import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DaemonOptions, HOST_ROOT, runDaemon } from '../daemon/daemon.ts';
import { openKeeper, useKeeper } from '../daemon/disk/keeper.ts';
import { nodePaths } from '../daemon/disk/paths.ts';
import { givePageCacheBack, shrinkHeap } from '../daemon/effects/release-memory.ts';
import { explain, FioError } from '../lib/errors.ts';

const USAGE =
  'Usage: daemon --integrity NAME --namespace NAMESPACE [--node NODE] [--status-object NAME] [--host-root PATH] [--aide PROGRAM]';

/** How the daemon is started on a node: by the arguments of its pod and the environment variable NODE_NAME. */
function readOptions(args: string[], env: NodeJS.ProcessEnv): DaemonOptions {
  const text = { type: 'string' } as const;
  const options = {
    integrity: text,
    namespace: text,
    node: text,
    'status-object': text,
    'host-root': text,
    aide: text,
  };
  const { values } = parseArgs({ args, options });
  const { integrity, namespace, node = env.NODE_NAME } = values;
  if (!integrity || !namespace || !node) {
    throw new FioError('DAEMON_USAGE', `The daemon needs --integrity, --namespace and --node or NODE_NAME. ${USAGE}`);
  }
  return {
    integrity,
    namespace,
    node,
    ...(values['status-object'] && { statusObject: values['status-object'] }),
    ...(values['host-root'] && { hostRoot: values['host-root'] }),
    ...(values.aide && { aide: [values.aide] }),
    afterAide: (log) => givePageCacheBack(log, ownCgroup(env)),
    quiet: shrinkHeap,
    // The container's own /tmp: there is one daemon in it.
    scratch: join(tmpdir(), 'file-integrity-daemon'),
  };
}

/** What `image/confined` has opened for the daemon: what only root may open. */
function ownCgroup({ OWN_CGROUP, OWN_CGROUP_ORDER }: NodeJS.ProcessEnv) {
  return OWN_CGROUP && OWN_CGROUP_ORDER ? { folder: OWN_CGROUP, descriptor: Number(OWN_CGROUP_ORDER) } : undefined;
}

/** Has the node's files changed by the keeper that `image/confined` has started. */
function employKeeper({ KEEPER_REQUESTS, KEEPER_ANSWERS }: NodeJS.ProcessEnv, hostRoot: string | undefined): void {
  if (!KEEPER_REQUESTS || !KEEPER_ANSWERS) return;
  const onGone = () => {
    process.stderr.write('The program that keeps the files in /etc/kubernetes has ended, and the daemon with it\n');
    process.exitCode = 1;
    endAtLast();
    ended.abort();
  };
  useKeeper(
    openKeeper(nodePaths(hostRoot ?? HOST_ROOT).directory, Number(KEEPER_REQUESTS), Number(KEEPER_ANSWERS), onGone),
  );
}

/** A daemon has ended by itself by then, unless the kernel keeps a call of it, as of a file on a disk that is gone. */
const LAST_RESORT_MS = 4500;

/** What can still be ended then: exit() waits for such calls, and the first process of a container ignores SIGKILL. */
function endAtLast(): void {
  setTimeout(() => {
    process.stdout.write(`${new Date().toISOString()}: something does not end, so the daemon aborts\n`);
    process.abort();
  }, LAST_RESORT_MS).unref();
}

const ended = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    endAtLast();
    ended.abort();
  });
}

try {
  const args = process.argv.slice(2);
  const options = readOptions(args[0] === 'daemon' ? args.slice(1) : args, process.env);
  employKeeper(process.env, options.hostRoot);
  await runDaemon(options, ended.signal);
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
  endAtLast();
}
