import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readDatabase } from '../../../src/aide/database.ts';
import { giveBackPageCache, giveBackPageCacheOf } from '../../../src/aide/page-cache.ts';
import { readReceipt } from '../../../src/daemon/receipt.ts';
import { fingerprintOf } from '../../../src/daemon/report-fingerprint.ts';
import { findMessages, tidyOutbox } from '../../../src/daemon/spool.ts';
import { asJson, hostileText, loose, outcome, receipt } from '../arbitraries.ts';
import { fixture, inputs } from '../fixtures.ts';
import { checkSafe } from '../properties.ts';
import type { Target } from '../target.ts';

// Files of a node: whoever has its root may put anything into them.

const folder = mkdtempSync(join(tmpdir(), 'fio-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, bytes: Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

const PLAIN = gunzipSync(fixture('0.19.1/aide.db.gz'));

/** AIDE's database. */
const database: Target = {
  name: 'node-database',
  seeds: () => [
    fixture('0.19.1/aide.db.gz'),
    PLAIN,
    gzipSync(PLAIN, { level: 0 }),
    // 64 MiB in 64 KiB: a bomb, alone and behind a beginning that is right.
    gzipSync(Buffer.alloc(64 * 1024 * 1024)),
    Buffer.concat([fixture('0.19.1/aide.db.gz'), gzipSync(Buffer.alloc(64 * 1024 * 1024, '#'))]),
    ...inputs('@@begin_db\n@@db_spec name\n/a\n@@end_db\n', '@@begin_db'),
  ],
  words: ['@@begin_db\n', '@@db_spec name lname\n', '@@end_db\n', '# comment\n', '/etc/passwd 0\n', '\x1f\x8b\x08'],
  maxBytes: 80 * 1024,
  async run(bytes) {
    const maxSize = 1024 * 1024;
    const reading = await readDatabase(fileOf('database', bytes), { maxSize });
    if (!reading.ok) {
      checkSafe(reading.sentence, 500);
      assert.match(reading.code, /^DATABASE_[A-Z_]+$/);
      return;
    }
    const { digest, entries, size, compressed, aideVersion = '', createdAt = '' } = reading.facts;
    const content = compressed ? gunzipSync(bytes) : bytes;
    assert.equal(digest, createHash('sha256').update(content).digest('hex'));
    assert.ok(size === content.length && size <= maxSize && entries >= 0 && entries <= size);
    for (const text of [aideVersion, createdAt]) checkSafe(text, 256);
  },
};

const MEMORY_STAT = 'cache 1000\ninactive_file 50\nactive_file 60\ntotal_inactive_file 500\nslab_reclaimable 4096\n';

/** What the kernel, or who plays it, says of control groups. */
const pageCache: Target = {
  name: 'node-page-cache',
  seeds: () =>
    inputs(
      `0::/\n\0${MEMORY_STAT}\0`,
      `7:memory:/x\n\0${MEMORY_STAT}\x001\n2\n`,
      `5:cpu,memory:/\n\0\0${process.pid}\n`,
    ),
  words: ['total_active_file ', 'active_file 99999999999999999999\n', '0::/', 'memory'],
  async run(bytes) {
    const [memberships = '', statistics = '', processes = ''] = bytes.toString('latin1').split('\0');
    const root = join(folder, 'cgroup');
    mkdirSync(join(root, 'memory'), { recursive: true });
    for (const each of [root, join(root, 'memory')]) {
      writeFileSync(join(each, 'memory.stat'), statistics);
      writeFileSync(join(each, 'cgroup.procs'), processes);
      for (const order of ['memory.reclaim', 'memory.force_empty']) writeFileSync(join(each, order), '');
    }
    // The real control groups of this machine stay what they are.
    const own = fileOf('memberships', Buffer.from(memberships.replaceAll('..', '.')));
    for (const result of [
      await giveBackPageCache(root, own),
      await giveBackPageCacheOf(root, 1),
      await giveBackPageCacheOf(root, 2),
    ]) {
      if (!result.done) checkSafe(result.reason, 200);
      else assert.ok(result.before >= 0 && result.after >= 0);
    }
  },
};

/** The receipt beside the database. */
const receiptFile: Target = {
  name: 'node-receipt',
  seeds: () =>
    inputs(
      {
        orderId: 'a',
        digest: 'b',
        entries: 1,
        configurationDigest: 'c',
        aideVersion: 'd',
        bootId: 'e',
        reason: 'Initial',
        createdAt: 'f',
      },
      'null',
      '[]',
    ),
  structured: asJson(receipt),
  maxBytes: 20 * 1024,
  async run(bytes) {
    const found = await readReceipt(fileOf('receipt', bytes));
    if (found === undefined || typeof found === 'string') return;
    const { orderId, digest, configurationDigest, aideVersion, createdAt, entries } = found;
    for (const text of [orderId, digest, configurationDigest, aideVersion, createdAt])
      assert.equal(typeof text, 'string');
    assert.ok(Number.isFinite(entries), 'it has no number of entries');
  },
};

/** The outbox on the node's disk. */
const outbox: Target = {
  name: 'node-outbox',
  seeds: () =>
    inputs(
      { outcome: { kind: 'scan', id: 'run-1', node: 'node-1', verdict: 'Succeeded' } },
      {
        outcome: { kind: 'scan', id: 'run-1', node: 'node-1' },
        report: { compressed: false, log: 'run-1.log', json: 'run-1.report.json' },
      },
      { outcome: { kind: 'notice', id: 'run-1', node: 'node-1' }, report: { log: 'run-1./../../shadow' } },
      '{"outcome":{"id":"run-1"',
    ),
  structured: asJson(
    loose({
      outcome: outcome.map((each) => ({ ...each, id: 'run-1' })),
      report: fc.oneof(
        fc.constantFrom(null, 1, [], { log: null }),
        loose({
          compressed: fc.boolean(),
          log: fc.constantFrom('run-1.log', 'run-1.', '../x', 'run-1./x', 'run-2.log'),
          json: hostileText,
          note: hostileText,
        }),
      ),
      sameness: hostileText,
      withoutReport: hostileText,
    }),
  ),
  words: ['"report":{"log":"run-1.log"}', '"kind":"scan"', '"node":"node-1"', '"id":"run-1"', '/..', 'run-1.'],
  maxBytes: 70 * 1024,
  async run(bytes) {
    const place = join(folder, 'outbox');
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    const begin = join(place, 'aide.outbox-');
    for (const name of ['1-run-1.message.json', '999999999999999-run-1.message.json', '7-run-9.message.json'])
      writeFileSync(begin + name, bytes);
    for (const name of ['run-1.log', 'run-1.report.json']) writeFileSync(begin + name, 'x');
    mkdirSync(`${begin}8-run-8.message.json`);
    const found = await findMessages(begin, 'node-1');
    for (const { message, name } of found) {
      assert.equal(message.outcome.id, 'run-1');
      assert.equal(message.outcome.node, 'node-1');
      for (const file of [message.report?.log, message.report?.json]) {
        if (file !== undefined)
          assert.ok(file.startsWith('run-1.') && basename(file) === file, 'a report lies elsewhere');
      }
      assert.match(name, /^\d+-run-1\.message\.json$/);
    }
    await tidyOutbox(begin, found);
    assert.ok(readdirSync(place).length <= 4, 'what is no message stays');
  },
};

/** What a JSON report says but for its times. */
const fingerprint: Target = {
  name: 'node-fingerprint',
  seeds: () => [fixture('0.19.1/differences.json'), fixture('0.19.1/quiet.json')],
  words: ['\n  "start_time": "x"\n', '\n  "run_time_seconds": 1\n'],
  async run(bytes) {
    const read = (content: Buffer) => fingerprintOf(fileOf('report', content), new AbortController().signal);
    const first = await read(Buffer.concat([Buffer.from('  "start_time": "1",\n'), bytes]));
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await read(Buffer.concat([Buffer.from('  "start_time": "2",\n'), bytes])), first);
  },
};

export const nodeFileTargets: readonly Target[] = [database, pageCache, receiptFile, outbox, fingerprint];
