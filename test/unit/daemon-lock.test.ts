import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LOCK_FILE, lockOf } from '../../src/daemon/disk/lock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-'));
  await chmod(directory, 0o755);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const path = () => join(directory, LOCK_FILE);
const modeOf = async () => (await lstat(path())).mode & 0o7777;

describe('the lock of a node', () => {
  test('is a file that its owner alone can open', async () => {
    expect(await lockOf(directory)).toBe(path());
    expect(await modeOf()).toBe(0o600);
    await lockOf(directory);
    expect(await modeOf()).toBe(0o600);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'cannot be held by another user, though that one may read the folder',
    async () => {
      const lock = await lockOf(directory);
      const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'flock', '--nonblock'];
      execFileSync('setpriv', [...nobody, directory, 'true']);
      const { status, stderr } = spawnSync('setpriv', [...nobody, lock, 'true'], { encoding: 'utf8' });
      expect(status).not.toBe(0);
      expect(stderr).toContain('Permission denied');
    },
  );

  test('takes away the rights that somebody gave', async () => {
    await writeFile(path(), '');
    await chmod(path(), 0o666);
    await lockOf(directory);
    expect(await modeOf()).toBe(0o600);
  });

  test('replaces a FIFO, a link and a folder that lie in its place', async () => {
    const other = join(directory, 'other');
    await writeFile(other, 'kept', { mode: 0o644 });
    const lay = [() => execFileSync('mkfifo', [path()]), () => symlink(other, path()), () => mkdir(path())];
    for (const each of lay) {
      await each();
      expect(await lockOf(directory)).toBe(path());
      expect((await lstat(path())).isFile()).toBe(true);
      await rm(path());
    }
    expect((await lstat(other)).mode & 0o777).toBe(0o644);
  });

  test('is the folder itself where there can be no file', async () => {
    expect(await lockOf('/proc/self')).toBe('/proc/self');
  });
});
