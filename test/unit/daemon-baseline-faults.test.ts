import { execFileSync } from 'node:child_process';
import { copyFile, readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ScanOutcome } from '../../src/api/protocol.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { sameness } from '../../src/daemon/machine/sameness.ts';
import type { RecordedBaseline, ScanEnd } from '../../src/daemon/machine/state.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';

// The API server has a receipt for the node, and the database that lies on the node is not the one that it names.
const aide = await findRealAide();
const real = aide?.command ?? ['aide'];
const never = new AbortController().signal;

let node: ScratchNode;
let recorded: RecordedBaseline;
beforeEach(async () => {
  node = await createScratchNode();
  recorded = await makeBaseline('order-1');
});
afterEach(() => node[Symbol.asyncDispose]());

async function makeBaseline(id: string): Promise<RecordedBaseline> {
  const order = { id, reason: 'Demand', requestedAt: '2026-01-01T00:00:00Z' } as const;
  const { configurationDigest } = node;
  const result = await carryOutBaseline(await node.bench(real), { order, configurationDigest, maxBackups: 5 }, never);
  if (result.kind !== 'made') throw new Error(`No baseline was made: ${JSON.stringify(result)}`);
  return { digest: result.receipt.digest, entries: result.receipt.entries };
}

type Ended = Extract<ScanEnd, { kind: 'ended' }>;

async function check(
  id = 'scan-1',
  {
    program = real,
    baseline = recorded,
  }: { program?: readonly [string, ...string[]]; baseline?: RecordedBaseline } = {},
): Promise<Ended> {
  const result = await scan(await node.bench(program), { id, baseline }, never);
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result;
}

/** What decides whether the operator hears of a scan again. */
function sayOf({ facts, fingerprint }: Ended): string {
  const outcome: ScanOutcome = { kind: 'scan', id: 'x', node: 'x', ...facts, configurationDigest: 'c' };
  return sameness(outcome, fingerprint);
}

const textOf = async (result: Ended) => await readFile(outboxFile(node.outbox, result.report?.log ?? ''), 'utf8');
const jsonOf = async (result: Ended) =>
  JSON.parse(await readFile(outboxFile(node.outbox, result.report?.json ?? ''), 'utf8')) as {
    added?: Record<string, string>;
    changed?: Record<string, string>;
  };
const names = async () => (await readdir(node.paths.directory)).filter((name) => !/outbox|lock/.test(name)).sort();

/** A database that says that a changed file had always been so. */
async function forge(path: string): Promise<void> {
  await node.write('etc/app/a', 'changed by an intruder');
  const { configuration: file } = await node.bench(real);
  await rm(path);
  const [program, ...args] = real;
  execFileSync(program ?? '', [...args, '--init', `--config=${file}`, `--before=database_out=file:${path}`]);
}

