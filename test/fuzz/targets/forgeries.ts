import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import { LOG_LABEL, NODE_LABEL, OUTCOME_ANNOTATION, OWNER_LABEL, RECORD_KEY } from '../../../src/api/keys.ts';
import { resultName } from '../../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../../src/api/nodestatus.ts';
import { type AdmissionRecord, readRecord, recordLook, recordMap } from '../../../src/operator/admission/record.ts';
import { type Standing, tellFaults } from '../../../src/operator/admission/standing.ts';
import type { UpdateMemory } from '../../../src/operator/nodes/memory.ts';
import { planNodeState } from '../../../src/operator/nodes/state.ts';
import { followUpdate } from '../../../src/operator/nodes/update.ts';
import { desiredLease } from '../../../src/operator/results/inbox/lease.ts';
import { planResults } from '../../../src/operator/results/verdict/plan.ts';
import { asJson, hostileText, loose, time } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { checkSafe, jsonOf, orFault } from '../properties.ts';
import type { Target } from '../target.ts';

// What somebody says again and again, to have something false believed: a node that its scans are of a later time, or that it
// is being updated; whoever took the policies away, that they never were. Each target takes the reader that it tries, so that
// a broken one can be put in its place.

const NOW = new Date('2026-11-25T10:00:00Z');
const HEX = 'a'.repeat(64);

/** The config map that says when the admission policies were not in force, after somebody has written into it. */
export function recordTarget(look: typeof recordLook, name = 'admission-record'): Target {
  const period = { from: NOW.toISOString(), until: NOW.toISOString(), faults: ['binding b is missing'] };
  const record = {
    apiVersion: 'records.fileintegrity.openshift.io/v1',
    kind: 'AdmissionRecord',
    seen: { at: NOW.toISOString(), enforced: true, versions: { 'a/b': 'uid 1' } },
    periods: [period],
    leftOut: 0,
  };
  const { until: _, ...open } = period;
  const periods = loose({
    from: time,
    notBefore: time,
    until: time,
    faults: fc.array(hostileText, { maxLength: 70 }),
  });
  return {
    name,
    seeds: () =>
      inputs(
        record,
        { ...record, periods: [open] },
        { ...record, leftOut: Number.MAX_SAFE_INTEGER },
        {
          ...record,
          periods: Array.from({ length: 50 }, () => ({
            ...open,
            faults: Array.from({ length: 64 }, () => 'x'.repeat(250)),
          })),
        },
      ),
    structured: asJson(
      fc
        .tuple(fc.array(periods, { maxLength: 55 }), loose({ at: time, enforced: fc.boolean() }))
        .map(([list, seen]) => ({ ...record, periods: list, seen: { ...record.seen, ...seen } })),
    ),
    words: ['"periods":[]', '"until":"2026-11-25T10:00:00Z",', '"faults":["\\u202e"]', '"leftOut":9007199254740991'],
    maxBytes: 1024 * 1024,
    run(bytes) {
      const map = { data: { [RECORD_KEY]: bytes.toString('utf8') } };
      let before = orFault(() => readRecord(map));
      const gone: Standing = { is: 'not-enforced', faults: ['binding c is missing'] };
      const well: Standing = { is: 'enforced', policies: 1 };
      const blind: Standing = { is: 'unknown', reason: 'Unreadable', message: 'no' };
      for (const [minute, standing] of [well, gone, blind, gone, well].entries()) {
        const now = new Date(NOW.getTime() + minute * 60_000);
        const versions = { 'a/b': `uid ${minute < 3 ? 1 : 2}` };
        const after: AdmissionRecord = orFault(() => look(before, { standing, versions, now, isFirst: minute === 0 }));
        const written = recordMap(after, 'fio');
        assert.deepEqual(readRecord(written), after, 'what is written is not read again');
        assert.ok(Buffer.byteLength(JSON.stringify(written)) < 1024 * 1024, 'the API server does not take so much');
        const [newest] = after.periods;
        const isOpen = newest !== undefined && newest.until === undefined;
        assert.equal(isOpen, standing.is !== 'enforced', 'what is not in force is not on record');
        if (standing === gone)
          assert.ok(newest?.faults.includes('binding c is missing'), 'what is wrong is not on record');
        for (const each of after.periods) checkSafe(tellFaults(each.faults));
        before = after;
      }
    },
  };
}

