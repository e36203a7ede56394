import { randomUUID } from 'node:crypto';
import type { Event, Taint } from 'kubernetes-types/core/v1.d.ts';
import { type Logger, pino } from 'pino';
import { inject } from 'vitest';
import type { Condition } from '../../src/api/condition.ts';
import type { FileIntegrity, FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { nodeStatusName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineReceipt } from '../../src/api/protocol.ts';
import { createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, daemonSets, events, leases, nodes } from '../../src/kube/resources.ts';
import type { Resource } from '../../src/kube/types.ts';
import { type OperatorOptions, runOperator } from '../../src/operator/operator.ts';
import { type DaemonStage, type PlayedDaemon, playDaemon } from '../play/daemon.ts';
import { beReady, type KubeletPlay, playKubelets } from '../play/kubelets.ts';
import { installCrds, installMachineConfigs } from './crds.ts';
import { eventually } from './eventually.ts';
import { createNamespace } from './namespace.ts';
import { serviceAccounts } from './scraper.ts';

/**
 * A namespace of the shared control plane with the real operator in it. Nodes are objects without a machine; their
 * kubelets and daemons are played by writing what those write.
 */
export interface OperatorHarness extends AsyncDisposable, DaemonStage {
  /** The administrator's way to the API server. */
  readonly connection: Connection;
  /** Starts the operator (again); it is started once by `startHarness`. */
  start(options?: Partial<OperatorOptions>): void;
  /** Stops the operator, as SIGTERM does. */
  stop(): Promise<void>;
  /** Ends an operator that may be in trouble already, however it ends. */
  crash(): Promise<void>;
  addNode(options?: {
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    taints?: Taint[];
  }): Promise<string>;
  removeNode(name: string): Promise<void>;
  /** Another machine takes the name of a node. */
  replaceNode(name: string): Promise<void>;
  annotateNode(name: string, annotations: Record<string, string | null>): Promise<void>;
  labelNode(name: string, labels: Record<string, string | null>): Promise<void>;
  /** A FileIntegrity for this harness's nodes. */
  createIntegrity(name: string, spec?: Partial<FileIntegritySpecInput>): Promise<FileIntegrity>;
  integrity(name: string): Promise<FileIntegrity>;
  annotate(name: string, annotations: Record<string, string | null>): Promise<void>;
  phaseWhen(integrity: string, phase: string): Promise<FileIntegrity>;
  /** Waits until a condition of the FileIntegrity says this, such as `False Late`, and returns the FileIntegrity. */
  integritySays(integrity: string, type: string, said: string): Promise<FileIntegrity>;
  /** The same of a node's status. */
  nodeSays(integrity: string, node: string, type: string, said: string): Promise<FileIntegrityNodeStatus>;
  /** What the kubelet of a node does with the daemons' pods from now on; `run` unless it is said. */
  daemonsOn(node: string, how: KubeletPlay): void;
  /** The kubelet of a node is silent, or reports again. */
  loseNode(name: string): Promise<void>;
  reviveNode(name: string): Promise<void>;
  daemon(integrity: string, node: string): PlayedDaemon;
  events(reason: string): Promise<Event[]>;
  /** Messages of the events with that reason. */
  told(reason: string): Promise<string[]>;
  /** The version of each object that the operator writes, by kind and name. */
  versions(): Promise<Record<string, string>>;
}

export async function startHarness(options: Partial<OperatorOptions> = {}): Promise<OperatorHarness> {
  const connection = await connectKubeconfig(inject('kubeconfig'));
  const client = createClient(connection, { userAgent: 'test', maxSockets: 32 });
  await installCrds(client);
  await installMachineConfigs(client);
  const namespace = await createNamespace(client, 'operator');
  await client.create(serviceAccounts, { metadata: { name: 'file-integrity-daemon', namespace } });
  const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
  const kubelets = new AbortController();
  const own = new Set<string>();
  const lost = new Set<string>();
  const plays = new Map<string, KubeletPlay>();
  const baselines = new Map<string, Pick<BaselineReceipt, 'digest' | 'configurationDigest'>>();
  let running: { ended: AbortController; operator: Promise<void> } | undefined;

  const harness: OperatorHarness = {
    client,
    connection,
    namespace,
    start(more = {}) {
      const ended = new AbortController();
      const all = {
        connection,
        namespace,
        image: 'registry.example/fio:test',
        log: log as Logger,
        ...options,
        ...more,
      };
      running = { ended, operator: runOperator(all, ended.signal) };
      running.operator.catch(() => {}); // seen by stop()
    },
    async stop() {
      running?.ended.abort();
      await running?.operator;
      running = undefined;
    },
    async crash() {
      running?.ended.abort();
      await running?.operator.catch(() => {});
      running = undefined;
    },
    async addNode({ labels = {}, annotations = {}, taints } = {}) {
      const name = `node-${randomUUID().slice(0, 8)}`;
      const metadata = { name, annotations, labels: { 'kubernetes.io/os': 'linux', [namespace]: '', ...labels } };
      await client.create(nodes, { metadata, ...(taints && { spec: { taints } }) });
      own.add(name);
      await beReady(client, name);
      return name;
    },
    async removeNode(name) {
      own.delete(name);
      await client.remove(nodes, { name });
    },
    async replaceNode(name) {
      const { metadata } = await client.get(nodes, { name });
      await client.remove(nodes, { name });
      await client.create(nodes, { metadata: { name, labels: metadata?.labels ?? {} } });
      await beReady(client, name);
    },
    async annotateNode(name, annotations) {
      await client.patch(nodes, { name }, { metadata: { annotations } }, { type: 'merge' });
    },
    async labelNode(name, labels) {
      await client.patch(nodes, { name }, { metadata: { labels } }, { type: 'merge' });
    },
    async createIntegrity(name, spec = {}) {
      const object = {
        metadata: { name, namespace },
        spec: { nodeSelector: { [namespace]: '' }, config: {}, ...spec },
      };
      return client.create(fileIntegrities, object as FileIntegrity);
    },
    integrity: (name) => client.get(fileIntegrities, { namespace, name }),
    async annotate(name, annotations) {
      await client.patch(fileIntegrities, { namespace, name }, { metadata: { annotations } }, { type: 'merge' });
    },
    status: (integrity, node) => client.find(nodeStatuses, { namespace, name: nodeStatusName(integrity, node) }),
    async statusWhen(integrity, node, what, condition) {
      let last: FileIntegrityNodeStatus | undefined;
      await eventually(`the status of ${node} under ${integrity} ${what}`, async () => {
        last = await harness.status(integrity, node);
        return last !== undefined && condition(last);
      });
      if (!last) throw new Error('never');
      return last;
    },
    async phaseWhen(integrity, phase) {
      let last: FileIntegrity | undefined;
      await eventually(`the phase of ${integrity} is ${phase}`, async () => {
        last = await harness.integrity(integrity);
        // That of a spec of before says nothing of the one that is there.
        return last.status?.phase === phase && last.status.observedGeneration === last.metadata.generation;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${JSON.stringify(last?.status)}`);
      });
      if (!last) throw new Error('never');
      return last;
    },
    async integritySays(name, type, said) {
      let last: FileIntegrity | undefined;
      await eventually(`the condition ${type} of ${name} says ${said}`, async () => {
        last = await harness.integrity(name);
        return says(last.status?.conditions, type, said);
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${JSON.stringify(last?.status)}`);
      });
      if (!last) throw new Error('never');
      return last;
    },
    async nodeSays(integrity, node, type, said) {
      let last: FileIntegrityNodeStatus | undefined;
      await eventually(`the condition ${type} of ${node} says ${said}`, async () => {
        last = await harness.status(integrity, node);
        return says(last?.status?.conditions, type, said);
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${JSON.stringify(last?.status)}`);
      });
      if (!last) throw new Error('never');
      return last;
    },
    daemonsOn(node, how) {
      plays.set(node, how);
    },
    async loseNode(name) {
      lost.add(name);
      await beReady(client, name, 'Unknown');
    },
    async reviveNode(name) {
      lost.delete(name);
      await beReady(client, name);
    },
    daemon: (integrity, node) => playDaemon(harness, integrity, node, baselines),
    async events(reason) {
      const list = await client.list(events, { namespace });
      return list.items.filter((event) => event.reason === reason);
    },
    async told(reason) {
      return (await harness.events(reason)).map(({ message = '' }) => message);
    },
    async versions() {
      const kinds: Resource[] = [fileIntegrities, nodeStatuses, configMaps, leases, daemonSets];
      const lists = await Promise.all(kinds.map((kind) => client.list(kind, { namespace })));
      const objects = lists.flatMap(({ items }) => items);
      const versions = objects.map(({ kind, metadata = {} }) => [`${kind}/${metadata.name}`, metadata.resourceVersion]);
      return Object.fromEntries(versions.filter(([name]) => name !== 'Lease/file-integrity-operator'));
    },
    async [Symbol.asyncDispose]() {
      kubelets.abort();
      await harness.stop();
      await playing;
      for (const name of own) await client.remove(nodes, { name });
      await client.close();
    },
  };
  const playing = playKubelets(client, namespace, { own, lost, plays }, kubelets.signal);
  harness.start();
  return harness;
}

function says(conditions: readonly Condition[] | undefined, type: string, said: string): boolean {
  const condition = conditions?.find((each) => each.type === type);
  return `${condition?.status} ${condition?.reason}` === said;
}
