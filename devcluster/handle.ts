import { join } from 'node:path';
import { FioError } from '../src/lib/errors.ts';
import { type ControlPlaneProgram, controlPlaneSpec } from './controlplane.ts';
import { adminConnection } from './credentials.ts';
import { ensureHostPrograms, NODE_NEEDS } from './host.ts';
import { cleanUp } from './leftovers.ts';
import { isAlive } from './lib/identity.ts';
import { takeLock } from './lib/lock.ts';
import { startProgram, stopProcess } from './lib/program.ts';
import { mustRun, type RunOptions } from './lib/run.ts';
import {
  addNode,
  type ClusterNode,
  CTR_IMPORT,
  type NodeContext,
  type NodeOptions,
  openNode,
  removeNode,
} from './node/node.ts';
import { mustReadState, readState, updateState } from './state.ts';

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  readonly directory: string;
  /** The administrator's kubeconfig. */
  readonly kubeconfigPath: string;
  /** The folder with the programs that it runs, and kubectl. */
  readonly programs: string;
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
  /** Makes an ephemeral cluster run on until it is stopped, whatever becomes of this process. */
  release(): void;
  /** Ends every program and node, and removes the cluster's folder. */
  stop(): Promise<void>;
}

/** A handle on the cluster in this folder. */
export function openCluster(directory: string, onProgress: (line: string) => void, signal: AbortSignal): Cluster {
  const state = mustReadState(directory);
  const context: NodeContext = { directory, connection: adminConnection(directory, state), onProgress, signal };
  const kubeconfigPath = join(directory, 'admin.kubeconfig');
  const identityOfServer = () => readState(directory)?.processes['kube-apiserver'];
  return {
    name: state.name,
    directory,
    kubeconfigPath,
    programs: state.programs,
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
      await ensureHostPrograms(NODE_NEEDS, onProgress, signal);
      await ensureNameServer(context);
      return await addNode(context, options);
    },
    removeNode: (node) => removeNode(context, node),
    loadImage: (archive, nodes) => loadImage(context, archive, nodes),
    async kubectl(args, runOptions = {}) {
      const program = join(state.programs, 'kubectl');
      // kubectl keeps what an address serves for hours; the next cluster may have the same address and other CRDs.
      const own = ['--kubeconfig', kubeconfigPath, '--cache-dir', join(directory, 'kubectl-cache')];
      return await mustRun([program, ...own, ...args], { signal, ...runOptions });
    },
    release() {
      updateState(directory, () => ({ owner: undefined }));
    },
    async stop() {
      updateState(directory, () => ({ phase: 'stopping' }));
      await cleanUp(directory);
    },
  };
}

/** Starts one program of the control plane and waits until it is ready. */
export async function startControlPlaneProgram(
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
