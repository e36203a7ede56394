import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from './lib/identity.ts';
import { signalProcess, stopProcess } from './lib/program.ts';
import { bridgeName, networksOf, removeNetwork } from './network.ts';
import { removeNodeCgroups } from './node/cgroups.ts';
import { readState } from './state.ts';

/** In the environment of every program of a cluster: its folder. So a program is found even if its start was cut short. */
export const CLUSTER_VARIABLE = 'FIO_DEVCLUSTER';

/**
 * Ends everything that belongs to the cluster in this folder and removes the folder: programs, nodes with their mounts
 * and networks (which live in namespaces that end with the node), control groups, the bridge. Works for a running
 * cluster as for what an interrupted or killed run left, and twice over.
 */
export async function cleanUp(directory: string): Promise<void> {
  const state = readState(directory);
  const recorded = [
    ...Object.values(state?.nodes ?? {}).flatMap((node) => node.process ?? []),
    ...Object.values(state?.processes ?? {}),
  ].filter(isAlive);
  await endAll(recorded);
  await endAll(processesOf(directory));
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    const octets = new Set([...(state?.octet === undefined ? [] : [state.octet]), ...(await networksOf(directory))]);
    for (const octet of octets) {
      await removeNodeCgroups(bridgeName(octet));
      await removeNetwork(octet);
    }
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

// All at once, TERM first: containerd's and etcd's data is thrown away, so a short grace is enough.
async function endAll(identities: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of identities) signalProcess(identity, 'SIGTERM');
  await Promise.all(identities.map((identity) => stopProcess(identity, 2_000)));
}

/** The running processes that carry the cluster's variable. On Linux only; elsewhere the recorded ones must do. */
export function processesOf(directory: string): ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${CLUSTER_VARIABLE}=${directory}`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid && environmentOf(entry).includes(wanted))
    .flatMap((entry) => identify(Number(entry)) ?? []);
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(join('/proc', pid, 'environ'), 'utf8').split('\0');
  } catch {
    return [];
  }
}
