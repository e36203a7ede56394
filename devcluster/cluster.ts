import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../src/lib/errors.ts';
import type { ApiConnection } from './api.ts';
import { type Credential, createAuthority, createSigningKeys, issueCertificate, type Subject } from './certificates.ts';
import { CONTROL_PLANE, type ControlPlaneProgram, controlPlaneSpec, renderCorefile } from './controlplane.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { cleanUp } from './leftovers.ts';
import { identify, isAlive } from './lib/identity.ts';
import { takeLock } from './lib/lock.ts';
import { findFreePorts } from './lib/ports.ts';
import { startProgram, stopProcess } from './lib/program.ts';
import { mustRun, type RunOptions } from './lib/run.ts';
import { API_SERVICE_ADDRESS, claimNetwork, hostAddress } from './network.ts';
import {
  addNode,
  type ClusterNode,
  CTR_IMPORT,
  type NodeContext,
  type NodeOptions,
  openNode,
  removeNode,
} from './node/node.ts';
import { clusterDirectory } from './paths.ts';
import { ensurePrograms } from './programs/ensure.ts';
import { type ClusterState, listClusters, mustReadState, readState, updateState, writeState } from './state.ts';

/** How to start a cluster. */
export interface StartOptions {
  /** A DNS label; `default` unless told. */
  readonly name?: string;
  /** The folder for its state; one named like the cluster, under the user's state directory, unless told. */
  readonly directory?: string;
  /**
   * Whether the cluster has no purpose without this process: if this process dies without stopping it, the next start
   * of any cluster on this machine cleans it up. Otherwise it runs on until it is stopped.
   */
  readonly ephemeral?: boolean;
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  readonly directory: string;
  /** The administrator's kubeconfig. */
  readonly kubeconfigPath: string;
  /** The API server's URL. */
  readonly server: string;
  /** Stop, start and kill the API server alone; it keeps its address and data. */
  readonly apiServer: { stop(): Promise<void>; start(): Promise<void>; kill(): Promise<void> };
  /** The nodes as they are now, by name. */
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  /** Adds a node and waits until it is Ready. Needs root; several may be added at once. */
  addNode(options: NodeOptions): Promise<ClusterNode>;
  removeNode(name: string): Promise<void>;
  /** Imports an image archive (OCI or Docker) into the containerd of these nodes, all of them unless told. */
  loadImage(archive: string, nodes?: readonly string[]): Promise<void>;
  kubectl(args: readonly string[], options?: RunOptions): Promise<{ stdout: string; stderr: string }>;
  /** Ends every program and node, and removes the cluster's folder. */
  stop(): Promise<void>;
}

/**
 * Starts a control plane: etcd, API server, controller manager, scheduler. What a killed run left under the same name,
 * and every ephemeral cluster whose process is gone, is cleaned up first. If anything fails, or the signal aborts,
 * nothing is left running.
 * @throws FioError, codes `DEVCLUSTER_…`.
 */
export async function startCluster(options: StartOptions = {}): Promise<Cluster> {
  const signal = options.signal ?? new AbortController().signal;
  const onProgress = options.onProgress ?? (() => undefined);
  const name = options.name ?? 'default';
  checkName(name);
  const directory = clusterDirectory(options.directory ?? name);
  const programs = await ensurePrograms(onProgress, signal);
  await sweep(signal, onProgress);
  using _lock = await takeLock(`${directory}.lock`, signal);
  await makeRoom(name, directory, onProgress);
  try {
    await prepare(name, directory, programs, options.ephemeral ?? false, signal);
    const cluster = openCluster(directory, onProgress, signal);
    for (const program of CONTROL_PLANE) {
      onProgress(`Starting ${program}`);
      await startControlPlaneProgram(program, directory, signal);
    }
    updateState(directory, (state) => ({ phase: 'running', owner: options.ephemeral ? state.owner : undefined }));
    return cluster;
  } catch (error) {
    await cleanUp(directory);
    throw asFioError(error);
  }
}

/**
 * The running cluster of this name, or in this folder.
 * @throws FioError `DEVCLUSTER_NOT_RUNNING`
 */
export async function attachCluster(nameOrDirectory: string, signal?: AbortSignal): Promise<Cluster> {
  const directory = clusterDirectory(nameOrDirectory);
  if (!isRunning(directory)) {
    throw new FioError('DEVCLUSTER_NOT_RUNNING', `No cluster runs in ${directory}; start one with “devcluster up”`);
  }
  return openCluster(directory, () => undefined, signal ?? new AbortController().signal);
}

