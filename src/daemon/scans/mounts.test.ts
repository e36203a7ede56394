import { describe, expect, test } from 'vitest';
import type { RecordedMount } from '../../api/protocol.ts';
import { type MountTable, parseMountTable } from './mount-table.ts';
import { changesSentence, compareMounts, questionablePaths, recordOf, sightOf, unseenSentence } from './mounts.ts';

interface Line {
  id: number;
  parent: number;
  point: string;
  device?: string;
  root?: string;
  type?: string;
}

function table(...lines: Line[]): MountTable {
  const text = lines.map(({ id, parent, point, device = `0:${id}`, root = '/', type = 'tmpfs' }) => {
    return `${id} ${parent} ${device} ${root} ${point} rw - ${type} none rw\n`;
  });
  const reading = parseMountTable(text.join(''));
  if (!reading.ok) throw new Error(reading.sentence);
  return reading.table;
}

const ROOT: Line = { id: 1, parent: 0, point: '/', device: '8:1', type: 'ext4' };
/** The daemon's: its own root, the node's root, and what the daemon set mounts again. */
const OWN: Line[] = [
  { id: 50, parent: 0, point: '/', type: 'overlay' },
  { id: 51, parent: 50, point: '/hostroot', device: '8:1', type: 'ext4' },
  { id: 52, parent: 51, point: '/hostroot/etc/kubernetes', device: '8:1', root: '/etc/kubernetes', type: 'ext4' },
];
const all = () => true;
const look = (node: Line[], own: Line[]) => sightOf(table(ROOT, ...node), table(...OWN, ...own), '/hostroot', all);

describe('what the scan sees of the node', () => {
  test('is all, where its mounts are those of the node; a folder of the node that is mounted again is the same', () => {
    const usr = { id: 2, parent: 1, point: '/usr', device: '8:2', type: 'ext4' };
    const { mounts, unseen } = look([usr], [{ ...usr, id: 60, parent: 51, point: '/hostroot/usr' }]);
    expect(unseen).toEqual([]);
    expect(mounts.map(({ path, device }) => `${path} ${device}`)).toEqual(['/ 8:1', '/usr 8:2']);
  });

  test('is not all, where a mount is on the node only', () => {
    const { unseen } = look(
      [{ id: 2, parent: 1, point: '/etc/passwd', device: '8:1', root: '/evil', type: 'ext4' }],
      [],
    );
    expect(unseen).toEqual([{ path: '/etc/passwd', node: '/evil of ext4 8:1', scan: '/etc/passwd of ext4 8:1' }]);
  });

  test('is not all, where a mount is in the scan only', () => {
    const { unseen } = look([], [{ id: 60, parent: 51, point: '/hostroot/usr', device: '8:2', type: 'ext4' }]);
    expect(unseen.map(({ path }) => path)).toEqual(['/usr']);
  });

  test('is not all, where the folder that is mounted again is not the one of that name any more', () => {
    const moved = OWN.map((line) => (line.id === 52 ? { ...line, root: '/etc/kubernetes//deleted' } : line));
    const { unseen } = sightOf(table(ROOT), table(...moved), '/hostroot', all);
    expect(unseen.map(({ path }) => path)).toEqual(['/etc/kubernetes']);
  });

  test('is not all, where something lies over a mount of the node', () => {
    const usr = { id: 2, parent: 1, point: '/usr', device: '8:2', type: 'ext4' };
    const over = { id: 3, parent: 2, point: '/usr', type: 'tmpfs' };
    const { mounts, unseen } = look([usr, over], [{ ...usr, id: 60, parent: 51, point: '/hostroot/usr' }]);
    expect(unseen.map(({ path }) => path)).toEqual(['/usr']);
    expect(mounts.map(({ path, type }) => `${path} ${type}`)).toEqual(['/ ext4', '/usr tmpfs']);
  });

  test('counts only where the configuration looks', () => {
    const hidden = { id: 2, parent: 1, point: '/srv' };
    const sight = sightOf(table(ROOT, hidden), table(...OWN), '/hostroot', (path) => path !== '/srv');
    expect(sight).toMatchObject({ mounts: [{ path: '/' }], unseen: [] });
  });

  test('of a name with control characters is told in visible ones', () => {
    const { unseen } = look([{ id: 2, parent: 1, point: '/etc/\\012\\033[31m\xe9' }], []);
    expect(unseen[0]?.path).toBe(String.raw`/etc/\012\033[31m\351`);
  });

  test('has of an automount point what mounts there when somebody looks', () => {
    const auto = { id: 2, parent: 1, point: '/boot', type: 'autofs' };
    const later = { id: 3, parent: 2, point: '/boot', type: 'vfat', device: '8:9' };
    const own = [auto, later].map((line) => ({
      ...line,
      id: line.id + 58,
      parent: line.id === 2 ? 51 : 60,
      point: '/hostroot/boot',
    }));
    const devices = (own: Line[]) => own.map((line) => ({ ...line, device: line.device ?? `0:${line.id - 58}` }));
    expect(look([auto, later], devices(own)).mounts[1]).toMatchObject({ path: '/boot', type: 'autofs' });
    expect(look([auto], devices(own).slice(0, 1)).mounts[1]).toMatchObject({ path: '/boot', type: 'autofs' });
  });
});

