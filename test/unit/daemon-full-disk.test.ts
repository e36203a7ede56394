import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { keepMessage } from '../../src/daemon/disk/spool.ts';
import type { BaselineEnd, ScanEnd } from '../../src/daemon/machine/state.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';
import { startKeeper, type TestKeeper } from '../support/keeper.ts';

const aide = await findRealAide();
const canMount = process.platform === 'linux' && process.getuid?.() === 0;
const never = new AbortController().signal;
const FILES = 300;

let node: ScratchNode;
/** A node whose /etc/kubernetes has 512 KiB. */
beforeEach(async () => {
  node = await createScratchNode();
  await mkdir(node.paths.directory, { recursive: true });
  if (canMount) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'none', node.paths.directory]);
  await fill('a');
});
afterEach(async () => {
  if (canMount) execFileSync('umount', [node.paths.directory]);
  await node[Symbol.asyncDispose]();
});

async function fill(text: string): Promise<void> {
  for (let number = 0; number < FILES; number += 1) await node.write(`etc/app/a-longer-name-${number}`, text);
}

/** Leaves so many bytes free. */
async function leave(bytes: number): Promise<void> {
  const padding = join(node.paths.directory, 'padding');
  await rm(padding, { force: true });
  const { bavail, bsize } = await statfs(node.paths.directory);
  await writeFile(padding, Buffer.alloc(bavail * bsize - bytes));
}

async function baseline(id = 'order-1'): Promise<BaselineEnd> {
  const order = { id, reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z' } as const;
  const bench = await node.bench(aide?.command ?? ['aide']);
  return await carryOutBaseline(bench, { order, configurationDigest: node.configurationDigest, maxBackups: 5 }, never);
}

async function check(id: string, digest: string): Promise<Extract<ScanEnd, { kind: 'ended' }>> {
  const result = await scan(
    await node.bench(aide?.command ?? ['aide']),
    { id, baseline: { digest, entries: FILES + 3 } },
    never,
  );
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result;
}

const names = async () => (await readdir(node.paths.directory)).filter((name) => name !== 'padding').sort();
const digestOf = (result: BaselineEnd) => (result.kind === 'made' ? result.receipt.digest : '');

const described = describe.skipIf(aide === undefined || !canMount);
described.each([
  ['by itself', false],
  ['through the keeper', true],
])('a disk that is full, which the daemon writes to %s,', (_, kept) => {
  let keeper: TestKeeper | undefined;
  beforeEach(() => {
    if (kept) keeper = startKeeper(node.paths.directory);
  });
  afterEach(() => keeper?.[Symbol.dispose]());

  // With 8 KiB AIDE ends with status 0 and a database that is cut.
  test.each([0, 4096, 8192])('with %i bytes left keeps the old database and says so', async (bytes) => {
    await baseline();
    const before = await readFile(node.paths.database);
    const files = await names();
    await fill('b');
    await leave(bytes);
    const result = await baseline('order-2');
    expect(result).toMatchObject({ kind: 'failed', facts: { verdict: 'Errored' } });
    expect(result.kind === 'failed' && result.facts.errorMessage).toMatch(/No space left|ENOSPC|disk|write/);
    expect(await readFile(node.paths.database)).toEqual(before);
    expect(await names()).toEqual(files);
    await leave(300_000);
    expect(await baseline('order-2')).toMatchObject({ kind: 'made', receipt: { orderId: 'order-2' } });
  });

  test.each([0, 4096, 65_536, 131_072])(
    'with %i bytes left finds all the same, and says what is missing',
    async (bytes) => {
      const digest = digestOf(await baseline());
      await fill('b');
      await leave(bytes);
      const cut = await check('scan-1', digest);
      expect(cut.facts).toMatchObject({ verdict: 'Failed', exitStatus: 4 });
      expect(cut.facts.errorMessage).toMatch(/^AIDE’s (text )?report/);
      if (cut.report !== undefined) expect(cut.report.note).toContain('This report is not whole.');
      // Counts are true or not there.
      expect([FILES, undefined]).toContain(cut.facts.counts?.changed);
      await leave(300_000);
      const whole = await check('scan-2', digest);
      expect(whole.facts).toMatchObject({ verdict: 'Failed', counts: { added: 0, changed: FILES, removed: 0 } });
      expect(whole.facts).not.toHaveProperty('errorMessage');
      expect(whole.fingerprint).not.toBe(cut.fingerprint);
    },
  );

  test('proves nothing when nothing differs and AIDE could not write with which database it compared; another one is seen', async () => {
    const digest = digestOf(await baseline());
    await leave(0);
    const { facts: quiet } = await check('scan-1', digest);
    expect(quiet).toMatchObject({ verdict: 'Errored', exitStatus: 0, errorCode: 'AIDE_WRITE_ERROR' });
    expect(quiet.errorMessage).toContain('make room there');
    const facts = (await check('scan-2', 'f'.repeat(64))).facts;
    expect(facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Replaced', exitStatus: 0 });
    expect(facts.errorMessage).toContain('AIDE’s report is empty.');
    await leave(300_000);
    expect((await check('scan-3', digest)).facts).toMatchObject({ verdict: 'Succeeded', baselineDigest: digest });
  });

  test('with room for AIDE’s reports alone keeps them both whole', async () => {
    const digest = digestOf(await baseline());
    await fill('b');
    const { report } = await check('scan-1', digest);
    const log = await readFile(outboxFile(node.outbox, report?.log ?? ''));
    const json = await readFile(outboxFile(node.outbox, report?.json ?? ''));
    for (const name of await names()) if (name.includes('outbox')) await rm(join(node.paths.directory, name));
    await rm(node.paths.log);
    await leave(log.length + json.length + 2 * 4096);
    const again = await check('scan-2', digest);
    expect(again.facts).not.toHaveProperty('errorMessage');
    expect(await readFile(outboxFile(node.outbox, again.report?.log ?? ''))).toHaveLength(log.length);
    expect(await readFile(node.paths.log)).toHaveLength(log.length);
  });

  test('takes no message, and leaves no half of one', async () => {
    await leave(0);
    const at = '2026-01-01T00:00:00Z';
    const outcome = {
      kind: 'notice',
      id: 'run-1',
      node: 'node-a',
      notice: 'UnorderedReinit',
      at,
      message: 'x',
    } as const;
    await expect(keepMessage(node.outbox, { outcome }, 1)).rejects.toThrow(/ENOSPC|No space left/);
    expect(await names()).toEqual([]);
  });
});