/** A node's words, one after the other: with which times, how long after the one before, and in which way. */
export function timesTarget(plan: typeof planResults, name = 'results-times'): Target {
  return {
    name,
    seeds: () =>
      inputs(
        [{ startedAt: '2026-11-25T10:00:00Z', finishedAt: '2026-11-25T22:00:00Z', after: 60, verdict: 'Succeeded' }],
        [
          { startedAt: '0000-01-01T00:00:00Z', finishedAt: '9999-12-31T23:59:59Z', after: 5, verdict: 'Failed' },
          { startedAt: '9999-12-31T23:59:59Z', finishedAt: '2026-11-25T10:00:00Z', after: 5, beat: true },
        ],
      ),
    structured: asJson(
      fc.array(
        loose({
          startedAt: time,
          finishedAt: time,
          after: fc.constantFrom(1, 30, 61, 900, 7200),
          verdict: fc.constantFrom('Succeeded', 'Failed', 'Errored'),
          beat: fc.boolean(),
        }),
        { maxLength: 8 },
      ),
    ),
    words: ['"2026-11-25T22:00:00Z"', '"9999-12-31T23:59:59Z"', '"after":61', '"beat":true'],
    run(bytes) {
      const value = jsonOf(bytes);
      const said: unknown[] = Array.isArray(value) ? value.slice(0, 16) : [];
      let status = STATUS;
      let now = NOW.getTime();
      const tell = (words: Word, seconds: number) => {
        now += seconds * 1000;
        const before = status;
        status = hear(plan, before, words, new Date(now));
        const { lastResult, freshness, freshUntil } = status;
        assert.ok(
          !lastResult || Date.parse(lastResult.lastProbeTime) <= now,
          'a result is of a time that has not come',
        );
        if (freshness?.since === before.freshness?.since || !freshness) return;
        assert.ok(Date.parse(freshness.since) <= now, 'a scan counts from a time that has not come');
        const most = Math.max(600, 2 * (before.freshness?.scanSeconds ?? 0));
        assert.ok(freshness.scanSeconds <= most, 'one word makes scans more than twice as long');
        const passed = (now - NOW.getTime()) / 1000;
        assert.ok(!before.freshness || freshness.scanSeconds <= passed, 'a scan took longer than there was time');
        const counts = freshness.scanSeconds * 2 + 2 * GRACE_S + 300;
        assert.ok(Date.parse(freshUntil ?? '') <= now + counts * 1000 + 1, 'a word makes the node fresh for longer');
      };
      for (const each of said) {
        if (typeof each !== 'object' || each === null) continue;
        const { after } = each as { after?: unknown };
        tell(each as Word, typeof after === 'number' && after >= 0 && after < 100_000 ? Math.round(after) : 1);
      }
      // Whatever was said: a true word counts after a minute at most, by heartbeat, too.
      for (const verdict of ['Errored', 'Succeeded'] as const) {
        const at = new Date(now + 120_000).toISOString();
        tell({ startedAt: at, finishedAt: at, verdict, beat: true }, 120);
        assert.equal(status.lastResult?.condition, verdict, 'what a node says is not heard any more');
      }
    },
  };
}

interface Word {
  readonly startedAt?: unknown;
  readonly finishedAt?: unknown;
  readonly verdict?: unknown;
  /** By heartbeat. */
  readonly beat?: unknown;
}

const GRACE_S = 900;
const STATUS: FileIntegrityNodeStatus = {
  metadata: { name: 'example-node-1', namespace: 'here', uid: 'b2f6cf1e-5d3b-4c0e-9d4e-1f2e3d4c5b6a' },
  nodeName: 'node-1',
  orders: {
    settings: { gracePeriod: GRACE_S, maxBackups: 5, debug: false },
    configuration: { name: 'example', key: 'aide.conf', digest: HEX },
    baseline: { id: 'order-1', reason: 'Initial', requestedAt: '2026-11-25T09:00:00Z' },
  },
  baseline: {
    orderId: 'order-1',
    digest: HEX,
    entries: 10,
    configurationDigest: HEX,
    aideVersion: '0.19.1',
    bootId: 'boot',
    reason: 'Initial',
    createdAt: '2026-11-25T09:30:00Z',
  },
};
const INTEGRITY = { metadata: { name: 'example', namespace: 'here' }, spec: {} } as Parameters<typeof desiredLease>[0];
const NODE = { metadata: { name: 'node-1' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } } as Node;

