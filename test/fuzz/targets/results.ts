import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import { FINDINGS_LIMITS, findingsPages, PAGE_BYTES, PAGES } from '../../../src/aide/findings.ts';
import { readReportStream } from '../../../src/aide/report.ts';
import { FINDINGS_VERSION, type FindingsHead, findingsPageSchema } from '../../../src/api/findings.ts';
import { NODE_LABEL, OUTCOME_ANNOTATION, OWNER_LABEL } from '../../../src/api/keys.ts';
import { resultName } from '../../../src/api/names.ts';
import { type FileIntegrityNodeStatus, nodeStatusFieldsSchema } from '../../../src/api/nodestatus.ts';
import { planNodeState } from '../../../src/operator/nodes/state.ts';
import { makePages } from '../../../src/operator/results/evidence/pages.ts';
import { desiredLease } from '../../../src/operator/results/inbox/lease.ts';
import { planResults } from '../../../src/operator/results/verdict/plan.ts';
import { asJson, outcome } from '../arbitraries.ts';
import { fixture, inputs } from '../fixtures.ts';
import { bytesShown, checkAllSafe, checkSafe, chunksOf, orFault } from '../properties.ts';
import type { Target } from '../target.ts';
import { OUTCOMES, WORDS } from './messages.ts';
import { REPORTS, reports } from './reports.ts';

const HEAD: FindingsHead = {
  apiVersion: FINDINGS_VERSION,
  kind: 'Findings',
  fileIntegrity: 'example',
  node: 'node-1',
  message: 'run-1',
  scan: {},
  baseline: {},
  unverified: false,
};

/** Structured findings, out of a report that can be read. */
const findings: Target = {
  name: 'results-findings',
  seeds: () => REPORTS(),
  structured: reports,
  async run(bytes) {
    const reading = await readReportStream(Readable.from([bytes]), FINDINGS_LIMITS);
    if (!reading.ok) return;
    checkPages(findingsPages(reading.report, HEAD, { bytes: 10_000, pages: 3 }), { bytes: 10_000, pages: 3 });
  },
};

const BOMB = gzipSync(Buffer.alloc(48 * 1024 * 1024, ' '));

/** The same from what a daemon put into its config maps: base64 of gzip, a bomb perhaps. */
const pages: Target = {
  name: 'results-pages',
  seeds: () => [
    ...REPORTS().flatMap((bytes) => [bytes, gzipSync(bytes)]),
    BOMB,
    Buffer.concat([gzipSync(fixture('0.19.1/differences.json')), BOMB]),
    Buffer.concat([gzipSync('{"a":"'), BOMB]),
    gzipSync(Buffer.from(`{"added":{${'"/a":"f",'.repeat(50_000)}`)),
  ],
  structured: fc.oneof(
    reports.map((bytes) => gzipSync(bytes)),
    reports,
  ),
  words: ['\x1f\x8b\x08'],
  maxBytes: 128 * 1024,
  maxMs: 2000,
  async run(bytes) {
    const compressed = bytes[0] === 0x1f;
    async function* texts() {
      for (const chunk of bytes.length < 20_000 ? chunksOf(bytes) : [bytes]) {
        yield compressed ? chunk.toString('base64') : chunk.toString('utf8');
      }
    }
    const made = await makePages(texts, { compressed, isSmall: !compressed }, HEAD, new AbortController().signal);
    if (made.pages) checkPages(made.pages, { bytes: PAGE_BYTES, pages: PAGES });
    else checkSafe(made.problem, 300);
  },
};

function checkPages(texts: readonly string[], limits: { bytes: number; pages: number }): void {
  assert.ok(texts.length >= 1 && texts.length <= limits.pages);
  const listed = { added: 0, changed: 0, removed: 0 };
  let said = listed;
  for (const [index, text] of texts.entries()) {
    assert.ok(Buffer.byteLength(text) <= limits.bytes, `a page has ${Buffer.byteLength(text)} bytes`);
    const page = findingsPageSchema.parse(JSON.parse(text));
    assert.deepEqual([page.page, page.pages], [index + 1, texts.length]);
    said = page.listed;
    for (const { path, pathBytes, change, attributes } of page.findings) {
      listed[change] += 1;
      checkSafe(path);
      const shown = bytesShown(path);
      assert.deepEqual(pathBytes === undefined ? Buffer.from(path) : Buffer.from(pathBytes, 'base64'), shown);
      for (const { name, old = '', new: now = '' } of attributes) {
        checkSafe(name, 64);
        for (const line of [...old.split('\n'), ...now.split('\n')]) checkSafe(line, 1024);
      }
    }
  }
  assert.deepEqual(listed, said, 'the pages do not have what they say');
}

