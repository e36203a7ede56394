import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findingsPageSchema } from '../../src/api/findings.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import {
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FINDINGS_KEY,
  FINDINGS_LABEL,
  HISTORY_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PARTS_ANNOTATION,
  RESULT_LOG_LABEL,
} from '../../src/api/keys.ts';
import { failedName, findingsName, historyName, partName, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus, KeptFailure } from '../../src/api/nodestatus.ts';
import type { Outcome } from '../../src/api/protocol.ts';
import { dataDigest, linkDigest, verifyHistory } from '../../src/evidence/chain.ts';
import {
  DIGEST_ANNOTATION,
  MESSAGE_ANNOTATION,
  NO_PAGES_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from '../../src/evidence/kept.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import { UPDATING_LABEL } from '../../src/operator/nodes/update.ts';
import type { PlayedDaemon } from '../play/daemon.ts';
import { eventually } from '../support/eventually.ts';
import { startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

const recorded = readFileSync(new URL('../fixtures/aide/0.19.1/differences.json', import.meta.url));

let harness: OperatorHarness;
let node: string;
let daemon: PlayedDaemon;

beforeAll(async () => {
  harness = await startHarness();
  node = await harness.addNode();
  await harness.createIntegrity('kept', { history: { failedResults: 2, reinitRecords: 5 } });
  daemon = harness.daemon('kept', node);
  await daemon.makeBaseline();
  await daemon.report({ verdict: 'Succeeded' });
  await harness.phaseWhen('kept', 'Active');
});
afterAll(() => harness[Symbol.asyncDispose]());

const failed = () => failedName('kept', node);
const status = () => harness.status('kept', node);
const find = (name: string) => harness.client.find(configMaps, { namespace: harness.namespace, name });
const slotIsEmpty = () => eventually('the message is gone', async () => !(await find(resultName('kept', node))));
const failure = (added: number) =>
  ({ verdict: 'Failed', exitStatus: 7, counts: { added, changed: 2, removed: 3 } }) as const;
const gzip = (text: string | Buffer) => gzipSync(text).toString('base64');

/** A report in two config maps, the JSON in both, as a daemon makes them. */
function inTwo(text: string): Record<string, string>[] {
  const json = gzip(recorded);
  const half = Math.floor(json.length / 8) * 4;
  return [{ integritylog: gzip(text), 'report.json': json.slice(0, half) }, { 'report.json': json.slice(half) }];
}

/** What the daemon says by its heartbeat. */
async function beat(outcome: Outcome): Promise<void> {
  const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) } };
  const ref = { namespace: harness.namespace, name: resultName('kept', node) };
  await harness.client.patch(leases, ref, { metadata }, { type: 'merge' });
}

async function dyingUntilKept({ id }: { id: string }, limit: number): Promise<void> {
  const isKept = async () => (await find(failed()))?.metadata?.annotations?.[MESSAGE_ANNOTATION] === id;
  for (let count = 1; !(await isKept()); count += 1) {
    await using dying = await startGate(harness.connection);
    dying.shutAfter(1);
    harness.start({ connection: dying.connection });
    await dying.shut();
    await harness.crash();
    expect(count).toBeLessThan(limit);
  }
}

/** The names of all that is kept of the node. */
async function names(): Promise<string[]> {
  const labelSelector = `${OWNER_LABEL}=kept,${NODE_LABEL}=${node}`;
  const { items } = await harness.client.list(configMaps, { namespace: harness.namespace, labelSelector });
  return items
    .map(({ metadata }) => metadata?.name ?? '')
    .filter((name) => name.startsWith(failed()))
    .sort();
}

/** What a person finds who follows the chain with what is on record. */
async function broken() {
  const { failures = [] } = (await status()) ?? {};
  return verifyHistory(await Promise.all(failures.map(entryOf)));
}

