import { expect, test } from 'vitest';
import { cgroupLayout } from './cgroups.ts';

test('one hierarchy at /sys/fs/cgroup is version 2', () => {
  const mounts = 'proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n';
  expect(cgroupLayout(mounts)).toEqual({ version: 2, hierarchies: ['/sys/fs/cgroup'] });
});

test('a hierarchy for each controller is version 1, the version 2 one beside them included', () => {
  const mounts = [
    'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
    'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
    'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0',
    'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
  ].join('\n');
  expect(cgroupLayout(mounts)).toEqual({
    version: 1,
    hierarchies: ['/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'],
  });
});

test('a machine without control groups has no layout', () => {
  expect(cgroupLayout('proc /proc proc rw 0 0\n')).toBeUndefined();
});
