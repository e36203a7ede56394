import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DaemonOptions, runDaemon } from '../daemon/daemon.ts';
import { givePageCacheBack, shrinkHeap } from '../daemon/memory.ts';
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
    afterAide: (log) => givePageCacheBack(log, env.OWN_CGROUP ?? ''),
    quiet: shrinkHeap,
    // The container's own /tmp: there is one daemon in it.
    scratch: join(tmpdir(), 'file-integrity-daemon'),
  };
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
  await runDaemon(readOptions(args[0] === 'daemon' ? args.slice(1) : args, process.env), ended.signal);
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
  endAtLast();
}