async function entryOf({ sequence, digest, configMapName }: KeptFailure) {
  const first = await find(configMapName);
  const annotations = first?.metadata?.annotations ?? {};
  const count = Number(annotations[PARTS_ANNOTATION] ?? '1');
  const maps = await Promise.all(Array.from({ length: count }, (_, index) => find(partName(configMapName, index + 1))));
  const previous = annotations[PREVIOUS_ANNOTATION] ?? '';
  const found = linkDigest({
    sequence: Number(annotations[SEQUENCE_ANNOTATION]),
    previous,
    integrity: 'kept',
    node,
    message: annotations[MESSAGE_ANNOTATION] ?? '',
    outcome: annotations[OUTCOME_ANNOTATION] ?? '',
    parts: maps.map((map) => dataDigest(map?.data)),
  });
  return { sequence, digest, found: first && { previous, digest: found } };
}

const pageOf = (map: ConfigMap | undefined) => findingsPageSchema.parse(JSON.parse(map?.data?.[FINDINGS_KEY] ?? ''));

describe('structured findings', () => {
  test('stand beside the text report, and the result names them', async () => {
    const scan = await daemon.report({ ...failure(1), baselineDigest: 'd'.repeat(64) }, inTwo('text'));
    const { lastResult } = (await status()) ?? {};
    expect(lastResult?.findingsConfigMapName).toBe(`${failed()}.findings`);
    const map = await find(lastResult?.findingsConfigMapName ?? '');
    expect(map?.metadata?.labels).toEqual({ [OWNER_LABEL]: 'kept', [NODE_LABEL]: node, [FINDINGS_LABEL]: '' });
    const page = pageOf(map);
    expect(page).toMatchObject({
      fileIntegrity: 'kept',
      node,
      message: scan.id,
      scan: { startedAt: scan.startedAt, finishedAt: scan.finishedAt },
      baseline: { digest: 'd'.repeat(64), fault: 'Replaced' },
      unverified: true,
      page: 1,
      pages: 1,
      totals: { added: 1, changed: 6, removed: 1 },
      listed: { added: 1, changed: 6, removed: 1 },
    });
    expect(page.findings.map(({ path }) => path)).toContain('/etc/ship\\u202egpj.exe');
    expect((await find(failed()))?.data?.integritylog).toBe(gzip('text'));
  });

  test.each([
    ['that is a bomb', { integritylog: gzip('x'), 'report.json': gzip(Buffer.alloc(64 * 1024 * 1024)) }, 'REPORT_'],
    [
      'that contradicts itself',
      { integritylog: gzip('x'), 'report.json': gzip('{"end_time":"x"}') },
      'REPORT_INCONSISTENT',
    ],
    ['that is not there', { integritylog: gzip('x') }, 'REPORT_MISSING'],
  ])('of a JSON report %s are none, which holds nothing up and is said', async (_, report, code) => {
    const scan = daemon.scan(failure(2));
    await daemon.send(scan, [report], { annotations: { [COMPRESSED_ANNOTATION]: '' } });
    await harness.statusWhen('kept', node, 'has it', ({ acknowledged }) => acknowledged === scan.id);
    const { lastResult } = (await status()) ?? {};
    expect(lastResult).toMatchObject({ condition: 'Failed', filesAdded: 2 });
    expect(lastResult).not.toHaveProperty('findingsConfigMapName');
    expect((await find(failed()))?.metadata?.annotations?.[NO_PAGES_ANNOTATION]).toContain(code);
    expect(await find(findingsName(failed()))).toBeUndefined();
    await slotIsEmpty();
  });
});

