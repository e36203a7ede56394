import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { identify, isAlive, type ProcessIdentity } from './identity.ts';
import { tryLock } from './lock.ts';
import { type ProgramSpec, startProgram, stopProcess } from './program.ts';
import { mustRun, run } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'program-'));
afterAll(() => rmSync(folder, { recursive: true }));

function shell(script: string, spawned: ProcessIdentity[], spec: Partial<ProgramSpec> = {}): ProgramSpec {
  return {
    name: 'sample',
    argv: ['sh', '-c', script],
    log: join(folder, 'sample.log'),
    directory: folder,
    environment: process.env,
    ready: async () => true,
    readyWithinMs: 10_000,
    onSpawn: (identity) => spawned.push(identity),
    ...spec,
  };
}
const never = new AbortController().signal;

describe('a program', () => {
  test('that becomes ready runs on until it is stopped', async () => {
    const identity = await startProgram(shell('sleep 60', []), never);
    expect(isAlive(identity)).toBe(true);
    await stopProcess(identity);
    expect(isAlive(identity)).toBe(false);
  });

  test('that ignores TERM is killed', async () => {
    const ready = async () => (await run(['grep', '-q', 'deaf', join(folder, 'sample.log')])).code === 0;
    const identity = await startProgram(
      shell('trap "" TERM; echo deaf; while :; do sleep 0.1; done', [], { ready }),
      never,
    );
    await stopProcess(identity, 200);
    expect(isAlive(identity)).toBe(false);
  });

  test('that ends before it is ready fails with its code and the end of its log', async () => {
    const spec = shell('echo something is wrong; exit 3', [], { ready: async () => false });
    await expect(startProgram(spec, never)).rejects.toMatchObject({
      code: 'DEVCLUSTER_PROGRAM_FAILED',
      message: expect.stringMatching(/^sample ended with code 3.*something is wrong/s),
    });
  });

  test('that never gets ready fails and is not left running', async () => {
    const spawned: ProcessIdentity[] = [];
    const spec = shell('sleep 60', spawned, { ready: async () => false, readyWithinMs: 200 });
    await expect(startProgram(spec, never)).rejects.toThrow('sample was not ready within 0.2 s');
    expect(spawned.filter(isAlive)).toEqual([]);
  });

  test('whose start is called off is not left running', async () => {
    const spawned: ProcessIdentity[] = [];
    const spec = shell('sleep 60', spawned, { ready: async () => false });
    await expect(startProgram(spec, AbortSignal.timeout(200))).rejects.toThrow('timeout');
    expect(spawned).toHaveLength(1);
    expect(spawned.filter(isAlive)).toEqual([]);
  });

  test('that finds its port taken, the disk full or inotify used up fails with a code of its own', async () => {
    const ready = async () => false;
    const port = shell('echo listen tcp 127.0.0.1:53: bind: address already in use; exit 1', [], { ready });
    await expect(startProgram(port, never)).rejects.toMatchObject({ code: 'DEVCLUSTER_PORT_IN_USE' });
    const disk = shell('echo write /x: no space left on device; exit 1', [], { ready });
    await expect(startProgram(disk, never)).rejects.toMatchObject({ code: 'DEVCLUSTER_DISK_FULL' });
    const inotify = shell('echo failed complete: too many open files; exit 1', [], { ready });
    await expect(startProgram(inotify, never)).rejects.toMatchObject({ code: 'DEVCLUSTER_NO_INOTIFY' });
  });

  test('that is not installed fails with a sentence', async () => {
    await expect(run(['no-such-program'])).rejects.toThrow('The program no-such-program is not installed');
    const spec = shell('', [], { argv: ['no-such-program'], ready: async () => false });
    await expect(startProgram(spec, never)).rejects.toThrow('sample could not be started');
  });
});

test('a process is not taken for another one that has its number', () => {
  const self = identify(process.pid);
  expect(self && isAlive(self)).toBe(true);
  expect(isAlive({ pid: process.pid, startTime: 'another' })).toBe(false);
});

test('a command’s input reaches it, and one that does not read it is no error', async () => {
  expect((await mustRun(['cat'], { input: 'text' })).stdout).toBe('text');
  expect((await run(['true'], { input: 'x'.repeat(1_000_000) })).code).toBe(0);
});

test('a lock has one holder, until it is let go or its holder is dead', async () => {
  const file = join(folder, 'lock');
  const lock = tryLock(file);
  expect(lock).toBeDefined();
  expect(tryLock(file)).toBeUndefined();
  lock?.[Symbol.dispose]();
  await mustRun(['sh', '-c', `echo '{"pid":${process.pid},"startTime":"another"}' > ${file}`]);
  const taken = tryLock(file);
  expect(taken).toBeDefined();
  taken?.[Symbol.dispose]();
});
