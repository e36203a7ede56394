import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import {
  LOG_LABEL,
  NODE_LABEL,
  OWNER_LABEL,
  PARTS_ANNOTATION,
  RECORD_KEY,
  RECORD_LABEL,
  REINIT_ANNOTATION,
} from '../../src/api/keys.ts';
import { failedName, findingsName, historyName, nodeStatusName, resultName } from '../../src/api/names.ts';
import type { KeptFailure } from '../../src/api/nodestatus.ts';
import { DIGEST_ANNOTATION } from '../../src/evidence/kept.ts';
import { configMaps } from '../../src/kube/resources.ts';
import type { PlayedDaemon } from '../play/daemon.ts';
import { eventually } from '../support/eventually.ts';
import { startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

const text = readFileSync(new URL('../fixtures/aide/0.19.1/differences.txt', import.meta.url), 'latin1');
const json = readFileSync(new URL('../fixtures/aide/0.19.1/differences.json', import.meta.url), 'latin1');

let harness: OperatorHarness;
let node: string;
let daemon: PlayedDaemon;

beforeAll(async () => {
  harness = await startHarness();
  node = await harness.addNode();
  await harness.createIntegrity('kept', { history: { failedResults: 2, reinitRecords: 2 } });
  daemon = harness.daemon('kept', node);
  await daemon.makeBaseline();
  await daemon.report({ verdict: 'Succeeded' });
  await harness.phaseWhen('kept', 'Active');
});
afterAll(() => harness[Symbol.asyncDispose]());

const failed = () => failedName('kept', node);
const find = (name: string) => harness.client.find(configMaps, { namespace: harness.namespace, name });
const failures = async () => (await harness.status('kept', node))?.failures ?? [];
const slotIsEmpty = () => eventually('the message is gone', async () => !(await find(resultName('kept', node))));

/** What AIDE says of a changed file, at a time of its own. */
function report(path: string, minute: number): Record<string, string> {
  const at = (said: string) => said.replaceAll('03:04:19', `03:${minute}:19`).replaceAll('/usr/bin/login', path);
  return { integritylog: at(text), 'report.json': at(json) };
}

/** The same as a message of two compressed parts. */
function inTwo(path: string, minute: number): Record<string, string>[] {
  const { integritylog = '', 'report.json': whole = '' } = report(path, minute);
  const gzip = (said: string) => gzipSync(Buffer.from(said, 'latin1')).toString('base64');
  const half = Math.floor(gzip(whole).length / 8) * 4;
  return [
    { integritylog: gzip(integritylog), 'report.json': gzip(whole).slice(0, half) },
    { 'report.json': gzip(whole).slice(half) },
  ];
}

const FOUND = { verdict: 'Failed', exitStatus: 7, counts: { added: 1, changed: 6, removed: 1 } } as const;
let minute = 10;
async function find1(path: string): Promise<void> {
  await daemon.report(FOUND, [report(path, minute++)]);
  await slotIsEmpty();
}
async function flap(path: string): Promise<void> {
  await daemon.report({ verdict: 'Succeeded' });
  await find1(path);
}

/** That each failure on record is where the status says, and what it says. */
async function expectAllThere(): Promise<readonly KeptFailure[]> {
  const all = await failures();
  for (const { configMapName, digest } of all) {
    expect((await find(configMapName))?.metadata?.annotations?.[DIGEST_ANNOTATION]).toBe(digest);
  }
  return all;
}

test('a finding that comes and goes is one entry, with how often and when it was seen last, and pushes out no other', async () => {
  await flap('/etc/older');
  for (let round = 0; round < 4; round++) await flap('/etc/flaps');
  const [flapped, older, ...none] = await expectAllThere();
  expect(none).toEqual([]);
  expect(flapped).toMatchObject({ sequence: 2, times: 4, configMapName: failed() });
  expect(Date.parse(flapped?.lastSeen ?? '')).toBeGreaterThan(Date.parse(flapped?.lastProbeTime ?? ''));
  expect(older).toMatchObject({ sequence: 1 });
  expect(older).not.toHaveProperty('times');
  expect((await harness.status('kept', node))?.lastResult).toMatchObject({
    condition: 'Failed',
    resultConfigMapName: failed(),
    findingsConfigMapName: findingsName(failed()),
    failureSequence: 2,
  });
});

test('one that was found before another is in the place of the newest again, with its findings', async () => {
  await flap('/etc/older');
  expect((await find(failed()))?.data?.integritylog).toContain('/etc/older');
  expect((await find(findingsName(failed())))?.data?.['findings.json']).toContain('/etc/older');
  const [flapped, older, ...none] = await expectAllThere();
  expect(none).toEqual([]);
  expect(flapped).toMatchObject({ sequence: 2, configMapName: historyName(failed(), 2) });
  expect(older).toMatchObject({ sequence: 1, times: 2, configMapName: failed() });
  await flap('/etc/third');
  expect((await expectAllThere()).map(({ sequence }) => sequence)).toEqual([3, 2, 1]);
  expect(await harness.told('HistoryBroken')).toEqual([]);
});

test('a compressed report of several parts is known again, too; one with another value is another', async () => {
  const send = async (path: string) => {
    await daemon.report({ verdict: 'Succeeded' });
    await daemon.report(FOUND, inTwo(path, minute++));
    await slotIsEmpty();
  };
  await send('/etc/large');
  await send('/etc/large');
  expect((await expectAllThere())[0]).toMatchObject({ sequence: 4, times: 2 });
  await send('/etc/larger');
  expect((await expectAllThere()).map(({ sequence }) => sequence)).toEqual([5, 4, 3]);
});

test('an operator that dies while it puts one back loses nothing, and counts it once', async () => {
  for (let count = 0; ; count++) {
    const before = await expectAllThere();
    const again = before.find(({ configMapName }) => configMapName !== failed());
    const name = again?.configMapName ?? '';
    const parts = Number((await find(name))?.metadata?.annotations?.[PARTS_ANNOTATION] ?? '1');
    const all = await Promise.all([name, ...(parts > 1 ? [`${name}-2`] : [])].map(find));
    await daemon.report({ verdict: 'Succeeded' });
    await slotIsEmpty(); // an operator that stops in between leaves the message to the next
    await harness.stop();
    await using dying = await startGate(harness.connection);
    dying.shutAfter(count);
    const scan = daemon.scan(FOUND);
    // As it was kept, but for when it was made.
    const later = all.map((map) => ({ ...map?.data }));
    await daemon.send(scan, later, { annotations: {} });
    harness.start({ connection: dying.connection });
    const isDone = await Promise.race([
      dying.shut().then(() => false),
      harness
        .statusWhen('kept', node, `has ${scan.id}`, ({ acknowledged }) => acknowledged === scan.id)
        .then(slotIsEmpty)
        .then(() => true),
    ]);
    await harness.crash();
    harness.start();
    await harness.statusWhen('kept', node, `has ${scan.id}`, ({ acknowledged }) => acknowledged === scan.id);
    await slotIsEmpty();
    const after = await expectAllThere();
    expect(after.map(({ sequence }) => sequence)).toEqual(before.map(({ sequence }) => sequence));
    const now = after.find(({ sequence }) => sequence === again?.sequence);
    expect(now).toMatchObject({ configMapName: failed(), times: (again?.times ?? 1) + 1 });
    expect(await harness.told('HistoryBroken')).toEqual([]);
    if (isDone) break;
    expect(count).toBeLessThan(20);
  }
});

async function records() {
  const list = await harness.client.list(configMaps, { namespace: harness.namespace, labelSelector: RECORD_LABEL });
  return list.items.map(({ data }) => JSON.parse(data?.[RECORD_KEY] ?? ''));
}

/** Who follows a record finds the kept failure by its digest. */
async function mapOf(digest: string) {
  const labelSelector = `${OWNER_LABEL}=kept,${NODE_LABEL}=${node}`;
  const { items } = await harness.client.list(configMaps, { namespace: harness.namespace, labelSelector });
  return items.filter(({ metadata }) => metadata?.annotations?.[DIGEST_ANNOTATION] === digest);
}

async function reinit(path: string): Promise<void> {
  const before = (await harness.status('kept', node))?.orders?.baseline.id;
  await harness.annotate('kept', { [REINIT_ANNOTATION]: node });
  await harness.statusWhen('kept', node, 'has an order', ({ orders }) => orders?.baseline.id !== before);
  await daemon.replaceBaseline(FOUND, [report(path, minute++)]);
  await harness.phaseWhen('kept', 'Active');
}

test('what a record refers to is there as long as the record, under a name that has no other content', async () => {
  await flap('/etc/accepted');
  const [newest] = await failures();
  await reinit('/etc/accepted');
  const [erased] = (await records()).filter(({ kind }) => kind === 'Reinitialisation').flatMap(({ nodes }) => nodes);
  expect(erased.keptFailure).toMatchObject({
    sequence: newest?.sequence,
    digest: newest?.digest,
    configMapName: historyName(failed(), newest?.sequence ?? 0),
    newestConfigMapName: failed(),
  });
  for (const path of ['/etc/a', '/etc/b', '/etc/c', '/etc/d']) await flap(path);
  const name = historyName(failed(), newest?.sequence ?? 0);
  expect((await find(name))?.data?.integritylog).toContain('/etc/accepted');
  expect((await mapOf(newest?.digest ?? '')).map(({ metadata }) => metadata?.name)).toEqual([name]);
  const { accepted = [] } = (await harness.status('kept', node)) ?? {};
  expect(accepted[0]).toMatchObject({ sequence: newest?.sequence, digest: newest?.digest, configMapName: name });
  expect((await expectAllThere()).map(({ sequence }) => sequence)).toContain(newest?.sequence);
  expect(await harness.told('HistoryBroken')).toEqual([]);
});

test('what is called like a kept failure and is another node’s is left alone, which is told; the report waits', async () => {
  const { client, namespace } = harness;
  const two = await harness.addNode();
  const other = harness.daemon('kept', two);
  await other.makeBaseline();
  await other.report({ verdict: 'Succeeded' });
  // The message of a node of that name is called so.
  const name = failedName('kept', two);
  expect(name).toBe(resultName('kept', `${two}-failed`));
  const labels = { [OWNER_LABEL]: 'kept', [NODE_LABEL]: `${two}-failed`, [LOG_LABEL]: '' };
  const { metadata } = await client.create(configMaps, { metadata: { namespace, name, labels }, data: { a: 'b' } });
  const scan = other.scan(FOUND);
  await other.send(scan, [report('/etc/meets', minute++)]);
  await harness.nodeSays('kept', two, 'IntegrityHeld', 'False Changed');
  await eventually('it is told', async () =>
    (await harness.told('ReportNotKept')).some(
      (told) =>
        told.includes(`node ${two} could not be kept`) && told.includes(`FileIntegrity kept, node ${two}-failed`),
    ),
  );
  expect((await find(name))?.metadata?.uid).toBe(metadata?.uid);
  await client.remove(configMaps, { namespace, name });
  await harness.statusWhen('kept', two, 'has it', ({ failures }) => failures?.length === 1);
  expect((await find(name))?.data?.integritylog).toContain('/etc/meets');
});

test('a node whose status went and came back has on record what was kept of it', async () => {
  const before = await expectAllThere();
  const forget = { namespace: harness.namespace, name: nodeStatusName('kept', node) };
  await harness.client.remove(nodeStatuses, forget);
  await harness.statusWhen('kept', node, 'is there again', ({ metadata, baseline }) => {
    return metadata.deletionTimestamp === undefined && baseline !== undefined;
  });
  const after = await expectAllThere();
  expect(after.map(({ sequence, digest }) => [sequence, digest])).toEqual(
    before.map(({ sequence, digest }) => [sequence, digest]),
  );
  await harness.client.remove(fileIntegrities, { namespace: harness.namespace, name: 'kept' });
});
