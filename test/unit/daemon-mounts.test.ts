import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BaselineReceipt } from '../../src/api/protocol.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';
import { mountLine, ownMountTable, placeMountTable } from '../support/mount-table.ts';

// The tables are played here; test/e2e/mounts.test.ts has real ones.

const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(() => node[Symbol.asyncDispose]());

/** Mounts on the node that the daemon does not see. */
const hidden = (point: string, type = 'tmpfs') => mountLine({ id: 2, parent: 1, point, type });

/** Mounts on the node that the daemon sees: its own table has them, too. */
async function mountSeen(points: readonly string[]) {
  const lines = (start: number, parent: number, root: string) =>
    points.map((point, at) => mountLine({ id: start + at, parent, point: root + point })).join('');
  const own = await readFile('/proc/self/mountinfo', 'latin1');
  const table = join(node.root, '../own');
  const place = ownMountTable().find(node.root);
  await writeFile(table, own + lines(900_000, place?.mount.id ?? 0, node.root));
  placeMountTable(node.root, lines(2, 1, ''));
  return table;
}

async function benchWith(own?: string) {
  const bench = await node.bench(aide?.command ?? ['aide']);
  return own === undefined ? bench : { ...bench, mountTables: { ...bench.mountTables, own } };
}

let orders = 0;
async function baseline(own?: string) {
  orders += 1;
  const order = { id: `order-${orders}`, reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z' } as const;
  const task = { order, configurationDigest: node.configurationDigest, maxBackups: 5 };
  return await carryOutBaseline(await benchWith(own), task, never);
}

async function made(own?: string): Promise<BaselineReceipt> {
  const result = await baseline(own);
  if (result.kind !== 'made') throw new Error(JSON.stringify(result));
  return result.receipt;
}

async function check(recorded: BaselineReceipt, own?: string) {
  const result = await scan(await benchWith(own), { id: 'scan-1', baseline: recorded }, never);
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result;
}

describe.skipIf(aide === undefined)('a scan', () => {
  test('of a node without mounts where the configuration looks is Succeeded, and its receipt says so', async () => {
    const receipt = await made();
    expect(receipt.mounts).toMatchObject({ count: 1, mounts: [{ path: '/' }] });
    placeMountTable(node.root, hidden('/srv/other'));
    expect((await check(receipt)).facts).toMatchObject({ verdict: 'Succeeded' });
  });

  test.each(['/etc/app', '/etc/app/a', '/etc/app/a/deep', '/etc'])(
    'with a new mount at %s, which the daemon does not see, is Failed and says both',
    async (point) => {
      const receipt = await made();
      placeMountTable(node.root, hidden(point));
      const { facts, report } = await check(receipt);
      expect(facts).toMatchObject({
        verdict: 'Failed',
        mountChanges: 1,
        counts: { added: 0, changed: 0, removed: 0 },
        exitStatus: 0,
      });
      expect(facts.errorMessage).toContain(`${point} is a mount now (/ of tmpfs 0:99)`);
      expect(facts.errorMessage).toContain(`sees something else than the node at ${point} (`);
      expect(report?.head).toContain(`${point} is a mount now`);
    },
  );

  test('with a new mount that the daemon sees is Failed, with what AIDE found', async () => {
    const receipt = await made();
    const own = await mountSeen(['/etc/app']);
    await node.write('etc/app/c', 'added');
    const { facts, report } = await check(receipt, own);
    expect(facts).toMatchObject({ verdict: 'Failed', mountChanges: 1, counts: { added: 1 } });
    expect(facts.errorMessage).not.toContain('sees something else');
    expect(await readFile(outboxFile(node.outbox, report?.log ?? ''), 'utf8')).toContain('etc/app/c');
  });

  test('with a mount of the baseline that stays is Succeeded, with one that is gone Failed', async () => {
    const own = await mountSeen(['/etc/app']);
    const receipt = await made(own);
    expect(receipt.mounts).toMatchObject({ count: 2, mounts: [{ path: '/' }, { path: '/etc/app', type: 'tmpfs' }] });
    expect((await check(receipt, own)).facts).toMatchObject({ verdict: 'Succeeded' });
    placeMountTable(node.root);
    const { facts } = await check(receipt);
    expect(facts).toMatchObject({ verdict: 'Failed', mountChanges: 1 });
    expect(facts.errorMessage).toContain('/etc/app is no mount any more');
  });

  test('that sees less than the node, with a baseline of before that says nothing of mounts, is Errored', async () => {
    const { mounts: _, ...receipt } = await made();
    placeMountTable(node.root, hidden('/etc/app/a'));
    const { facts, report } = await check(receipt);
    expect(facts).toMatchObject({ verdict: 'Errored', errorCode: 'MOUNT_NOT_SEEN' });
    expect(facts.errorMessage).toContain('/etc/app/a');
    expect(report).toBeUndefined();
    await node.write('etc/app/b', 'changed');
    expect((await check(receipt)).facts).toMatchObject({ verdict: 'Failed', counts: { changed: 1 } });
  });

  test.each([
    ['is not there', undefined],
    ['is none', 'hello\n'],
    ['has more mounts than are read', hidden('/a').repeat(20_000)],
  ])('is Errored where the node’s table %s', async (_, text) => {
    const receipt = await made();
    const file = join(node.root, 'proc/1/mountinfo');
    await (text === undefined ? rm(file) : writeFile(file, text));
    expect((await check(receipt)).facts).toMatchObject({ verdict: 'Errored', errorCode: 'MOUNTS_UNKNOWN' });
  });

  test('is Errored where the node’s table is a file in the place of the kernel’s, or one of other processes', async () => {
    const receipt = await made();
    const bench = await benchWith();
    const proc = join(node.root, 'proc');
    const errorOf = async () => {
      const mountTables = { ...bench.mountTables, proc };
      const result = await scan({ ...bench, mountTables }, { id: 'scan-1', baseline: receipt }, never);
      expect(result).toMatchObject({ facts: { verdict: 'Errored', errorCode: 'MOUNTS_UNKNOWN' } });
      return result.kind === 'ended' ? result.facts.errorMessage : '';
    };
    expect(await errorOf()).toContain('is not the kernel’s');
    execFileSync('unshare', ['--pid', '--fork', 'mount', '-t', 'proc', 'proc', proc]);
    try {
      expect(await errorOf()).toContain('is not that of the node: the daemon is not in it');
    } finally {
      execFileSync('umount', [proc]);
    }
  });

  test('that AIDE could not do is Failed where there is a new mount', async () => {
    const receipt = await made();
    placeMountTable(node.root, hidden('/etc/app'));
    const bench = await benchWith();
    const broken = join(node.root, '../aide');
    await node.writeProgram(broken, aide?.command ?? ['aide']);
    await writeFile(
      broken,
      (await readFile(broken, 'utf8')).replace('\n', '\ncase "$*" in *--check*) exit 18;; esac\n'),
    );
    const result = await scan({ ...bench, aide: [broken] }, { id: 'scan-1', baseline: receipt }, never);
    expect(result).toMatchObject({ facts: { verdict: 'Failed', mountChanges: 1, exitStatus: 18 } });
    expect(result).not.toHaveProperty('facts.errorCode');
  });
});

describe.skipIf(aide === undefined)('a baseline', () => {
  test('is not made of what the node itself does not see', async () => {
    placeMountTable(node.root, hidden('/etc/app/a'));
    expect(await baseline()).toMatchObject({
      kind: 'failed',
      facts: { errorCode: 'MOUNT_NOT_SEEN', errorMessage: expect.stringContaining('/etc/app/a') },
    });
  });

  test('that is made anew takes the mounts as they are', async () => {
    const before = await made();
    const own = await mountSeen(['/etc/app']);
    expect((await check(before, own)).facts.verdict).toBe('Failed');
    const after = await made(own);
    expect((await check(after, own)).facts.verdict).toBe('Succeeded');
  });
});
