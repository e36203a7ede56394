import { readFileSync } from 'node:fs';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import type { ClusterNode } from '../../devcluster/cluster.ts';
import { IMAGE } from '../../image/build.ts';
import { nodeStatuses } from '../../src/api/group.ts';
import { LOG_LABEL, NODE_LABEL, OUTCOME_ANNOTATION, OWNER_LABEL } from '../../src/api/keys.ts';
import { nodeStatusName, resultName } from '../../src/api/names.ts';
import { configMaps, leases, pods } from '../../src/kube/resources.ts';
import { refusal } from '../support/admission.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { clientWith } from '../support/node-token.ts';
import { canHaveNodes } from '../support/nodes.ts';

// What somebody could do who has taken over a daemon: its own process, which is confined, or another one in its container.

const NAME = 'surface';
const LATER = '/srv/mounted-later';
const CONFINED = '/opt/file-integrity-operator/confined';
const FOLDER = '/hostroot/etc/kubernetes';
/** What kubeadm leaves on nodes, of the control plane too, and an environment file. */
const THEIRS = [
  ...[
    'admin.conf',
    'kubelet.conf',
    'controller-manager.conf',
    'scheduler.conf',
    'bootstrap-kubelet.conf',
    'kubelet.env',
  ],
  ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((name) => `manifests/${name}.yaml`),
  ...['ca.crt', 'ca.key', 'sa.key', 'apiserver.key', 'etcd/ca.key'].map((name) => `pki/${name}`),
].map((name) => `/etc/kubernetes/${name}`);

