import { link, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BaselineOrder } from '../../src/api/protocol.ts';
import { replaceDatabase } from '../../src/daemon/baselines/backups.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { LOCK_FILE } from '../../src/daemon/disk/lock.ts';
import type { BaselineEnd } from '../../src/daemon/machine/state.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';
import { eventually } from '../support/eventually.ts';

const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(() => node[Symbol.asyncDispose]());

async function carryOut(
  order: Partial<BaselineOrder> = {},
  options: { program?: readonly [string, ...string[]]; maxBackups?: number; signal?: AbortSignal } = {},
): Promise<BaselineEnd> {
  const { program = aide?.command ?? ['aide'], maxBackups = 5, signal = never } = options;
  return await carryOutBaseline(
    await node.bench(program),
    {
      order: { id: 'order-1', reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z', ...order },
      configurationDigest: node.configurationDigest,
      maxBackups,
    },
    signal,
  );
}

function receiptOf(result: BaselineEnd) {
  if (result.kind !== 'made') throw new Error(`No baseline was made: ${JSON.stringify(result)}`);
  return result.receipt;
}

async function files(): Promise<string[]> {
  return (await readdir(node.paths.directory)).filter((name) => name !== LOCK_FILE).sort();
}

describe.skipIf(aide === undefined)('a baseline by the real AIDE', () => {
  test('is made where there is none, and its receipt names what AIDE wrote', async () => {
    const receipt = receiptOf(await carryOut({ reason: 'Initial' }));
    expect(receipt).toMatchObject({ orderId: 'order-1', entries: 3, aideVersion: aide?.version, reason: 'Initial' });
    expect(receipt.configurationDigest).toBe(node.configurationDigest);
    expect(receipt).not.toHaveProperty('adopted');
    expect(await files()).toEqual(['aide.db.gz', 'aide.receipt.json']);
    expect(node.lines).toEqual(['initializing AIDE db', 'initialization finished']);
  });

  test('that is ordered again keeps the old database and log as backups of one time', async () => {
    await carryOut();
    const old = await readFile(node.paths.database);
    await writeFile(node.paths.log, 'the last report');
    await node.write('etc/app/new', 'new');
    expect(receiptOf(await carryOut({ id: 'order-2' })).entries).toBe(4);
    const backups = (await files()).filter((name) => name.includes('.backup-'));
    const stamp = backups[0]?.slice('aide.db.gz.backup-'.length) ?? '';
    expect(stamp).toMatch(/^\d{8}T\d\d_\d\d_\d\d$/);
    expect(backups).toEqual([`aide.db.gz.backup-${stamp}`, `aide.log.backup-${stamp}`]);
    expect(await readFile(`${node.paths.database}.backup-${stamp}`)).toEqual(old);
    expect(node.lines.slice(-2)).toEqual(['force-initializing AIDE db', 'initialization finished']);
  });

  test('prunes backups to maxBackups, oldest first', async () => {
    for (let number = 1; number <= 4; number += 1) await carryOut({ id: `order-${number}` }, { maxBackups: 2 });
    const all = async () => (await files()).filter((name) => name.startsWith('aide.db.gz.backup-'));
    const before = await all();
    expect(before).toHaveLength(2);
    await carryOut({ id: 'order-5' }, { maxBackups: 2 });
    expect(await all()).toEqual([before[1], expect.any(String)]);
    await carryOut({ id: 'order-6' }, { maxBackups: 0 });
    expect(await all()).toEqual([]);
  });

  test('adopts a whole database on the first order and marks the receipt', async () => {
    const made = receiptOf(await carryOut());
    await rm(node.paths.receipt);
    const bytes = await readFile(node.paths.database);
    const adopted = receiptOf(await carryOut({ id: 'order-2', reason: 'Initial' }));
    expect(adopted).toMatchObject({ orderId: 'order-2', adopted: true, digest: made.digest, entries: made.entries });
    expect(await readFile(node.paths.database)).toEqual(bytes);
  });

  test('adopts a database whose receipt lies beside it, of the same configuration', async () => {
    const made = receiptOf(await carryOut());
    const adopted = receiptOf(await carryOut({ id: 'order-2', reason: 'Initial' }));
    expect(adopted).toMatchObject({ orderId: 'order-2', adopted: true, digest: made.digest });
    expect(adopted).not.toHaveProperty('refused');
  });

  test.each([
    [
      'names another database',
      'The database on the node is not the one that the receipt beside it names.',
      { digest: 'f'.repeat(64) },
    ],
    [
      'names another configuration',
      'The database on the node was made with another configuration.',
      { configurationDigest: 'f'.repeat(64) },
    ],
    ['is none', 'The receipt beside the database on the node cannot be read.', { entries: 'many' }],
  ])('does not adopt a database whose receipt %s, says so and keeps it as a backup', async (_, refused, change) => {
    const made = receiptOf(await carryOut());
    await writeFile(node.paths.receipt, JSON.stringify({ ...made, ...change }));
    const old = await readFile(node.paths.database);
    await node.write('etc/app/new', 'new');
    const receipt = receiptOf(await carryOut({ id: 'order-2', reason: 'Initial' }));
    expect(receipt).toMatchObject({ orderId: 'order-2', entries: 4, refused });
    expect(receipt).not.toHaveProperty('adopted');
    const backup = (await files()).find((name) => name.startsWith('aide.db.gz.backup-')) ?? '';
    expect(await readFile(`${node.paths.directory}/${backup}`)).toEqual(old);
  });

  test('does not adopt a database beside which a link lies in the place of the receipt', async () => {
    await carryOut();
    await rename(node.paths.receipt, `${node.root}/receipt`);
    await symlink(`${node.root}/receipt`, node.paths.receipt);
    const receipt = receiptOf(await carryOut({ id: 'order-2', reason: 'Initial' }));
    expect(receipt.refused).toBe('The receipt beside the database on the node cannot be read.');
  });

  test('makes a new database where the one found is cut, and keeps that as a backup', async () => {
    await carryOut();
    await rm(node.paths.receipt);
    await truncate(node.paths.database, 100);
    const receipt = receiptOf(await carryOut({ id: 'order-2', reason: 'Initial' }));
    expect(receipt).not.toHaveProperty('adopted');
    expect(receipt.refused).toMatch(/^The database on the node is damaged/);
    expect(gunzipSync(await readFile(node.paths.database)).toString()).toContain('@@end_db');
    const backup = (await files()).find((name) => name.startsWith('aide.db.gz.backup-')) ?? '';
    expect(await readFile(`${node.paths.directory}/${backup}`)).toHaveLength(100);
  });

  test('answers an order again that an earlier process carried out, and makes nothing', async () => {
    const made = receiptOf(await carryOut());
    const again = receiptOf(await carryOut({}, { program: fixtureProgram('aide-exit-18') }));
    expect(again).toEqual(made);
  });

  test('does not take the word of a receipt whose database is another', async () => {
    const made = receiptOf(await carryOut());
    await node.write('etc/app/new', 'new');
    await carryOut({ id: 'order-2' });
    await writeFile(node.paths.receipt, JSON.stringify(made));
    expect(receiptOf(await carryOut()).entries).toBe(4);
    expect((await files()).filter((name) => name.startsWith('aide.db.gz.backup-'))).toHaveLength(2);
  });

  test('that fails leaves the old database as it is', async () => {
    await carryOut();
    const before = await readFile(node.paths.database);
    await node.write('etc/app/c', 'c');
    const result = await carryOut({ id: 'order-2' }, { program: fixtureProgram('aide-exit-18') });
    expect(result).toMatchObject({ kind: 'failed', facts: { errorCode: 'AIDE_IO_ERROR', exitStatus: 18 } });
    expect(result.kind === 'failed' && result.facts.errorMessage).toContain('failed to read file: Input/output error');
    expect(await readFile(node.paths.database)).toEqual(before);
    expect(await files()).toEqual(['aide.db.gz', 'aide.receipt.json']);
  });
});

test('a baseline that is cancelled ends AIDE and leaves nothing unfinished', async () => {
  const cancel = new AbortController();
  const result = carryOut({}, { program: fixtureProgram('aide-hangs'), signal: cancel.signal });
  await eventually('AIDE has begun its database', async () =>
    (await files().catch((): string[] => [])).includes('aide.db.gz.new'),
  );
  cancel.abort();
  expect(await result).toEqual({ kind: 'stopped' });
  expect(await files()).toEqual([]);
});

test('a baseline under a clock that was set back is the newest backup all the same', async () => {
  await node.write('etc/kubernetes/aide.db.gz.new', 'new');
  await node.write('etc/kubernetes/aide.db.gz', 'old');
  await node.write('etc/kubernetes/aide.db.gz.backup-20300101T12_00_00', 'older');
  await node.write('etc/kubernetes/aide.db.gz.backup-99991231T23_59_59', 'of nobody');
  await replaceDatabase(node.paths, 2, new Date('2030-01-01T11:00:00Z'));
  expect(await files()).toEqual([
    'aide.db.gz',
    'aide.db.gz.backup-20300101T12_00_01',
    'aide.db.gz.backup-99991231T23_59_59',
  ]);
});

test('a baseline whose daemon was killed between the backup and the new database is backed up once', async () => {
  await node.write('etc/kubernetes/aide.db.gz', 'old');
  await node.write('etc/kubernetes/aide.log', 'old log');
  const killed = '20300101T12_00_00';
  for (const path of [node.paths.database, node.paths.log]) await link(path, `${path}.backup-${killed}`);
  await node.write('etc/kubernetes/aide.db.gz.new', 'new');
  await replaceDatabase(node.paths, 5, new Date('2030-01-01T12:00:10Z'));
  expect(await files()).toEqual(['aide.db.gz', `aide.db.gz.backup-${killed}`, `aide.log.backup-${killed}`]);
  expect(await readFile(node.paths.database, 'utf8')).toBe('new');
});

test('a baseline that AIDE says it made and did not is no baseline', async () => {
  const result = await carryOut({}, { program: ['true'] });
  expect(result).toMatchObject({ kind: 'failed', facts: { verdict: 'Errored', errorCode: 'DATABASE_MISSING' } });
  expect(await files()).toEqual([]);
});
