import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { CLUSTER_VARIABLE } from '../leftovers.ts';
import { identify, isAlive, type ProcessIdentity } from '../lib/identity.ts';
import { lastLines, programFailure, stopProcess } from '../lib/program.ts';
import { mustRun, type RunOptions, type RunResult, run } from '../lib/run.ts';
import { waitFor } from '../lib/wait.ts';
import { bridgeName, cableName, hostAddress, nodeAddress, nodePodRange } from '../network.ts';
import { createCgroup, removeNodeCgroups } from './cgroups.ts';
import type { NodeFacts } from './files.ts';

/** A node's folders: what it wrote over the shared root, its configuration, logs, images and pods' volumes. */
export const NODE_FOLDERS = [
  'lower',
  'upper',
  'work',
  'root',
  'conf',
  'conf/cni',
  'log',
  'containerd',
  'kubelet',
] as const;

/**
 * Boots a node: namespaces, root, network, programs. The process that is returned holds the namespaces; when it ends,
 * so does everything in them, mounts and network included.
 */
export async function bootMachine(
  facts: NodeFacts,
  places: { directory: string; cluster: string; lower: string; programs: string },
  onSpawn: (identity: ProcessIdentity) => void,
  signal: AbortSignal,
): Promise<ProcessIdentity> {
  createCgroup(facts.cgroup);
  for (const file of ['stage', 'exited']) rmSync(join(places.directory, 'log', file), { force: true });
  const log = openSync(join(places.directory, 'log', 'boot.log'), 'w', 0o600);
  const script = join(import.meta.dirname, 'boot.sh');
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--uts', '--ipc', '--net', '--fork', '--kill-child', 'sh', script],
    {
      detached: true,
      stdio: ['pipe', log, log],
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        NODE_DIRECTORY: places.directory,
        NODE_LOWER: places.lower,
        NODE_PROGRAMS: places.programs,
        NODE_NAME: facts.name,
        NODE_ADDRESS: nodeAddress(facts.octet, facts.index),
        [CLUSTER_VARIABLE]: places.cluster,
      },
    },
  );
  closeSync(log);
  child.once('error', () => undefined);
  child.stdin?.once('error', () => undefined);
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity === undefined) throw new FioError('DEVCLUSTER_PROGRAM_MISSING', 'The program unshare cannot be run');
  onSpawn(identity);
  try {
    const stage = join(places.directory, 'log', 'stage');
    await waitFor(
      async () => existsSync(stage) || !isAlive(identity),
      `The root of node ${facts.name}`,
      30_000,
      signal,
    );
    if (!existsSync(stage))
      throw programFailure(`The boot of node ${facts.name}`, 'failed', join(places.directory, 'log', 'boot.log'));
    await connect(facts, identity.pid, signal);
    child.stdin?.end('connected\n');
    return identity;
  } catch (error) {
    child.stdin?.destroy();
    await haltMachine(facts, identity);
    throw error;
  }
}

/** Ends a node at once, as a power cut does, and waits until its processes and control groups are gone. */
export async function haltMachine(facts: NodeFacts, identity: ProcessIdentity | undefined): Promise<void> {
  // Only KILL: the holder of the namespaces takes the first process with it, and that one every other.
  if (identity !== undefined) await stopProcess(identity, 0);
  await removeNodeCgroups(facts.cgroup);
}

// A cable from the cluster's bridge to the node, whose network namespace is that of `holder`.
async function connect(facts: NodeFacts, holder: number, signal: AbortSignal): Promise<void> {
  const { octet, index } = facts;
  const cable = cableName(octet, index);
  const inside = ['nsenter', `--net=/proc/${holder}/ns/net`, 'ip'] as const;
  await run(['ip', 'link', 'delete', cable], { signal });
  await mustRun(['ip', 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder)], {
    signal,
  });
  await mustRun(['ip', 'link', 'set', cable, 'master', bridgeName(octet), 'up'], { signal });
  await mustRun([...inside, 'link', 'set', 'lo', 'up'], { signal });
  await mustRun([...inside, 'address', 'add', `${nodeAddress(octet, index)}/24`, 'dev', 'eth0'], { signal });
  await mustRun([...inside, 'link', 'set', 'eth0', 'up'], { signal });
  await mustRun([...inside, 'route', 'add', 'default', 'via', hostAddress(octet)], { signal });
  await mustRun(['ip', 'route', 'replace', nodePodRange(octet, index), 'via', nodeAddress(octet, index)], { signal });
}

/** Tells two running nodes the way to each other's pods, so that the host need not forward between them. */
export async function introduce(
  octet: number,
  one: { index: number; holder: number },
  other: { index: number; holder: number },
): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const route = ['route', 'replace', nodePodRange(octet, to.index), 'via', nodeAddress(octet, to.index)];
    // Fails while the other is still being connected; then the other introduces itself when it is.
    await run(['nsenter', `--net=/proc/${from.holder}/ns/net`, 'ip', ...route]);
  }
}

/** The error for a program of the node that has ended by itself; undefined while all run. */
export function machineFailure(name: string, directory: string): FioError | undefined {
  const [line] = lastLines(join(directory, 'log', 'exited'), 1);
  if (line === undefined) return undefined;
  const [program = '', code = ''] = line.split(' ');
  return programFailure(
    `${program} of node ${name}`,
    `ended with code ${code}`,
    join(directory, 'log', `${program}.log`),
  );
}

/** Runs a command in the node, as its administrator: its root, processes and network. */
export async function runInMachine(
  holder: ProcessIdentity,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const first = firstProcess(holder.pid);
  const enter = ['--target', String(first), '--mount', '--uts', '--ipc', '--net', '--pid', '--'];
  return await run(['nsenter', ...enter, ...argv], {
    environment: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/devcluster/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
    },
    directory: '/',
    ...options,
  });
}

// The first process of the node's PID namespace is the only child of the `unshare` that holds it.
function firstProcess(holder: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === holder) return Number(entry);
    } catch {
      // Gone in the meantime.
    }
  }
  throw new FioError('DEVCLUSTER_NODE_STOPPED', 'The node does not run');
}
