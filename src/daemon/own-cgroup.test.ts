import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findOwnCgroup } from './own-cgroup.ts';

// Folders and inodes are the same to it in any file system.
let directory: string;
let hostRoot: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'own-cgroup-'));
  hostRoot = join(directory, 'hostroot');
});
afterEach(() => rm(directory, { recursive: true }));

/** Makes groups of the node; `mounted` is the one that the container sees as its own root. */
async function find(memberships: string, groups: readonly string[], mounted?: string) {
  for (const group of groups) await mkdir(join(hostRoot, 'sys/fs/cgroup', group), { recursive: true });
  await writeFile(join(directory, 'memberships'), memberships);
  const mount = join(directory, 'mount');
  if (mounted !== undefined) await symlink(join(hostRoot, 'sys/fs/cgroup', mounted), mount);
  const found = await findOwnCgroup(hostRoot, { mount, memberships: join(directory, 'memberships') });
  return found === undefined ? undefined : [found.version, found.directory.slice(hostRoot.length)];
}

const pods = ['system.slice/a', 'kubepods.slice/pod1.slice/c1', 'kubepods.slice/pod2.slice/c2'];

test('in version 2 it is the folder that the container sees as its root', async () => {
  expect(await find('0::/\n', pods, 'kubepods.slice/pod2.slice/c2')).toEqual([
    2,
    '/sys/fs/cgroup/kubepods.slice/pod2.slice/c2',
  ]);
});

test('where the container knows its path it is that', async () => {
  expect(await find('0::/kubepods.slice/pod1.slice/c1\n', pods, '.')).toEqual([
    2,
    '/sys/fs/cgroup/kubepods.slice/pod1.slice/c1',
  ]);
});

test('in version 1 it is the one for memory', async () => {
  const memberships = '5:cpu:/kubepods/p/c\n4:memory:/kubepods/p/c\n0::/kubepods/p/c\n';
  expect(await find(memberships, ['memory/kubepods/p/c', 'kubepods/p/c'])).toEqual([
    1,
    '/sys/fs/cgroup/memory/kubepods/p/c',
  ]);
});

test('it is never the root, which is the whole node', async () => {
  expect(await find('0::/\n', pods, '.')).toBeUndefined();
  expect(await find('4:memory:/\n', ['memory/kubepods'])).toBeUndefined();
});

test('it is nothing where the path leads out of the tree, or the group is not there', async () => {
  expect(await find('0::/../../kubepods.slice\n', pods)).toBeUndefined();
  await rename(join(hostRoot, 'sys'), join(hostRoot, 'other'));
  expect(await find('0::/kubepods.slice/pod1.slice/c1\n', [])).toBeUndefined();
});
