import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../../src/api/fileintegrity.ts';
import { REINIT_ANNOTATION } from '../../../src/api/keys.ts';
import { formatNodeList, listsNode, parseNodeList, unionOfNodeLists } from '../../../src/api/nodelist.ts';
import { printable } from '../../../src/lib/text.ts';
import { formatMemory, parseMemory } from '../../../src/operator/nodes/memory.ts';
import { profileOf } from '../../../src/operator/nodes/profile.ts';
import { followUpdate, UPDATING_LABEL } from '../../../src/operator/nodes/update.ts';
import { parseRequests, planReinit } from '../../../src/operator/requests/reinit.ts';
import { asJson, hostileText, loose, time } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { checkAllSafe, jsonOf, orFault } from '../properties.ts';
import type { Target } from '../target.ts';

// Annotations that users and nodes write. Nothing that reads them throws.

const NODES = ['node-1', 'node-10', 'node-2', 'a'];
const NOW = new Date('2026-11-25T10:00:00Z');

/** `re-init`, `holdoff`, `updated`. */
const nodeList: Target = {
  name: 'annotation-nodes',
  seeds: () => inputs('', 'node-1', 'node-1, node-10,,', ` ${'x,'.repeat(2000)}`, 'a'.repeat(300_000)),
  structured: fc
    .array(fc.oneof(fc.constantFrom(...NODES), hostileText), { maxLength: 20 })
    .map((names) => Buffer.from(names.join(','))),
  maxBytes: 400 * 1024,
  run(bytes) {
    const text = bytes.toString('utf8');
    const list = parseNodeList(text);
    const again = parseNodeList(formatNodeList(list));
    assert.deepEqual(list.all || list.names.size > 0 ? again : list, list);
    const names = new Set(text.split(',').map((name) => name.trim()));
    for (const node of NODES) {
      if (listsNode(list, node)) assert.ok(list.all || names.has(node), `${node} is listed and not named`);
      assert.ok(listsNode(unionOfNodeLists(list, parseNodeList(node)), node));
    }
    if (!list.all) for (const name of list.names) assert.ok(names.has(name), 'a half name is listed');
  },
};

/** What the operator remembers of a node. */
const memory: Target = {
  name: 'annotation-memory',
  seeds: () =>
    inputs({
      node: 'uid',
      profile: 'linux',
      configuration: 'a',
      update: { source: 'MachineConfig', from: 'a', to: 'b', since: '2026-11-25T10:00:00Z' },
      updated: { from: 'a', to: 'b' },
      requestedAt: '2026-11-25T10:00:00Z',
      orders: ['a', 'b'],
    }),
  structured: asJson(
    loose({
      node: hostileText,
      profile: fc.constantFrom('linux', 'openshift', 'windows'),
      configuration: hostileText,
      update: loose({
        source: fc.constantFrom('MachineConfig', 'NodeUpdating', ''),
        from: hostileText,
        to: hostileText,
        since: time,
      }),
      updated: loose({ from: hostileText, to: hostileText }),
      requestedAt: time,
      orders: fc.array(hostileText, { maxLength: 15 }),
    }),
  ),
  run(bytes) {
    const read = orFault(() => parseMemory(bytes.toString('utf8')));
    assert.deepEqual(parseMemory(formatMemory(read)), read);
    assert.ok((read.orders?.length ?? 0) <= 10);
  },
};

/** The re-init requests under way. */
const requests: Target = {
  name: 'annotation-requests',
  seeds: () =>
    inputs(
      [{ id: 'a', reason: 'Demand', who: 'kubectl', at: '2026-11-25T10:00:00Z', nodes: '' }],
      Array.from({ length: 60 }, (_, at) => ({
        id: `${at}`,
        reason: 'Failed',
        who: '',
        at: NOW.toISOString(),
        nodes: `node-${at % 12}`,
      })),
      [{ id: 'a', reason: 'Demand', who: '', at: '-271821-04-20T00:00:00.000Z', nodes: ',' }],
    ),
  structured: asJson(
    fc.array(
      loose({
        id: hostileText,
        reason: fc.constantFrom('Demand', 'Failed', 'Initial'),
        who: hostileText,
        at: time,
        nodes: fc.oneof(fc.constantFrom('', ',', 'node-1', 'node-1,node-2'), hostileText),
      }),
      { maxLength: 20 },
    ),
  ),
  words: [
    '{"id":"b","reason":"Demand","who":"","at":"2026-11-25T10:00:00Z","nodes":"node-1"},',
    '"nodes":""',
    '"at":"9999-12-31T23:59:59Z"',
  ],
  maxBytes: 128 * 1024,
  run(bytes) {
    const standing = orFault(() => parseRequests(bytes.toString('utf8')));
    const integrity = {
      metadata: {
        name: 'example',
        uid: 'uid',
        resourceVersion: '7',
        annotations: { [REINIT_ANNOTATION]: 'node-1,node-3' },
      },
      spec: {},
    } as unknown as FileIntegrity;
    const plan = orFault(() =>
      planReinit({
        integrity,
        selected: new Set(NODES),
        failed: new Set(),
        standing,
        hasCarriedOut: (node) => node === 'a',
        now: NOW,
      }),
    );
    assert.ok(plan.requests.length <= 9);
    assert.deepEqual(parseRequests(JSON.stringify(plan.requests)), plan.requests);
    // What was just asked for is under way for that node, whatever stood there.
    assert.ok(plan.requestOf('node-1') !== undefined);
    assert.ok(plan.updated !== undefined && listsNode(parseNodeList(plan.updated), 'node-1'));
  },
};

