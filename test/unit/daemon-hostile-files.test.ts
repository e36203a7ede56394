import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import type { BaselineEnd, RecordedBaseline, ScanFacts } from '../../src/daemon/machine/state.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';

// What root on a node, or an accident, may lay where the daemon and AIDE write and read.
const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
/** A file elsewhere on the node that must stay as it is. */
let victim: string;
/** The baseline that was recorded. */
let recorded: RecordedBaseline;
beforeEach(async () => {
  node = await createScratchNode();
  await node.write('etc/victim', 'precious');
  victim = join(node.root, 'etc/victim');
  recorded = receiptOf(await baseline());
});
afterEach(async () => {
  expect(await readFile(victim, 'utf8')).toBe('precious');
  await node[Symbol.asyncDispose]();
});

async function baseline(id = 'order-1', reason: 'Demand' | 'Initial' = 'Demand'): Promise<BaselineEnd> {
  const order = { id, reason, requestedAt: '2026-01-01T00:00:00Z' } as const;
  const { configurationDigest } = node;
  const bench = await node.bench(aide?.command ?? ['aide']);
  return await carryOutBaseline(bench, { order, configurationDigest, maxBackups: 5 }, never);
}

function receiptOf(result: BaselineEnd): RecordedBaseline {
  if (result.kind !== 'made') throw new Error(`No baseline was made: ${JSON.stringify(result)}`);
  return result.receipt;
}

async function check(): Promise<ScanFacts> {
  const bench = await node.bench(aide?.command ?? ['aide']);
  const result = await scan(bench, { id: 'scan-1', baseline: recorded }, never);
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result.facts;
}

type Plant = 'a link' | 'a link to nothing' | 'a FIFO' | 'a folder';
const plants: readonly Plant[] = ['a link', 'a link to nothing', 'a FIFO', 'a folder'];

async function plant(what: Plant, path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(dirname(path), { recursive: true });
  switch (what) {
    case 'a link':
      return await symlink(victim, path);
    case 'a link to nothing':
      return await symlink(join(node.root, 'etc/made-through-a-link'), path);
    case 'a FIFO':
      execFileSync('mkfifo', [path]);
      return;
    case 'a folder':
      await mkdir(path);
      return await writeFile(join(path, 'file'), 'x');
  }
}

/** Nothing was made through a link to nothing. */
async function expectNothingElsewhere(): Promise<void> {
  expect((await readdir(join(node.root, 'etc'))).sort()).toEqual(['app', 'kubernetes', 'victim']);
}

describe.skipIf(aide === undefined)('a scan', () => {
  for (const what of plants) {
    test(`goes round ${what} in the place of its reports, its log and the drafts of before`, async () => {
      for (const path of [node.paths.newLog, node.paths.newJson, node.paths.log]) await plant(what, path);
      expect(await check()).toMatchObject({ verdict: 'Succeeded', entries: 3 });
      expect((await lstat(node.paths.log)).isFile()).toBe(true);
      expect(await readFile(node.paths.log, 'utf8')).toContain('NO differences');
      expect((await readdir(node.paths.directory)).filter((name) => name.endsWith('.new'))).toEqual([]);
      await expectNothingElsewhere();
    });

    test(`is Failed with ${what} in the place of its database, and reads nothing through it`, async () => {
      await plant(what, node.paths.database);
      const facts = await check();
      expect(facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Damaged', entries: 3 });
      expect(facts.errorMessage).toMatch(
        /^The database on the node is not a regular file; the one on record has 3 entries\..* re-initialise the node\.$/,
      );
      await expectNothingElsewhere();
    });
  }

  test('compares with the database of an earlier AIDE as far as both know it', async () => {
    const text = gunzipSync(await readFile(node.paths.database)).toString();
    const old = text
      .replace(/version [\d.]+/, 'version 0.16.2')
      .replace(/^(@@db_spec .*)$/m, '$1 of_before')
      .replace(/^(\/.*)$/gm, '$1 0');
    await writeFile(node.paths.database, gzipSync(old));
    await rm(node.paths.receipt);
    const adopted = await baseline('order-2', 'Initial');
    expect(adopted).toMatchObject({ kind: 'made', receipt: { adopted: true, aideVersion: '0.16.2', entries: 3 } });
    recorded = receiptOf(adopted);
    expect(await check()).toMatchObject({ verdict: 'Succeeded', entries: 3 });
    await node.write('etc/app/a', 'changed');
    expect(await check()).toMatchObject({ verdict: 'Failed', counts: { added: 0, changed: 1, removed: 0 } });
  });
});

describe.skipIf(aide === undefined)('a baseline', () => {
  for (const what of plants) {
    test(`goes round ${what} in the place of what it writes`, async () => {
      const { newDatabase, newLog, newJson, receipt } = node.paths;
      for (const path of [newDatabase, newLog, newJson, receipt, `${receipt}.draft`]) await plant(what, path);
      expect(await baseline('order-2')).toMatchObject({ kind: 'made', receipt: { orderId: 'order-2', entries: 3 } });
      expect(JSON.parse(await readFile(receipt, 'utf8'))).toHaveProperty('orderId', 'order-2');
      expect((await lstat(node.paths.database)).isFile()).toBe(true);
      const left = (await readdir(node.paths.directory)).filter((name) => /\.(new|draft)$/.test(name));
      expect(left).toEqual([]);
      await expectNothingElsewhere();
    });

    test(`takes the place of ${what} that lies where the database and the log belong`, async () => {
      await plant(what, node.paths.database);
      await plant(what, node.paths.log);
      expect(await baseline('order-2')).toMatchObject({ kind: 'made' });
      expect((await lstat(node.paths.database)).isFile()).toBe(true);
      // A backup that is no database would only be in the way of those that are.
      const names = await readdir(node.paths.directory);
      expect(names.filter((name) => name.includes('.backup-'))).toEqual([]);
      await expectNothingElsewhere();
    });
  }
});
