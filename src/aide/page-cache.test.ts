import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { giveBackPageCache } from './page-cache.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'page-cache-'));
});
afterAll(() => rm(directory, { recursive: true }));

let count = 0;
/** Files where the kernel has its own, and what `/proc/self/cgroup` says. */
async function place(memberships: string, files: Readonly<Record<string, string>>) {
  count += 1;
  const root = join(directory, `${count}`);
  const membershipFile = join(directory, `${count}.memberships`);
  await mkdir(root);
  await writeFile(membershipFile, memberships);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), content);
  }
  return {
    result: await giveBackPageCache(root, membershipFile),
    read: (name: string) => readFile(join(root, name), 'utf8'),
  };
}

/** What `cgroup.procs` says where nobody else is. */
const ALONE = `${process.pid}\n`;

const stat = (bytes: number) => `anon 99999999\nfile 77\ninactive_file ${bytes}\nactive_file ${MIB}\nslab 5\n`;

describe('in a cgroup of version 2', () => {
  test('asks the kernel to reclaim as many bytes as there are of files', async () => {
    const { result, read } = await place('0::/pod/container\n', {
      'pod/container/memory.stat': stat(10 * MIB),
      'pod/container/memory.reclaim': '',
      'pod/container/cgroup.procs': ALONE,
    });
    expect(result).toEqual({ done: true, by: 'memory.reclaim', before: 11 * MIB, after: 11 * MIB });
    expect(await read('pod/container/memory.reclaim')).toBe(`${11 * MIB}`);
  });

  test('leaves the kernel alone when there is little', async () => {
    const { result, read } = await place('0::/\n', {
      'memory.stat': stat(MIB),
      'memory.reclaim': '',
      'cgroup.procs': ALONE,
    });
    expect(result).toMatchObject({ done: true, before: 2 * MIB, after: 2 * MIB });
    expect(await read('memory.reclaim')).toBe('');
  });

  test('says that a kernel before 5.19 cannot, and makes no file', async () => {
    const { result, read } = await place('0::/\n', { 'memory.stat': stat(10 * MIB), 'cgroup.procs': ALONE });
    expect(result).toEqual({ done: false, reason: 'the kernel has no way to reclaim a cgroup’s memory' });
    await expect(read('memory.reclaim')).rejects.toThrow('ENOENT');
  });
});

describe('in a cgroup of version 1', () => {
  test.each([
    ['where the cgroup file system shows all cgroups', 'memory/pod/container'],
    ['where it shows the container’s own as its root', 'memory'],
  ])('asks the kernel to empty it, %s', async (_name, folder) => {
    const { result, read } = await place('9:name=systemd:/x\n4:cpu,memory:/pod/container\n0::/\n', {
      [`${folder}/memory.stat`]: `active_file 1\ntotal_inactive_file ${9 * MIB}\n`,
      [`${folder}/memory.force_empty`]: '',
      [`${folder}/cgroup.procs`]: ALONE,
    });
    expect(result).toMatchObject({ done: true, by: 'memory.force_empty', before: 9 * MIB + 1 });
    expect(await read(`${folder}/memory.force_empty`)).toBe('0');
  });
});

test.each([
  ['in no memory cgroup', '9:name=systemd:/x\n', 'this process is in no memory cgroup'],
  ['without cgroups', '', 'this process is in no memory cgroup'],
  ['in a cgroup that is not to be seen', '0::/pod\n', 'the kernel has no way to reclaim a cgroup’s memory'],
])('%s nothing is done, and it says why', async (_name, memberships, reason) => {
  expect((await place(memberships, {})).result).toEqual({ done: false, reason });
});

test.each([
  ['version 1', '4:memory:/shared\n', 'memory/shared', 'memory.force_empty'],
  ['version 2', '0::/shared\n', 'shared', 'memory.reclaim'],
])(
  'in a cgroup of %s that others share nothing is done: what they have read is theirs',
  async (_name, memberships, folder, file) => {
    const { result, read } = await place(memberships, {
      [`${folder}/memory.stat`]: stat(10 * MIB),
      [`${folder}/${file}`]: '',
      [`${folder}/cgroup.procs`]: `1\n${ALONE}`,
    });
    expect(result).toEqual({ done: false, reason: 'other processes share the control group' });
    expect(await read(`${folder}/${file}`)).toBe('');
  },
);

const KERNEL = '/sys/fs/cgroup/memory';
const canMakeCgroups =
  process.getuid?.() === 0 &&
  (await access(join(KERNEL, 'memory.force_empty'), constants.W_OK).then(
    () => true,
    () => false,
  ));

describe.skipIf(!canMakeCgroups)('with the real kernel', () => {
  test('a process that has read a file is no longer charged for it', async () => {
    const own = /^\d+:memory:(.*)$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    const cgroup = join(KERNEL, own, `page-cache-test-${process.pid}`);
    await mkdir(cgroup);
    try {
      const file = join(directory, 'large');
      const program = `
        const { writeFile, readFile } = await import('node:fs/promises');
        await writeFile(${JSON.stringify(join(cgroup, 'cgroup.procs'))}, String(process.pid));
        const { giveBackPageCache } = await import(${JSON.stringify(join(import.meta.dirname, 'page-cache.ts'))});
        await writeFile(${JSON.stringify(file)}, Buffer.alloc(${32 * MIB}, 'x'), { flush: true });
        await readFile(${JSON.stringify(file)});
        console.log(JSON.stringify(await giveBackPageCache()));`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
      const result = JSON.parse(stdout) as { before: number; after: number };
      expect(result.before).toBeGreaterThan(30 * MIB);
      expect(result.after).toBeLessThan(result.before / 2);
    } finally {
      await rmdir(cgroup);
    }
  });
});
