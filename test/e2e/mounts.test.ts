import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import type { ClusterNode } from '../../devcluster/cluster.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

// Root on a node mounts other files over those that are watched.

const NODE = 'worker-1';
const EVIL = '/srv/evil';
const STANDING = '/usr/local/share';

/** What is mounted where, and how: `$1` is the place. */
const MOUNTS: readonly { readonly kind: string; readonly point: string; readonly how: string }[] = [
  { kind: 'bind, a file', point: '/etc/passwd', how: `mount --bind ${EVIL}/passwd $1` },
  { kind: 'bind, a folder', point: '/usr/local/games', how: `mount --bind ${EVIL}/games $1` },
  {
    kind: 'overlay',
    point: '/usr/local/sbin',
    how: `mount -t overlay -o lowerdir=$1:${EVIL}/games none $1`,
  },
  { kind: 'tmpfs, below the mount of the database', point: '/etc/kubernetes/manifests', how: 'mount -t tmpfs none $1' },
  { kind: 'tmpfs, over what holds it all', point: '/root', how: 'mount -t tmpfs none $1' },
  { kind: 'FUSE, a file', point: '/etc/debian_version', how: `perl ${EVIL}/fuse.pl $1` },
  { kind: 'FUSE, a folder', point: '/usr/local/etc', how: `perl ${EVIL}/fuse.pl $1` },
];

