import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { measureImage } from '../../bench/footprint/image-size.ts';
import { Phases, SETTLING_MS } from '../../bench/footprint/phases.ts';
import { findContainerGroup, MemoryGroup, memoryHierarchy, memoryParts } from '../../bench/lib/cgroup.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fio-bench-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the memory hierarchy', () => {
  test('of version 1 is the one of the memory controller, even beside one of version 2', () => {
    const mounts = [
      'tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0',
      'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
      'cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0',
    ];
    expect(memoryHierarchy(mounts.join('\n'))).toEqual({ version: 1, directory: '/sys/fs/cgroup/memory' });
  });

  test('of version 2 is the only one', () => {
    const mounts = 'sysfs /sys sysfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n';
    expect(memoryHierarchy(mounts)).toEqual({ version: 2, directory: '/sys/fs/cgroup' });
  });

  test('is missing where no memory is counted', () => {
    expect(memoryHierarchy('cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n')).toBeUndefined();
  });
});

describe('the working set', () => {
  test('in version 1 is usage less inactive page cache of the group and those below it', () => {
    const stat = 'cache 1\ninactive_file 2\ntotal_cache 700\ntotal_rss 200\ntotal_inactive_file 600\n';
    expect(memoryParts(1, 1000, stat, 100)).toEqual({
      usage: 1000,
      workingSet: 400,
      anonymous: 200,
      file: 700,
      kernel: 100,
    });
  });

  test('in version 2 is usage less inactive page cache', () => {
    const stat = 'anon 200\nfile 700\nkernel 100\nslab 90\ninactive_file 600\nactive_file 100\n';
    expect(memoryParts(2, 1000, stat)).toMatchObject({ workingSet: 400, anonymous: 200, file: 700, kernel: 100 });
  });

  test('is never below zero, though usage and page cache are read one after the other', () => {
    expect(memoryParts(2, 100, 'inactive_file 101\n').workingSet).toBe(0);
  });
});

test('a container’s control group is found by the container’s id, as each runtime names it', () => {
  const hierarchy = { version: 2, directory: folder } as const;
  const plain = join(folder, 'node/kubepods/pod1/0123abcd');
  const scope = join(folder, 'kubepods.slice/cri-containerd-4567ef.scope');
  for (const directory of [plain, scope]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(plain, 'cgroup.procs'), '17\n42\n');
  const group = findContainerGroup(hierarchy, '0123abcd');
  expect(group?.directory).toBe(plain);
  expect(group?.processes()).toEqual([17, 42]);
  writeFileSync(join(group?.directory ?? '', 'cgroup.procs'), `${process.pid}\n2147483647\n`);
  const comm = '/proc/self/comm'; // Linux only
  expect(group?.programs()).toEqual(existsSync(comm) ? [readFileSync(comm, 'utf8').trimEnd()] : []);
  expect(findContainerGroup(hierarchy, '4567ef')?.directory).toBe(scope);
  expect(findContainerGroup(hierarchy, '89')).toBeUndefined();
});

test('a kernel that cannot reset its peak is not asked for one', () => {
  expect(new MemoryGroup({ version: 2, directory: folder }, folder).startPeak()).toBeUndefined();
});

describe('the phases of a daemon', () => {
  function feed(samples: readonly (readonly [at: number, scanning: boolean, workingSet: number])[]) {
    const phases = new Phases();
    return samples.map(([at, scanning, workingSet]) => phases.add({ at, scanning, workingSet })).filter(Boolean);
  }
  const SETTLED = SETTLING_MS;

  test('a scan has the highest sample as its memory, and a pause the median of those after it has settled', () => {
    const seen = feed([
      [0, false, 1],
      [1000, true, 50],
      [1050, true, 80],
      [1100, true, 60],
      [1150, false, 40],
      [1150 + SETTLED, false, 10],
      [1200 + SETTLED, false, 11],
      [1250 + SETTLED, false, 30],
      [9000, true, 1],
    ]);
    expect(seen).toEqual([
      { kind: 'scan', durationMs: 150, workingSet: 80, samples: 3 },
      { kind: 'pause', workingSet: 11 },
    ]);
  });

  test('a scan or a pause that was under way at the beginning does not count', () => {
    expect(
      feed([
        [0, true, 50],
        [50, false, 10],
      ]),
    ).toEqual([]);
    expect(
      feed([
        [0, false, 50],
        [SETTLED, false, 10],
        [SETTLED + 50, true, 10],
      ]),
    ).toEqual([]);
  });

  test('a pause that is shorter than settling takes says nothing', () => {
    const seen = feed([
      [0, true, 1],
      [50, false, 10],
      [100, true, 1],
    ]);
    expect(seen).toEqual([]);
  });
});

describe('the size of an image', () => {
  const tar = (...args: string[]) => execFileSync('tar', ['-C', folder, ...args]);

  test('is the bytes of the files in its layers, long names included, links and folders not', async () => {
    const long = `etc/${'n'.repeat(200)}`;
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, 'etc/a'), Buffer.alloc(1000));
    writeFileSync(join(folder, long), Buffer.alloc(513));
    execFileSync('ln', ['-s', 'a', join(folder, 'etc/link')]);
    execFileSync('ln', [join(folder, 'etc/a'), join(folder, 'etc/hard')]);
    tar('-cf', join(folder, 'first.tar'), '--format=gnu', 'etc');
    tar('-cf', join(folder, 'second.tar'), '--format=pax', long);
    const identity = 'ab'.repeat(32);
    writeFileSync(
      join(folder, 'manifest.json'),
      JSON.stringify([{ Config: `${identity}.json`, Layers: ['first.tar', 'second.tar'] }]),
    );
    const archive = join(folder, 'image.tar');
    tar('-cf', archive, 'first.tar', 'second.tar', 'manifest.json');
    const size = await measureImage(archive);
    expect(size).toMatchObject({ unpacked: 1000 + 513 + 513, identity });
    expect(size.archive).toBeGreaterThan(size.unpacked);
  });

  test('cannot be told of a layer that is compressed, or of what is no image', async () => {
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, 'etc/a'), Buffer.alloc(1000));
    tar('-czf', join(folder, 'layer.tar'), 'etc');
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify([{ Config: '', Layers: ['layer.tar'] }]));
    tar('-cf', join(folder, 'image.tar'), 'layer.tar', 'manifest.json');
    await expect(measureImage(join(folder, 'image.tar'))).rejects.toThrow('no plain tar file');
    tar('-cf', join(folder, 'other.tar'), 'etc');
    await expect(measureImage(join(folder, 'other.tar'))).rejects.toThrow('no archive of an image');
  });
});
