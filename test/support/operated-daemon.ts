import { join } from 'node:path';
import type { FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { createScratchNode, type ScratchNode } from './daemon-node.ts';
import { type DaemonProcess, placeServiceAccount, startDaemonProcess } from './daemon-process.ts';
import { giveRights } from './daemon-rights.ts';
import { issueToken } from './node-token.ts';
import type { OperatorHarness } from './operator-harness.ts';

/** The real daemon, in a process as in its pod, under the real operator; a scratch folder is its node. */
export interface OperatedDaemon extends AsyncDisposable {
  /** The node, as the operator knows it. */
  readonly name: string;
  readonly node: ScratchNode;
  start(): Promise<void>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
  /** How many lines of its log begin so. */
  count(start: string): number;
}

export interface OperatedDaemonOptions {
  /** The words that start AIDE. */
  readonly aide: readonly [string, ...string[]];
  readonly spec?: Partial<FileIntegritySpecInput>;
  /** Words that start the daemon. */
  readonly under?: (node: ScratchNode) => readonly string[];
  /** Hears each line of its log when it comes. */
  readonly onLine?: (line: string) => void;
}

/**
 * A FileIntegrity with one node, selected by a label of its own, `<namespace>/<name>`, which watches `/etc/app` by content
 * and rights, with the shortest pause between scans. Nothing runs before `start`.
 */
export async function createOperatedDaemon(
  harness: OperatorHarness,
  integrity: string,
  { aide, spec = {}, under = () => [], onLine }: OperatedDaemonOptions,
): Promise<OperatedDaemon> {
  const { client, connection, namespace } = harness;
  const node = await createScratchNode();
  const home = join(node.root, '..', 'home');
  const nodeSelector = { [`${namespace}/${integrity}`]: '' };
  const name = await harness.addNode({ labels: nodeSelector });
  const configuration = { name: `${integrity}-rules`, namespace };
  await client.create(configMaps, { metadata: configuration, data: { 'aide.conf': '/etc/app p+u+g+sha512\n' } });
  await harness.createIntegrity(integrity, { nodeSelector, ...spec, config: { ...configuration, gracePeriod: 10 } });
  await giveRights(client, namespace);
  const serviceAccount = 'file-integrity-daemon';
  const { token } = await issueToken(client, { namespace, serviceAccount, node: name, integrity });
  await placeServiceAccount(home, connection, { token, namespace });
  const program = join(home, 'aide');
  await node.writeProgram(program, ['sh', '-c', RELOCATED, node.root, ...aide]);
  let running: DaemonProcess | undefined;
  const write = (line: string) => {
    const said = line.replace(/^\S+: /, '').trimEnd();
    node.lines.push(said);
    onLine?.(said);
  };

  const daemon: OperatedDaemon = {
    name,
    node,
    async start() {
      running = await startDaemonProcess({
        home,
        root: node.root,
        args: ['--integrity', integrity, '--namespace', namespace, '--node', name, '--aide', program],
        server: connection.server,
        under: under(node),
        onLine: write,
      });
    },
    async kill() {
      running?.signal('SIGKILL');
      await running?.ended;
    },
    count: (start) => node.lines.filter((line) => line.startsWith(start)).length,
    async [Symbol.asyncDispose]() {
      await daemon.kill();
      await node[Symbol.asyncDispose]();
    },
  };
  return daemon;
}

/**
 * The operator's configuration speaks of the node as `/hostroot`, where a daemon's container has it. Here the node is another
 * folder, `$0`: this machine's own root is left alone. The words after it start AIDE, and then come its arguments.
 */
const RELOCATED = `
for word; do
  shift
  case $word in
    --config=*)
      sed "s|/hostroot|$0|g" "\${word#--config=}" >"\${word#--config=}.relocated"
      word=$word.relocated ;;
  esac
  set -- "$@" "$word"
done
exec "$@"
`;
