import { link, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { create, keepAs, move } from '../../src/daemon/disk/files.ts';
import { DAEMON_GROUP, startKeeper, type TestKeeper } from '../support/keeper.ts';

// The program that keeps the names in a node's /etc/kubernetes, by its own protocol. That a daemon can do nothing there
// without it is played on real nodes, in test/e2e/surface.test.ts.

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

describe.skipIf(!isRoot)('the keeper of a daemon’s files', () => {
  let folder: string;
  let keeper: TestKeeper;
  const at = (name: string) => join(folder, name);
  const ask = async (...request: unknown[]) => await keeper.ask(...(request as Parameters<TestKeeper['ask']>));
  const rights = async (name: string) => {
    const { uid, gid, mode } = await lstat(at(name));
    return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keeper-'));
    await mkdir(at('manifests'));
    await writeFile(at('kubelet.conf'), 'theirs', { mode: 0o600 });
    await writeFile(at('manifests/pod.yaml'), 'theirs');
    keeper = startKeeper(folder);
  });
  afterEach(async () => {
    keeper[Symbol.dispose]();
    await rm(folder, { recursive: true });
  });

  test('makes a file that the daemon writes to, which becomes root’s alone with its name', async () => {
    await using file = await create(at('aide.db.gz.new'));
    await file.writeFile('a database');
    expect(await rights('aide.db.gz.new')).toBe(`0:${DAEMON_GROUP} 660`);
    await move(at('aide.db.gz.new'), at('aide.db.gz'));
    expect(await rights('aide.db.gz')).toBe('0:0 600');
    await keepAs(at('aide.db.gz'), at('aide.db.gz.backup-20200917T15_07_38'));
    expect((await lstat(at('aide.db.gz'))).nlink).toBe(2);
    await expect(keepAs(at('aide.db.gz'), at('aide.db.gz.backup-20200917T15_07_38'))).rejects.toThrow('File exists');
    await ask('ensure', at('aide.lock'));
    await writeFile(at('aide.lock'), 'kept');
    await ask('ensure', at('aide.lock'));
    expect([await rights('aide.lock'), await readFile(at('aide.lock'), 'utf8')]).toEqual(['0:0 600', 'kept']);
    await ask('remove', at('aide.db.gz'));
    expect((await readdir(folder)).sort()).toEqual([
      'aide.db.gz.backup-20200917T15_07_38',
      'aide.lock',
      'kubelet.conf',
      'manifests',
    ]);
  });

  test('replaces what somebody laid in the place of a file, and not what it points to', async () => {
    await symlink('kubelet.conf', at('aide.log.new'));
    await mkdir(at('aide.json.new/folder'), { recursive: true });
    for (const name of ['aide.log.new', 'aide.json.new']) {
      await using _file = await create(at(name));
      expect((await lstat(at(name))).isFile()).toBe(true);
    }
    expect(await readFile(at('kubelet.conf'), 'utf8')).toBe('theirs');
    await rm(at('aide.log.new'));
    await symlink('kubelet.conf', at('aide.log.new'));
    await expect(move(at('aide.log.new'), at('aide.log'))).rejects.toThrow('is no file');
    await expect(keepAs(at('aide.log.new'), at('aide.log'))).rejects.toThrow('is no file');
  });

  test('does nothing to other names, and what is no request', async () => {
    await writeFile(at('aide.log'), 'a log');
    const others = [
      'kubelet.conf',
      'bootstrap-kubelet.conf',
      'kubelet-env',
      'manifests',
      'aide',
      'aide.',
      '.',
      '..',
      '',
    ];
    const paths = ['manifests/aide.x', './aide.x', 'aide./../kubelet.conf', '../aide.x', 'aide.x/../kubelet.conf'];
    const words = [
      'aide.$(touch x)',
      'aide.`touch`',
      'aide.*',
      'aide.x;',
      'aide.ä',
      '"aide.x"',
      '-rf',
      'aide.x\taide.y',
    ];
    const requests = [...others, ...paths, ...words].flatMap((name) => [
      ...['create', 'ensure', 'remove'].map((verb) => `${verb} ${name}`),
      ...['rename', 'link'].flatMap((verb) => [`${verb} aide.log ${name}`, `${verb} ${name} aide.x`]),
    ]);
    requests.push(
      '',
      ' ',
      'create aide.x y',
      'remove aide.log aide.x',
      'link aide.log aide.x aide.y',
      'rename aide.log',
    );
    requests.push('write aide.log', 'eval aide.log aide.x', '$(touch x) aide.x', '* aide.x', 'create\\ aide.x');
    for (const request of requests)
      expect([request, keeper.say(`${request}\n`)]).toEqual([request, 'that is no request']);
    expect((await readdir(folder)).sort()).toEqual(['aide.log', 'kubelet.conf', 'manifests']);
    expect([await readFile(at('kubelet.conf'), 'utf8'), await rights('kubelet.conf')]).toEqual(['theirs', '0:0 600']);
    expect(await readdir(at('manifests'))).toEqual(['pod.yaml']);
  });

  test('answers each of many requests at once, and the next after one that fails', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `aide.outbox-0_${index}`);
    const answers = await Promise.allSettled([
      ...names.map((name) => ask('create', at(name))),
      ask('rename', at('aide.none'), at('aide.x')),
      ask('remove', at('aide.outbox-0_0')),
    ]);
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect((await readdir(folder)).filter((name) => name.startsWith('aide.')).sort()).toEqual(names.slice(1).sort());
  });

  test('that was killed is told of, and nothing waits for it', async () => {
    await link(at('kubelet.conf'), at('aide.x'));
    keeper.end();
    await expect(ask('remove', at('aide.x'))).rejects.toMatchObject({ code: 'KEEPER_GONE' });
    await expect(ask('remove', at('aide.x'))).rejects.toMatchObject({ code: 'KEEPER_GONE' });
    expect(keeper.goneCount).toBe(1);
  });
});
