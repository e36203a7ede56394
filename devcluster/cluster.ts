import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../src/lib/errors.ts';
import { CONTROL_PLANE, renderCorefile } from './controlplane.ts';
import { writeCredentials } from './credentials.ts';
import { type Cluster, openCluster, startControlPlaneProgram } from './handle.ts';
import { ensureHostPrograms, NETWORK_NEEDS } from './host.ts';
import { cleanUp } from './leftovers.ts';
import { identify, isAlive } from './lib/identity.ts';
import { takeLock, tryLock } from './lib/lock.ts';
import { findFreePorts } from './lib/ports.ts';
import { claimNetwork, hostAddress } from './network.ts';
import { clusterDirectory } from './paths.ts';
import { ensurePrograms } from './programs/ensure.ts';
import {
  type ClusterState,
  type ExtraArguments,
  isRunning,
  listClusters,
  readState,
  updateState,
  writeState,
} from './state.ts';

export type { Cluster } from './handle.ts';
export { checkCanHaveNodes } from './host.ts';
export type { ClusterNode } from './node/node.ts';

/** What etcd's data and the logs of a few hours take. */
const LEAST_FREE_MB = 500;

/** How to start a cluster. */
export interface StartOptions {
  /** A DNS label; `default` unless told. */
  readonly name?: string;
  /** The folder for its state; one named like the cluster, under the user's state directory, unless told. */
  readonly directory?: string;
  /**
   * Whether the cluster has no purpose without this process: if this process ends without stopping it, by Ctrl-C, a
   * crash or KILL, it is cleaned up. Otherwise it runs on until it is stopped.
   */
  readonly ephemeral?: boolean;
  /** Further arguments of programs, e.g. feature gates of `kube-apiserver`. */
  readonly extraArguments?: ExtraArguments;
  /** Told what is being done, line by line. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
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
  await sweep(onProgress);
  using _lock = await takeLock(`${directory}.lock`, signal);
  await makeRoom(name, directory, onProgress);
  try {
    await prepare(directory, { name, programs, extraArguments: options.extraArguments ?? {} }, onProgress, signal);
    if (options.ephemeral) startGuardian(directory);
    const cluster = openCluster(directory, onProgress, signal);
    for (const program of CONTROL_PLANE) {
      onProgress(`Starting ${program}`);
      await startControlPlaneProgram(program, directory, signal);
    }
    updateState(directory, (state) => ({ phase: 'running', owner: options.ephemeral ? state.owner : undefined }));
    return cluster;
  } catch (error) {
    // What cannot be cleaned up now is cleaned up by the next start; why the start failed must be told either way.
    await cleanUp(directory).catch(() => undefined);
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
    throw new FioError(
      'DEVCLUSTER_NOT_RUNNING',
      `No cluster runs in ${directory}; start one with “node devcluster/cli.ts up”`,
    );
  }
  return openCluster(directory, () => undefined, signal ?? new AbortController().signal);
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
  if (isRunning(directory) && !isAbandoned(directory)) {
    throw new FioError(
      'DEVCLUSTER_ALREADY_RUNNING',
      `The cluster ${name} runs already; stop it first with “node devcluster/cli.ts down --name ${name}”`,
    );
  }
  onProgress(`Cleaning up what an interrupted run of the cluster ${name} left`);
  await cleanUp(directory);
}

// Clusters whose process was killed before it could stop them, or before it could even write down what it did.
async function sweep(onProgress: (line: string) => void): Promise<void> {
  for (const directory of listClusters()) {
    if (!isAbandoned(directory)) continue;
    using lock = tryLock(`${directory}.lock`);
    // Locked: its start is still under way, or another process is cleaning it up.
    if (lock === undefined || !existsSync(directory) || !isAbandoned(directory)) continue;
    onProgress(`Cleaning up ${directory}, whose process is gone`);
    await cleanUp(directory);
  }
}

function isAbandoned(directory: string): boolean {
  const state = readState(directory);
  return state === undefined || (state.owner !== undefined && !isAlive(state.owner));
}

async function prepare(
  directory: string,
  wanted: Pick<ClusterState, 'name' | 'programs' | 'extraArguments'>,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const owner = identify(process.pid);
  if (owner === undefined) throw new FioError('DEVCLUSTER_NO_PROC', 'The list of processes cannot be read');
  for (const folder of ['pki', 'log', 'nodes']) mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  checkDiskSpace(directory);
  const withNetwork = process.platform === 'linux' && process.getuid?.() === 0;
  if (withNetwork) await ensureHostPrograms(NETWORK_NEEDS, onProgress, signal);
  const octet = withNetwork ? await claimNetwork(directory, signal) : undefined;
  const [client = 0, peer = 0, secure = 0, schedulerPort = 0] = await findFreePorts(4);
  const state: ClusterState = {
    version: 1,
    ...wanted,
    phase: 'starting',
    owner,
    octet,
    // On its own address the API server can always have its usual port.
    server: octet === undefined ? `https://127.0.0.1:${secure}` : `https://${hostAddress(octet)}:6443`,
    etcdPorts: { client, peer },
    schedulerPort,
    processes: {},
    nodes: {},
  };
  writeState(directory, state);
  await writeCredentials(directory, state);
  if (octet !== undefined) writeFileSync(join(directory, 'Corefile'), renderCorefile(octet));
}

function startGuardian(directory: string): void {
  const program = join(import.meta.dirname, 'guardian.ts');
  spawn(process.execPath, [program, directory], { detached: true, stdio: 'ignore', cwd: '/' }).unref();
}

// etcd stops taking writes on a full disk in ways that are hard to read; better not to start.
function checkDiskSpace(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free >= LEAST_FREE_MB) return;
  throw new FioError(
    'DEVCLUSTER_DISK_FULL',
    `Only ${free} MB are free at ${directory} and a cluster needs ${LEAST_FREE_MB}; make room and start again`,
  );
}

function asFioError(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new FioError('DEVCLUSTER_DISK_FULL', 'The disk is full; make room and start again', { cause: error });
  }
  return error;
}
