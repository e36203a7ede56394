import { chmod, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import type { ScanEnd } from '../../src/daemon/machine/state.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';

const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(() => node[Symbol.asyncDispose]());

async function check(id = 'scan-1', program: readonly [string, ...string[]] = aide?.command ?? ['aide']) {
  return ended(await scan(await node.bench(program), { id }, never));
}

function ended(result: ScanEnd): Extract<ScanEnd, { kind: 'ended' }> {
  if (result.kind !== 'ended') throw new Error('The scan was stopped');
  return result;
}

describe.skipIf(aide === undefined)('a scan by the real AIDE', () => {
  let digest = '';
  beforeEach(async () => {
    const order = { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' } as const;
    const bench = await node.bench(aide?.command ?? ['aide']);
    const { configurationDigest } = node;
    const result = await carryOutBaseline(bench, { order, configurationDigest, maxBackups: 5 }, never);
    if (result.kind === 'made') digest = result.receipt.digest;
  });

  test('of a node as it was is Succeeded, and names the baseline that its receipt names', async () => {
    const { facts, report } = await check();
    expect(facts).toMatchObject({ verdict: 'Succeeded', exitStatus: 0, entries: 3, baselineDigest: digest });
    expect(report).toBeUndefined();
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('of a changed node is Failed, with counts, and keeps both reports', async () => {
    await node.write('etc/app/a', 'changed');
    await node.write('etc/app/c', 'added');
    await node.remove('etc/app/b');
    const { facts, report } = await check('scan-7');
    expect(facts).toMatchObject({ verdict: 'Failed', counts: { added: 1, changed: 1, removed: 1 } });
    expect(report).toEqual({ compressed: false, log: 'scan-7.log', json: 'scan-7.report.json' });
    const text = await readFile(outboxFile(node.outbox, 'scan-7.log'), 'utf8');
    expect(text).toContain(`${node.root}/etc/app/c`);
    expect(await readFile(node.paths.log, 'utf8')).toBe(text);
    expect(JSON.parse(await readFile(outboxFile(node.outbox, 'scan-7.report.json'), 'utf8'))).toHaveProperty('changed');
    expect((await readdir(node.paths.directory)).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('with a large report compresses it, and nothing of it is lost', async () => {
    for (let number = 0; number < 3000; number += 1) await node.write(`etc/app/many/file-${number}`, 'x');
    const { report } = await check();
    expect(report?.compressed).toBe(true);
    const text = gunzipSync(await readFile(outboxFile(node.outbox, report?.log ?? ''))).toString();
    expect(text).toBe(await readFile(node.paths.log, 'utf8'));
    expect(text).toContain('file-2999');
    const json = gunzipSync(await readFile(outboxFile(node.outbox, report?.json ?? ''))).toString();
    expect(Object.keys((JSON.parse(json) as { added: object }).added)).toHaveLength(3001);
  });

  test('repeated, has the same fingerprint; with another file changed, another', async () => {
    await node.write('etc/app/a', 'changed');
    const first = await check('scan-1');
    const again = await check('scan-2');
    await node.write('etc/app/a', 'a\n');
    await node.write('etc/app/b', 'changed');
    const other = await check('scan-3');
    expect(again.fingerprint).toBe(first.fingerprint);
    expect(other.facts.counts).toEqual(first.facts.counts);
    expect(other.fingerprint).not.toBe(first.fingerprint);
  });

  test('without its database is Errored, and makes none', async () => {
    await rm(node.paths.database);
    const { facts } = await check();
    expect(facts).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_IO_ERROR', exitStatus: 18 });
    expect(await readdir(node.paths.directory)).not.toContain('aide.db.gz');
  });

  test('with a truncated database is Errored', async () => {
    await truncate(node.paths.database, 100);
    expect((await check()).facts).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_DATABASE_ERROR' });
  });

  test('with a broken configuration is Errored with the line that is wrong', async () => {
    const bench = await node.bench(aide?.command ?? ['aide']);
    await writeFile(bench.configuration, `${node.configuration}\n/somewhere Unknown\n`);
    const { facts } = ended(await scan(bench, { id: 'scan-1' }, never));
    expect(facts).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_CONFIGURATION_ERROR' });
    expect(facts.errorMessage).toContain('Unknown');
  });

  test('compares with the node’s own database, whatever the configuration names', async () => {
    const bench = await node.bench(aide?.command ?? ['aide']);
    const other = node.configuration.replaceAll('aide.db.gz', 'other.db.gz');
    await writeFile(bench.configuration, other);
    expect(ended(await scan(bench, { id: 'scan-1' }, never)).facts).toMatchObject({ verdict: 'Succeeded' });
  });

  test('goes by what the user chose to ignore, and writes the text report as the user chose', async () => {
    const bench = await node.bench(aide?.command ?? ['aide']);
    const before = 'report_ignore_changed_attrs=sha512\nreport_level=summary\n';
    await writeFile(bench.configuration, before + node.configuration);
    await node.write('etc/app/a', 'changed');
    expect(ended(await scan(bench, { id: 'scan-1' }, never)).facts).toMatchObject({ verdict: 'Succeeded' });
    await chmod(join(node.root, 'etc/app/a'), 0o600);
    const { facts } = ended(await scan(bench, { id: 'scan-2' }, never));
    expect(facts).toMatchObject({ verdict: 'Failed', counts: { changed: 1 }, baselineDigest: digest });
    const text = await readFile(node.paths.log, 'utf8');
    expect(text).toContain('Changed entries:');
    expect(text).not.toContain('etc/app/a');
  });

  test('knows its entries and its baseline whatever the configuration says of reports', async () => {
    const bench = await node.bench(aide?.command ?? ['aide']);
    const before = 'report_quiet=yes\nreport_level=minimal\ndatabase_attrs=sha512\n';
    await writeFile(bench.configuration, before + node.configuration);
    const { facts } = ended(await scan(bench, { id: 'scan-1' }, never));
    expect(facts).toMatchObject({ verdict: 'Succeeded', entries: 3, baselineDigest: digest });
  });

  test('of names with control characters does not break the log', async () => {
    await node.write('etc/app/line\nbreak', 'x');
    await chmod(join(node.root, 'etc/app/a'), 0o600);
    const { facts } = await check();
    expect(facts.counts).toEqual({ added: 1, changed: 1, removed: 0 });
  });
});

test('AIDE’s I/O error makes a scan Errored, with what AIDE said', async () => {
  const { facts } = await check('scan-1', fixtureProgram('aide-exit-18'));
  expect(facts).toMatchObject({ verdict: 'Errored', exitStatus: 18, errorCode: 'AIDE_IO_ERROR' });
  expect(facts.errorMessage).toContain('failed to read file: Input/output error');
});

test('an AIDE that is killed makes a scan Errored, without an exit status', async () => {
  const { facts } = await check('scan-1', fixtureProgram('aide-killed'));
  expect(facts).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_KILLED' });
  expect(facts).not.toHaveProperty('exitStatus');
});

test('an AIDE that is not installed makes a scan Errored', async () => {
  const { facts } = await check('scan-1', ['/nowhere/aide']);
  expect(facts.verdict).toBe('Errored');
  expect(facts.errorMessage).toMatch(/not installed|\/nowhere\/aide/);
});

test('an AIDE that hangs is ended, and the scan is Errored', async () => {
  const bench = { ...(await node.bench(fixtureProgram('aide-hangs'))), timeoutMs: 100 };
  expect(ended(await scan(bench, { id: 'scan-1' }, never)).facts).toMatchObject({ errorCode: 'AIDE_TIMEOUT' });
});

test('a difference without a report is Failed all the same, and not with an old report', async () => {
  await node.write('etc/kubernetes/aide.log', 'an old report');
  await node.write('etc/kubernetes/aide.log.new', 'a report that a killed scan left');
  const { facts, report } = await check('scan-1', fixtureProgram('aide-exit-4-without-report'));
  expect(facts).toMatchObject({ verdict: 'Failed', exitStatus: 4 });
  expect(report).toBeUndefined();
  expect(facts.errorMessage).toBeDefined();
  expect(await readFile(node.paths.log, 'utf8')).toBe('an old report');
});

test('a scan that is cancelled ends an AIDE that does not want to end', async () => {
  const cancel = new AbortController();
  const result = scan(await node.bench(fixtureProgram('aide-ignores-term')), { id: 'scan-1' }, cancel.signal);
  setTimeout(() => cancel.abort(), 100);
  expect(await result).toEqual({ kind: 'stopped' });
});