describe.skipIf(!canHaveNodes())('in the container of a daemon', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  let node: ClusterNode;
  let daemon = '';

  /** Runs a program in the container, beside the daemon. */
  const run = (...argv: string[]) =>
    stage.kubectl(['exec', '-n', NAMESPACE, daemon, '-c', 'daemon', '--', ...argv]).then(({ stdout }) => stdout.trim());
  /** The same behind the start program, as the daemon itself is. */
  const runConfined = (...argv: string[]) => run(CONFINED, ...argv);
  /** What became of writing: `written`, or what the kernel said. */
  const write = (path: string, via: typeof run) => via('perl', '-e', WRITE, path);
  /** What a JavaScript expression gives in the daemon's own process: the debugger that every Node.js opens at SIGUSR1. */
  const evaluate = (expression: string) => run('node', '-e', EVALUATE, expression);
  /** What the keeper of a program behind the start program answers to a request. */
  const askKeeper = (request: string) =>
    runConfined('sh', '-c', 'echo "$0" >&$KEEPER_REQUESTS; read -r answer <&$KEEPER_ANSWERS; echo "$answer"', request);
  /** Everything below the node's /etc/kubernetes that is not a daemon's: content, rights, owner, times. */
  const others = async () => {
    const facts = `find . ! -name 'aide.*' -printf '%p %M %U:%G %n %i %s %T@ %l\\n' | grep -v '^\\. ' | sort`;
    const content = `find . -type f ! -name 'aide.*' -exec sha256sum {} + | sort`;
    const line = `cd /etc/kubernetes && stat -c '%A %u:%g %h' . && ${facts} && ${content}`;
    return (await node.exec(['sh', '-c', line])).stdout;
  };

  beforeAll(async () => {
    stage = await openStage();
    node = stage.node('worker-1');
    const make = THEIRS.map((path) => `mkdir -p $(dirname ${path}); [ -e ${path} ] || (umask 077; echo ours >${path})`);
    await node.exec([
      'sh',
      '-c',
      `${make.join('; ')}; chmod 644 /etc/kubernetes/kubelet.env /etc/kubernetes/pki/ca.crt`,
    ]);
    integrity = await createIntegrity(stage, NAME);
    await integrity.condition('worker-1', 'Succeeded');
    const selector = ['-l', `app=aide-${NAME}`, `--field-selector=spec.nodeName=worker-1`];
    daemon = (await stage.kubectl(['get', 'pods', '-n', NAMESPACE, ...selector, '-o', 'name'])).stdout.trim();
    await node.exec([
      'sh',
      '-c',
      `mkdir -p ${LATER} && mount -t tmpfs none ${LATER} && echo seen > ${LATER}/file && mkdir ${LATER}/roots && cp ${LATER}/file ${LATER}/roots`,
    ]);
  });
  afterAll(async () => {
    await node?.exec(['sh', '-c', `umount ${LATER}; rmdir ${LATER}`]);
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('the daemon is alone, has one capability, and cannot get more', async () => {
    const status = await run('cat', '/proc/1/status');
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1];
    const dacReadSearch = (1n << 2n).toString(16).padStart(16, '0');
    for (const set of ['CapPrm', 'CapEff', 'CapAmb']) expect(field(set)).toBe(dacReadSearch);
    for (const set of ['Uid', 'Gid']) expect(field(set)?.split('\t')).toEqual(Array(4).fill('65529'));
    expect(field('Groups')?.trim()).toMatch(/^(65529)?$/);
    expect(field('NoNewPrivs')).toBe('1');
    expect(field('Name')).not.toBe('confined');
    // The container runtime's filter of system calls, and its own.
    const others = await run('sh', '-c', 'grep Seccomp_filters /proc/self/status');
    expect(Number(field('Seccomp_filters'))).toBe(Number(others.split(':')[1]) + 1);
    const log = await run('sh', '-c', 'cat /proc/1/cmdline | tr "\\0" " "');
    expect(log).toMatch(/^\/usr\/local\/bin\/node .*daemon\.mjs --integrity surface/);
  });

  test('the daemon’s token is for the API server and an hour, and there is no other', async () => {
    const [, payload = ''] = (await run('cat', '/var/run/secrets/kubernetes.io/serviceaccount/token')).split('.');
    const token = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number; iat: number };
    expect(token.exp - token.iat).toBe(3600);
    expect(token).toMatchObject({
      sub: `system:serviceaccount:${NAMESPACE}:file-integrity-daemon`,
      'kubernetes.io': { node: { name: 'worker-1' }, pod: { name: daemon.replace('pod/', '') } },
    });
    expect(await run('ls', '/var/run/secrets', '/var/run/secrets/kubernetes.io/serviceaccount')).not.toMatch(
      /eks|aws|namespace/,
    );
  });

  test('the daemon’s own token speaks for its node only', async () => {
    const token = await run('cat', '/var/run/secrets/kubernetes.io/serviceaccount/token');
    await using client = await clientWith(stage.cluster.kubeconfigPath, token);
    const labels = (of: string) => ({ [OWNER_LABEL]: NAME, [NODE_LABEL]: of, [LOG_LABEL]: '' });
    const message = (of: string, owner = NAME) => ({
      metadata: { namespace: NAMESPACE, name: resultName(owner, of), labels: { ...labels(of), [OWNER_LABEL]: owner } },
    });
    const forge = (of: string, owner?: string) => refusal(client.create(configMaps, message(of, owner)));
    expect(await forge('worker-2')).toContain('may write aide-<FileIntegrity>-worker-1 only');
    expect(await forge('worker-1', 'other')).toContain('may not speak for the FileIntegrity other');
    const lease = { namespace: NAMESPACE, name: resultName(NAME, 'worker-2') };
    const beat = { metadata: { annotations: { [OUTCOME_ANNOTATION]: '{}' } } };
    expect(await refusal(client.patch(leases, lease, beat, { type: 'merge' }))).toContain('worker-1 only');
    const status = { namespace: NAMESPACE, name: nodeStatusName(NAME, 'worker-1') };
    const acknowledge = client.patch(nodeStatuses, status, { acknowledged: 'x' }, { type: 'merge' });
    expect(await refusal(acknowledge)).toContain('cannot patch resource "fileintegritynodestatuses"');
  });

  test('nobody adds a container to the daemon’s pod', async () => {
    const debug = ['debug', '-n', NAMESPACE, daemon, '--image', IMAGE, '--profile=sysadmin', '--', 'sleep', '1'];
    // Two policies refuse it, and the API server names either.
    await expect(stage.kubectl(debug)).rejects.toThrow(
      /has one container, which confines itself|is not privileged, cannot become so/,
    );
  });

  /** A filter of system calls in the container that answers to one as a kernel does that does not have it; its path. */
  async function kernelWithout(call: number, argument?: number): Promise<string> {
    const filter = [
      [0x20, 0, 0, 0],
      [0x15, 0, argument === undefined ? 1 : 3, call],
      ...(argument === undefined
        ? []
        : [
            [0x20, 0, 0, 16],
            [0x15, 0, 1, argument],
          ]),
      [0x06, 0, 0, 0x00050000 | 38],
      [0x06, 0, 0, 0x7fff0000],
    ];
    const bytes = Buffer.concat(filter.map(([code = 0, yes = 0, no = 0, k = 0]) => instruction(code, yes, no, k)));
    await run('sh', '-c', `echo ${bytes.toString('base64')} | base64 -d > /tmp/filter`);
    return '/tmp/filter';
  }
  /** The first system call of Landlock. */
  const withoutLandlock = () => kernelWithout(444);
  /** `prctl` for filters. */
  const withoutFilters = () => kernelWithout(process.arch === 'arm64' ? 167 : 157, 22);

  test.each([
    ['Landlock', withoutLandlock, 'not confined by Landlock, which this kernel does not have'],
    ['filters', withoutFilters, 'not kept from Unix sockets: this kernel takes no filter'],
  ])('a kernel without %s is no reason not to start, and a line says so', async (_, without, line) => {
    const started = await run('setpriv', '--seccomp-filter', await without(), CONFINED, 'echo', 'started');
    expect(started.split('\n').at(-1)).toBe('started');
    expect(started).toContain(line);
    expect(await runConfined('echo', 'started')).toBe('started');
  });

  describe.each<[string, () => typeof run]>([
    ['another program in the container', () => run],
    ['a program behind the start program', () => runConfined],
  ])('%s', (_, via) => {
    test('reads what it likes', async () => {
      expect(await via()('cat', '/hostroot/etc/shadow')).toContain('root:');
      expect(await via()('cat', `/hostroot${LATER}/file`)).toBe('seen');
    });

    test.each([
      '/hostroot/etc/passwd',
      '/hostroot/tmp/probe',
      '/hostroot/root/.ssh-probe',
      '/hostroot/run/probe',
      '/hostroot/run/systemd/probe',
      '/hostroot/dev/probe',
      '/hostroot/dev/shm/probe',
      '/hostroot/proc/sys/kernel/core_pattern',
      '/hostroot/proc/sysrq-trigger',
      '/hostroot/sys/kernel/uevent_helper',
      '/hostroot/sys/fs/cgroup/cgroup.procs',
      '/opt/file-integrity-operator/daemon.mjs',
    ])('does not write %s', async (path) => {
      expect(await write(path, via())).toMatch(/^(Read-only file system|Permission denied|No such file or directory)$/);
    });
  });

  test.each([`${LATER}/file`, `${LATER}/probe`, '/var/lib/kubelet/probe', '/var/lib/containerd/probe'])(
    'the daemon’s own process does not write %s, which is on another mount',
    async (path) => {
      expect(await runConfined('cat', `/hostroot${LATER}/file`)).toBe('seen');
      expect(await write(`/hostroot${path}`, runConfined)).toBe('Permission denied');
      expect(await evaluate(attemptTo(`fs.writeFileSync('/hostroot${path}', 'x', { flag: 'a' })`))).toBe('EACCES');
    },
  );

  test('the daemon’s own process, and what it starts, writes to its own files, /tmp and its control group only', async () => {
    expect(await evaluate(attemptTo(`fs.writeFileSync('${FOLDER}/aide.probe', '')`))).toBe('EACCES');
    expect(await askKeeper('create aide.probe')).toBe('ok');
    expect(await evaluate(attemptTo(`fs.writeFileSync('${FOLDER}/aide.probe', 'a')`))).toBe('done');
    expect(await askKeeper('rename aide.probe aide.probed')).toBe('ok');
    expect(await evaluate(attemptTo(`fs.writeFileSync('${FOLDER}/aide.probed', 'a')`))).toBe('EACCES');
    expect(await askKeeper('remove aide.probed')).toBe('ok');
    expect(await evaluate(attemptTo(`fs.writeFileSync('/tmp/probe', '')`))).toBe('done');
    const child = (line: string) => `child.spawnSync('sh', ['-c', ${JSON.stringify(line)}]).status`;
    expect(await evaluate(child('echo > /tmp/probe'))).toBe('0');
    expect(await evaluate(child(`echo > /hostroot${LATER}/file`))).not.toBe('0');
    const own = await evaluate('process.env.OWN_CGROUP');
    expect(own).toMatch(/^\/cgroup\/.+/);
    const files = (
      await run('sh', '-c', `ls -d ${own}/memory.reclaim ${own}/memory.force_empty 2>/dev/null || true`)
    ).split('\n');
    expect(files).toHaveLength(1);
    expect(await evaluate(`fs.readlinkSync('/proc/self/fd/' + process.env.OWN_CGROUP_ORDER)`)).toBe(files[0]);
    for (const path of [`${own}/cgroup.procs`, files[0], files[0]?.replace(own, '/cgroup')]) {
      expect(await evaluate(attemptTo(`fs.closeSync(fs.openSync('${path}', fs.constants.O_WRONLY))`))).toMatch(
        /EACCES|ENOENT/,
      );
    }
    expect(await evaluate(attemptTo(`fs.closeSync(fs.openSync('${own}/cgroup.procs', fs.constants.O_WRONLY))`))).toBe(
      'EACCES',
    );
  });

  test('a daemon that was taken over changes no file and no folder of others in /etc/kubernetes, and makes none', async () => {
    const before = await others();
    // Whoever is on the node may make files in the folder of the mount itself, so that there Landlock alone keeps it from that.
    const open = `/hostroot${LATER}/file`;
    const files = [...THEIRS, `${LATER}/roots/file`].map((path) => `/hostroot${path}`);
    const program = Buffer.from(TAKE_OVER).toString('base64');
    await run('sh', '-c', `echo ${program} | base64 -d >/tmp/take-over.mjs; chmod 644 /tmp/take-over.mjs`);
    const words = ['/tmp/take-over.mjs', FOLDER, ...files];
    const started = `child.spawnSync(process.execPath, ${JSON.stringify([...words, open])}).stdout + ''`;
    expect(JSON.parse(await evaluate(started))).toEqual([]);
    expect(await others()).toBe(before);
    // Where the kernel has no Landlock, its user alone keeps it from all that.
    const without = await run(
      'setpriv',
      '--seccomp-filter',
      await withoutLandlock(),
      CONFINED,
      '/usr/local/bin/node',
      ...words,
    );
    expect(without).toContain('not confined by Landlock');
    expect(JSON.parse(without.split('\n').at(-1) ?? '')).toEqual([]);
    expect(await others()).toBe(before);
    for (const path of [open, files.at(-1) ?? '']) expect(await run('cat', path)).toBe('seen');
  });

  test('the keeper of a daemon that was taken over does nothing to what is not called like a daemon’s files', async () => {
    const before = await others();
    for (const name of [
      'kubelet-env',
      'bootstrap-kubelet.conf',
      'manifests',
      'manifests/evil.yaml',
      'aide.x/../admin.conf',
    ]) {
      for (const request of [`create ${name}`, `ensure ${name}`, `remove ${name}`]) {
        expect([request, await askKeeper(request)]).toEqual([request, 'that is no request']);
      }
      for (const request of [`rename aide.db.gz ${name}`, `link ${name} aide.x`]) {
        expect([request, await askKeeper(request)]).toEqual([request, 'that is no request']);
      }
    }
    expect(await others()).toBe(before);
  });

  test('the files of a daemon are root’s alone, and the folder is as it was', async () => {
    const stat = `stat -c '%A %u:%g %n' /etc/kubernetes /etc/kubernetes/aide.db.gz /etc/kubernetes/aide.log /etc/kubernetes/aide.lock`;
    await integrity.nextScan('worker-1');
    expect((await node.exec(['sh', '-c', stat])).stdout.trim().split('\n')).toEqual([
      'drwxr-xr-x 0:0 /etc/kubernetes',
      ...['db.gz', 'log', 'lock'].map((end) => `-rw------- 0:0 /etc/kubernetes/aide.${end}`),
    ]);
  });

  test('the daemon’s own process makes no link, device, socket or pipe', async () => {
    const name = '/hostroot/etc/kubernetes/aide.probe';
    for (const line of [`ln -s /etc/passwd ${name}`, `mknod ${name} p`, `mkdir ${name}`]) {
      expect(await evaluate(`child.spawnSync('sh', ['-c', ${JSON.stringify(line)}]).stderr + ''`)).toContain(
        'Permission denied',
      );
    }
  });

  test('the daemon’s own process reaches no Unix socket of the node, such as the container runtime’s', async () => {
    const socket = '/hostroot/run/containerd/containerd.sock';
    // Another program in the container does, which is why.
    expect(await run('perl', '-e', CONNECT, socket)).toBe('connected');
    expect(await runConfined('perl', '-e', CONNECT, socket)).toBe('Permission denied');
    const connect = `new Promise((end) => net.connect('${socket}', () => end('connected')).on('error', (e) => end(e.code)))`;
    expect(await evaluate(connect)).toBe('EACCES');
  });

  test('the daemon’s own process does not get at other containers’ files by way of /proc', async () => {
    const neighbour: Pod = {
      metadata: { name: 'neighbour', namespace: 'default' },
      spec: {
        nodeName: 'worker-1',
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'neighbour',
            image: IMAGE,
            imagePullPolicy: 'IfNotPresent',
            command: ['sleep', '98765'],
            securityContext: {
              runAsUser: 0,
              capabilities: { drop: ['ALL'] },
              seccompProfile: { type: 'RuntimeDefault' },
            },
          },
        ],
      },
    };
    await stage.client.create(pods, neighbour);
    try {
      const find = `for p in /hostroot/proc/[0-9]*; do grep -qs 98765 $p/cmdline && grep -qs '^sleep' $p/comm && echo $p; done || true`;
      let place = '';
      await eventually('the neighbour runs', async () => {
        place = await run('sh', '-c', find);
        return place;
      });
      // It runs as the same user with fewer capabilities: to the kernel that is leave enough.
      expect(await run('ls', `${place}/root/`)).toContain('etc');
      expect(await runConfined('sh', '-c', `ls ${place}/root/ 2>&1 || true`)).toContain('Permission denied');
      expect(await evaluate(attemptTo(`fs.readdirSync('${place}/root/')`))).toBe('EACCES');
    } finally {
      await stage.client.remove(pods, { namespace: 'default', name: 'neighbour' });
    }
  });

  test('a scan sees what was mounted over a folder later', async () => {
    const folder = '/usr/local/games';
    await integrity.condition('worker-1', 'Succeeded');
    await node.exec(['sh', '-c', `mount -t tmpfs none ${folder} && echo evil > ${folder}/probe`]);
    try {
      const failed = await integrity.condition('worker-1', 'Failed');
      expect(failed.lastResult?.filesAdded).toBe(1);
    } finally {
      await node.exec(['umount', folder]);
    }
    await integrity.condition('worker-1', 'Succeeded');
  });
});

