import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  AIDE_CONF_LABEL,
  HISTORY_LABEL,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
} from '../../../src/api/keys.ts';
import { PARTS_LIMIT } from '../../../src/api/names.ts';
import type { Change } from '../../../src/kube/informer.ts';
import { Inbox } from '../../../src/operator/results/inbox/inbox.ts';
import { saysSlotTaken, squatterIn } from '../../../src/operator/results/inbox/look.ts';
import { planOrphans } from '../../../src/operator/results/inbox/orphans.ts';
import { sketchConfigMap, sketchLease } from '../../../src/operator/sketches.ts';
import { asJson, hostileText, loose } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { checkAllSafe, jsonOf, orFault } from '../properties.ts';
import type { Target } from '../target.ts';

// What lies where a node's messages do: parts of nothing, squatted names, odd metadata. The API server sees to it that labels
// and annotations are texts, and to nothing else.

const TIME = '2026-11-25T10:00:00Z';
const NOW = new Date('2026-11-25T11:00:00Z');
const PART = {
  name: 'aide-example-node-1-2',
  namespace: 'fio',
  creationTimestamp: TIME,
  labels: { [OWNER_LABEL]: 'example', [NODE_LABEL]: 'node-1', [PART_LABEL]: '2' },
};
const SQUATTED = { name: 'aide-example-node-1', namespace: 'fio', managedFields: [{ manager: 'kubectl-create' }] };

const number = fc.oneof(
  fc.constantFrom('2', '99', '100', '999', '0', '-1', '1e3', '02', '٣', '9'.repeat(20)),
  hostileText,
);
const metadata = loose({
  name: fc.oneof(
    number.map((each) => `aide-example-node-1-${each}`),
    fc.constantFrom('aide-example-node-1', ''),
    hostileText,
  ),
  namespace: fc.constantFrom('fio', ''),
  creationTimestamp: fc.oneof(fc.constantFrom(TIME, 'yesterday', '9999-12-31T00:00:00Z'), hostileText),
  deletionTimestamp: fc.constantFrom(TIME),
  labels: loose({
    [OWNER_LABEL]: hostileText,
    [NODE_LABEL]: hostileText,
    [PART_LABEL]: number,
    [LOG_LABEL]: fc.constant(''),
    [AIDE_CONF_LABEL]: fc.constant(''),
    [HISTORY_LABEL]: fc.constant(''),
  }),
  annotations: loose({
    [PARTS_ANNOTATION]: number,
    [OUTCOME_ANNOTATION]: fc.oneof(
      hostileText,
      fc.constantFrom('{"slotTaken":true}', '{"notice":"SlotTaken"}', 'null', '"slotTaken"', '{"slotTaken":'),
    ),
  }),
  managedFields: fc.array(fc.oneof(loose({ manager: hostileText, time: hostileText }), fc.jsonValue()), {
    maxLength: 4,
  }),
  ownerReferences: fc.array(loose({ kind: fc.constantFrom('FileIntegrity', 'Pod'), uid: hostileText }), {
    maxLength: 9,
  }),
});

/** Each part is a change of the store, as it comes. */
const inbox: Target = {
  name: 'results-inbox',
  seeds: () => inputs([PART], [SQUATTED, PART], [{}]),
  structured: asJson(fc.array(metadata, { maxLength: 6 })),
  words: [JSON.stringify(PART), `"${PART_LABEL}":"100"`, '"managedFields":[null]', '"slotTaken":true'],
  run(bytes) {
    const maps = mapsOf(bytes);
    const { listeners, inbox } = listen();
    for (const map of maps) {
      const kept = orFault(() => sketchConfigMap(map));
      assert.ok(JSON.stringify(kept ?? {}).length < 64 * 1024, 'too much of it is kept');
      if (kept)
        for (const tell of listeners) orFault(() => tell({ type: 'applied', object: kept, previous: undefined }));
      const squatter = orFault(() => squatterIn(map));
      if (squatter) checkAllSafe(squatter, 200);
      const lease = orFault(() => sketchLease(map as object));
      assert.equal(typeof orFault(() => saysSlotTaken(lease)), 'boolean');
    }
    const parts = inbox.partsOf('fio/aide-example-node-1');
    for (const hasMessage of [true, false]) {
      const { remove, looksAgainAt } = orFault(() => planOrphans({ now: NOW, hasMessage, parts }));
      assert.ok(remove.length <= parts.size);
      assert.ok(looksAgainAt === undefined || looksAgainAt.getTime() > NOW.getTime());
      const surplus = [...parts.keys()].filter((each) => each > PARTS_LIMIT).length;
      assert.ok(remove.length >= surplus, 'what no message may have stays');
      if (hasMessage) assert.equal(remove.length, surplus, 'a part of a message that is there would be removed');
      else assert.ok(looksAgainAt !== undefined || remove.length === parts.size, 'parts stay for ever');
    }
  },
};

function listen() {
  const listeners: ((change: Change<ConfigMap>) => void)[] = [];
  const onChange = (listener: (change: Change<ConfigMap>) => void) => {
    listeners.push(listener);
    return () => {};
  };
  return { listeners, inbox: new Inbox({ onChange }) };
}

function mapsOf(bytes: Buffer): ConfigMap[] {
  const value = jsonOf(bytes);
  const all: unknown[] = Array.isArray(value) ? value : [value];
  return all.slice(0, 32).map((each) => {
    const isObject = typeof each === 'object' && each !== null && !Array.isArray(each);
    const {
      name,
      namespace,
      creationTimestamp,
      deletionTimestamp,
      labels,
      annotations,
      managedFields,
      ownerReferences,
    } = (isObject ? each : {}) as Record<string, unknown>;
    return {
      metadata: {
        name: textOf(name),
        namespace: textOf(namespace),
        creationTimestamp: textOf(creationTimestamp),
        ...(deletionTimestamp !== undefined && { deletionTimestamp: textOf(deletionTimestamp) }),
        labels: textsOf(labels),
        annotations: textsOf(annotations),
        managedFields: Array.isArray(managedFields) ? managedFields : [],
        ownerReferences: (Array.isArray(ownerReferences) ? ownerReferences : []).filter(
          (owner) => typeof owner === 'object' && owner !== null,
        ),
      },
    } as unknown as ConfigMap;
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed().slice(0, 253) : '';
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, typeof each === 'string' ? each : String(JSON.stringify(each))]),
  );
}

export const inboxTargets: readonly Target[] = [inbox];
