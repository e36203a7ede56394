import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convert } from '../../src/aide/config/convert.ts';
import { type DefaultName, defaultConfiguration } from '../../src/aide/config/defaults.ts';
import { lint } from '../../src/aide/config/lint.ts';
import { parse } from '../../src/aide/config/parse.ts';
import { prepareConfiguration } from '../../src/aide/config/prepare.ts';
import { rulesOf, selectionOf } from '../../src/aide/config/selection.ts';
import { findRealAide } from '../support/aide.ts';
import { type AideScene, adoptDatabase, makeAideScene, putConfiguration, selectedBy } from '../support/aide-scene.ts';

const aide = await findRealAide();

/** Runs AIDE with the configuration that was put there; its report. */
function run(scene: AideScene, command: '--init' | '--check'): string {
  const [program, ...words] = scene.command;
  const { status, stderr } = spawnSync(program, [...words, command, '--config=/work/aide.conf'], { encoding: 'utf8' });
  if (status === null || status > 7) throw new Error(`AIDE ended with ${status}: ${stderr}`);
  return readFileSync(join(scene.hostRoot, 'etc/kubernetes/aide.log.new'), 'utf8');
}

const FILES = [
  'etc/a',
  'etc/a.d/x',
  'etc/a.d/sub/y',
  'etc/b',
  'etc/kubernetes/aide.db.gz',
  'var/log/app/x',
  'var/lib/z',
];