describe.skipIf(aide === undefined)('a scan with a database that is not the one on record', () => {
  test('and that says that all is well is Failed, with AIDE’s own report and a warning before it', async () => {
    await forge(node.paths.database);
    const result = await check();
    expect(result.facts).toMatchObject({
      verdict: 'Failed',
      baselineFault: 'Replaced',
      exitStatus: 0,
      entries: 3,
      counts: { added: 0, changed: 0, removed: 0 },
    });
    expect(result.facts).not.toHaveProperty('errorCode');
    const digest = gunzipSync(await readFile(node.paths.database));
    expect(result.facts.baselineDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(result.facts.baselineDigest).not.toBe(recorded.digest);
    expect(digest.toString()).toContain('@@end_db');
    expect(result.facts.errorMessage).toBe(
      'The database on the node is not the one on record, which has 3 entries. What this scan found is unverified, and what it did not find may have changed all the same. Find out why, since this can be an attack; then re-initialise the node.',
    );
    expect(result.report?.head).toBe(`${result.facts.errorMessage}\n\n`);
    expect(await textOf(result)).toContain('NO differences');
  });

  test('is Failed with what AIDE finds in comparison with it', async () => {
    await forge(node.paths.database);
    await node.write('etc/app/b', 'changed later');
    await node.write('etc/app/new', 'x');
    const result = await check();
    expect(result.facts).toMatchObject({
      verdict: 'Failed',
      baselineFault: 'Replaced',
      exitStatus: 5,
      counts: { added: 1, changed: 1, removed: 0 },
    });
    expect(Object.keys((await jsonOf(result)).changed ?? {})).toEqual([`${node.root}/etc/app/b`]);
  });

  test('is Failed with a backup that was put back by hand', async () => {
    await makeBaseline('order-2').then((baseline) => {
      recorded = baseline;
    });
    await node.write('etc/app/new', 'x');
    recorded = await makeBaseline('order-3');
    const backup = (await names()).filter((name) => name.startsWith('aide.db.gz.backup-')).at(-1) ?? '';
    await copyFile(join(node.paths.directory, backup), node.paths.database);
    expect((await check()).facts).toMatchObject({
      baselineFault: 'Replaced',
      counts: { added: 1, changed: 0, removed: 0 },
    });
  });

  test('is Failed when the right one lies there again by the time that AIDE has read the other', async () => {
    const right = await readFile(node.paths.database);
    await forge(node.paths.database);
    const keep = join(node.root, 'right');
    await writeFile(keep, right);
    const program = [
      '/bin/sh',
      '-c',
      `"$@"; status=$?; cp ${keep} ${node.paths.database}; exit $status`,
      'aide',
      ...real,
    ];
    const result = await check('scan-1', { program: program as [string, ...string[]] });
    expect(result.facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Replaced', exitStatus: 0 });
  });

  // AIDE itself takes some of these for databases without entries, and refuses the others.
  test.each([
    ['removed', 'Missing', /^There is no database on the node;/, (path: string) => rm(path)],
    ['emptied', 'Damaged', /^The database on the node is empty;/, (path: string) => truncate(path, 0)],
    ['cut', 'Damaged', /^The database on the node is damaged: .*;/, (path: string) => truncate(path, 100)],
    ['cut in its head', 'Damaged', /^The database on the node is damaged: .*;/, (path: string) => truncate(path, 12)],
    [
      'made zeros',
      'Damaged',
      /^The file on the node is not a database of AIDE;/,
      (path: string) => writeFile(path, Buffer.alloc(100_000)),
    ],
    [
      'made text',
      'Damaged',
      /^The file on the node is not a database of AIDE;/,
      (path: string) => writeFile(path, gzipSync('text')),
    ],
    [
      'left without its end',
      'Damaged',
      /^The database on the node is incomplete: .*;/,
      async (path: string) => {
        const lines = gunzipSync(await readFile(path))
          .toString()
          .split('\n');
        await writeFile(
          path,
          gzipSync(
            `${lines
              .filter((line) => !line.startsWith('@@end'))
              .slice(0, -2)
              .join('\n')}\n`,
          ),
        );
      },
    ],
    [
      'made a FIFO',
      'Damaged',
      /^The database on the node is not a regular file;/,
      async (path: string) => {
        await rm(path);
        execFileSync('mkfifo', [path]);
      },
    ],
    [
      'made a link to itself elsewhere',
      'Damaged',
      /^The database on the node is not a regular file;/,
      async (path: string) => {
        await rename(path, join(node.root, 'elsewhere.gz'));
        await symlink(join(node.root, 'elsewhere.gz'), path);
      },
    ],
  ])(
    'that was %s is Failed and lists the files, none of them verified, again as a heartbeat',
    async (_, fault, what, change) => {
      await node.write('etc/app/a', 'changed by an intruder');
      await change(node.paths.database);
      const before = await names();
      const first = await check('scan-1');
      expect(first.facts).toMatchObject({ verdict: 'Failed', baselineFault: fault, exitStatus: 1, entries: 3 });
      expect(first.facts).not.toHaveProperty('counts');
      expect(first.facts).not.toHaveProperty('baselineDigest');
      expect(first.facts).not.toHaveProperty('errorCode');
      expect(first.facts.errorMessage).toMatch(what);
      expect(first.facts.errorMessage).toMatch(
        /; the one on record has 3 entries\. The report lists the files of the node as they are now, and none of them is verified\. Find out why, since this can be an attack; then re-initialise the node\.$/,
      );
      expect(first.report?.head).toBe(`${first.facts.errorMessage}\n\n`);
      const files = ['', '/a', '/b'].map((file) => `${node.root}/etc/app${file}`);
      expect(Object.keys((await jsonOf(first)).added ?? {})).toEqual(files);
      for (const file of files) expect(await textOf(first)).toContain(file);

      // Nothing was made anew, and nothing is news while all stays as it is.
      expect((await names()).filter((name) => name !== 'aide.log')).toEqual(before);
      const again = await check('scan-2');
      expect(sayOf(again)).toBe(sayOf(first));
      await node.write('etc/app/new', 'x');
      expect(sayOf(await check('scan-3'))).not.toBe(sayOf(first));
    },
  );

  test('that is large lists it all in a compressed report, with the warning before it', async () => {
    for (let number = 0; number < 3000; number += 1) await node.write(`etc/app/many/file-${number}`, 'x');
    await rm(node.paths.database);
    const { facts, report } = await check();
    expect(report?.compressed).toBe(true);
    const text = gunzipSync(await readFile(outboxFile(node.outbox, report?.log ?? ''))).toString();
    expect(text.startsWith(`${facts.errorMessage}\n\nStart timestamp: `)).toBe(true);
    expect(text).toContain('file-2999');
    expect(facts).toMatchObject({ baselineFault: 'Missing', entries: 3004 });
  });

  test('and that AIDE cannot compare with lists the files', async () => {
    await forge(node.paths.database);
    const refuses = [
      '/bin/sh',
      '-c',
      `case "$*" in *database_in=file:${node.paths.database}*) exit 19;; esac; exec "$@"`,
      'aide',
    ];
    const { facts } = await check('scan-1', { program: [...refuses, ...real] as [string, ...string[]] });
    expect(facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Replaced', exitStatus: 1, entries: 3 });
    expect(facts).not.toHaveProperty('counts');
    expect(facts.errorMessage).toContain('The report lists the files');
  });

  test('and files that AIDE cannot list is Failed all the same, and says why', async () => {
    await truncate(node.paths.database, 0);
    const program = fixtureProgram('aide-exit-18');
    const first = await check('scan-1', { program });
    expect(first.facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Damaged', exitStatus: 18 });
    expect(first.facts.errorMessage).toMatch(
      /^The database on the node is empty; the one on record has 3 entries\. .* The files of the node could not be listed: AIDE could not read .*\(ERROR: failed to read file: Input\/output error\)\.$/,
    );
    expect(first.report).toBeUndefined();
    expect(sayOf(await check('scan-2', { program }))).toBe(sayOf(first));
    await rm(node.paths.database);
    const missing = await check('scan-3', { program });
    expect(missing.facts).toMatchObject({ verdict: 'Failed', baselineFault: 'Missing', exitStatus: 18 });
  });

  test('is not repeated for the list when AIDE used up its time', async () => {
    await truncate(node.paths.database, 100);
    const bench = { ...(await node.bench(fixtureProgram('aide-hangs'))), timeoutMs: 300 };
    const result = await scan(bench, { id: 'scan-1', baseline: recorded }, never);
    expect(result).toMatchObject({ kind: 'ended', facts: { verdict: 'Failed', baselineFault: 'Damaged' } });
    expect(result.kind === 'ended' && result.facts.errorMessage).toContain('took longer than it is allowed to');
  });

  test('is stopped like any other', async () => {
    await rm(node.paths.database);
    const cancel = new AbortController();
    const result = scan(
      await node.bench(fixtureProgram('aide-ignores-term')),
      { id: 'scan-1', baseline: recorded },
      cancel.signal,
    );
    setTimeout(() => cancel.abort(), 100);
    expect(await result).toEqual({ kind: 'stopped' });
    expect(await names()).toEqual(['aide.receipt.json']);
  });

  test('is over when the recorded one lies there again', async () => {
    const away = join(node.root, 'away');
    await rename(node.paths.database, away);
    expect((await check()).facts).toMatchObject({ verdict: 'Failed' });
    await rename(away, node.paths.database);
    expect((await check()).facts).toMatchObject({ verdict: 'Succeeded', baselineDigest: recorded.digest });
  });

  test('keeps to the configuration: what it does not select is not listed', async () => {
    await node.write('etc/other/file', 'x');
    await rm(node.paths.database);
    const result = await check();
    expect(Object.keys((await jsonOf(result)).added ?? {})).not.toContain(`${node.root}/etc/other/file`);
    expect((await stat(outboxFile(node.outbox, result.report?.json ?? ''))).size).toBeGreaterThan(0);
  });
});

describe.skipIf(aide === undefined)('a scan while no baseline is on record', () => {
  test.each([
    ['removed', 'AIDE_IO_ERROR', (path: string) => rm(path)],
    ['cut', 'AIDE_DATABASE_ERROR', (path: string) => truncate(path, 100)],
    [
      'made a FIFO',
      'DATABASE_NOT_AIDE',
      async (path: string) => {
        await rm(path);
        execFileSync('mkfifo', [path]);
      },
    ],
  ])('is Errored with a database that was %s', async (_, errorCode, change) => {
    await change(node.paths.database);
    const result = await scan(await node.bench(real), { id: 'scan-1' }, never);
    expect(result).toMatchObject({ kind: 'ended', facts: { verdict: 'Errored', errorCode } });
    expect(result.kind === 'ended' && result.facts).not.toHaveProperty('baselineFault');
  });
});
