import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeStatuses } from '../../src/api/group.ts';
import { COMPRESSED_ANNOTATION } from '../../src/api/keys.ts';
import { failedName, findingsName, partName, resultName } from '../../src/api/names.ts';
import { FINDING_ANNOTATION } from '../../src/evidence/kept.ts';
import { configMaps } from '../../src/kube/resources.ts';

import { eventually } from '../support/eventually.ts';
import { startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

const NODES = 7;
const FOUND = { verdict: 'Failed', exitStatus: 4, counts: { added: 0, changed: 30_000, removed: 0 } } as const;

let harness: OperatorHarness;
let nodes: string[];

beforeAll(async () => {
  harness = await startHarness();
  nodes = await Promise.all(Array.from({ length: NODES }, () => harness.addNode()));
  await harness.createIntegrity('first');
  await Promise.all(nodes.map((node) => harness.daemon('first', node).makeBaseline()));
  await harness.phaseWhen('first', 'Active');
});
afterAll(() => harness[Symbol.asyncDispose]());

const find = (name: string) => harness.client.find(configMaps, { namespace: harness.namespace, name });

/** A report of so many changed files, as a daemon sends a large one: compressed, in parts. */
function largeReport(files: number): Record<string, string>[] {
  const changed: Record<string, string> = {};
  const details: Record<string, object> = {};
  for (let index = 0; index < files; index++) {
    const path = `/hostroot/usr/share/${index}`;
    changed[path] = 'f   ...    .H..    ';
    details[path] = { sha512: { old: `${index}`.repeat(9), new: `${index + 1}`.repeat(9) } };
  }
  const json = {
    start_time: '2026-11-24 03:04:19 +0000',
    outline: 'AIDE found differences between database and filesystem!!',
    number_of_entries: { total: files, added: 0, removed: 0, changed: files },
    changed,
    details,
    end_time: '2026-11-24 03:04:19 +0000',
  };
  const packed = gzipSync(JSON.stringify(json, undefined, 2));
  const piece = 60_000;
  const count = Math.ceil(packed.length / piece);
  const pieces = Array.from({ length: count }, (_, index) => packed.subarray(index * piece, (index + 1) * piece));
  const text = gzipSync('what AIDE says\n').toString('base64');
  return pieces.map((part, index) => ({
    ...(index === 0 && { integritylog: text }),
    'report.json': part.toString('base64'),
  }));
}

test('the verdicts of all nodes are there before the report of any is kept, however large', async () => {
  const report = largeReport(FOUND.counts.changed);
  expect(report.length).toBeGreaterThan(1);
  await harness.stop();
  const scans = new Map<string, string>();
  for (const node of nodes) {
    const scan = harness.daemon('first', node).scan(FOUND);
    scans.set(node, scan.id);
    await harness.daemon('first', node).send(scan, report);
  }
  harness.start();
  let failed = 0;
  await eventually('the first report is kept', async () => {
    const { items } = await harness.client.list(nodeStatuses, { namespace: harness.namespace });
    if (items.some(({ nodeName, acknowledged }) => acknowledged === scans.get(nodeName))) return true;
    failed = items.filter(({ state, lastResult }) => state === 'Failed' && lastResult?.condition === 'Failed').length;
    return failed === NODES;
  });
  expect(failed).toBe(NODES);
  // Another node's small failure waits for none of them.
  for (const node of nodes) {
    const status = await harness.statusWhen('first', node, 'is kept', (seen) => seen.acknowledged === scans.get(node));
    expect(status.lastResult).toMatchObject({ resultConfigMapName: failedName('first', node) });
    expect(status.lastResult?.findingsConfigMapName).toBe(findingsName(failedName('first', node)));
    expect(status).not.toHaveProperty('unkept');
    await eventually('the message is gone', async () => !(await find(resultName('first', node))));
  }
  const told = (await harness.told('NodeIntegrityStatus')).filter((message) => message.includes('has changed!'));
  expect(told.sort()).toEqual(
    nodes
      .map((node) => `node ${node} has changed! a:0,c:30000,r:0 log:${harness.namespace}/${failedName('first', node)}`)
      .sort(),
  );
});

test('an operator that dies between the verdict and the report keeps it afterwards: the message stays until then', async () => {
  const [node = ''] = nodes;
  const daemon = harness.daemon('first', node);
  await harness.stop();
  await using dying = await startGate(harness.connection);
  const scan = daemon.scan({ ...FOUND, counts: { ...FOUND.counts, changed: 2000 } });
  const report = largeReport(2000);
  await daemon.send(scan, report, { annotations: { [COMPRESSED_ANNOTATION]: '' } });
  dying.shutAfter(1);
  harness.start({ connection: dying.connection });
  await dying.shut();
  await harness.crash();
  expect(dying.writes).toHaveLength(1);
  const noted = await harness.status('first', node);
  expect(noted).toMatchObject({
    state: 'Failed',
    unkept: scan.id,
    lastResult: { condition: 'Failed', filesChanged: 2000, errorMessage: 'The report is still to be kept.' },
  });
  expect(noted?.acknowledged).not.toBe(scan.id);
  expect(noted?.lastResult).not.toHaveProperty('resultConfigMapName');
  for (const [index] of report.entries()) {
    expect(await find(partName(resultName('first', node), index + 1))).toBeDefined();
  }

  harness.start();
  const kept = await harness.statusWhen('first', node, 'has it', ({ acknowledged }) => acknowledged === scan.id);
  expect(kept.lastResult).toMatchObject({
    filesChanged: 2000,
    resultConfigMapName: failedName('first', node),
    findingsConfigMapName: findingsName(failedName('first', node)),
  });
  expect(kept.lastResult).not.toHaveProperty('errorMessage');
  expect((await find(failedName('first', node)))?.metadata?.annotations).toHaveProperty([FINDING_ANNOTATION]);
});
