import { join } from 'node:path';
import { expect } from 'vitest';
import type { Orders } from '../../src/api/protocol.ts';
import { type DaemonOptions, runDaemon } from '../../src/daemon/daemon.ts';
import type { Client } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { INTEGRITY, NODE, type PlayedOperator, playOperator } from '../play/operator.ts';
import { createScratchNode, type ScratchNode } from './daemon-node.ts';
import {
  type DaemonProcess,
  type DaemonProcessOptions,
  placeServiceAccount,
  startDaemonProcess,
} from './daemon-process.ts';
import { giveRights } from './daemon-rights.ts';
import { eventually } from './eventually.ts';
import { createNamespace } from './namespace.ts';
import { type IssuedToken, issueToken } from './node-token.ts';

/** One node, a namespace of its own, the operator's part played by the test, and daemons. */
export interface DaemonStage extends AsyncDisposable {
  readonly namespace: string;
  readonly node: ScratchNode;
  readonly operator: PlayedOperator;
  /** Where the daemon keeps its messages on the node. */
  readonly outbox: string;
  /** The effective configuration as the operator orders it. */
  readonly configuration: { text: string; digest: string };
  /** A daemon in this process. */
  start(options?: Partial<DaemonOptions>): { stop(): Promise<void> };
  /** A daemon in a process of its own, as in its pod, with the rights that deploy/ gives it. */
  startProcess(
    aide: readonly [string, ...string[]],
    options?: Partial<Pick<DaemonProcessOptions, 'bootId' | 'nodeFlags' | 'env' | 'server'>>,
  ): Promise<DaemonProcess>;
  /** Gives processes a new token from now on. */
  renewToken(): Promise<IssuedToken>;
  /** A started daemon gets its first orders; the operator takes in its receipt and its first scan. */
  settle(orders?: Pick<Orders, 'files'>): Promise<void>;
  /** A held daemon that is released scans at once; a test need not wait for the interval. */
  scanNow(): Promise<void>;
  /** How many lines there are that begin so. */
  count(start: string): number;
}

/** `node`: that of another stage, which then has two FileIntegrities. */
export async function createStage(
  client: Client,
  connection: Connection,
  { node: shared }: { node?: ScratchNode } = {},
): Promise<DaemonStage> {
  const namespace = await createNamespace(client, 'daemon');
  const node = shared === undefined ? await createScratchNode() : { ...shared, lines: [] };
  const operator = playOperator(client, namespace);
  const home = join(node.root, '..', 'home');
  const running: (() => Promise<unknown>)[] = [];
  const configuration = { text: node.configuration, digest: node.configurationDigest };
  const write = (line: string) => node.lines.push(line.replace(/^\S+: /, '').trimEnd());
  let hasRights = false;

  const renewToken = async () => {
    if (!hasRights) await giveRights(client, namespace);
    hasRights = true;
    const issued = await issueToken(client, { namespace, serviceAccount: 'file-integrity-daemon', node: NODE });
    await placeServiceAccount(home, connection, { token: issued.token, namespace });
    return issued;
  };
  const stage: DaemonStage = {
    namespace,
    node,
    operator,
    outbox: node.outboxOf(INTEGRITY, namespace),
    configuration,
    renewToken,
    start(options = {}) {
      const ended = new AbortController();
      const common = { integrity: INTEGRITY, namespace, node: NODE, hostRoot: node.root };
      const done = runDaemon({ ...common, connection, write, ...options }, ended.signal);
      done.catch(() => {}); // whoever stops it is told
      const stop = async () => {
        ended.abort();
        await done;
      };
      running.push(() => stop().catch(() => {}));
      return { stop };
    },
    async startProcess(aide, options = {}) {
      if (!hasRights) await renewToken();
      const program = join(home, 'aide');
      await node.writeProgram(program, aide);
      const args = ['--integrity', INTEGRITY, '--namespace', namespace, '--node', NODE, '--aide', program];
      const started = await startDaemonProcess({
        home,
        root: node.root,
        args,
        server: connection.server,
        onLine: write,
        ...options,
      });
      running.push(async () => {
        started.signal('SIGKILL');
        await started.ended;
      });
      return started;
    },
    async settle(orders) {
      await operator.begin(configuration, orders);
      expect(await operator.message('its receipt')).toMatchObject({ kind: 'baseline' });
      expect(await operator.message('its first scan')).toMatchObject({ kind: 'scan', verdict: 'Succeeded' });
    },
    async scanNow() {
      const before = stage.count('held by the operator');
      await operator.hold();
      await eventually('the daemon is held', () => stage.count('held by the operator') > before);
      await operator.release();
    },
    count: (start) => node.lines.filter((line) => line.startsWith(start)).length,
    async [Symbol.asyncDispose]() {
      for (const stop of running) await stop();
      if (shared === undefined) await node[Symbol.asyncDispose]();
    },
  };
  return stage;
}