describe.skipIf(!canHaveNodes())('what root on a node mounts', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  let node: ClusterNode;

  const onNode = async (script: string, ...words: string[]) => {
    const { code, stdout, stderr } = await node.exec(['sh', '-c', script, 'sh', ...words]);
    if (code !== 0) throw new Error(`${script}: ${stderr}`);
    return stdout;
  };
  const mount = async (point: string, how: string) => onNode(how, point);
  const unmount = async (...points: string[]) => {
    for (const point of points) await onNode('while mountpoint -q "$1"; do umount -l "$1"; done', point);
  };
  /** Waits until the last result names all of these mounts. */
  const named = async (...points: string[]) => {
    let message = '';
    await eventually(
      `${points.join(', ')} are named`,
      async () => {
        const { lastResult } = (await integrity.status(NODE)) ?? {};
        message = lastResult?.condition === 'Failed' ? (lastResult.errorMessage ?? '') : '';
        return points.every((point) => message.includes(`${point} `));
      },
      150_000,
    );
    return message;
  };
  const reason = async (type: string) => {
    const conditions = (await integrity.status(NODE))?.status?.conditions ?? [];
    const { status, reason } = conditions.find((each) => each.type === type) ?? {};
    return `${status} ${reason}`;
  };
  const reinitialise = () => integrity.annotate('file-integrity.openshift.io/re-init', NODE);
  const daemonPod = async () => {
    const of = ['-l', `app=aide-${integrity.name}`, `--field-selector=spec.nodeName=${NODE}`, '-o', 'name'];
    return (await stage.kubectl(['get', 'pods', '-n', NAMESPACE, ...of])).stdout.trim();
  };

  beforeAll(async () => {
    stage = await openStage();
    node = stage.node(NODE);
    await onNode(`mkdir -p ${EVIL}/games ${STANDING} /usr/local/games /usr/local/sbin /usr/local/etc /etc/kubernetes/manifests &&
      { cat /etc/passwd; echo evil::0:0::/:/bin/sh; } > ${EVIL}/passwd && echo evil > ${EVIL}/games/probe`);
    await node.writeFile(`${EVIL}/fuse.pl`, FUSE);
    await mount(STANDING, 'mount -t tmpfs none $1 && echo there > $1/file');
    integrity = await createIntegrity(stage, 'mounts');
    await integrity.condition(NODE, 'Succeeded');
  });
  afterEach(() => unmount(...MOUNTS.map(({ point }) => point)));
  afterAll(async () => {
    await onNode('mount --make-shared /');
    await integrity?.[Symbol.asyncDispose]();
    await unmount(STANDING);
    await stage?.[Symbol.asyncDispose]();
  });

  test('before the baseline is in its receipt, and as long as it stays the node is Succeeded', async () => {
    const { baseline, lastResult } = await integrity.nextScan(NODE);
    expect(baseline?.mounts?.mounts).toContainEqual(
      expect.objectContaining({ path: STANDING, type: 'tmpfs', root: '/' }),
    );
    expect(lastResult).toMatchObject({ condition: 'Succeeded' });
    expect(await reason('IntegrityHeld')).toBe('True NoChanges');
    // Containers, volumes and what else a kubelet mounts is none of it.
    expect(baseline?.mounts?.mounts.map(({ path }) => path)).toEqual(['/', STANDING]);
  });

  test('since the baseline, of every kind, makes the node Failed, is named, and is over when it is unmounted', async () => {
    for (const { point, how } of MOUNTS) await mount(point, how);
    const points = MOUNTS.map(({ point }) => point);
    await eventually(
      'all are counted',
      async () => (await integrity.status(NODE))?.lastResult?.mountChanges === MOUNTS.length,
      150_000,
    );
    const message = await named(...points.slice(0, 1));
    expect(message).not.toContain('sees something else');
    expect(await reason('IntegrityHeld')).toBe('False MountsChanged');
    const { lastResult } = (await integrity.status(NODE)) ?? {};
    // It is seen in AIDE's own report as well, and all the names stand before that.
    expect(lastResult?.filesChanged).toBeGreaterThan(0);
    const kept = await stage.client.get(configMaps, {
      namespace: NAMESPACE,
      name: lastResult?.resultConfigMapName ?? '',
    });
    for (const point of points) expect(kept.data?.integritylog).toContain(`${point} is a mount now`);
    expect(kept.data?.integritylog).toContain('/hostroot/etc/passwd');
    expect((await integrity.events('MountsChanged')).join()).toContain(`node ${NODE}: Mounts are otherwise`);
    await unmount(...points);
    await integrity.condition(NODE, 'Succeeded');
  });

  test('and was there at the baseline, and is gone, makes the node Failed, until that is accepted', async () => {
    await unmount(STANDING);
    expect(await named(STANDING)).toContain(`${STANDING} is no mount any more`);
    await reinitialise();
    const { baseline } = await integrity.condition(NODE, 'Succeeded');
    expect(baseline).toMatchObject({ reason: 'Demand', mounts: { count: 1, mounts: [{ path: '/' }] } });
  });

  test('where it does not reach the daemon makes the node Failed, and a new baseline is refused until it does', async () => {
    const script = 'mount --make-private / && ';
    const [file, folder] = [MOUNTS[0], MOUNTS[1]];
    await mount('/etc/passwd', `${script}${file?.how}`);
    await mount('/usr/local/games', folder?.how ?? '');
    const message = await named('/etc/passwd', '/usr/local/games');
    expect(message).toContain('/etc/passwd is a mount now');
    expect(message).toContain('The scan sees something else than the node at /etc/passwd (');
    expect(await reason('IntegrityHeld')).toBe('False MountsChanged');
    expect((await integrity.status(NODE))?.lastResult).toMatchObject({
      filesAdded: 0,
      filesChanged: 0,
      mountChanges: 2,
    });

    await reinitialise();
    const errored = await integrity.condition(NODE, 'Errored');
    expect(errored.lastResult?.errorMessage).toContain('The scan sees something else than the node at /etc/passwd');
    expect(errored.state).toBe('Failed'); // what was found stands, whatever could not be done since
    expect(await reason('IntegrityHeld')).toBe('False MountsChanged');

    // A pod that mounts the node's root with propagation needs it shared.
    await onNode('mount --make-shared /');
    await stage.kubectl(['delete', '-n', NAMESPACE, await daemonPod()]);
    const { baseline } = await integrity.condition(NODE, 'Succeeded');
    expect(baseline?.mounts?.mounts.map(({ path }) => path)).toEqual(['/', '/etc/passwd', '/usr/local/games']);
    await unmount('/etc/passwd', '/usr/local/games');
    expect(await named('/etc/passwd', '/usr/local/games')).toContain('is no mount any more');
  });

  test('below each of the daemon’s own mounts is seen, or the scan is unproven', async () => {
    await unmount('/etc/passwd', '/usr/local/games');
    const places = ['/run/probed', '/dev/net', '/proc/fs', '/sys/firmware', '/etc/kubernetes/manifests'];
    await onNode('mkdir -p /run/probed');
    const rules = places.map((place) => `=${place}$ d ftype`).join('\n');
    const data = { 'aide.conf': `${rules}\n/etc/kubernetes/manifests ftype+p\n/run/probed ftype+p\n` };
    const metadata = { namespace: NAMESPACE, name: 'own-mounts' };
    await stage.client.create(configMaps, { metadata, data });
    try {
      await integrity.change({ config: { name: 'own-mounts', namespace: NAMESPACE } });
      await eventually(
        'the baseline is of the new configuration',
        async () => {
          const { baseline, orders, lastResult } = (await integrity.status(NODE)) ?? {};
          const isNew =
            baseline?.configurationDigest === orders?.configuration.digest && baseline?.orderId === orders?.baseline.id;
          return isNew && baseline?.reason === 'Configuration' && lastResult?.condition === 'Succeeded';
        },
        150_000,
      );
      for (const place of places) await mount(place, 'mount -t tmpfs none $1 && echo evil > $1/probe');
      const message = await named(...places);
      let name: string | undefined;
      await eventually('the report is kept', async () => {
        name = (await integrity.status(NODE))?.lastResult?.resultConfigMapName;
        return name;
      });
      const kept = await stage.client.get(configMaps, { namespace: NAMESPACE, name: name ?? '' });
      const text = kept.data?.integritylog ?? '';
      // The first two are seen, with what lies in them; the others are not, which is told.
      for (const place of ['/etc/kubernetes/manifests', '/run/probed'])
        expect(text).toContain(`/hostroot${place}/probe`);
      for (const place of ['/dev/net', '/proc/fs', '/sys/firmware']) {
        expect(text.slice(text.indexOf('sees something else'))).toContain(place);
      }
      expect(message).toContain('sees something else');
    } finally {
      await unmount(...places);
      await integrity.change({ config: { name: null, namespace: null } });
      await stage.client.remove(configMaps, metadata);
    }
  });
});

