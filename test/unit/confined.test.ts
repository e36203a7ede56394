import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { socketFilter } from '../../image/sockets.ts';

// What the start program of the daemon's container works out; what it keeps a daemon from is tested on real nodes, in
// test/e2e/surface.test.ts.

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const program = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

describe.skipIf(!isRoot)('the control group that the daemon is told', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'confined-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Makes groups of the node; `mounted` is the one that the container sees as its own root. */
  async function find(memberships: string, groups: readonly string[], mounted?: string): Promise<string> {
    // Folders and inodes are the same in any file system.
    const at = (name: string) => join(directory, name);
    for (const group of groups) await mkdir(join(at('tree'), group), { recursive: true });
    await mkdir(at('etc/kubernetes'), { recursive: true });
    await writeFile(at('memberships'), memberships);
    if (mounted !== undefined) await symlink(join(at('tree'), mounted), at('view'));
    const env = {
      PATH: process.env.PATH,
      HOST_ROOT: directory,
      CGROUP_TREE: at('tree'),
      CGROUP_VIEW: at('view'),
      CGROUP_MEMBERSHIPS: at('memberships'),
    };
    const { stdout } = await promisify(execFile)(
      'sh',
      [program('image/confined'), 'sh', '-c', 'echo "own=$OWN_CGROUP"'],
      { env },
    );
    return /^own=(.*)$/m.exec(stdout)?.[1]?.replace(at('tree'), '') ?? stdout;
  }

  const pods = ['system.slice/a', 'kubepods.slice/pod1.slice/c1', 'kubepods.slice/pod2.slice/c2'];

  test('is in version 2 the folder that the container sees as its root', async () => {
    expect(await find('0::/\n', pods, 'kubepods.slice/pod2.slice/c2')).toBe('/kubepods.slice/pod2.slice/c2');
  });

  test('is the path where the container knows it', async () => {
    expect(await find('0::/kubepods.slice/pod1.slice/c1\n', pods, '.')).toBe('/kubepods.slice/pod1.slice/c1');
  });

  test('is in version 1 the one for memory', async () => {
    const memberships = '5:cpu:/kubepods/p/c\n4:memory:/kubepods/p/c\n0::/kubepods/p/c\n';
    expect(await find(memberships, ['memory/kubepods/p/c', 'kubepods/p/c'])).toBe('/memory/kubepods/p/c');
    expect(await find('4:cpuset,memory:/\n0::/\n', ['memory/kubepods/p/c'], '.')).toBe('');
    await rm(join(directory, 'view'));
    await mkdir(join(directory, 'view'));
    await symlink(join(directory, 'tree/memory/kubepods/p/c'), join(directory, 'view/memory'));
    expect(await find('4:cpuset,memory:/\n0::/\n', ['memory/kubepods/p/c'])).toBe('/memory/kubepods/p/c');
  });

  test('is never the root, which is the whole node', async () => {
    expect(await find('0::/\n', pods, '.')).toBe('');
    expect(await find('4:memory:/\n', ['memory/kubepods'])).toBe('');
  });

  test('is none where the path leads out of the tree, or the group or the tree is not there', async () => {
    expect(await find('0::/../../kubepods.slice\n', pods)).toBe('');
    expect(await find('0::/kubepods.slice/gone\n', pods)).toBe('');
    await rename(join(directory, 'tree'), join(directory, 'other'));
    expect(await find('0::/kubepods.slice/pod1.slice/c1\n', [])).toBe('');
  });
});

