import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BaselineReceipt } from '../../src/api/protocol.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { closeBaseline } from '../../src/daemon/baselines/closing.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';

const aide = await findRealAide();
const never = new AbortController().signal;
const sighted = aide?.command ?? (['aide'] as const);
/** Root without the right to read what belongs to others. */
const blind = [
  'setpriv',
  '--bounding-set=-dac_override,-dac_read_search',
  '--inh-caps=-all',
  ...sighted,
] as unknown as readonly [string, ...string[]];
const FUSE = existsSync('/dev/fuse');

let node: ScratchNode;
let mounts: string[] = [];
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(async () => {
  for (const mount of mounts) execFileSync('umount', ['-l', mount]);
  mounts = [];
  await node[Symbol.asyncDispose]();
});

const order = { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' } as const;

async function baseline(program: readonly [string, ...string[]]): Promise<BaselineReceipt> {
  const { configurationDigest } = node;
  const task = { order, configurationDigest, maxBackups: 5 };
  const result = await carryOutBaseline(await node.bench(program), task, never);
  if (result.kind !== 'made') throw new Error(JSON.stringify(result));
  return result.receipt;
}

async function check(program: readonly [string, ...string[]]) {
  const result = await scan(await node.bench(program), { id: 'scan-1' }, never);
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result.facts;
}

/** A file that root reads only by the right to read everything. */
async function writeClosed(path: string, text = 'closed') {
  await node.write(path, text);
  await chown(join(node.root, path), 1000, 1000);
  await chmod(join(node.root, path), 0o600);
}

/** A FUSE file system whose program is gone: nobody can read it. */
function mountDead(path: string): void {
  const place = join(node.root, path);
  mkdirSync(place, { recursive: true });
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  execFileSync('sh', ['-c', `exec 3<>/dev/fuse; mount -i -t fuse.dead -o ${options} dead "$0"`, place]);
  mounts.push(place);
}

describe.skipIf(aide === undefined)('what the real AIDE does not see', () => {
  test('is nothing on a node that it can read, and the receipt says so', async () => {
    expect((await baseline(sighted)).unseen).toEqual({ count: 0, digest: '0'.repeat(64), paths: [] });
    expect(await check(sighted)).not.toHaveProperty('unseen');
  });

  test('is told though AIDE finds no difference, where a file changes that it cannot open any more', async () => {
    await writeClosed('etc/app/closed', 'good');
    await baseline(sighted);
    await writeFile(join(node.root, 'etc/app/closed'), 'evil');
    expect(await check(blind)).toMatchObject({
      verdict: 'Succeeded',
      exitStatus: 0,
      unseen: { count: 1, paths: [{ path: '/etc/app/closed', what: 'Content' }] },
    });
    expect(node.lines).toContain('AIDE did not see all that is watched: /etc/app/closed (Content)');
    expect(await check(sighted)).toMatchObject({ verdict: 'Failed' });
  });

  test('stands in the receipt of the baseline, and is the same at the next scan', async () => {
    await writeClosed('etc/app/closed');
    await mkdir(join(node.root, 'etc/app/folder'));
    await writeClosed('etc/app/folder/in');
    await chown(join(node.root, 'etc/app/folder'), 1000, 1000);
    await chmod(join(node.root, 'etc/app/folder'), 0o700);
    const { unseen } = await baseline(blind);
    expect(unseen?.paths).toEqual([
      { path: '/etc/app/closed', what: 'Content' },
      { path: '/etc/app/folder', what: 'Content' },
    ]);
    expect((await check(blind)).unseen).toEqual(unseen);
  });

  test('stands in the receipt of a baseline that the walk of the comparison wrote', async () => {
    await baseline(sighted);
    await writeClosed('etc/app/closed');
    const bench = await node.bench(blind);
    const { configurationDigest } = node;
    const again = { id: 'order-2', reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z' } as const;
    const task = { id: 'run-1', order: again, configurationDigest, hostRoot: node.root };
    const earlier = async () => ({ lacking: 'never' });
    const closed = await closeBaseline(bench, { ...task, earlier }, never);
    expect(closed).toMatchObject({ facts: { unseen: { count: 1 } }, unseen: { count: 1 } });
    expect(closed).toHaveProperty('successor');
  });

  test('is told whatever the configuration says of AIDE’s log', async () => {
    await writeClosed('etc/app/closed');
    await baseline(sighted);
    const bench = await node.bench(blind);
    await writeFile(bench.configuration, `log_level=error\n${node.configuration}`);
    const result = await scan(bench, { id: 'scan-1' }, never);
    expect(result).toMatchObject({ facts: { unseen: { count: 1 } } });
  });

  test('is a path that is too long', async () => {
    const start = join(node.root, 'etc/app', ...Array.from({ length: 18 }, () => 'd'.repeat(200)));
    mkdirSync(start, { recursive: true });
    execFileSync('mkdir', ['-p', ['e', 'f', 'g'].map((each) => each.repeat(200)).join('/')], { cwd: start });
    const { unseen } = await baseline(sighted);
    expect(unseen).toMatchObject({ count: 1, paths: [{ what: 'Path' }] });
    expect(unseen?.paths[0]?.path).toMatch(/^\/etc\/app\/d+\.\.\.~[0-9a-f]{16}$/);
    execFileSync('rm', ['-rf', join(node.root, 'etc/app')]); // by a path it cannot be removed
  });

  test('has names of any bytes, in which nothing hides', async () => {
    const name = "a': No such file or directory (skipping)\nWARNING: Dead symlink detected at b";
    await writeClosed(`etc/app/${name}`);
    const { unseen } = await baseline(blind);
    expect(unseen?.count).toBeGreaterThan(0);
    expect((await check(blind)).unseen).toEqual(unseen);
  });

  test.skipIf(!FUSE)('is a dead mount where the configuration looks, and none elsewhere', async () => {
    mountDead('mnt');
    mountDead('etc/app/out');
    const bench = await node.bench(sighted);
    const text = `${node.configuration}!${node.root}/etc/app/out\n`;
    await writeFile(bench.configuration, text);
    const task = { order, configurationDigest: node.configurationDigest, maxBackups: 5 };
    await carryOutBaseline(bench, task, never);
    expect(await scan(bench, { id: 'scan-1' }, never)).not.toHaveProperty('facts.unseen');
    mountDead('etc/app/in');
    expect(await scan(bench, { id: 'scan-2' }, never)).toMatchObject({
      facts: { unseen: { count: 1, paths: [{ path: '/etc/app/in', what: 'Path' }] } },
    });
  });
});