describe('the history', () => {
  test('keeps as many Failed results beside the newest as are wanted, each with parts and pages, linked by digests', async () => {
    for (const added of [10, 11, 12, 13]) await daemon.report(failure(added), inTwo(`text ${added}`));
    await slotIsEmpty();
    const { failures = [], lastResult } = (await status()) ?? {};
    expect(failures.map(({ filesAdded }) => filesAdded)).toEqual([13, 12, 11]);
    const [newest, second, third] = failures;
    const at = [failed(), historyName(failed(), second?.sequence ?? 0), historyName(failed(), third?.sequence ?? 0)];
    expect(failures.map(({ configMapName }) => configMapName)).toEqual(at);
    expect(lastResult?.resultConfigMapName).toBe(failed());
    expect([newest, second].map((each) => each?.sequence)).toEqual(
      [second, third].map((each) => (each?.sequence ?? 0) + 1),
    );
    expect(await names()).toEqual(at.flatMap((name) => [name, `${name}-2`, `${name}.findings`]).sort());
    expect(await broken()).toEqual([]);
    const earlier = await find(at[1] ?? '');
    expect(earlier?.metadata?.labels).toEqual({ [OWNER_LABEL]: 'kept', [NODE_LABEL]: node, [HISTORY_LABEL]: '' });
    expect(earlier?.metadata?.annotations).toMatchObject({
      [SEQUENCE_ANNOTATION]: String(second?.sequence),
      [DIGEST_ANNOTATION]: second?.digest,
      [PREVIOUS_ANNOTATION]: third?.digest,
      [FILES_ADDED_ANNOTATION]: '12',
    });
    expect(earlier?.data?.integritylog).toBe(gzip('text 12'));
    expect(pageOf(await find(findingsName(at[1] ?? ''))).findings).toHaveLength(8);
    expect((await find(failed()))?.metadata?.labels).toHaveProperty([RESULT_LOG_LABEL]);
  });

  test('outlives a re-init and the scans after it', async () => {
    const before = (await status())?.failures;
    await daemon.report({ verdict: 'Succeeded' });
    expect((await status())?.failures).toEqual(before);
    expect(await broken()).toEqual([]);
  });

  test('of which one was changed says so when it goes on, and goes on', async () => {
    const [, second] = (await status())?.failures ?? [];
    const ref = { namespace: harness.namespace, name: second?.configMapName ?? '' };
    await harness.client.patch(configMaps, ref, { data: { integritylog: gzip('nothing') } }, { type: 'merge' });
    expect(await broken()).toEqual([{ sequence: second?.sequence, fault: 'changed' }]);
    await daemon.report(failure(20), inTwo('text 20'));
    await eventually('it is told', async () => (await harness.told('HistoryBroken')).length > 0);
    expect(await harness.told('HistoryBroken')).toEqual([
      `The kept Failed results of node ${node} are not as they were written: number ${second?.sequence} was changed.`,
    ]);
    expect((await status())?.failures?.[0]).toMatchObject({ filesAdded: 20 });
  });

  test('of which the newest was removed, as a person does who tidies up, says so and goes on from what is on record', async () => {
    const [newest] = (await status())?.failures ?? [];
    await slotIsEmpty();
    await harness.client.remove(configMaps, { namespace: harness.namespace, name: failed() });
    await daemon.report(failure(21), [{ integritylog: 'text 21' }]);
    // Its other config maps, which that person left.
    for (const left of [`${failed()}-2`, findingsName(failed())]) expect(await find(left)).toBeUndefined();
    await eventually('it is told', async () =>
      (await harness.told('HistoryBroken')).some((message) =>
        message.includes(`number ${newest?.sequence} was removed`),
      ),
    );
    const { failures = [] } = (await status()) ?? {};
    expect(failures[0]).toMatchObject({ sequence: (newest?.sequence ?? 0) + 1, filesAdded: 21 });
    expect((await find(failed()))?.metadata?.annotations?.[PREVIOUS_ANNOTATION]).toBe(newest?.digest);
    expect(failures.some(({ sequence }) => sequence === newest?.sequence)).toBe(false);
  });

  test('goes on where it was when the FileIntegrity was made anew, and overwrites nothing', async () => {
    for (const added of [30, 31]) await daemon.report(failure(added), inTwo(`text ${added}`));
    await slotIsEmpty();
    const [newest] = (await status())?.failures ?? [];
    await harness.client.remove(fileIntegrities, { namespace: harness.namespace, name: 'kept' });
    await eventually('the status is gone', async () => (await status()) === undefined);
    const left = await names();
    expect(left.length).toBeGreaterThan(0);
    await harness.createIntegrity('kept', { history: { failedResults: 2, reinitRecords: 5 } });
    await daemon.makeBaseline();
    await daemon.report(failure(32), inTwo('text 32'));
    await slotIsEmpty();
    const sequence = (newest?.sequence ?? 0) + 1;
    expect((await status())?.failures).toMatchObject([
      { sequence, filesAdded: 32 },
      { sequence: sequence - 1, filesAdded: 31 },
      { sequence: sequence - 2, filesAdded: 30 },
    ]);
    expect((await find(historyName(failed(), newest?.sequence ?? 0)))?.data?.integritylog).toBe(gzip('text 31'));
  });

  test('keeps what an operator without a history left, and reads nothing of it into the new one', async () => {
    const other = await harness.addNode();
    const played = harness.daemon('kept', other);
    await played.makeBaseline();
    const { client, namespace } = harness;
    const labels = { [OWNER_LABEL]: 'kept', [NODE_LABEL]: other, [RESULT_LOG_LABEL]: '' };
    const annotations = { [COMPRESSED_ANNOTATION]: '' };
    const name = failedName('kept', other);
    await client.create(configMaps, {
      metadata: { name, namespace, labels, annotations },
      data: { integritylog: 'old' },
    });
    await played.report(failure(1), [{ integritylog: 'new' }]);
    const earlier = await find(historyName(name, 0));
    expect(earlier?.data).toEqual({ integritylog: 'old' });
    expect(earlier?.metadata?.annotations).toHaveProperty([COMPRESSED_ANNOTATION]);
    const newest = await find(name);
    expect(newest?.data).toEqual({ integritylog: 'new' });
    expect(newest?.metadata?.annotations).not.toHaveProperty([COMPRESSED_ANNOTATION]);
    await harness.removeNode(other);
  });
});