describe.skipIf(aide === undefined)('by default', () => {
  /** What is selected of these files of a node. */
  function select(name: DefaultName, files: readonly string[]): string[] {
    if (aide === undefined) return [];
    using scene = makeAideScene(aide);
    for (const file of files) scene.write(file.slice(1), 'x');
    const selected = new Set(selectedBy(scene, prepareConfiguration(defaultConfiguration(name)).text));
    return files.filter((file) => selected.has(file));
  }

  const kept = [
    '/boot/vmlinuz-6',
    '/root/x',
    '/root/.ssh/authorized_keys',
    '/usr/bin/x',
    '/usr/local/y',
    '/etc/shadow',
  ];

  test('an OpenShift node is watched without what the contract leaves out', () => {
    const leftOut = [
      '/root/.kube/config',
      '/usr/src/x',
      '/usr/tmp/x',
      '/opt/x',
      '/var/x',
      '/etc/NetworkManager/system-connections/x',
      '/etc/mtab',
      '/etc/x~',
      '/etc/a/b~',
      '/etc/kubernetes/static-pod-resources/x',
      '/etc/kubernetes/aide.db.gz',
      '/etc/kubernetes/aide.log.new',
      '/etc/kubernetes/manifests/x',
      '/etc/kubernetes/kubelet-ca.crt',
      '/etc/kubernetes/cni/net.d/x',
      '/etc/kubernetes/compliance-operator/x',
      '/etc/kubernetes/node-feature-discovery/x',
      '/etc/docker/certs.d/x',
      '/etc/selinux/targeted/x',
      '/etc/openvswitch/conf.db',
      '/etc/machine-config-daemon/currentconfig',
      '/etc/machine-config-daemon/node-annotation.json',
      '/etc/machine-config-daemon/node-annotation.json.bak',
      '/etc/pki/ca-trust/extracted/java/cacerts',
      '/etc/cvo/updatepayloads/x',
      '/etc/cni/multus/certs/x',
      '/etc/mco/internal-registry-pull-secret.json',
    ];
    const more = ['/etc/kubernetes/kubelet.conf', '/etc/cni/net.d/x', '/etc/selinux/config', '/etc/openvswitch/x'];
    expect(select('openshift', [...kept, ...leftOut, ...more])).toEqual([...kept, ...more]);
  });

  /** What an exclusion would hide that does not look where it ends. */
  const besides = [
    '/root/.kubelet',
    '/usr/src-x/x',
    '/usr/tmpx',
    '/etc/sudoers.d/a~b',
    '/etc/cron.d/x~/y',
    '/etc/mtabx',
    '/etc/kubernetes/aide.d/x',
  ];

  test('an OpenShift node is watched beside what is left out, too', () => {
    const more = [
      '/etc/NetworkManager/system-connections-x/x',
      '/etc/selinux/targeted-x/x',
      '/etc/openvswitch/conf.db.d/x',
      '/etc/openvswitch/conf.dbx',
      '/etc/pki/ca-trust/extracted/java/cacerts.d/x',
      '/etc/kubernetes/static-pod-resources-x/x',
      '/etc/kubernetes/manifests-x/x',
      '/etc/kubernetes/kubelet-ca.crt.d/x',
      '/etc/kubernetes/cni/net.d-x/x',
      '/etc/kubernetes/compliance-operator-x/x',
      '/etc/kubernetes/node-feature-discovery-x/x',
      '/etc/docker/certs.d-x/x',
      '/etc/machine-config-daemon/currentconfigx',
      '/etc/machine-config-daemon/node-annotation.json.d/x',
      '/etc/cvo/updatepayloads-x/x',
      '/etc/cni/multus/certs-x/x',
      '/etc/mco/internal-registry-pull-secret.jsonx',
    ];
    expect(select('openshift', [...besides, ...more])).toEqual([...besides, ...more]);
  });

  test('another node is watched beside what is left out, too', () => {
    const more = ['/root/.cachex', '/etc/lvm/archive-x/x', '/etc/multipath/bindings.d/x', '/etc/cni/net.d-x/x'];
    expect(select('linux', [...besides, ...more])).toEqual([...besides, ...more]);
  });

  test.each(['openshift', 'linux'] as const)(
    'folders in the place of files that are left out are watched (%s)',
    (name) => {
      const files = ['/etc/mtab/x', '/etc/kubernetes/aide.db.gz/x', '/etc/x~/y'];
      expect(select(name, files)).toEqual(files);
    },
  );

  /** What AIDE finds changed of these files of root's home, each of which gets another content. */
  function changedIn(name: DefaultName, files: readonly string[]): string[] {
    if (aide === undefined) return [];
    using scene = makeAideScene(aide);
    const { text } = prepareConfiguration(defaultConfiguration(name));
    for (const file of files) scene.write(file.slice(1), 'one');
    putConfiguration(scene, text);
    run(scene, '--init');
    adoptDatabase(scene);
    for (const file of files) scene.write(file.slice(1), 'two');
    const report = run(scene, '--check');
    return files.filter((file) => report.includes(`/hostroot${file}\n`));
  }

  test.each(['openshift', 'linux'] as const)('what a login of root runs is watched with its content (%s)', (name) => {
    const files = [
      '/root/.bashrc',
      '/root/.bash_profile',
      '/root/.bash_login',
      '/root/.bash_logout',
      '/root/.profile',
      '/root/.zshenv',
      '/root/.cshrc',
      '/root/.ssh/authorized_keys',
      '/root/.ssh/authorized_keys2',
      '/root/.ssh/rc',
      '/root/.ssh/config',
      '/root/.ssh/authorized_keys.d/x',
      '/root/.config/systemd/user/x.service',
      '/root/.config/fish/config.fish',
      '/root/.vimrc',
      '/root/.gitconfig',
    ];
    const noise = [
      '/root/.bash_history',
      '/root/.ssh/known_hosts',
      '/root/.viminfo',
      '/root/.bashrc.swp',
      '/root/.config/x',
    ];
    expect(changedIn(name, [...files, ...noise])).toEqual(files);
  });

  test.each(['openshift', 'linux'] as const)('a link that leads elsewhere is found (%s)', (name) => {
    if (aide === undefined) return;
    using scene = makeAideScene(aide);
    putConfiguration(scene, prepareConfiguration(defaultConfiguration(name)).text);
    const link = join(scene.hostRoot, 'etc/localtime');
    symlinkSync('../usr/bin/login', link);
    run(scene, '--init');
    adoptDatabase(scene);
    rmSync(link);
    symlinkSync('../usr/lib/libc.so', link);
    expect(run(scene, '--check')).toContain('/hostroot/etc/localtime\n');
  });

  test('another node is watched with its static pods and its network plugins', () => {
    const more = ['/etc/kubernetes/manifests/etcd.yaml', '/opt/cni/bin/loopback', '/etc/resolv.conf'];
    const leftOut = [
      '/opt/x',
      '/var/x',
      '/etc/mtab',
      '/etc/cni/net.d/x',
      '/etc/kubernetes/aide.db.gz',
      '/root/.kube/x',
    ];
    expect(select('linux', [...kept, ...more, ...leftOut])).toEqual([...kept, ...more]);
  });
});

