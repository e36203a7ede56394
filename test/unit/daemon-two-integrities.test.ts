import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { replaceDatabase } from '../../src/daemon/baselines/backups.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { LOCK_FILE } from '../../src/daemon/disk/lock.ts';
import { nodePaths, outboxFile } from '../../src/daemon/disk/paths.ts';
import { recover } from '../../src/daemon/disk/recovery.ts';
import { forgetMessages, keepMessage } from '../../src/daemon/disk/spool.ts';
import type { BaselineEnd, ScanEnd } from '../../src/daemon/machine/state.ts';
import type { AideSetup } from '../../src/daemon/scans/aide-setup.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';
import { eventually } from '../support/eventually.ts';

// Two FileIntegrities watch one node. The names of the second begin with all of the first's.
const aide = await findRealAide();
const real = aide?.command ?? ['aide'];
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(() => node[Symbol.asyncDispose]());

const INTEGRITIES = { first: ['aide', 'worker'], second: ['aide.worker-2', 'worker-2'] } as const;
type Which = keyof typeof INTEGRITIES;

async function benchOf(which: Which, program: readonly [string, ...string[]] = real): Promise<AideSetup> {
  const [files, integrity] = INTEGRITIES[which];
  return { ...(await node.bench(program, files)), outbox: node.outboxOf(integrity) };
}