describe.skipIf(!isRoot)('a program behind it that was taken over', () => {
  test('by its user alone changes no file of others in the node’s folder, and makes none, but has its own', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'confined-'));
    try {
      await chmod(directory, 0o755); // as a node's root is
      const folder = join(directory, 'etc/kubernetes');
      const files = ['kubelet.conf', 'manifests/pod.yaml', 'pki/ca.key', 'aide.db.gz'].map((name) =>
        join(folder, name),
      );
      for (const file of files) {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, 'theirs');
      }
      // The rights of the container, which this process has no Landlock for.
      const rights = ['--no-new-privs', '--bounding-set=-all,+dac_read_search,+setgid,+setuid', '--inh-caps=-all'];
      const run = async (...words: string[]) =>
        (
          await promisify(execFile)('setpriv', [...rights, program('image/confined'), ...words], {
            env: { PATH: process.env.PATH, HOST_ROOT: directory, CGROUP_TREE: join(directory, 'none') },
          })
        ).stdout.trim();
      const attack = await run(process.execPath, program('test/fixtures/programs/take-over.mjs'), folder, ...files);
      expect(JSON.parse(attack.split('\n').at(-1) ?? '')).toEqual([]);
      for (const file of files) expect(await readFile(file, 'utf8')).toBe('theirs');
      const request =
        'echo create aide.log.new >&4; read -r answer <&5; echo "$answer"; cd "$0" && echo mine >aide.log.new';
      expect(await run('sh', '-c', request, folder)).toMatch(/^ok$/m);
      expect(await readFile(join(folder, 'aide.log.new'), 'utf8')).toBe('mine\n');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('the filter of system calls', () => {
  const [X86_64, AARCH64, I386] = [0xc000003e, 0xc00000b7, 0x40000003];
  const [ALLOW, REFUSE] = [0x7fff0000, 0x0005000d];
  const [UNIX, INET, INET6, NETLINK, VSOCK] = [1, 2, 10, 16, 40];
  const [STREAM, DGRAM, CLOEXEC] = [1, 2, 0o2000000];

  /** The virtual machine of the kernel, as far as the filter uses it. */
  function run(architecture: number, call: number, ...args: number[]): number {
    const program = socketFilter();
    const data = Buffer.alloc(64);
    data.writeUInt32LE(call, 0);
    data.writeUInt32LE(architecture, 4);
    for (const [index, arg] of args.entries()) data.writeUInt32LE(arg, 16 + 8 * index);
    let register = 0;
    for (let at = 0; ; at += 8) {
      const [code, yes, no, k] = [
        program.readUInt16LE(at),
        program.readUInt8(at + 2),
        program.readUInt8(at + 3),
        program.readUInt32LE(at + 4),
      ];
      if (code === 0x06) return k;
      if (code === 0x20) register = data.readUInt32LE(k);
      else if (code === 0x54) register &= k;
      else if (code === 0x15) at += 8 * (register === k ? yes : no);
      else if (code === 0x35) at += 8 * (register >= k ? yes : no);
      else throw new Error(`unknown instruction ${code}`);
    }
  }

  test.each([
    ['x86-64', X86_64, { read: 0, socket: 41, socketpair: 53 }],
    ['AArch64', AARCH64, { read: 63, socket: 198, socketpair: 199 }],
  ])('on %s lets through what a daemon needs, and no Unix socket', (_, architecture, { read, socket, socketpair }) => {
    for (const family of [INET, INET6, NETLINK]) expect(run(architecture, socket, family, STREAM)).toBe(ALLOW);
    for (const family of [0, UNIX, 3, VSOCK]) expect(run(architecture, socket, family, STREAM)).toBe(REFUSE);
    expect(run(architecture, socketpair, UNIX, STREAM | CLOEXEC)).toBe(ALLOW);
    expect(run(architecture, socketpair, UNIX, DGRAM | CLOEXEC)).toBe(REFUSE);
    expect(run(architecture, socketpair, 30, STREAM)).toBe(REFUSE);
    expect(run(architecture, 425, 1)).toBe(REFUSE);
    expect(run(architecture, 0x40000000 + socket, INET)).toBe(REFUSE);
    for (const call of [read, 42, 59, 231, 435]) expect(run(architecture, call)).toBe(ALLOW);
  });

  test('lets nothing through of programs of another architecture', () => {
    expect(run(I386, 102, 1)).toBe(REFUSE);
  });
});