/** Whether the cluster in this folder is up, going by its etcd: the API server may be stopped by a test. */
export function isRunning(directory: string): boolean {
  const state = readState(directory);
  const etcd = state?.processes.etcd;
  return state?.phase === 'running' && etcd !== undefined && isAlive(etcd);
}

function openCluster(directory: string, onProgress: (line: string) => void, signal: AbortSignal): Cluster {
  const state = mustReadState(directory);
  const context: NodeContext = { directory, connection: adminConnection(directory, state), onProgress, signal };
  const kubeconfigPath = join(directory, 'admin.kubeconfig');
  const identityOfServer = () => readState(directory)?.processes['kube-apiserver'];
  return {
    name: state.name,
    directory,
    kubeconfigPath,
    server: state.server,
    apiServer: {
      async stop() {
        const identity = identityOfServer();
        // It would serve its open requests for up to a minute; its data is in etcd, so a short grace loses nothing.
        if (identity !== undefined) await stopProcess(identity, 3_000);
      },
      async start() {
        await startControlPlaneProgram('kube-apiserver', directory, signal);
      },
      async kill() {
        const identity = identityOfServer();
        if (identity !== undefined) await stopProcess(identity, 0);
      },
    },
    get nodes() {
      return new Map(Object.keys(mustReadState(directory).nodes).map((node) => [node, openNode(context, node)]));
    },
    async addNode(options) {
      checkCanHaveNodes(directory);
      await ensureNameServer(context);
      return await addNode(context, options);
    },
    removeNode: (node) => removeNode(context, node),
    loadImage: (archive, nodes) => loadImage(context, archive, nodes),
    async kubectl(args, runOptions = {}) {
      const program = join(state.programs, 'kubectl');
      const result = await mustRun([program, '--kubeconfig', kubeconfigPath, ...args], { signal, ...runOptions });
      return result;
    },
    async stop() {
      updateState(directory, () => ({ phase: 'stopping' }));
      await cleanUp(directory);
    },
  };
}

async function startControlPlaneProgram(
  program: ControlPlaneProgram,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const state = mustReadState(directory);
  const spec = controlPlaneSpec(program, directory, state, adminConnection(directory, state));
  await startProgram(spec, signal);
}

function checkCanHaveNodes(directory: string): void {
  if (mustReadState(directory).octet === undefined) {
    throw new FioError('DEVCLUSTER_NO_ROOT', 'Nodes need Linux and root; start the cluster again as root');
  }
}

// The first node brings the name server: a control plane alone has no pods that would ask.
async function ensureNameServer({ directory, signal }: NodeContext): Promise<void> {
  using _lock = await takeLock(join(directory, 'dns.lock'), signal);
  const running = mustReadState(directory).processes.coredns;
  if (running === undefined || !isAlive(running)) await startControlPlaneProgram('coredns', directory, signal);
}

async function loadImage(context: NodeContext, archive: string, nodes?: readonly string[]): Promise<void> {
  const names = nodes ?? Object.keys(mustReadState(context.directory).nodes);
  await Promise.all(
    names.map(async (name) => {
      const result = await openNode(context, name).exec(CTR_IMPORT, { inputFile: archive });
      if (result.code === 0) return;
      const end = result.stderr.trim().split('\n').at(-1) ?? '';
      throw new FioError('DEVCLUSTER_BAD_IMAGE', `The image ${archive} could not be loaded on node ${name}: ${end}`);
    }),
  );
}

/** How an administrator speaks to the API server of the cluster in this folder. */
export function adminConnection(directory: string, state: ClusterState = mustReadState(directory)): ApiConnection {
  const pki = (file: string) => readFileSync(join(directory, 'pki', file), 'utf8');
  return {
    server: state.server,
    authority: pki('ca.crt'),
    user: { certificate: pki('admin.crt'), key: pki('admin.key') },
  };
}

function checkName(name: string): void {
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    throw new FioError(
      'DEVCLUSTER_BAD_NAME',
      `“${name}” cannot name a cluster: lower-case letters, digits and hyphens, at most 40`,
    );
  }
}

