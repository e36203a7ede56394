import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Connection } from '../../src/kube/connection.ts';
import { eventually } from './eventually.ts';

/** Where the process finds things, and how it is started. */
export interface DaemonProcessOptions {
  /** A folder of its own: service account, temporary files. What lies there of an earlier process is used again. */
  home: string;
  /** The node's root; as in a pod only its /etc/kubernetes is writable. */
  root: string;
  /** Arguments of the daemon, from `--integrity` on. */
  args: readonly string[];
  /** The API server; the service account is what lies in `home`. */
  server: string;
  /** Which boot of the node it is to believe in. */
  bootId?: string;
  /** Words that start Node.js, such as `env NAME=VALUE`; as the daemon's user, and no program before that hears of them. */
  under?: readonly string[];
  /** Flags of Node.js. */
  nodeFlags?: readonly string[];
  env?: Readonly<Record<string, string>>;
  onLine: (line: string) => void;
}

export interface DaemonProcess {
  /** As the kubelet does: the daemon's own process, which is the first of its process table. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  readonly hasEnded: boolean;
  /** Its process id in this test's process table. */
  readonly pid: number;
}

// The container in short: process table, mounts and capabilities as the daemon set gives them, and the start program of the
// image. $5 and on: the program.
const CONTAINER = [
  'root=$1 home=$2 boot=$3 workdir=$4',
  'shift 4',
  // It has no control group of its own, and in version 1 it cannot see from its process table that others share this one:
  // giving back the page cache after a scan would empty that of the whole machine.
  'mount -t tmpfs -o ro none /sys/fs/cgroup',
  'mount -t tmpfs none /run',
  // The C library's shared memory, for what a test puts under the daemon: it may write to its temporary files only.
  'mount --bind "$home/tmp" /dev/shm',
  'mkdir -p /run/secrets/kubernetes.io/serviceaccount',
  'mount --bind "$home/serviceaccount" /run/secrets/kubernetes.io/serviceaccount',
  '[ -z "$boot" ] || mount --bind "$boot" /proc/sys/kernel/random/boot_id',
  'mount --rbind "$root" "$root"',
  'mount --bind "$root/etc/kubernetes" "$root/etc/kubernetes"',
  'mount -o remount,bind,ro "$root"',
  'cd "$workdir"',
  'export HOST_ROOT="$root"',
  'chmod 777 "$home/tmp"',
  'exec setpriv --no-new-privs --bounding-set=-all,+dac_read_search,+setgid,+setuid --inh-caps=-all image/confined "$@"',
].join(' && ');

/** Puts a service account where a process with this `home` looks for it; again at any time, as the kubelet does. */
export async function placeServiceAccount(
  home: string,
  connection: Connection,
  { token, namespace }: { token: string; namespace: string },
): Promise<void> {
  const folder = join(home, 'serviceaccount');
  await mkdir(folder, { recursive: true });
  const { tls } = await connection.credentials();
  await writeFile(join(folder, 'ca.crt'), tls.ca ?? '');
  await writeFile(join(folder, 'namespace'), namespace);
  await writeFile(join(folder, 'token'), token);
}

/** Starts the real daemon, `src/bin/daemon.ts`, as in its container. Needs root. */
export async function startDaemonProcess(options: DaemonProcessOptions): Promise<DaemonProcess> {
  const { home, root, args, server, bootId, under = [], nodeFlags = [], env = {}, onLine } = options;
  for (const folder of [join(home, 'tmp'), join(root, 'etc/kubernetes'), join(root, 'run')]) {
    await mkdir(folder, { recursive: true });
  }
  const boot = bootId === undefined ? '' : join(home, 'boot_id');
  if (bootId !== undefined) await writeFile(boot, `${bootId}\n`);
  const { hostname, port } = new URL(server);
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const script = [
    ...under,
    process.execPath,
    ...nodeFlags,
    join(project, 'src/bin/daemon.ts'),
    ...args,
    '--host-root',
    root,
  ];
  const container = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...container, 'sh', '-c', CONTAINER, 'sh', root, home, boot, project, ...script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH ?? '',
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      TMPDIR: join(home, 'tmp'),
      NODE_DISABLE_COMPILE_CACHE: '1',
      ...env,
    },
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  const ended = once(child, 'exit').then(([status, signal]) => ({ status, signal }));
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  let pid = 0;
  await eventually('the daemon’s process is there', () => {
    pid = firstChildOf(child);
    return pid !== 0 || child.exitCode !== null;
  });
  return {
    pid,
    ended: ended as DaemonProcess['ended'],
    get hasEnded() {
      return hasEnded;
    },
    signal(name) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended already.
      }
    },
  };
}

function firstChildOf({ pid = 0 }: ChildProcess): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  } catch {
    return 0;
  }
}
