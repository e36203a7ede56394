import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../src/lib/errors.ts';
import { isAlive, type ProcessIdentity } from './lib/identity.ts';
import { clustersDirectory } from './paths.ts';

/** What is known of a cluster, in `cluster.json` of its folder, so that another process can use it or clean it up. */
export interface ClusterState {
  readonly version: 1;
  readonly name: string;
  readonly phase: 'starting' | 'running' | 'stopping';
  /** The process without which this cluster has no purpose: when it is gone, the next start cleans the cluster up. */
  readonly owner: ProcessIdentity | undefined;
  /** The second octet of the cluster's network, 10.<octet>.0.0/16; undefined when it has no network of its own. */
  readonly octet: number | undefined;
  /** The API server's URL. */
  readonly server: string;
  readonly etcdPorts: { readonly client: number; readonly peer: number };
  readonly schedulerPort: number;
  /** The directory of the programs it runs. */
  readonly programs: string;
  readonly extraArguments?: ExtraArguments;
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
  readonly nodes: Readonly<Record<string, NodeState>>;
}

/** Further arguments of a control plane's programs, by program. */
export type ExtraArguments = Readonly<Record<string, readonly string[]>>;

/** What is known of a node. */
export interface NodeState {
  /** Its place in the cluster's network, 1 to 200; never used again while the cluster lives. */
  readonly index: number;
  /** The `unshare` that holds the node's namespaces; undefined while the node is stopped. */
  readonly process: ProcessIdentity | undefined;
}

/** Reads a cluster's state; undefined when there is none, or none that can be read. */
export function readState(directory: string): ClusterState | undefined {
  try {
    const state = JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as ClusterState;
    return state.version === 1 ? state : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads the state of a cluster that must be there.
 * @throws FioError `DEVCLUSTER_NOT_RUNNING`
 */
export function mustReadState(directory: string): ClusterState {
  const state = readState(directory);
  if (state === undefined) throw new FioError('DEVCLUSTER_NOT_RUNNING', `No cluster is in ${directory}`);
  return state;
}

/** Whether the cluster in this folder is up, going by its etcd: the API server may be stopped by a test. */
export function isRunning(directory: string): boolean {
  const state = readState(directory);
  const etcd = state?.processes.etcd;
  return state?.phase === 'running' && etcd !== undefined && isAlive(etcd);
}

/** Writes a cluster's state, in one step. */
export function writeState(directory: string, state: ClusterState): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `cluster.json.${process.pid}`);
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, join(directory, 'cluster.json'));
}

/** Changes a cluster's state, starting from what is on disk now: another process may have added a node. */
export function updateState(directory: string, change: (state: ClusterState) => Partial<ClusterState>): ClusterState {
  const before = mustReadState(directory);
  const after = { ...before, ...change(before) };
  writeState(directory, after);
  return after;
}

/** The folders of this user's clusters. */
export function listClusters(): string[] {
  try {
    return readdirSync(clustersDirectory(), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(clustersDirectory(), entry.name));
  } catch {
    return [];
  }
}
