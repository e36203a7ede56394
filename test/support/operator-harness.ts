import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigMap, Event, Node, PodStatus, Taint } from 'kubernetes-types/core/v1.d.ts';
import { type Logger, pino } from 'pino';
import { inject } from 'vitest';
import type { Condition } from '../../src/api/condition.ts';
import type { FileIntegrity, FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import {
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
} from '../../src/api/keys.ts';
import { labelValue, nodeStatusName, partName, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineReceipt, Outcome, ScanOutcome } from '../../src/api/protocol.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, daemonSets, events, leases, nodes, pods } from '../../src/kube/resources.ts';
import type { Resource } from '../../src/kube/types.ts';
import { type OperatorOptions, runOperator } from '../../src/operator/operator.ts';
import { installCrds, installMachineConfigs } from './crds.ts';
import { eventually } from './eventually.ts';
import { createNamespace } from './namespace.ts';
import { serviceAccounts } from './scraper.ts';

/**
 * A namespace of the shared control plane with the real operator in it. Nodes are objects without a machine; their
 * kubelets and daemons are played by writing what those write.
 */
export interface OperatorHarness extends AsyncDisposable {
  readonly client: Client;
  /** The administrator's way to the API server. */
  readonly connection: Connection;
  readonly namespace: string;
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
  status(integrity: string, node: string): Promise<FileIntegrityNodeStatus | undefined>;
  /** Waits for the status to be such. */
  statusWhen(
    integrity: string,
    node: string,
    what: string,
    condition: (status: FileIntegrityNodeStatus) => boolean,
  ): Promise<FileIntegrityNodeStatus>;
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

type KubeletPlay = 'run' | 'wait' | 'crash';

/** Says what a daemon says, as the protocol has it. */
export interface PlayedDaemon {
  /** Carries out the standing baseline order and waits for the acknowledgement, as a daemon that compares nothing before. */
  makeBaseline(receipt?: Partial<BaselineReceipt>): Promise<void>;
  /** The same after a comparison with the baseline before that came to this. */
  replaceBaseline(closing: Partial<ScanOutcome>, reports?: readonly Record<string, string>[]): Promise<void>;
  /** Reports a scan and waits for the acknowledgement. */
  report(scan: Partial<ScanOutcome>, reports?: readonly Record<string, string>[]): Promise<ScanOutcome>;
  /** Writes a message and waits for nothing. */
  send(outcome: Outcome, reports?: readonly Record<string, string>[], extra?: Partial<KubeMetadata>): Promise<void>;
  beat(scan: Partial<ScanOutcome>): Promise<ScanOutcome>;
  scan(scan: Partial<ScanOutcome>): ScanOutcome;
}

interface KubeMetadata {
  labels: Record<string, string>;
  annotations: Record<string, string>;
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

async function beReady(client: Client, name: string, status: 'True' | 'Unknown' = 'True'): Promise<void> {
  const condition = { type: 'Ready', status, lastHeartbeatTime: now(), reason: 'Played', message: '' };
  const nodeInfo = {
    osImage: 'Debian GNU/Linux 13 (trixie)',
    kernelVersion: '6.12.0',
    kubeletVersion: 'v1.36.3',
    architecture: 'amd64',
    bootID: 'boot',
    containerRuntimeVersion: 'containerd://2.4.2',
    kubeProxyVersion: '',
    machineID: 'machine',
    operatingSystem: 'linux',
    systemUUID: 'system',
  };
  const change: Partial<Node> = {
    status: { conditions: [condition], nodeInfo, allocatable: { cpu: '8', memory: '16Gi', pods: '110' } },
  };
  await client.patch(nodes, { name }, change, { type: 'merge', subresource: 'status' });
}

interface Kubelets {
  readonly own: ReadonlySet<string>;
  readonly lost: ReadonlySet<string>;
  readonly plays: ReadonlyMap<string, KubeletPlay>;
}

/** Keeps the nodes ready and has every daemon's pod run, but for what a test wants otherwise. */
async function playKubelets(
  client: Client,
  namespace: string,
  { own, lost, plays }: Kubelets,
  signal: AbortSignal,
): Promise<void> {
  let reported = Date.now();
  while (!signal.aborted) {
    const there = [...own].filter((name) => !lost.has(name));
    // The node controller gives a kubelet 50 s, and a machine under load makes rounds long.
    if (Date.now() - reported > 8000) {
      reported = Date.now();
      await Promise.all(there.map((name) => beReady(client, name).catch(() => {})));
    }
    const all = await client.list(pods, { namespace }).catch(() => undefined);
    for (const pod of all?.items ?? []) {
      const { name = '', deletionTimestamp, uid = '' } = pod.metadata ?? {};
      if (deletionTimestamp) {
        await client
          .raw(`/api/v1/namespaces/${namespace}/pods/${name}`, {
            method: 'DELETE',
            body: { gracePeriodSeconds: 0, preconditions: { uid } },
          })
          .catch(() => {});
        continue;
      }
      const node = pod.spec?.nodeName;
      const status = node === undefined || lost.has(node) ? undefined : statusUnder(plays.get(node) ?? 'run');
      // The node controller marks the pods of a node as not ready whose kubelet it did not hear in time.
      if (status === undefined || isWritten(pod.status, status)) continue;
      const change = { status };
      await client.patch(pods, { namespace, name }, change, { type: 'merge', subresource: 'status' }).catch(() => {});
    }
    await delay(100, undefined, { signal }).catch(() => {});
  }
}

function isWritten(actual: PodStatus | undefined, wanted: PodStatus): boolean {
  const ready = ({ conditions }: PodStatus) => conditions?.find(({ type }) => type === 'Ready')?.status;
  return actual?.reason === wanted.reason && ready(actual ?? {}) === ready(wanted);
}

/** What a kubelet writes of a daemon's pod. Its `reason` is none that Kubernetes knows: it says that this was written. */
function statusUnder(play: KubeletPlay): PodStatus | undefined {
  const container = { name: 'daemon', image: 'x', imageID: '', ready: false, restartCount: 1 };
  const ready = (status: 'True' | 'False') => [{ type: 'Ready', status, lastTransitionTime: now() }];
  switch (play) {
    case 'wait':
      return undefined;
    case 'run': {
      const state = { running: { startedAt: now() } };
      const containerStatuses = [{ ...container, ready: true, state }];
      return { phase: 'Running', reason: 'PlayedRun', conditions: ready('True'), containerStatuses };
    }
    case 'crash': {
      const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } };
      const lastState = { terminated: { exitCode: 1, reason: 'Error' } };
      const containerStatuses = [{ ...container, state, lastState }];
      return { phase: 'Running', reason: 'PlayedCrash', conditions: ready('False'), containerStatuses };
    }
  }
}

/** @param baselines receipts of the baselines that were made, by name of the node's messages */
function playDaemon(
  harness: OperatorHarness,
  integrity: string,
  node: string,
  baselines: Map<string, Pick<BaselineReceipt, 'digest' | 'configurationDigest'>>,
): PlayedDaemon {
  const { client, namespace } = harness;
  const name = resultName(integrity, node);
  const acknowledged = (id: string) =>
    harness.statusWhen(integrity, node, `acknowledges ${id}`, (status) => status.acknowledged === id);
  const slotIsFree = () =>
    eventually(`${name} is free`, async () => !(await client.find(configMaps, { namespace, name })));

  const daemon: PlayedDaemon = {
    async makeBaseline(receipt = {}) {
      const { orders } = await harness.statusWhen(
        integrity,
        node,
        'has orders',
        (status) => status.orders !== undefined,
      );
      if (!orders) return;
      const id = randomUUID();
      const made = { digest: sha256(id), configurationDigest: orders.configuration.digest };
      baselines.set(name, made);
      await daemon.send({
        kind: 'baseline',
        id,
        node,
        receipt: {
          orderId: orders.baseline.id,
          ...made,
          entries: 100,
          aideVersion: '0.19.1',
          bootId: 'boot',
          reason: orders.baseline.reason,
          createdAt: now(),
          ...receipt,
        },
      });
      await acknowledged(id);
    },
    async replaceBaseline(closing, reports) {
      const id = (await harness.status(integrity, node))?.orders?.baseline.id ?? '';
      const { id: scan, verdict } = await daemon.report({ ...closing, closes: id }, reports);
      await daemon.makeBaseline({ closing: { scan, verdict } });
    },
    async report(scan, reports) {
      const outcome = daemon.scan(scan);
      await daemon.send(outcome, reports);
      await acknowledged(outcome.id);
      return outcome;
    },
    async send(outcome, reports = [{}], extra = {}) {
      await slotIsFree();
      for (let number = reports.length; number >= 1; number--) {
        const map = messageMap(harness, integrity, node, outcome, reports, number);
        Object.assign(map.metadata?.labels ?? {}, extra.labels);
        Object.assign(map.metadata?.annotations ?? {}, extra.annotations);
        await client.create(configMaps, map);
      }
    },
    async beat(scan) {
      const outcome = daemon.scan(scan);
      const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) } };
      await client.patch(leases, { namespace, name }, { metadata, spec: { renewTime: micro() } }, { type: 'merge' });
      return outcome;
    },
    scan: (scan) => ({
      kind: 'scan',
      id: randomUUID(),
      node,
      verdict: 'Succeeded',
      startedAt: now(),
      finishedAt: now(),
      exitStatus: 0,
      ...comparedWith(baselines.get(name)),
      ...scan,
    }),
  };
  return daemon;
}