async function baseline(which: Which, id = 'order-1', bench?: AideSetup): Promise<BaselineEnd> {
  const order = { id, reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z' } as const;
  const { configurationDigest } = node;
  return await carryOutBaseline(bench ?? (await benchOf(which)), { order, configurationDigest, maxBackups: 2 }, never);
}

async function check(which: Which, id = 'scan-1'): Promise<Extract<ScanEnd, { kind: 'ended' }>> {
  const result = await scan(await benchOf(which), { id }, never);
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result;
}

/** The lock is both’s. */
const names = async () => (await readdir(node.paths.directory)).filter((name) => name !== LOCK_FILE).sort();

describe.skipIf(aide === undefined)('two FileIntegrities on one node', () => {
  test('have a baseline, a receipt, a log and backups each, and neither writes the other’s', async () => {
    await baseline('first');
    await node.write('etc/app/a', 'changed');
    await baseline('second');
    expect(await names()).toEqual([
      'aide.db.gz',
      'aide.receipt.json',
      'aide.worker-2.db.gz',
      'aide.worker-2.receipt.json',
    ]);
    const log = async (which: Which) => await readFile(nodePaths(node.root, INTEGRITIES[which][0]).log, 'utf8');
    expect((await check('first')).facts).toMatchObject({ verdict: 'Failed', counts: { changed: 1 } });
    const firstLog = await log('first');
    expect((await check('second')).facts).toMatchObject({ verdict: 'Succeeded' });
    expect(await log('second')).toContain('NO differences');
    expect(await log('first')).toBe(firstLog);
    expect((await names()).filter((name) => name.endsWith('.new'))).toEqual([]);

    for (const id of ['order-2', 'order-3', 'order-4']) await baseline('second', id);
    await baseline('first', 'order-2');
    const backups = (await names()).filter((name) => name.includes('.backup-'));
    const of = (start: string) => backups.filter((name) => name.startsWith(start));
    expect([of('aide.db.gz.'), of('aide.log.'), of('aide.worker-2.db.gz.'), of('aide.worker-2.log.')]).toMatchObject([
      { length: 1 },
      { length: 1 },
      { length: 2 },
      { length: 1 },
    ]);
    expect((await names()).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('keep what was found apart: a report that waits is as it was after the other’s scan', async () => {
    await baseline('first');
    await baseline('second');
    await node.write('etc/app/a', 'changed');
    const first = await check('first', 'scan-1');
    const report = await readFile(outboxFile(node.outbox, first.report?.log ?? ''));
    await node.write('etc/app/b', 'changed');
    const second = await check('second', 'scan-1');
    expect(second.facts.counts).toEqual({ added: 0, changed: 2, removed: 0 });
    expect(await readFile(outboxFile(node.outbox, first.report?.log ?? ''))).toEqual(report);
    expect(await readFile(outboxFile(node.outboxOf('worker-2'), second.report?.log ?? ''), 'utf8')).toContain('app/b');
  });

  test('a daemon that starts touches neither the messages nor the half-written files of the other', async () => {
    const at = '2026-01-01T00:00:00Z';
    const outcome = {
      kind: 'notice',
      id: 'run-1',
      node: 'node-a',
      notice: 'UnorderedReinit',
      at,
      message: 'x',
    } as const;
    await baseline('first');
    const bench = await benchOf('second');
    await keepMessage(bench.outbox, { outcome }, 1);
    await writeFile(bench.paths.newDatabase, 'half');
    await writeFile(bench.paths.newJson, 'half');
    await writeFile(`${bench.paths.receipt}.draft`, 'half');
    const before = await names();

    const recovered = await recover(node.outbox, 'node-a', bench.log);
    expect(recovered.messages).toEqual([]);
    await forgetMessages(node.outbox, ['run-1']);
    await check('first');
    await baseline('first', 'order-2');
    expect(await names()).toEqual(expect.arrayContaining(before));
    expect((await recover(bench.outbox, 'node-a', bench.log)).messages).toEqual([{ outcome }]);

    await check('second');
    expect((await names()).filter((name) => /\.(new|draft)$/.test(name))).toEqual([]);
  });

  test('are never scanned at once, and the one that waits says so', async () => {
    const gate = join(node.root, 'gate');
    const first = baseline(
      'first',
      'order-1',
      await benchOf('first', [...fixtureProgram('aide-waits'), gate, ...real]),
    );
    await eventually('the first has begun', () => existsSync(`${gate}.reached`));
    const second = baseline('second');
    await eventually('the second waits', () => node.lines.includes('waiting for another scan on this node to end'));
    expect(await names()).toEqual([]);
    await writeFile(gate, '');
    expect(await first).toMatchObject({ kind: 'made' });
    expect(await second).toMatchObject({ kind: 'made' });
    expect(node.lines.filter((line) => line.startsWith('waiting for'))).toHaveLength(1);
  });

  test('go on when the process of the one that scans is killed', async () => {
    await baseline('second');
    const pid = join(node.root, 'pid');
    const hangs = [
      '/bin/sh',
      '-c',
      `echo $$ >${pid}.draft; mv ${pid}.draft ${pid}; while :; do sleep 1; done`,
    ] as const;
    const first = scan(await benchOf('first', [...hangs, 'aide']), { id: 'scan-1' }, never);
    await eventually('the first scans', () => existsSync(pid));
    const second = check('second');
    await eventually('the second waits', () => node.lines.includes('waiting for another scan on this node to end'));
    process.kill(Number(await readFile(pid, 'utf8')), 'SIGKILL');
    expect(await first).toMatchObject({ facts: { errorCode: 'AIDE_KILLED' } });
    expect((await second).facts).toMatchObject({ verdict: 'Succeeded' });
  });

  test('of which one is taken off the node leave the other as it is', async () => {
    await baseline('first');
    await baseline('second');
    for (const name of await names()) if (!name.startsWith('aide.worker-2')) await rm(join(node.paths.directory, name));
    expect((await check('second')).facts).toMatchObject({ verdict: 'Succeeded' });
  });
});

test('no name of a FileIntegrity makes its files another’s messages or backups', async () => {
  // The operator names files after a FileIntegrity: these are what somebody would choose who wants them removed.
  const chosen = [
    `aide.${basename(node.outbox).slice('aide.'.length, -1)}`,
    'aide.db.gz.backup-20200101',
    'aide.receipt',
  ];
  for (const files of chosen) {
    await node.write(`etc/kubernetes/${files}.db.gz`, 'a database');
    await node.write(`etc/kubernetes/${files}-1.db.gz`, 'a database');
  }
  await node.write('etc/kubernetes/aide.db.gz.new', 'new');
  const before = (await names()).filter((name) => name !== 'aide.db.gz.new');
  const { log } = await node.bench(['aide']);
  await recover(node.outbox, 'node-a', log);
  await replaceDatabase(node.paths, 0, new Date());
  expect(await names()).toEqual([...before, 'aide.db.gz'].sort());
});

test('messages are kept apart by namespace, too', () => {
  const all = [node.outboxOf('a', 'x'), node.outboxOf('a', 'y'), node.outboxOf('b', 'x'), node.outboxOf('a-b', 'x')];
  expect(new Set(all).size).toBe(4);
});