/**
 * A file system with one file: at a file its root is that, at a folder it is the folder's only entry, `probe`. What the
 * kernel asks of it is in linux/fuse.h.
 */
const FUSE = `
use Fcntl; use POSIX ();
my ($point) = @ARGV;
my $folder = -d $point;
sysopen(my $dev, '/dev/fuse', O_RDWR) or die "fuse: $!";
my $text = "evil\\n";
my $rootmode = $folder ? '40755' : '100644';
my $options = 'fd=' . fileno($dev) . ",rootmode=$rootmode,user_id=0,group_id=0,allow_other";
my ($source, $type, $mount) = ('evil', 'fuse.evil', $^V && \`uname -m\` =~ /aarch64/ ? 40 : 165);
syscall($mount, $source, $point, $type, 0, $options) == 0 or die "mount: $!";
exit 0 if fork;
POSIX::setsid(); open(STDIN, '<', '/dev/null'); open(STDOUT, '>', '/dev/null'); open(STDERR, '>', '/dev/null');
sub attr {
  my ($id) = @_;
  my ($size, $mode) = $folder && $id == 1 ? (0, 040755) : (length $text, 0100644);
  return pack('Q6 L10', $id, $size, 1, 0, 0, 0, 0, 0, 0, $mode, 1, 0, 0, 0, 4096, 0);
}
sub entry { my ($id, $kind, $name) = @_; return pack('Q Q L L a8', $id, $id, length $name, $kind, $name) }
while (sysread($dev, my $in, 1 << 18)) {
  my ($length, $opcode, $unique, $id, $uid, $gid, $pid) = unpack('L L Q Q L L L', $in);
  my ($error, $out) = (0, '');
  if ($opcode == 26) { $out = pack('L L L L S S L L S S L L7', 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0, (0) x 7) }
  elsif ($opcode == 1) { if (unpack('Z*', substr($in, 40)) eq 'probe') { $out = pack('Q4 L2', 2, 0, 0, 0, 0, 0) . attr(2) } else { $error = -2 } }
  elsif ($opcode == 3) { $out = pack('Q L L', 0, 0, 0) . attr($id) }
  elsif ($opcode == 14 || $opcode == 27) { $out = pack('Q L L', 0, 0, 0) }
  elsif ($opcode == 15) { my ($fh, $offset, $size) = unpack('Q Q L', substr($in, 40)); $out = $offset < length $text ? substr($text, $offset, $size) : '' }
  elsif ($opcode == 28) { my ($fh, $offset) = unpack('Q Q', substr($in, 40)); $out = $offset == 0 ? entry(1, 4, '.') . entry(2, 8, 'probe') : '' }
  elsif ($opcode == 17) { $out = pack('Q5 L4 L6', 1, 0, 0, 1, 0, 4096, 255, 4096, 0, (0) x 6) }
  elsif ($opcode == 18 || $opcode == 25 || $opcode == 29) { }
  elsif ($opcode == 2 || $opcode == 42) { next }
  else { $error = -38 }
  syswrite($dev, pack('L l Q', 16 + length $out, $error, $unique) . $out);
}
`;
