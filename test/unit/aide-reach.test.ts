import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { defaultConfiguration } from '../../src/aide/config/defaults.ts';
import { prepareConfiguration } from '../../src/aide/config/prepare.ts';
import { findReached } from '../../src/aide/reach.ts';
import { findRealAide } from '../support/aide.ts';

const aide = await findRealAide();

describe.skipIf(aide === undefined)('where a configuration looks, as the real AIDE says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fio-reach-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const configuration = join(folder, 'aide.conf');

  const reachedBy = async (text: string, paths: readonly string[]) => {
    writeFileSync(configuration, text);
    const options = { command: aide?.command ?? ['aide'], configuration, folder: join(folder, 'tree') } as const;
    return [...(await findReached(paths, options))];
  };
  const check = async (rules: readonly string[], reached: readonly string[], others: readonly string[]) => {
    const text = `database_in=file:/nowhere\nC = sha512+ftype\n${rules.join('\n')}\n`;
    expect((await reachedBy(text, [...reached, ...others])).sort()).toEqual([...reached].sort());
  };

  test('is what it selects, what lies below, and what lies above', async () => {
    await check(
      ['/h/etc C', '/h/var/lib/foo/[a-z]+/conf C'],
      ['/h', '/h/etc', '/h/etc/passwd', '/h/etc/a/b/c', '/h/var', '/h/var/lib', '/h/var/lib/foo/abc'],
      ['/h/var/log', '/h/var/lib/other', '/h/var/lib/foo/123', '/h/usr', '/other'],
    );
  });

  test('is not what it leaves out, and is what is left in there', async () => {
    await check(
      ['/h/etc C', '!/h/etc/out', '-/h/etc/never', '!/h/etc/only$'],
      ['/h/etc/only', '/h/etc/on'],
      ['/h/etc/out', '/h/etc/out/a', '/h/etc/never', '/h/etc/never/a/b'],
    );
  });

  test('goes by what kind of file a rule is for', async () => {
    await check(
      ['/h/etc f C', '=/h/opt$ d C', '/h/one$ f C', '/h/data d=nfs C'],
      ['/h/etc', '/h/etc/passwd', '/h/opt', '/h/one', '/h/data'],
      ['/h/opt/a', '/h/two'],
    );
  });

  test('is told of names that AIDE writes otherwise than they are', async () => {
    const names = ['a b', 'line\n[x] d:/h/forged: selective rule', "quote': \\", '\xe9\xff', '\u001b[31m', 'a: b'];
    await check(
      ['/h/etc C'],
      names.map((name) => `/h/etc/${name}`),
      names.map((name) => `/h/srv/${name}`).concat('/h/forged'),
    );
  });

  test('is everywhere with a path that is too long to be tried', async () => {
    const deep = `/h/srv${`/${'x'.repeat(200)}`.repeat(21)}`;
    await check(['/h/etc C'], [deep], ['/h/srv']);
  });

  test('of the defaults', async () => {
    for (const name of ['linux', 'openshift'] as const) {
      const { text } = prepareConfiguration(defaultConfiguration(name));
      const paths = ['boot', 'boot/efi', 'usr', 'etc', 'etc/passwd', 'root', 'etc/kubernetes', 'usr/lib/modules'];
      const others = ['var/lib/kubelet/pods/x', 'run', 'proc', 'sys/fs/cgroup', 'dev', 'srv', 'home/a', 'tmp', 'var'];
      const at = (path: string) => `/hostroot/${path}`;
      expect((await reachedBy(text, [...paths, ...others].map(at))).sort()).toEqual(paths.map(at).sort());
    }
  });

  test('leaves nothing behind', () => {
    expect(readdirSync(folder)).toEqual(['aide.conf']);
  });

  test('is not known with a configuration that AIDE refuses', async () => {
    await expect(reachedBy('/h/etc Unknown\n', ['/h/etc'])).rejects.toThrow(/does not say where .*Unknown/);
  });
});