let words = 0;

/** The status once the operator has heard that. */
function hear(
  plan: typeof planResults,
  status: FileIntegrityNodeStatus,
  word: Word,
  now: Date,
): FileIntegrityNodeStatus {
  words += 1;
  const outcome = {
    kind: 'scan',
    id: `run-${words}`,
    node: 'node-1',
    verdict: word.verdict ?? 'Succeeded',
    startedAt: word.startedAt ?? now.toISOString(),
    finishedAt: word.finishedAt ?? now.toISOString(),
    baselineDigest: HEX,
    configurationDigest: HEX,
  };
  const annotations = { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) };
  const labels = { [OWNER_LABEL]: 'example', [NODE_LABEL]: 'node-1', [LOG_LABEL]: '' };
  const at = now.toISOString();
  const slot: ConfigMap = {
    metadata: { name: resultName('example', 'node-1'), uid: outcome.id, creationTimestamp: at, labels, annotations },
  };
  const desired = desiredLease(INTEGRITY, status);
  const lease = { ...desired, metadata: { ...desired.metadata, annotations, managedFields: [{ time: at }] } };
  const common = { now, integrity: 'example', status, node: NODE, parts: [], hasMachineConfigs: false };
  const world = { ...common, slot: word.beat ? undefined : slot, lease: word.beat ? lease : undefined };
  const fields = orFault(() => plan(world)).fields ?? {};
  const { heartbeat, conditions: _, ...rest } = fields;
  const spec = {
    config: { key: 'aide.conf', gracePeriod: GRACE_S, maxBackups: 5, initialDelay: 0 },
    holdLimit: 14_400,
  };
  const whole = { ...status, ...rest };
  // A field that is not in a plan has ended, as it does in the API server.
  for (const key of ['failure'] as const) if (Object.keys(fields).length > 0 && !(key in rest)) delete whole[key];
  const shown = planNodeState({ now, fields: whole, daemon: { is: 'running' }, node: NODE, spec, generation: 1 });
  return { ...whole, ...(shown.freshUntil !== undefined && { freshUntil: shown.freshUntil }) };
}

const machineConfig = (key: string) => `machineconfiguration.openshift.io/${key}`;

/**
 * A node that says by its own annotations that it is being updated, in whatever way and order: what is desired for it, its
 * controller writes, and the label somebody else. It is held, and no new baseline follows.
 */
export function selfMadeTarget(follow: typeof followUpdate, name = 'annotation-self-made'): Target {
  return {
    name,
    seeds: () =>
      inputs(
        [{ state: 'Working' }, { state: 'Done' }],
        [
          { state: 'Working', current: 'b' },
          { current: 'b', state: 'Degraded' },
          { current: 'a', state: 'Done' },
        ],
      ),
    structured: asJson(
      fc.array(
        loose({
          current: fc.oneof(fc.constantFrom('a', 'b', ''), hostileText),
          state: fc.oneof(fc.constantFrom('Working', 'Done', 'Degraded', ''), hostileText),
          seen: fc.boolean(),
        }),
        { maxLength: 8 },
      ),
    ),
    words: ['"current":"b"', '"state":"Working"', '"state":"Done"', '"state":"Degraded"', '},{'],
    run(bytes) {
      const value = jsonOf(bytes);
      const said: unknown[] = Array.isArray(value) ? value.slice(0, 16) : [];
      let memory: UpdateMemory = { configuration: 'a' };
      for (const each of [...said, { current: 'a', state: 'Done' }]) {
        if (typeof each !== 'object' || each === null) continue;
        const { current, state } = each as { current?: unknown; state?: unknown };
        const annotations = {
          [machineConfig('desiredConfig')]: 'a',
          ...(typeof current === 'string' && { [machineConfig('currentConfig')]: current }),
          ...(typeof state === 'string' && { [machineConfig('state')]: state }),
        };
        const plan = orFault(() => follow({ metadata: { name: 'node-1', annotations } }, memory, NOW, true));
        assert.equal(plan.finished, undefined, 'a node has ordered itself a new baseline');
        if (state === 'Working') assert.ok(plan.hold, 'a node that says that it is being updated is not held');
        ({ memory } = plan);
      }
    },
  };
}

export const forgeryTargets: readonly Target[] = [
  recordTarget(recordLook),
  timesTarget(planResults),
  selfMadeTarget(followUpdate),
];