const NOW = new Date('2026-11-25T10:00:00Z');
const HEX = 'a'.repeat(64);
const STATUS: FileIntegrityNodeStatus = {
  metadata: { name: 'example-node-1', namespace: 'here', uid: 'b2f6cf1e-5d3b-4c0e-9d4e-1f2e3d4c5b6a' },
  nodeName: 'node-1',
  orders: {
    settings: { gracePeriod: 900, maxBackups: 5, debug: false },
    configuration: { name: 'example', key: 'aide.conf', digest: HEX },
    baseline: { id: 'order-1', reason: 'Initial', requestedAt: '2026-11-25T09:00:00Z' },
  },
};
const INTEGRITY = { metadata: { name: 'example', namespace: 'here' }, spec: {} } as Parameters<typeof desiredLease>[0];
const NODE = {
  metadata: { name: 'node-1' },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
} as unknown as Node;

/** In milliseconds: two pauses, two scans of 600 seconds, which is the most that counts without a history, and the margin. */
const LONGEST_FRESH = (2 * 900 + 2 * 600 + 300) * 1000;

/** Whatever a daemon says, and says again: what is made of it is a status that the API server takes, and can be shown. */
const plans: Target = {
  name: 'results-plan',
  seeds: () => [...OUTCOMES, ...inputs('{"id":"x"}')],
  structured: asJson(outcome),
  words: WORDS,
  run(bytes) {
    const annotations = { [OUTCOME_ANNOTATION]: bytes.toString('utf8') };
    const slot: ConfigMap = {
      metadata: {
        name: resultName('example', 'node-1'),
        uid: 'uid',
        creationTimestamp: NOW.toISOString(),
        labels: { [OWNER_LABEL]: 'example', [NODE_LABEL]: 'node-1' },
        annotations,
      },
    };
    const desired = desiredLease(INTEGRITY, STATUS);
    const lease = { ...desired, metadata: { ...desired.metadata, annotations } };
    let status: FileIntegrityNodeStatus = STATUS;
    // By message, by heartbeat, and by message again.
    for (const said of [
      { slot, lease: undefined },
      { slot: undefined, lease },
      { slot, lease },
    ]) {
      const world = {
        now: NOW,
        integrity: 'example',
        status,
        node: NODE,
        parts: [],
        hasMachineConfigs: true,
        ...said,
      };
      const { fields, events, keep } = orFault(() => planResults(world));
      for (const { message } of events) checkSafe(message, 2048);
      if (keep) checkAllSafe({ ...keep, scan: undefined }, 300);
      if (!fields) continue;
      const { heartbeat, ...rest } = fields;
      const node = orFault(() =>
        planNodeState({
          now: NOW,
          fields: { ...rest, ...(STATUS.orders && { orders: STATUS.orders }) },
          daemon: { is: 'running' },
          node: NODE,
          spec: { config: { key: 'aide.conf', gracePeriod: 900, maxBackups: 5, initialDelay: 0 }, holdLimit: 14_400 },
          generation: 1,
        }),
      );
      const { changesAt: _, ...shown } = node;
      const until = Date.parse(shown.freshUntil ?? NOW.toISOString());
      assert.ok(until <= NOW.getTime() + LONGEST_FRESH, `one word makes the node fresh until ${shown.freshUntil}`);
      if (fields.lastResult?.condition === 'Succeeded' && !fields.failure) {
        const proven = fields.lastScan?.baselineDigest === fields.baseline?.digest;
        assert.ok(proven || node.state !== 'Succeeded', 'a scan that proves nothing makes the node Succeeded');
      }
      if (status.failure && !fields.failure) {
        const gone = fields.lastScan?.baselineDigest === status.failure.baselineDigest;
        assert.ok(gone || fields.accepted?.[0]?.since === status.failure.since, 'a failure has ended for no reason');
      }
      const whole = { nodeName: 'node-1', ...rest, ...shown };
      const parsed = nodeStatusFieldsSchema.safeParse(whole);
      assert.equal(parsed.error?.message, undefined, 'the API server would refuse the status');
      checkAllSafe(whole, 2048);
      if (heartbeat !== undefined) checkSafe(heartbeat, 128);
      status = { ...STATUS, ...whole, metadata: STATUS.metadata };
    }
  },
};

export const resultTargets: readonly Target[] = [findings, pages, plans];