describe('an operator that dies while it keeps a failure', () => {
  beforeAll(async () => {
    // Of the other one, what its new baseline accepted is kept beside those that are wanted.
    await harness.removeNode(node);
    node = await harness.addNode();
    daemon = harness.daemon('kept', node);
    await daemon.makeBaseline();
    for (const added of [40, 41, 42]) await daemon.report(failure(added), inTwo(`text ${added}`));
  });

  // Its writes: the verdict; three config maps of the one before to the history; part, page and first of the new one; the status;
  // page, part and first of the oldest away; and the message, two.
  test.each(Array.from({ length: 13 }, (_, count) => count))('after %d of its writes loses nothing', async (count) => {
    await slotIsEmpty();
    const before = (await status())?.failures ?? [];
    await harness.stop();
    await using dying = await startGate(harness.connection);
    dying.shutAfter(count);
    const scan = daemon.scan(failure(100 + count));
    await daemon.send(scan, inTwo(`text ${count}`));
    harness.start({ connection: dying.connection });
    await dying.shut();
    await harness.crash();
    expect(dying.writes).toHaveLength(count);

    harness.start();
    await harness.statusWhen('kept', node, `has ${scan.id}`, ({ acknowledged }) => acknowledged === scan.id);
    await slotIsEmpty();
    const { failures = [], lastResult } = (await status()) ?? {};
    expect(lastResult).toMatchObject({
      condition: 'Failed',
      filesAdded: 100 + count,
      findingsConfigMapName: findingsName(failed()),
    });
    const sequence = (before[0]?.sequence ?? 0) + 1;
    expect(failures[0]).toMatchObject({ sequence, filesAdded: 100 + count });
    expect(failures.slice(1).map(({ digest }) => digest)).toEqual(before.slice(0, 2).map(({ digest }) => digest));
    expect(await broken()).toEqual([]);
    expect((await find(failed()))?.data?.integritylog).toBe(gzip(`text ${count}`));
    expect(pageOf(await find(findingsName(failed()))).message).toBe(scan.id);
  });

  test('leaves no more than is wanted once it has kept another, and has raised no false alarm', async () => {
    const told = (await harness.told('HistoryBroken')).length;
    await daemon.report(failure(200), inTwo('text 200'));
    await slotIsEmpty();
    const { failures = [] } = (await status()) ?? {};
    expect(failures).toHaveLength(3);
    const wanted = failures.flatMap(({ configMapName: name }) => [name, `${name}-2`, `${name}.findings`]);
    await eventually('the others are gone', async () => (await names()).length === wanted.length);
    expect(await names()).toEqual(wanted.sort());
    expect(await broken()).toEqual([]);
    expect(await harness.told('HistoryBroken')).toHaveLength(told);
    expect(told).toBe(2);
  });
});