describe('what comes and goes by itself', () => {
  const id = 'a'.repeat(64);
  test.each([
    [`/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs`, 'overlay'],
    [`/run/containerd/io.containerd.grpc.v1.cri/sandboxes/${id}/shm`, 'tmpfs'],
    [`/var/lib/containers/storage/overlay/${id}/merged`, 'overlay'],
    ['/run/netns/cni-1', 'nsfs'],
    ['/run/user/1000', 'tmpfs'],
    ['/proc/sys/fs/binfmt_misc', 'autofs'],
    ['/var/lib/kubelet/pods/3f1c4f6e-0000-4000-8000-000000000000/volumes/kubernetes.io~projected/token', 'tmpfs'],
    ['/var/lib/kubelet/pods/3f1c4f6e-0000-4000-8000-000000000000/volumes/kubernetes.io~csi/pvc-1/mount', 'xfs'],
  ])('at %s is passed over, of that kind', (point, type) => {
    expect(questionablePaths(table(ROOT, { id: 2, parent: 1, point, type }), table(...OWN), '/hostroot')).toEqual([
      '/',
    ]);
  });

  test.each([
    [`/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs`, 'ext4'],
    [`/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs/etc`, 'overlay'],
    ['/run/user/1000/x', 'tmpfs'],
    ['/proc/sys/fs', 'ext4'],
    ['/dev/shm/x', 'tmpfs'],
    ['/var/lib/kubelet', 'tmpfs'],
    ['/var/lib/kubelet/pods/../../etc/volumes/a/b/c', 'tmpfs'],
  ])('at %s of the kind %s is looked at', (point, type) => {
    const paths = questionablePaths(table(ROOT, { id: 2, parent: 1, point, type }), table(...OWN), '/hostroot');
    expect(paths).toContain(point);
  });
});

const mount = (path: string, more: Partial<RecordedMount> = {}): RecordedMount => {
  return { path, type: 'ext4', root: '/', device: '8:1', ...more };
};

describe('mounts and those of the baseline', () => {
  const before = recordOf([mount('/'), mount('/usr', { device: '0:40' })]);

  test('that are the same', () => {
    expect(compareMounts([mount('/'), mount('/usr', { device: '0:40' })], before, true)).toEqual([]);
  });

  test('after the node has started again are the same with other numbers of devices, and only then', () => {
    const now = [mount('/'), mount('/usr', { device: '0:41' })];
    expect(compareMounts(now, before, false)).toEqual([]);
    expect(compareMounts(now, before, true)).toEqual([{ change: 'other', mount: now[1] }]);
  });

  test('that are new, gone, of another kind, of another place', () => {
    const now = [mount('/', { root: '/snapshot' }), mount('/etc', { type: 'overlay' })];
    expect(compareMounts(now, before, true)).toEqual([
      { change: 'other', mount: now[0] },
      { change: 'gone', mount: mount('/usr', { device: '0:40' }) },
      { change: 'new', mount: now[1] },
    ]);
  });

  test('that are too many to be listed are told by their digest', () => {
    const many = Array.from({ length: 500 }, (_, at) => mount(`/etc/${String(at).padStart(3, '0')}`));
    const record = recordOf(many);
    expect(record.count).toBe(500);
    expect(record.mounts.length).toBeLessThan(65);
    expect(JSON.stringify(record).length).toBeLessThan(3300);
    expect(compareMounts(many, record, true)).toEqual([]);
    expect(compareMounts(many.slice(0, 499), record, true)).toEqual([{ change: 'unlisted' }]);
    expect(compareMounts(many.slice(1), record, true)).toContainEqual({ change: 'gone', mount: many[0] });
  });

  test('with a name that is too long to be listed', () => {
    const long = mount(`/etc/${'x'.repeat(500)}`);
    expect(recordOf([long])).toMatchObject({ count: 1, mounts: [] });
    expect(compareMounts([long], recordOf([long]), true)).toEqual([]);
    expect(compareMounts([], recordOf([long]), true)).toEqual([{ change: 'unlisted' }]);
  });

  test('are told in bounded sentences', () => {
    const many = Array.from({ length: 500 }, (_, at) => mount(`/etc/${'x'.repeat(300)}${at}`));
    const changes = compareMounts(many, recordOf([]), true);
    expect(changesSentence(changes)).toMatch(/and 495 more\.$/);
    expect(changesSentence(changes).length).toBeLessThan(1200);
    expect(changesSentence(compareMounts([mount('/etc')], recordOf([]), true))).toBe(
      'Mounts are otherwise than at the baseline: /etc is a mount now (/ of ext4 8:1).',
    );
    expect(unseenSentence([{ path: '/etc', node: 'a', scan: 'b' }])).toContain('at /etc (the node: a; the scan: b).');
  });
});
