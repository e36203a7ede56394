import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PROGRAMS, programsDirectory } from './catalogue.ts';
import { ensurePrograms, missingPrograms } from './ensure.ts';
import { pauseProgram } from './pause.ts';

const never = new AbortController().signal;
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'programs-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('FIO_PROGRAMS', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

function putAll(but: readonly string[] = []): void {
  mkdirSync(programsDirectory(), { recursive: true });
  for (const { name } of PROGRAMS) if (!but.includes(name)) writeFileSync(join(programsDirectory(), name), '');
}

test('a program that lies in its folder is not made again', () => {
  expect(missingPrograms().map(({ name }) => name)).toContain('etcd');
  putAll(['kubectl']);
  expect(missingPrograms().map(({ name }) => name)).toEqual(['kubectl']);
});

test('every program is made under a name of its own', () => {
  const names = PROGRAMS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test('where all programs are there nothing is said, but that FIO_PROGRAMS comes too late', async () => {
  putAll();
  const lines: string[] = [];
  await expect(ensurePrograms((line) => lines.push(line), never)).resolves.toBe(programsDirectory());
  expect(lines).toEqual([]);
  vi.stubEnv('FIO_PROGRAMS', 'download');
  await ensurePrograms((line) => lines.push(line), never);
  expect(lines).toEqual([
    expect.stringMatching(/^FIO_PROGRAMS=download changes nothing for kube-apiserver, .*; remove /),
  ]);
});

const canWrite = process.platform === 'linux' && pauseProgram(process.arch) !== undefined;
describe.skipIf(!canWrite)('on Linux', () => {
  test('pause alone needs neither Go nor the internet, and what a killed run left is removed', async () => {
    putAll(['pause']);
    writeFileSync(join(programsDirectory(), '.download.1'), 'half');
    vi.stubEnv('PATH', '/nowhere');
    await ensurePrograms(() => undefined, never);
    expect(missingPrograms()).toEqual([]);
    expect(readdirSync(programsDirectory()).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('downloads that are asked for and cannot be had leave nothing', async () => {
    vi.stubEnv('FIO_PROGRAMS', 'download');
    // Nothing listens there, so this is the same with the internet and without.
    for (const name of ['HTTPS_PROXY', 'https_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1');
    for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '');
    await expect(ensurePrograms(() => undefined, never)).rejects.toMatchObject({ code: 'DEVCLUSTER_NO_INTERNET' });
    expect(readdirSync(programsDirectory())).toEqual([]);
  });
});
