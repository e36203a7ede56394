import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { type ApiConnection, callApi } from '../api.ts';
import { type Credential, issueCertificate } from '../certificates.ts';
import { ensurePauseArchive } from '../images/pause.ts';
import { renderKubeconfig } from '../kubeconfig.ts';
import { isAlive } from '../lib/identity.ts';
import type { RunOptions, RunResult } from '../lib/run.ts';
import { waitFor } from '../lib/wait.ts';
import { bridgeName, hostAddress, nodeAddress } from '../network.ts';
import { type ClusterState, mustReadState, type NodeState, updateState } from '../state.ts';
import { type NodeFacts, nodeFiles } from './files.ts';
import { bootMachine, haltMachine, introduce, machineFailure, NODE_FOLDERS, runInMachine } from './machine.ts';
import { ensureNodeRoot } from './root.ts';

/** A node of a cluster: kubelet, containerd and kube-proxy over a root file system of its own. */
export interface ClusterNode {
  readonly name: string;
  /** Runs a command in the node's root, as its administrator. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** The text of a file of the node. */
  readFile(path: string): Promise<string>;
  /** Writes a file of the node; missing folders are made. */
  writeFile(path: string, text: string): Promise<void>;
  /** Removes a file or folder of the node; nothing happens when there is none. */
  removeFile(path: string): Promise<void>;
  /** Ends the node at once, as a power cut does. Its file system stays. */
  stop(): Promise<void>;
  /** Boots the node again and waits until it is Ready. */
  start(): Promise<void>;
}

/** A taint as in a node's spec. */
interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

/** What a node is to be. */
export interface NodeOptions {
  /** A DNS label. */
  readonly name: string;
  /**
   * Whether it is one of the control plane's nodes: labelled and tainted `node-role.kubernetes.io/control-plane`.
   * Otherwise it is labelled `node-role.kubernetes.io/worker`.
   */
  readonly controlPlane?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
}

/** What is needed of the cluster to handle its nodes. */
export interface NodeContext {
  readonly directory: string;
  readonly connection: ApiConnection;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Adds a node and waits until it is Ready. If that fails, nothing of it is left. */
export async function addNode(context: NodeContext, options: NodeOptions): Promise<ClusterNode> {
  const { name } = options;
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    throw new FioError(
      'DEVCLUSTER_BAD_NAME',
      `“${name}” cannot name a node: lower-case letters, digits and hyphens, at most 40`,
    );
  }
  allocate(context.directory, name);
  try {
    await furnish(context, name);
    await register(context, options);
    const node = openNode(context, name);
    await node.start();
    return node;
  } catch (error) {
    await removeNode(context, name).catch(() => undefined);
    throw error;
  }
}