/** As the operator writes it. */
const shown = hostileText.map((text) => printable(text, 253));
const machineConfig = (name: string) => `machineconfiguration.openshift.io/${name}`;

/** What a node says of its update, and what was remembered of it. */
const update: Target = {
  name: 'annotation-update',
  seeds: () =>
    inputs({
      annotations: {
        [machineConfig('currentConfig')]: 'a',
        [machineConfig('desiredConfig')]: 'b',
        [machineConfig('state')]: 'Working',
      },
      labels: { [UPDATING_LABEL]: 'os-7' },
      info: { osImage: 'Linux', kernelVersion: '6', kubeletVersion: '1.34' },
      memory: { configuration: 'a' },
    }),
  structured: asJson(
    loose({
      annotations: loose({
        [machineConfig('currentConfig')]: fc.oneof(fc.constantFrom('a', 'b', ''), hostileText),
        [machineConfig('desiredConfig')]: fc.oneof(fc.constantFrom('a', 'b'), hostileText),
        [machineConfig('state')]: fc.oneof(fc.constantFrom('Working', 'Done', 'Degraded', ''), hostileText),
      }),
      labels: loose({ [UPDATING_LABEL]: fc.oneof(fc.constantFrom('', 'os-7'), hostileText) }),
      info: loose({ osImage: hostileText, kernelVersion: hostileText, kubeletVersion: hostileText }),
      managers: fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 3 }),
      memory: loose({
        configuration: shown,
        update: loose({
          source: fc.constantFrom('MachineConfig', 'NodeUpdating'),
          from: shown,
          to: shown,
          since: time,
        }),
      }),
    }),
  ),
  run(bytes) {
    const value = jsonOf(bytes);
    if (typeof value !== 'object' || value === null) return;
    const { annotations, labels, info, memory: remembered } = value as Record<string, unknown>;
    const node = {
      metadata: { name: 'node-1', annotations: textsOf(annotations), labels: labelsOf(labels) },
      ...(typeof info === 'object' && info !== null && { status: { nodeInfo: textsOf(info) } }),
    } as unknown as Node;
    const before = parseMemory(formatMemory((typeof remembered === 'object' && remembered) || {}));
    const none = orFault(() => followUpdate(node, before, NOW, false));
    assert.notEqual(none.hold?.reason, 'MachineConfig', 'nobody configures machines');
    const plan = orFault(() => followUpdate(node, before, NOW, true));
    // (What is remembered, the operator wrote itself.)
    if (printable(JSON.stringify(before)) === JSON.stringify(before)) checkAllSafe(plan.hold, 2048);
    // Once more, with what is remembered now: an update that lasts is the same update.
    const again = followUpdate(node, plan.memory, NOW, true);
    assert.deepEqual(again.hold, plan.hold && { ...again.hold, since: plan.hold.since });
    if (!plan.hold) assert.equal(again.finished, undefined, 'an update ends twice');
    orFault(() => profileOf(node));
  },
};

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, String(JSON.stringify(each)).replace(/^"|"$/g, '')]),
  );
}

/** What the API server lets be the value of a label. */
function labelsOf(value: unknown): Record<string, string> {
  const texts = Object.entries(textsOf(value));
  return Object.fromEntries(texts.map(([key, text]) => [key, text.replace(/[^\w.-]/g, '').slice(0, 63)]));
}

export const annotationTargets: readonly Target[] = [nodeList, memory, requests, update];