/** What AIDE read: the baseline that was made last. */
function comparedWith(baseline: Pick<BaselineReceipt, 'digest' | 'configurationDigest'> | undefined) {
  if (!baseline) return { configurationDigest: sha256('configuration') };
  return { baselineDigest: baseline.digest, configurationDigest: baseline.configurationDigest };
}

function messageMap(
  { namespace }: OperatorHarness,
  integrity: string,
  node: string,
  outcome: Outcome,
  reports: readonly Record<string, string>[],
  number: number,
): ConfigMap {
  const counts = outcome.kind === 'scan' ? outcome.counts : undefined;
  return {
    metadata: {
      name: partName(resultName(integrity, node), number),
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(integrity),
        [NODE_LABEL]: labelValue(node),
        ...(number === 1 ? { [LOG_LABEL]: '' } : { [PART_LABEL]: String(number) }),
      },
      annotations: {
        ...(reports.length > 1 && { [COMPRESSED_ANNOTATION]: '' }),
        ...(number === 1 && { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) }),
        ...(number === 1 && reports.length > 1 && { [PARTS_ANNOTATION]: String(reports.length) }),
        ...(counts && {
          [FILES_ADDED_ANNOTATION]: String(counts.added),
          [FILES_CHANGED_ANNOTATION]: String(counts.changed),
          [FILES_REMOVED_ANNOTATION]: String(counts.removed),
        }),
      },
    },
    data: reports[number - 1] ?? {},
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function now(): string {
  return new Date().toISOString();
}

/** As a Lease wants it: MicroTime. */
function micro(): string {
  return now().replace('Z', '000Z');
}