test('failures that were kept, and that no status came to list, are no hole in the record', async () => {
  const ref = { namespace: harness.namespace, name: 'kept' };
  await harness.client.patch(fileIntegrities, ref, { spec: { history: { failedResults: 5 } } }, { type: 'merge' });
  await daemon.report(failure(250));
  await slotIsEmpty();
  const before = await status();
  const [first] = before?.failures ?? [];
  // Each time it dies when the report is kept, and the daemon has something else to say by then: its heartbeat does so.
  for (const added of [251, 252]) {
    await harness.stop();
    const scan = daemon.scan(failure(added));
    await beat(scan);
    await dyingUntilKept(scan, 12);
  }
  expect((await status())?.failures).toEqual(before?.failures);
  harness.start();
  await daemon.report(failure(253));
  await slotIsEmpty();
  const { failures = [] } = (await status()) ?? {};
  expect(failures.slice(0, 4).map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual([3, 2, 1, 0]);
  expect(await broken()).toEqual([]);
});

test('a history of none keeps the newest only, in a chain that goes on', async () => {
  const history = (failedResults: number) => ({ spec: { history: { failedResults } } });
  const ref = { namespace: harness.namespace, name: 'kept' };
  const told = (await harness.told('HistoryBroken')).length;
  await harness.client.patch(fileIntegrities, ref, history(0), { type: 'merge' });
  const [before] = (await status())?.failures ?? [];
  for (const added of [300, 301]) await daemon.report(failure(added), inTwo(`text ${added}`));
  await slotIsEmpty();
  const { failures = [] } = (await status()) ?? {};
  expect(failures).toMatchObject([{ filesAdded: 301, sequence: (before?.sequence ?? 0) + 2, configMapName: failed() }]);
  expect(await names()).toEqual([failed(), `${failed()}-2`, `${failed()}.findings`]);
  await harness.client.patch(fileIntegrities, ref, history(1), { type: 'merge' });
  await daemon.report(failure(302), inTwo('text 302'));
  await slotIsEmpty();
  expect((await status())?.failures?.map(({ filesAdded }) => filesAdded)).toEqual([302, 301]);
  expect(await broken()).toEqual([]);
  expect(await harness.told('HistoryBroken')).toHaveLength(told);
});

test('a failure that was kept, and counts as none because an update began meanwhile, is no hole in the record', async () => {
  const ref = { namespace: harness.namespace, name: 'kept' };
  await harness.client.patch(fileIntegrities, ref, { spec: { history: { failedResults: 5 } } }, { type: 'merge' });
  await harness.removeNode(node);
  node = await harness.addNode();
  daemon = harness.daemon('kept', node);
  await daemon.makeBaseline();
  await daemon.report({ verdict: 'Succeeded' });
  await slotIsEmpty();
  await harness.stop();
  const scan = daemon.scan(failure(401));
  await daemon.send(scan);
  // It dies when the report is kept, and the status does not say so yet.
  await dyingUntilKept(scan, 10);
  expect((await status())?.acknowledged).not.toBe(scan.id);

  await harness.labelNode(node, { [UPDATING_LABEL]: '' });
  harness.start();
  const aside = await harness.statusWhen('kept', node, 'sets it aside', (seen) => seen.acknowledged === scan.id);
  const newest = (await find(failed()))?.metadata?.annotations ?? {};
  expect(aside.failures).toMatchObject([
    {
      sequence: Number(newest[SEQUENCE_ANNOTATION]),
      digest: newest[DIGEST_ANNOTATION],
      configMapName: failed(),
      filesAdded: 401,
    },
  ]);
  expect(aside.lastResult?.condition).toBe('Succeeded');
  await endUpdate();
  await daemon.report(failure(402));
  await slotIsEmpty();
  const { failures = [] } = (await status()) ?? {};
  expect(failures.map(({ filesAdded, sequence }) => [filesAdded, sequence])).toEqual([
    [402, 2],
    [401, 1],
  ]);
  expect(await broken()).toEqual([]);
});

/** The update of the node ends, and its new baseline is made. */
async function endUpdate(): Promise<void> {
  await harness.labelNode(node, { [UPDATING_LABEL]: null });
  const isOrdered = ({ orders }: FileIntegrityNodeStatus) => orders?.baseline.reason === 'NodeUpdate' && !orders.hold;
  await harness.statusWhen('kept', node, 'is to have a new baseline', isOrdered);
  await daemon.makeBaseline();
}