describe.skipIf(aide === undefined)('AIDE selects what the user means', () => {
  let scene: AideScene;
  beforeAll(() => {
    if (aide === undefined) return;
    scene = makeAideScene(aide);
    for (const name of [...FILES, 'srv/a\\x2db', 'srv/with space', 'srv/at@sign']) scene.write(name, 'x');
  });
  afterAll(() => scene?.[Symbol.dispose]());

  /** What is selected of the node by a user’s configuration. */
  const select = (...lines: string[]) => selectedBy(scene, convert(lines.map((line) => `${line}\n`).join('')).text);
  const etc = ['/etc/a', '/etc/a.d', '/etc/a.d/sub', '/etc/a.d/sub/y', '/etc/a.d/x', '/etc/b'];

  test('by the root: everything, and nothing of the container', () => {
    const all = select('/ R');
    expect(all).toEqual(expect.arrayContaining(['/', '/etc', '/var/log/app/x', '/bin', '/boot/vmlinuz']));
    expect(select('/hostroot R')).toEqual(all);
  });

  test('by a folder, a pattern and a variable', () => {
    expect(select('/etc/[ab] R')).toEqual(etc);
    expect(select('/(var/lib|etc/b) R')).toEqual(['/etc/b', '/var/lib', '/var/lib/z']);
    expect(select('@@define TOP /etc/a.d', '@@{TOP}/sub R')).toEqual(['/etc/a.d/sub', '/etc/a.d/sub/y']);
    const either = ['@@ifdef X', '@@define T /opt', '@@else', '@@define T /var/lib', '@@endif', '@@{T}/z R'];
    expect(select(...either)).toEqual(['/var/lib/z']);
  });

  test('by an = rule: what matches alone; with a slash at its end, what is in the folder', () => {
    expect(select('=/etc R')).toEqual(['/etc']);
    expect(select('=/etc/a.d/ R')).toEqual(['/etc/a.d/sub', '/etc/a.d/x']);
    expect(select('=/ R')).toEqual(['/', '/bin', '/boot', '/etc', '/opt', '/root', '/srv', '/usr', '/var']);
    expect(select('=/$ R')).toEqual(['/']);
  });

  test('by types of files', () => {
    expect(select('/etc/a d R')).toEqual(['/etc/a.d', '/etc/a.d/sub']);
    expect(select('/etc/a f R', '!/etc/a.d/sub/y f')).toEqual(['/etc/a', '/etc/a.d/x']);
  });

  test('with a ! rule that all below a folder matches too', () => {
    expect(select('/etc/[ab] R', '!/etc/a.d')).toEqual(['/etc/a', '/etc/b']);
    expect(select('/etc/[ab] R', '!/etc/a\\.d/s')).toEqual(['/etc/a', '/etc/a.d', '/etc/a.d/x', '/etc/b']);
  });

  test('with a ! rule that ends in $: what is below the folder is left out too, as before AIDE 0.19', () => {
    expect(select('/etc/[ab] R', '!/etc/a.d$')).toEqual(['/etc/a', '/etc/b']);
    expect(select('/etc/a R', '!/etc/.*/sub$')).toEqual(['/etc/a', '/etc/a.d', '/etc/a.d/x']);
    // AIDE 0.16 might have gone on below, for all that can be told of such a pattern.
    expect(select('/etc/[ab] R', '!/etc/.*/sub$')).toEqual(etc.filter((path) => path !== '/etc/a.d/sub'));
    expect(select('/etc/[ab] R', '!/etc/a$')).toEqual(etc.filter((path) => path !== '/etc/a'));
  });

  test('with a ! rule that ends in $, and a rule for something below, which is selected all the same', () => {
    expect(select('/var R', '!/var$', '/var/log/app R')).toContain('/var/log/app/x');
    expect(select('/var R', '!/var$')).toEqual([]);
  });

  test('with a ! rule that ends in $, where AIDE 0.19 is what it is written for', () => {
    expect(select('/etc/[ab] R', '!/etc/a.d$', '-/nowhere')).toEqual(etc.filter((path) => path !== '/etc/a.d'));
  });

  test('with backslashes, as AIDE 0.16 took them, and as later ones do', () => {
    expect(select('verbose=5', '/srv/a\\\\x2db R')).toEqual(['/srv/a\\x2db']);
    expect(select('/srv/a\\\\\\\\x2db R')).toEqual(['/srv/a\\x2db']);
    expect(select('/srv/with\\ space R', '/srv/at\\@sign R')).toEqual(['/srv/at@sign', '/srv/with space']);
  });

  test('on a condition that asks for a file of the node', () => {
    expect(select('@@if exists /etc/b', '/etc/b R', '@@else', '/var/lib R', '@@endif')).toEqual(['/etc/b']);
    expect(select('@@if not exists /etc/b', '/etc/b R', '@@else', '/var/lib/z R', '@@endif')).toEqual(['/var/lib/z']);
  });

  describe('for any rules', () => {
    const piece = fc.constantFrom(
      '/a',
      '.d',
      '\\.d',
      '/sub',
      '.*',
      '$',
      '/b',
      '/',
      '/kubernetes',
      '(a|b)',
      '[a-z]+',
      'x',
    );
    const path = fc
      .tuple(fc.constantFrom('', '/etc', '/etc', '/etc/a', '/var'), fc.array(piece, { maxLength: 3 }))
      .map(([start, pieces]) => `/hostroot${start}${pieces.join('')}`.replace(/\/{2,}/g, '/'));
    const rule = fc
      .tuple(fc.constantFrom('', '', '', '=', '!', '!', '-'), path, fc.constantFrom('', '', '', 'f', 'd', 'f,d'))
      .map(([prefix, regex, types]) =>
        `${prefix}${regex} ${types} ${'!-'.includes(prefix || '+') ? '' : 'p'}`.trimEnd(),
      );
    const rules = fc.array(rule, { minLength: 1, maxLength: 5 }).map((lines) => ['database_in=file:/x', ...lines, '']);

    test('what we say is selected is, what we say is left out is', () => {
      let judged = 0;
      fc.assert(
        fc.property(rules, (lines) => {
          const configuration = parse(lines.join('\n'));
          const selected = selectedBy(scene, lines.join('\n'));
          for (const file of FILES) {
            if (selectionOf(rulesOf(configuration), `/hostroot/${file}`) === undefined) continue;
            expect(selected).toContain(`/${file}`);
            judged += 1;
          }
          const found = lint(configuration);
          if (found.some(({ code }) => code === 'CONFIG_SELECTS_NOTHING')) expect(selected).toEqual([]);
          const idle = found.filter(({ code }) => code === 'CONFIG_RULE_WITHOUT_EFFECT').map(({ line }) => line - 1);
          if (idle.length === 0) return;
          const others = lines.filter((_line, index) => !idle.includes(index));
          expect(selectedBy(scene, others.join('\n'))).toEqual(selected);
          judged += 1;
        }),
        { numRuns: 25 },
      );
      expect(judged).toBeGreaterThan(0);
    });

    test('a ! rule that does not look ahead selects the same as a - rule', () => {
      fc.assert(
        fc.property(rules, (lines) => {
          const swapped = lines.map((line) => (/[$]|[fd]$/.test(line) ? line : line.replace(/^!/, '-')));
          expect(selectedBy(scene, swapped.join('\n'))).toEqual(selectedBy(scene, lines.join('\n')));
        }),
        { numRuns: 25 },
      );
    });
  });
});
