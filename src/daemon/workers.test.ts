import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowedCores } from './workers.ts';

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
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  expect(await allowedCores(root, 8)).toBe(cores);
});
