import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowedCores, allowedMemory } from './limits.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'workers-'));
});
afterEach(() => rm(root, { recursive: true }));

const v1 = (quota: string) => ({ 'cpu/cpu.cfs_quota_us': quota, 'cpu/cpu.cfs_period_us': '100000\n' });

test.each([
  ['all where nothing is said', {}, 8],
  ['all without a limit', { 'cpu.max': 'max 100000\n' }, 8],
  ['those of the limit', { 'cpu.max': '300000 100000\n' }, 3],
  ['a part of one as a whole one', { 'cpu.max': '250000 100000\n' }, 3],
  ['one at least', { 'cpu.max': '1000 100000\n' }, 1],
  ['no more than there are', { 'cpu.max': '1600000 100000\n' }, 8],
  ['those of the limit of version 1', v1('200000\n'), 2],
  ['all without a limit of version 1', v1('-1\n'), 8],
])('a daemon lets AIDE use %s', async (_, files, cores) => {
  await writeAll(files);
  expect(await allowedCores(root, 8)).toBe(cores);
});

async function writeAll(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const MIB = 2 ** 20;

test.each([
  ['no bound where nothing is said', {}, undefined],
  ['no bound without a limit', { 'memory.max': 'max\n' }, undefined],
  ['no bound without one of version 1', { 'memory/memory.limit_in_bytes': '9223372036854771712\n' }, undefined],
  [
    'what the limit leaves of it',
    { 'memory.max': `${600 * MIB}\n`, 'memory.stat': `anon ${20 * MIB}\nfile ${500 * MIB}\n` },
    556 * MIB,
  ],
  [
    'what that of version 1 leaves',
    {
      'memory/memory.limit_in_bytes': `${600 * MIB}\n`,
      'memory/memory.stat': `rss 1\ntotal_cache ${9 * MIB}\ntotal_rss ${20 * MIB}\n`,
    },
    556 * MIB,
  ],
  ['next to nothing where nothing is left', { 'memory.max': `${30 * MIB}\n`, 'memory.stat': `anon ${20 * MIB}\n` }, 1],
])('a daemon gives AIDE %s of memory', async (_, files, bytes) => {
  await writeAll(files);
  expect(await allowedMemory(root)).toBe(bytes);
});