// What lies in the way: a running cluster is the user's, anything else is what an interrupted run left.
async function makeRoom(name: string, directory: string, onProgress: (line: string) => void): Promise<void> {
  if (!existsSync(directory)) return;
  if (isRunning(directory)) {
    throw new FioError(
      'DEVCLUSTER_ALREADY_RUNNING',
      `The cluster ${name} runs already; stop it first with “devcluster down --name ${name}”`,
    );
  }
  onProgress(`Cleaning up what an interrupted run of the cluster ${name} left`);
  await cleanUp(directory);
}

// Clusters whose process was killed before it could stop them.
async function sweep(signal: AbortSignal, onProgress: (line: string) => void): Promise<void> {
  for (const directory of listClusters()) {
    const owner = readState(directory)?.owner;
    if (owner === undefined || isAlive(owner)) continue;
    using _lock = await takeLock(`${directory}.lock`, signal);
    const current = readState(directory);
    if (current?.owner === undefined || isAlive(current.owner)) continue;
    onProgress(`Cleaning up the cluster ${current.name}, whose process is gone`);
    await cleanUp(directory);
  }
}

async function prepare(
  name: string,
  directory: string,
  programs: string,
  ephemeral: boolean,
  signal: AbortSignal,
): Promise<void> {
  for (const folder of ['pki', 'log', 'nodes']) mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  const owner = identify(process.pid);
  const withNetwork = process.platform === 'linux' && process.getuid?.() === 0;
  const octet = withNetwork ? await claimNetwork(directory, signal) : undefined;
  const [client = 0, peer = 0, secure = 0] = await findFreePorts(3);
  // On its own address the API server can always have its usual port.
  const server = octet === undefined ? `https://127.0.0.1:${secure}` : `https://${hostAddress(octet)}:6443`;
  const state: ClusterState = {
    version: 1,
    name,
    phase: 'starting',
    owner,
    octet,
    server,
    etcdPorts: { client, peer },
    programs,
    processes: {},
    nodes: {},
  };
  writeState(directory, state);
  await writeCredentials(directory, state);
  if (octet !== undefined) writeFileSync(join(directory, 'Corefile'), renderCorefile(octet));
  if (ephemeral && owner === undefined)
    throw new FioError('DEVCLUSTER_NO_PROC', 'The list of processes cannot be read');
}

async function writeCredentials(directory: string, state: ClusterState): Promise<void> {
  const pki = join(directory, 'pki');
  const save = (name: string, credential: Credential) => {
    writeFileSync(join(pki, `${name}.crt`), credential.certificate, { mode: 0o600 });
    writeFileSync(join(pki, `${name}.key`), credential.key, { mode: 0o600 });
  };
  const authority = await createAuthority(`devcluster ${state.name}`);
  save('ca', authority);
  const keys = createSigningKeys();
  writeFileSync(join(pki, 'service-accounts.key'), keys.privateKey, { mode: 0o600 });
  writeFileSync(join(pki, 'service-accounts.pub'), keys.publicKey);
  for (const [name, subject] of Object.entries(subjects(state))) {
    const credential = await issueCertificate(authority, subject);
    save(name, credential);
    const kubeconfig = KUBECONFIGS[name];
    if (kubeconfig === undefined) continue;
    const text = renderKubeconfig(state.name, state.server, authority.certificate, credential);
    writeFileSync(join(directory, kubeconfig), text, { mode: 0o600 });
  }
}

const KUBECONFIGS: Readonly<Record<string, string>> = {
  admin: 'admin.kubeconfig',
  'controller-manager': 'controller-manager.kubeconfig',
  scheduler: 'scheduler.kubeconfig',
  dns: 'dns.kubeconfig',
};

// Users and groups as the API server's built-in roles know them.
function subjects(state: ClusterState): Record<string, Subject> {
  const host = new URL(state.server).hostname;
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  return {
    apiserver: { user: 'kube-apiserver', names, addresses: [...new Set(['127.0.0.1', host, API_SERVICE_ADDRESS])] },
    admin: { user: 'admin', groups: ['system:masters'] },
    'controller-manager': { user: 'system:kube-controller-manager' },
    scheduler: { user: 'system:kube-scheduler' },
    dns: { user: 'coredns', groups: ['system:masters'] },
    'kubelet-client': { user: 'kube-apiserver-kubelet-client', groups: ['system:masters'] },
    'front-proxy': { user: 'front-proxy' },
  };
}

function asFioError(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new FioError('DEVCLUSTER_DISK_FULL', 'The disk is full; make room and start again', { cause: error });
  }
  return error;
}
