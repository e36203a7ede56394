import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { PROGRAMS } from './catalogue.ts';
import { place, presentPrograms } from './origins.ts';
import { installRelease } from './release.ts';
import type { Release } from './releases.ts';
import { archiveOf, type Packed, serve, sha256 } from './served.ts';

const work = mkdtempSync(join(tmpdir(), 'release-'));
const folder = join(work, 'programs');
afterAll(() => rmSync(work, { recursive: true }));
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});

const archive = await archiveOf({ 'bin/containerd': 'the daemon', 'bin/ctr': 'the client', 'bin/other': 'else' }, work);

async function install(
  packed: Packed,
  programs: Release['files'][number]['programs'],
  answer: RequestListener = (_, response) => response.end(packed.bytes),
): Promise<{ release: Release; lines: string[]; error: unknown }> {
  await using server = await serve(answer);
  const file = { url: `${server.origin}/file`, sha256: packed.sha256, programs };
  const release: Release = { project: 'containerd', version: '1', files: [file] };
  const lines: string[] = [];
  const options = {
    environment: {},
    onProgress: (line: string) => lines.push(line),
    signal: new AbortController().signal,
  };
  const error: unknown = await installRelease({ release, file, programs }, folder, options).catch((thrown) => thrown);
  return { release, lines, error };
}

const members = [
  { name: 'containerd', member: 'bin/containerd' },
  { name: 'ctr', member: 'bin/ctr' },
];

test('the wanted programs of an archive are put in place, can be run, and are recorded as released', async () => {
  const { release, error } = await install(archive, members);
  expect(error).toBeUndefined();
  expect(readdirSync(folder).toSorted()).toEqual(['containerd', 'ctr', 'origins.json']);
  expect(readFileSync(join(folder, 'ctr'), 'utf8')).toBe('the client');
  expect(statSync(join(folder, 'ctr')).mode & 0o777).toBe(0o755);
  expect([...presentPrograms(folder, PROGRAMS, [release])]).toEqual([
    ['containerd', 'release'],
    ['ctr', 'release'],
  ]);
});

test('a file that is itself a program is put in place', async () => {
  const bytes = Buffer.from('a program');
  const { error } = await install({ bytes, sha256: sha256(bytes) }, [{ name: 'kubectl' }]);
  expect(error).toBeUndefined();
  expect(readFileSync(join(folder, 'kubectl'), 'utf8')).toBe('a program');
  expect(statSync(join(folder, 'kubectl')).mode & 0o777).toBe(0o755);
});

test('a connection that breaks once is tried once more', async () => {
  let times = 0;
  const { lines, error } = await install(archive, members, (request, response) => {
    times += 1;
    if (times === 1) request.socket.destroy();
    else response.end(archive.bytes);
  });
  expect(error).toBeUndefined();
  expect(lines[0]).toMatch(/broke the connection off; once more$/);
});

test('a connection that breaks each time, and a wrong file at once, are given up and leave nothing', async () => {
  let times = 0;
  const broken = await install(archive, members, (request) => {
    times += 1;
    request.socket.destroy();
  });
  expect(broken.error).toMatchObject({ code: 'DEVCLUSTER_DOWNLOAD_FAILED' });
  expect(times).toBe(2);
  const wrong = await install({ ...archive, sha256: sha256(Buffer.from('another')) }, members);
  expect(wrong.error).toMatchObject({ code: 'DEVCLUSTER_CHECKSUM_MISMATCH' });
  expect(wrong.lines).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('an archive without the program, or that is none, is said to be so and leaves nothing', async () => {
  const lacking = await install(archive, [{ name: 'etcd', member: 'bin/etcd' }]);
  expect(lacking.error).toMatchObject({
    code: 'DEVCLUSTER_UNPACK_FAILED',
    message: expect.stringContaining('bin/etcd'),
  });
  const bytes = Buffer.from('no archive');
  const none = await install({ bytes, sha256: sha256(bytes) }, members);
  expect(none.error).toMatchObject({ code: 'DEVCLUSTER_UNPACK_FAILED' });
  expect(readdirSync(folder)).toEqual([]);
});

test('a released program whose checksum is no longer the pinned one counts as missing', async () => {
  const { release } = await install(archive, members);
  const [file] = release.files;
  if (file === undefined) throw new TypeError('The release has a file');
  const next: Release = { ...release, files: [{ ...file, sha256: sha256(Buffer.from('the next version')) }] };
  expect([...presentPrograms(folder, PROGRAMS, [next])]).toEqual([]);
});

test('a program that is made anew by Go is no longer recorded as released', async () => {
  const { release } = await install(archive, members);
  const draft = join(folder, '.ctr');
  writeFileSync(draft, 'built');
  place(folder, 'ctr', draft, undefined);
  expect([...presentPrograms(folder, PROGRAMS, [release])]).toEqual([
    ['containerd', 'release'],
    ['ctr', 'go'],
  ]);
});

test('a program whose replacement is cut short is missing, and not taken for one of another origin', async () => {
  const { release } = await install(archive, members);
  expect(() => place(folder, 'ctr', join(folder, 'no-such-draft'), undefined)).toThrow('ENOENT');
  expect([...presentPrograms(folder, PROGRAMS, [release])]).toEqual([['containerd', 'release']]);
});
