import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readDatabase } from '../../../src/aide/database.ts';
import { giveBackPageCache, giveBackPageCacheOf } from '../../../src/aide/page-cache.ts';
import type { Orders } from '../../../src/api/protocol.ts';
import { mountRecordSchema, parseOutcome, receiptSchema } from '../../../src/api/protocol.ts';
import { readReceipt } from '../../../src/daemon/disk/receipt.ts';
import { findMessages, tidyOutbox } from '../../../src/daemon/disk/spool.ts';
import { type Message, OUTBOX_LIMIT } from '../../../src/daemon/machine/outbox.ts';
import { type Event, initialState } from '../../../src/daemon/machine/state.ts';
import { step } from '../../../src/daemon/machine/step.ts';
import { parseMountTable } from '../../../src/daemon/scans/mount-table.ts';
import {
  changesSentence,
  compareMounts,
  recordOf as mountRecordOf,
  sightOf,
  unseenSentence,
} from '../../../src/daemon/scans/mounts.ts';
import { fingerprintOf } from '../../../src/daemon/scans/report-fingerprint.ts';
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
    if (found === undefined) return;
    assert.ok(receiptSchema.safeParse(found).success, 'the operator would refuse it');
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
    const { kept: found, damaged } = await findMessages(begin, 'node-1');
    assert.ok(damaged.length + found.length >= 4, 'a message went without a word');
    workWith(found.map(({ message }) => message));
    for (const { message, name } of found) {
      parseOutcome(JSON.stringify(message.outcome)); // what is taken up is what the operator understands
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

/** A daemon that starts with what it finds, whatever that is, has its orders carried out and goes on. */
function workWith(messages: readonly unknown[]): void {
  let state = initialState('node-1', 'now');
  const done = new Set<string>();
  const tell = (event: Event) => {
    const next = step(state, event, { wall: 0, mono: 0, random: 0 });
    state = next.state;
    for (const effect of next.effects) done.add(effect.type);
  };
  tell({ type: 'recovered', messages: messages as Message[], damaged: ['1-run-1.message.json'] });
  tell({ type: 'record', record: { orders: ORDERS } });
  tell({ type: 'configured', digest: ORDERS.configuration.digest });
  tell({ type: 'wake' });
  assert.ok(
    ['scan', 'close', 'baseline'].some((type) => done.has(type)),
    'the daemon does nothing',
  );
  assert.ok(state.outbox.queue.length <= 2 * OUTBOX_LIMIT);
}

const ORDERS: Orders = {
  settings: { gracePeriod: 10, maxBackups: 5, debug: false },
  configuration: { name: 'worker', key: 'aide.conf', digest: 'c'.repeat(64) },
  baseline: { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' },
};

/** What of messages comes to the daemon's decisions, were they not read with care. */
const recovered: Target = {
  name: 'node-recovered',
  seeds: () =>
    inputs(
      [{ outcome: { kind: 'baseline', id: 'run-1', node: 'node-1' } }],
      [{ outcome: { kind: 'baseline', id: 'run-1', node: 'node-1', receipt: null } }, null],
      [{ outcome: { kind: 'scan', id: 1 }, sameness: {} }, { outcome: 7 }],
    ),
  structured: asJson(
    fc.array(fc.oneof(loose({ outcome, report: hostileText, sameness: hostileText }), fc.jsonValue())),
  ),
  maxBytes: 40 * 1024,
  run(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      return;
    }
    workWith(Array.isArray(value) ? value : [value]);
  },
};

const NODE_TABLE =
  '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /proc rw - proc proc rw\n3 1 8:2 /x /usr rw shared:1 - xfs y rw\n';
const OWN_TABLE = '1 0 0:9 / / rw - overlay o rw\n2 1 8:1 / /hostroot rw - ext4 /dev/sda1 rw\n';

/** The table of what is mounted on the node, beside one of the daemon's own, and what is told of it. */
const mountTable: Target = {
  name: 'node-mounts',
  seeds: () => inputs(NODE_TABLE, `${NODE_TABLE}4 3 0:7 / /usr/a\\040\\012b rw - fuse.x x rw\n`, OWN_TABLE),
  words: [
    '1 0 8:1 / / rw - ext4 a b\n',
    '2 2 0:1 / /hostroot/a rw - autofs a b\n',
    '\\012',
    '\\040',
    ' - ',
    '//deleted',
  ],
  maxBytes: 64 * 1024,
  run(bytes) {
    const text = bytes.toString('latin1');
    const own = parseMountTable(OWN_TABLE);
    for (const [node, scan] of [
      [parseMountTable(text), own],
      [parseMountTable(NODE_TABLE), parseMountTable(text)],
      [parseMountTable(NODE_TABLE + text), parseMountTable(OWN_TABLE + text)],
    ]) {
      if (!node?.ok || !scan?.ok) continue;
      const { mounts, unseen } = sightOf(node.table, scan.table, '/hostroot', () => true);
      const record = mountRecordOf(mounts);
      assert.ok(mountRecordSchema.safeParse(record).success, 'the operator would refuse what is recorded');
      assert.ok(JSON.stringify(record).length < 4000, 'an annotation is not for so much');
      assert.deepEqual(compareMounts(mounts, record, true), []);
      checkSafe(changesSentence(compareMounts(mounts, mountRecordOf([]), true)), 4000);
      if (unseen.length > 0) checkSafe(unseenSentence(unseen), 4000);
    }
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

export const nodeFileTargets: readonly Target[] = [
  database,
  pageCache,
  receiptFile,
  outbox,
  recovered,
  mountTable,
  fingerprint,
];