/** One of a filter of system calls. */
function instruction(code: number, yes: number, no: number, k: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2);
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(k, 4);
  return bytes;
}

/** Opens a file for writing, as far as to change nothing of it. */
const WRITE = 'use Fcntl; sysopen(my $f, $ARGV[0], O_WRONLY | O_CREAT | O_APPEND) ? print "written" : print "$!"';
const TAKE_OVER = readFileSync(new URL('../fixtures/programs/take-over.mjs', import.meta.url));
const CONNECT =
  'use Socket; my $s; socket($s, AF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un($ARGV[0])) ? print "connected" : print "$!"';

/** `done`, or the code of the error. */
function attemptTo(statement: string): string {
  return `(() => { try { ${statement}; return 'done'; } catch (error) { return error.code; } })()`;
}

/** Has the process 1 open its debugger, and prints what an expression gives in it. */
const EVALUATE = `
// As root without the capability to do this to other users' processes.
try { process.kill(1, 'SIGUSR1'); } catch { process.setgid(65529); process.setuid(65529); process.kill(1, 'SIGUSR1'); }
const module = (name) => "process.getBuiltinModule('" + name + "')";
const expression = 'const fs = ' + module('fs') + ', child = ' + module('child_process') + ', net = ' + module('net') + '; ' + process.argv[1];
(async () => {
  let target;
  while (!target) target = await fetch('http://127.0.0.1:9229/json').then((answer) => answer.json()).catch(() => undefined);
  const socket = new WebSocket(target[0].webSocketDebuggerUrl);
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate',
    params: { expression: '(async () => { ' + expression.replace(/; (.*)$/s, '; return $1') + ' })()', awaitPromise: true, returnByValue: true } }));
  socket.onmessage = ({ data }) => {
    const { result } = JSON.parse(data).result;
    console.log(String(result.value ?? result.description));
    socket.close();
  };
})();
`;