/** Ends a node, removes it from the cluster, and its files. */
export async function removeNode(context: NodeContext, name: string): Promise<void> {
  const { facts, state } = factsOf(context.directory, name);
  await haltMachine(facts, state.process);
  const answer = await callApi(context.connection, 'DELETE', `/api/v1/nodes/${name}`, { signal: context.signal });
  if (answer.status >= 300 && answer.status !== 404) throw refusal(`Node ${name} could not be removed`, answer.text);
  rmSync(nodeDirectory(context.directory, name), { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  updateState(context.directory, ({ nodes: { [name]: _gone, ...nodes } }) => ({ nodes }));
}

/** A node that the cluster has. */
export function openNode(context: NodeContext, name: string): ClusterNode {
  const exec = async (argv: readonly string[], options: RunOptions = {}) => {
    const { process } = factsOf(context.directory, name).state;
    if (process === undefined || !isAlive(process)) {
      throw new FioError('DEVCLUSTER_NODE_STOPPED', `Node ${name} does not run`);
    }
    return await runInMachine(process, argv, { signal: context.signal, ...options });
  };
  const mustExec = async (argv: readonly string[], what: string, options?: RunOptions) => {
    const result = await exec(argv, options);
    if (result.code === 0) return result.stdout;
    throw new FioError('DEVCLUSTER_COMMAND_FAILED', `${what} on node ${name} failed: ${result.stderr.trim()}`);
  };
  return {
    name,
    exec,
    readFile: (path) => mustExec(['cat', '--', path], `Reading ${path}`),
    async writeFile(path, text) {
      const script = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"';
      await mustExec(['sh', '-c', script, 'sh', path], `Writing ${path}`, { input: text });
    },
    async removeFile(path) {
      await mustExec(['rm', '-rf', '--', path], `Removing ${path}`);
    },
    async stop() {
      const { facts, state } = factsOf(context.directory, name);
      await haltMachine(facts, state.process);
      recordProcess(context.directory, name, undefined);
    },
    start: () => startNode(context, name),
  };
}

// The folder of a node's files.
function nodeDirectory(directory: string, name: string): string {
  return join(directory, 'nodes', name);
}

async function startNode(context: NodeContext, name: string): Promise<void> {
  const { facts, state } = factsOf(context.directory, name);
  if (state.process !== undefined && isAlive(state.process)) return;
  const cluster = mustReadState(context.directory);
  const lower = await ensureNodeRoot(context.onProgress, context.signal);
  const pause = await ensurePauseArchive(cluster.programs, context.signal);
  const directory = nodeDirectory(context.directory, name);
  const places = { directory, cluster: context.directory, lower, programs: cluster.programs };
  const since = Math.floor(Date.now() / 1000) * 1000;
  const holder = await bootMachine(
    facts,
    places,
    (identity) => recordProcess(context.directory, name, identity),
    context.signal,
  );
  try {
    for (const [peer, other] of Object.entries(mustReadState(context.directory).nodes)) {
      if (peer === name || other.process === undefined) continue;
      await introduce(
        facts.octet,
        { index: facts.index, holder: holder.pid },
        { index: other.index, holder: other.process.pid },
      );
    }
    const check = () => {
      const failure = machineFailure(name, directory);
      if (failure !== undefined) throw failure;
    };
    const importPause = async () => {
      check();
      return (await runInMachine(holder, CTR_IMPORT, { inputFile: pause, signal: context.signal })).code === 0;
    };
    await waitFor(importPause, `containerd of node ${name}`, 60_000, context.signal);
    const ready = async () => {
      check();
      return await isReady(context, name, since);
    };
    await waitFor(ready, `Node ${name}`, 120_000, context.signal);
  } catch (error) {
    await haltMachine(facts, holder);
    recordProcess(context.directory, name, undefined);
    throw error;
  }
}

/** The command that takes an image archive on its standard input. */
export const CTR_IMPORT: readonly string[] = ['ctr', '--namespace=k8s.io', 'images', 'import', '-'];

interface NodeView {
  spec?: { taints?: { key: string }[] };
  status?: { conditions?: { type: string; status: string; lastHeartbeatTime?: string }[] };
}

// Ready as said by the kubelet of this boot, and taken note of by the node controller, so that pods can come.
async function isReady(context: NodeContext, name: string, since: number): Promise<boolean> {
  const answer = await callApi(context.connection, 'GET', `/api/v1/nodes/${name}`, { signal: context.signal });
  if (answer.status !== 200) return false;
  const node = JSON.parse(answer.text) as NodeView;
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  const notReady = node.spec?.taints?.some(({ key }) => /^node\.kubernetes\.io\/(not-ready|unreachable)$/.test(key));
  return ready?.status === 'True' && Date.parse(ready.lastHeartbeatTime ?? '') >= since && notReady !== true;
}

function allocate(directory: string, name: string): void {
  updateState(directory, ({ nodes }) => {
    if (nodes[name] !== undefined)
      throw new FioError('DEVCLUSTER_NODE_EXISTS', `The cluster has a node ${name} already`);
    const used = new Set(Object.values(nodes).map(({ index }) => index));
    const index = Array.from({ length: 200 }, (_, number) => number + 1).find((number) => !used.has(number));
    if (index === undefined) throw new FioError('DEVCLUSTER_TOO_MANY_NODES', 'A cluster has at most 200 nodes');
    return { nodes: { ...nodes, [name]: { index, process: undefined } } };
  });
}

function recordProcess(directory: string, name: string, process: NodeState['process']): void {
  updateState(directory, ({ nodes }) => {
    const node = nodes[name];
    return node === undefined ? {} : { nodes: { ...nodes, [name]: { ...node, process } } };
  });
}

// The files of a node: its certificates and configuration, and what tells it from others in its root.
async function furnish({ directory }: NodeContext, name: string): Promise<void> {
  const cluster = mustReadState(directory);
  const { facts } = factsOf(directory, name);
  const home = nodeDirectory(directory, name);
  for (const folder of NODE_FOLDERS) mkdirSync(join(home, folder), { recursive: true, mode: 0o755 });
  const pki = (file: string) => readFileSync(join(directory, 'pki', file), 'utf8');
  const authority: Credential = { certificate: pki('ca.crt'), key: pki('ca.key') };
  const address = nodeAddress(facts.octet, facts.index);
  const kubelet = await issueCertificate(authority, {
    user: `system:node:${name}`,
    groups: ['system:nodes'],
    names: [name],
    addresses: [address],
  });
  const proxy = await issueCertificate(authority, { user: 'system:kube-proxy' });
  const kubeconfig = (user: Credential) => renderKubeconfig(cluster.name, cluster.server, authority.certificate, user);
  const files: Record<string, string> = {
    ...nodeFiles(facts),
    'ca.crt': authority.certificate,
    'node.crt': kubelet.certificate,
    'node.key': kubelet.key,
    'kubelet.kubeconfig': kubeconfig(kubelet),
    'kube-proxy.kubeconfig': kubeconfig(proxy),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, 'conf', file), text, { mode: 0o600 });
  mkdirSync(join(home, 'upper', 'etc'), { mode: 0o755 });
  const own: Record<string, string> = {
    hostname: `${name}\n`,
    hosts: `127.0.0.1 localhost\n${address} ${name}\n`,
    'resolv.conf': `nameserver ${hostAddress(facts.octet)}\n`,
    'machine-id': `${randomBytes(16).toString('hex')}\n`,
  };
  for (const [file, text] of Object.entries(own))
    writeFileSync(join(home, 'upper', 'etc', file), text, { mode: 0o644 });
}

// Made before its kubelet comes, which may not give itself these labels: so no pod slips onto a node that its taints
// keep it from.
async function register(context: NodeContext, options: NodeOptions): Promise<void> {
  const role = `node-role.kubernetes.io/${options.controlPlane ? 'control-plane' : 'worker'}`;
  const taints = [...(options.controlPlane ? [{ key: role, effect: 'NoSchedule' }] : []), ...(options.taints ?? [])];
  const labels = { 'kubernetes.io/hostname': options.name, 'kubernetes.io/os': 'linux', [role]: '', ...options.labels };
  const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: options.name, labels }, spec: { taints } };
  const answer = await callApi(context.connection, 'POST', '/api/v1/nodes', { body, signal: context.signal });
  if (answer.status >= 300) throw refusal(`Node ${options.name} could not be registered`, answer.text);
}

function refusal(what: string, answer: string): FioError {
  let reason = answer;
  try {
    reason = (JSON.parse(answer) as { message?: string }).message ?? answer;
  } catch {
    // Not a Status object; then its text says what it can.
  }
  return new FioError('DEVCLUSTER_REFUSED', `${what}: ${reason.slice(0, 500)}`);
}

function factsOf(directory: string, name: string): { facts: NodeFacts; state: NodeState } {
  const cluster: ClusterState = mustReadState(directory);
  const state = cluster.nodes[name];
  if (state === undefined) throw new FioError('DEVCLUSTER_NO_NODE', `The cluster ${cluster.name} has no node ${name}`);
  const octet = cluster.octet;
  if (octet === undefined) {
    throw new FioError(
      'DEVCLUSTER_NO_ROOT',
      'Nodes need Linux, and root when the cluster is started: start it again as root',
    );
  }
  return { facts: { name, octet, index: state.index, cgroup: `${bridgeName(octet)}-${name}` }, state };
}
