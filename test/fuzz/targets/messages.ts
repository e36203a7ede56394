import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  LOG_ERROR_ANNOTATION,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PARTS_ANNOTATION,
} from '../../../src/api/keys.ts';
import { parseOutcome } from '../../../src/api/protocol.ts';
import { isKept } from '../../../src/evidence/kept.ts';
import { idOf, type Message, readHeartbeat, readSlot } from '../../../src/operator/results/inbox/message.ts';
import { firstName, isMessage, isPartOf } from '../../../src/operator/results/inbox/slot.ts';
import { asJson, hostileText, loose, outcome } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { checkAllSafe, jsonOf, orFault } from '../properties.ts';
import type { Target } from '../target.ts';

const HEX = 'a'.repeat(64);
const TIME = '2026-11-25T10:00:00Z';
export const OUTCOMES = inputs(
  {
    kind: 'scan',
    id: 'run-1',
    node: 'node-1',
    verdict: 'Failed',
    startedAt: TIME,
    finishedAt: TIME,
    exitStatus: 4,
    counts: { added: 0, changed: 1, removed: 0 },
    entries: 10,
    baselineDigest: HEX,
    configurationDigest: HEX,
  },
  {
    kind: 'baseline',
    id: 'run-2',
    node: 'node-1',
    receipt: {
      orderId: 'order-1',
      digest: HEX,
      entries: 10,
      configurationDigest: HEX,
      aideVersion: '0.19.1',
      bootId: 'boot',
      reason: 'Initial',
      createdAt: TIME,
    },
  },
  { kind: 'notice', id: 'run-3', node: 'node-1', notice: 'UnorderedReinit', at: TIME, message: 'a trigger file' },
  'null',
);
export const WORDS = [
  '"kind":"scan"',
  '"verdict":"Errored"',
  '"errorMessage":"',
  '"baselineFault":"Replaced"',
  '"adopted":true',
  HEX,
  TIME,
  '\\u202e',
  '\\ud800',
];

/** A daemon's message in its annotation. */
const annotation: Target = {
  name: 'api-outcome',
  seeds: () => OUTCOMES,
  structured: asJson(outcome),
  words: WORDS,
  maxBytes: 20 * 1024,
  run(bytes) {
    const parsed = parseOutcome(bytes.toString('utf8'));
    assert.deepEqual(parseOutcome(JSON.stringify(parsed)), parsed);
  },
};

interface Slot {
  readonly name?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, unknown>>;
}

const SENDER = { integrity: 'example', node: 'node-1' };
const LABELS = { [OWNER_LABEL]: 'example', [NODE_LABEL]: 'node-1' };

/** A config map as the API server hands it out: every value is a text. */
function configMapOf(bytes: Buffer): ConfigMap {
  const value = jsonOf(bytes);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const isSlot = isObject && ('annotations' in value || 'labels' in value || 'data' in value);
  const slot = (isSlot ? value : {}) as Slot;
  const {
    name = 'aide-example-node-1',
    labels = LABELS,
    annotations = { [OUTCOME_ANNOTATION]: bytes.toString('utf8') },
    data = {},
  } = slot;
  return {
    metadata: {
      name: String(name),
      uid: 'b2f6cf1e-5d3b-4c0e-9d4e-1f2e3d4c5b6a',
      creationTimestamp: TIME,
      labels: textsOf(labels),
      annotations: textsOf(annotations),
    },
    data: textsOf(data),
  };
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      typeof each === 'string' ? each.toWellFormed() : JSON.stringify(each),
    ]),
  );
}

const slots = loose({
  name: fc.oneof({ weight: 6, arbitrary: fc.constant('aide-example-node-1') }, { weight: 1, arbitrary: hostileText }),
  labels: fc.oneof(
    { weight: 4, arbitrary: fc.constant(LABELS) },
    loose({ [OWNER_LABEL]: hostileText, [NODE_LABEL]: hostileText }),
  ),
  annotations: fc.oneof(
    outcome.map((each) => ({ [OUTCOME_ANNOTATION]: JSON.stringify(each) })),
    loose({
      [OUTCOME_ANNOTATION]: fc.oneof(
        hostileText,
        outcome.map((each) => JSON.stringify(each)),
      ),
      [PARTS_ANNOTATION]: fc.constantFrom('1', '2', '999', '1000', '0', '-1', '1e3', ' 3', '٣'),
    }),
    loose({
      [LOG_ERROR_ANNOTATION]: hostileText,
      [FILES_ADDED_ANNOTATION]: fc.constantFrom('1', '-1', '9'.repeat(16), 'x'),
      [FILES_CHANGED_ANNOTATION]: fc.constantFrom('1', ''),
      [FILES_REMOVED_ANNOTATION]: fc.constantFrom('1', '0x1'),
    }),
  ),
  data: loose({ integritylog: hostileText }),
});

/** A daemon's config map, as the operator understands it. It never throws. */
const slot: Target = {
  name: 'results-slot',
  seeds: () => [...OUTCOMES, ...inputs({ labels: LABELS, annotations: {}, data: { integritylog: 'x' } })],
  structured: asJson(slots),
  words: [...WORDS, `"${OUTCOME_ANNOTATION}":"{`, `"${PARTS_ANNOTATION}":"3"`, `"${LOG_ERROR_ANNOTATION}":"`],
  run(bytes) {
    const configMap = configMapOf(bytes);
    const message = orFault(() => readSlot(configMap, SENDER));
    checkMessage(message);
    assert.equal(
      orFault(() => idOf(configMap)),
      message.id,
      'it would be acknowledged by another id',
    );
    orFault(() => [isMessage(configMap), isKept(configMap), firstName(configMap), isPartOf(configMap, 2, SENDER)]);
  },
};

/** A daemon's heartbeat. It never throws. */
const heartbeat: Target = {
  name: 'results-heartbeat',
  seeds: () => OUTCOMES,
  structured: asJson(outcome),
  words: WORDS,
  run(bytes) {
    const lease: Lease = { metadata: { annotations: { [OUTCOME_ANNOTATION]: bytes.toString('utf8') } } };
    const message = orFault(() => readHeartbeat(lease, SENDER));
    if (message === undefined) return;
    assert.equal(message.kind, 'scan');
    checkMessage(message);
  },
};

function checkMessage(message: Message): void {
  checkAllSafe(message, 1024);
  assert.ok(message.id.length >= 1 && message.id.length <= 128);
  if (message.kind !== 'scan') return;
  const { verdict, parts, counts } = message;
  assert.ok(Number.isInteger(parts) && parts >= 1 && parts <= 999);
  for (const number of Object.values(counts ?? {})) assert.ok(Number.isSafeInteger(number) && number >= 0);
  assert.ok(counts === undefined || verdict === 'Failed');
  assert.ok(!Number.isNaN(Date.parse(message.finishedAt)));
}

export const messageTargets: readonly Target[] = [annotation, slot, heartbeat];
