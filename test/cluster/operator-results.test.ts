import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  INCOMPLETE_ANNOTATION,
  LOG_ERROR_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  REINIT_ANNOTATION,
  RESULT_LOG_LABEL,
} from '../../src/api/keys.ts';
import { failedName, partName, resultName } from '../../src/api/names.ts';
import type { BaselineReceipt, ScanOutcome } from '../../src/api/protocol.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import type { PlayedDaemon } from '../play/daemon.ts';
import { eventually } from '../support/eventually.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let gate: Gate;
let node: string;
let daemon: PlayedDaemon;

beforeAll(async () => {
  harness = await startHarness();
  gate = await startGate(harness.connection);
  await harness.stop();
  harness.start({ connection: gate.connection });
  node = await harness.addNode();
  await harness.createIntegrity('results');
  daemon = harness.daemon('results', node);
  await daemon.makeBaseline();
  await daemon.report({ verdict: 'Succeeded' });
  await harness.phaseWhen('results', 'Active');
});
afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

const counts = { added: 1, changed: 2, removed: 3 };
const failure = { verdict: 'Failed', exitStatus: 7, counts } as const;
const status = () => harness.status('results', node);
const find = (name: string) => harness.client.find(configMaps, { namespace: harness.namespace, name });
const kept = () => find(failedName('results', node));
const slotName = () => resultName('results', node);
const slotIsEmpty = () => eventually('the message is gone', async () => (await find(slotName())) === undefined);
const toldOf = (scan: ScanOutcome) =>
  harness.statusWhen('results', node, `has ${scan.id}`, ({ acknowledged }) => acknowledged === scan.id);

/** What a daemon of the earlier operator writes. */
async function legacy(annotations: Record<string, string>, data: Record<string, string> = {}): Promise<ConfigMap> {
  await slotIsEmpty();
  const labels = { [OWNER_LABEL]: 'results', [NODE_LABEL]: node, [LOG_LABEL]: '' };
  const metadata = { name: slotName(), namespace: harness.namespace, labels, annotations };
  return harness.client.create(configMaps, { metadata, data });
}
const legacyTaken = async (slot: ConfigMap) =>
  harness.statusWhen('results', node, 'has the message', ({ acknowledged }) => acknowledged === slot.metadata?.uid);

describe('a result', () => {
  test('that is Errored puts the FileIntegrity into Error, and the next that is not, back into Active', async () => {
    await daemon.report({ verdict: 'Errored', exitStatus: 18, errorMessage: 'AIDE could not read its database.' });
    const { status: told } = await harness.phaseWhen('results', 'Error');
    expect(told?.conditions?.find(({ type }) => type === 'Ready')?.message).toBe(
      `1 of 1 node could not be scanned: ${node}.`,
    );
    expect((await status())?.lastResult).toMatchObject({ errorMessage: 'AIDE could not read its database.' });
    await daemon.report({ verdict: 'Succeeded' });
    await harness.phaseWhen('results', 'Active');
    const phases = async () =>
      (await harness.events('FileIntegrityStatus')).map(({ type, message }) => `${type} ${message}`);
    await eventually('the phases are told', async () => (await phases()).includes('Warning Error'));
  });

  test('is told of on a transition and when counts change, not at every scan', async () => {
    const told = async () => {
      const events = await harness.events('NodeIntegrityStatus');
      return events.reduce((sum, { count = 1 }) => sum + count, 0);
    };
    const before = await told();
    for (const changed of [2, 2, 5, 5]) await daemon.report({ ...failure, counts: { ...counts, changed } });
    for (let round = 0; round < 2; round++) await daemon.report({ verdict: 'Succeeded' });
    await eventually('the last is told', async () => (await told()) >= before + 3);
    expect(await told()).toBe(before + 3);
    const log = `log:${harness.namespace}/${failedName('results', node)}`;
    expect((await harness.told('NodeIntegrityStatus')).filter((message) => message.includes('has changed'))).toEqual([
      `node ${node} has changed! a:1,c:2,r:3 ${log}`,
      `node ${node} has changed! a:1,c:5,r:3 ${log}`,
    ]);
  });

  test('that cannot be read is Errored with the reason, and holds nothing up', async () => {
    await slotIsEmpty();
    const forged = daemon.scan({ ...failure, node: 'another-node' });
    await daemon.send(forged, [{ integritylog: 'x' }]);
    await toldOf(forged);
    expect((await status())?.lastResult).toMatchObject({
      condition: 'Errored',
      errorMessage:
        'RESULT_REFUSED: The result of the scan could not be read: The result was refused: it speaks of another node.',
    });
    await daemon.report({ verdict: 'Succeeded' });
  });

  test('that lies in the place of another node’s is removed and told of, and says nothing of that node', async () => {
    await slotIsEmpty();
    const before = await status();
    const parts = [{ integritylog: 'x' }, { integritylog: 'y' }];
    await daemon.send(daemon.scan(failure), parts, { labels: { [NODE_LABEL]: 'another-node' } });
    await slotIsEmpty();
    await eventually('its part is gone', async () => !(await find(partName(slotName(), 2))));
    await eventually('it is told', async () => (await harness.told('ResultRefused')).length > 0);
    expect(await harness.told('ResultRefused')).toEqual([
      `A message in the place of those of node ${node} was removed and counts for no node. By its labels it is of another: FileIntegrity results, node another-node.`,
    ]);
    const after = await status();
    expect([after?.lastResult, after?.acknowledged]).toEqual([before?.lastResult, before?.acknowledged]);
  });

  test('has the newest of each condition in results', async () => {
    expect((await status())?.results?.map(({ condition }) => condition)).toEqual(['Failed', 'Errored', 'Succeeded']);
  });
});

describe('what a daemon of the earlier operator says', () => {
  const counted = { [FILES_ADDED_ANNOTATION]: '4', [FILES_CHANGED_ANNOTATION]: '5', [FILES_REMOVED_ANNOTATION]: '6' };

  test('is understood: no log and no error, a compressed log, an error beside a log', async () => {
    await legacyTaken(await legacy({}));
    expect((await status())?.lastResult?.condition).toBe('Succeeded');

    const integritylog = gzipSync('AIDE found differences').toString('base64');
    await legacyTaken(await legacy({ ...counted, [COMPRESSED_ANNOTATION]: '' }, { integritylog }));
    expect((await status())?.lastResult).toMatchObject({ condition: 'Failed', filesAdded: 4, filesChanged: 5 });
    const { metadata, data } = (await kept()) ?? {};
    expect(metadata?.annotations).toMatchObject({ ...counted, [COMPRESSED_ANNOTATION]: '' });
    expect(metadata?.labels).toEqual({ [OWNER_LABEL]: 'results', [NODE_LABEL]: node, [RESULT_LOG_LABEL]: '' });
    expect(gunzipSync(Buffer.from(data?.integritylog ?? '', 'base64')).toString()).toBe('AIDE found differences');

    const before = (await kept())?.metadata?.resourceVersion;
    await legacyTaken(await legacy({ ...counted, [LOG_ERROR_ANNOTATION]: 'I/O error' }, { integritylog: 'old' }));
    expect((await status())?.lastResult).toMatchObject({ condition: 'Errored', errorMessage: 'I/O error' });
    expect((await kept())?.metadata?.resourceVersion).toBe(before);
    await slotIsEmpty();
  });
});

describe('a report', () => {
  /** Compressed text that does not get smaller, in parts as a daemon makes them. */
  function parts(count: number): { text: Buffer; parts: Record<string, string>[] } {
    const text = randomBytes(count * 600_000);
    const piece = Math.ceil(text.length / count / 3) * 3;
    return {
      text,
      parts: Array.from({ length: count }, (_, index) => ({
        integritylog: text.subarray(index * piece, (index + 1) * piece).toString('base64'),
      })),
    };
  }
  async function readBack(): Promise<Buffer> {
    const first = await kept();
    const count = Number(first?.metadata?.annotations?.[PARTS_ANNOTATION] ?? '1');
    const name = failedName('results', node);
    const all = await Promise.all(Array.from({ length: count }, (_, index) => find(partName(name, index + 1))));
    return Buffer.concat(all.map((part) => Buffer.from(part?.data?.integritylog ?? '', 'base64')));
  }

  test('of several MiB is kept whole, and its message goes with all parts', async () => {
    const large = parts(4);
    await daemon.report(failure, large.parts);
    expect((await readBack()).equals(large.text)).toBe(true);
    await slotIsEmpty();
    for (const number of [2, 3, 4]) expect(await find(partName(slotName(), number))).toBeUndefined();
    const part = await find(partName(failedName('results', node), 4));
    expect(part?.metadata?.labels).toEqual({ [OWNER_LABEL]: 'results', [NODE_LABEL]: node, [PART_LABEL]: '4' });
  });

  test('that is shorter than the one before leaves no part of that one', async () => {
    const smaller = parts(2);
    await daemon.report(failure, smaller.parts);
    expect((await readBack()).equals(smaller.text)).toBe(true);
    await eventually('the other parts are gone', async () => !(await find(partName(failedName('results', node), 3))));
    expect(await find(partName(failedName('results', node), 4))).toBeUndefined();
  });

  test('that lacks a part is kept as far as it goes, and the finding counts', async () => {
    const broken = parts(3);
    await slotIsEmpty();
    await harness.stop();
    const scan = daemon.scan(failure);
    await daemon.send(scan, broken.parts);
    await harness.client.remove(configMaps, { namespace: harness.namespace, name: partName(slotName(), 3) });
    harness.start({ connection: gate.connection });
    await toldOf(scan);
    expect((await status())?.lastResult).toMatchObject({
      condition: 'Failed',
      filesChanged: 2,
      errorMessage: 'The report is incomplete: part 3 of 3 was not there.',
    });
    expect((await kept())?.metadata?.annotations).toMatchObject({
      [PARTS_ANNOTATION]: '2',
      [INCOMPLETE_ANNOTATION]: '3',
    });
    expect((await readBack()).equals(broken.text.subarray(0, 1_200_000))).toBe(true);
    await slotIsEmpty();
    expect(await find(partName(slotName(), 2))).toBeUndefined();
  });

  test('does not touch the message of a node whose name is like that of a part', async () => {
    const { client, namespace } = harness;
    const labels = { [OWNER_LABEL]: 'results', [NODE_LABEL]: `${node}-2`, [LOG_LABEL]: '' };
    const neighbour = {
      metadata: { name: partName(slotName(), 2), namespace, labels },
      data: { integritylog: 'theirs' },
    };
    await harness.stop();
    await client.create(configMaps, neighbour);
    const scan = daemon.scan(failure);
    await daemon.send(scan, [{ integritylog: 'mine' }], { annotations: { [PARTS_ANNOTATION]: '2' } });
    harness.start({ connection: gate.connection });
    await toldOf(scan);
    expect((await readBack()).toString('base64')).toBe('mine');
    expect((await kept())?.metadata?.annotations).toMatchObject({ [INCOMPLETE_ANNOTATION]: '2' });
  });
});

describe('a quiet scan', () => {
  test('is two writes, the daemon’s and the operator’s, and creates and deletes nothing', async () => {
    await daemon.report({ verdict: 'Succeeded' });
    await slotIsEmpty();
    await eventually('the FileIntegrity has no findings', async () => {
      const ready = (await harness.integrity('results')).status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.message === 'The one node is watched.';
    });
    const before = await harness.versions();
    const writes = gate.writes.length;
    for (let round = 1; round <= 3; round++) {
      const beat = await daemon.beat({ verdict: 'Succeeded' });
      await harness.statusWhen(
        'results',
        node,
        'follows the heartbeat',
        ({ lastResult }) => lastResult?.lastProbeTime === beat.finishedAt,
      );
    }
    expect(gate.writes.slice(writes)).toEqual([1, 2, 3].map(() => `PATCH fileintegritynodestatuses/results-${node}`));
    const after = await harness.versions();
    expect(Object.keys(after)).toEqual(Object.keys(before));
    expect(
      Object.keys(after)
        .filter((name) => after[name] !== before[name])
        .sort(),
    ).toEqual([`FileIntegrityNodeStatus/results-${node}`, `Lease/${slotName()}`]);
  });

  test('that says the findings again keeps the result where it is, and one that says something else is believed', async () => {
    await daemon.report(failure, [{ integritylog: 'x' }]);
    const before = (await status())?.lastResult;
    const again = await daemon.beat(failure);
    const followed = await harness.statusWhen(
      'results',
      node,
      'follows the heartbeat',
      ({ lastResult }) => lastResult?.lastProbeTime === again.finishedAt,
    );
    expect(followed.lastResult).toEqual({ ...before, lastProbeTime: again.finishedAt });
    await daemon.beat({ verdict: 'Succeeded' });
    await harness.statusWhen(
      'results',
      node,
      'is Succeeded',
      ({ lastResult }) => lastResult?.condition === 'Succeeded',
    );
  });

  test('of another node in this node’s lease is not taken for its own', async () => {
    const before = await status();
    await daemon.beat({ verdict: 'Failed', node: 'another-node' });
    const beat = await daemon.beat({ verdict: 'Succeeded' });
    const after = await harness.statusWhen(
      'results',
      node,
      'follows the heartbeat',
      ({ lastResult }) => lastResult?.lastProbeTime === beat.finishedAt,
    );
    expect(after.lastResult?.condition).toBe('Succeeded');
    expect(after.metadata.generation).toBe((before?.metadata.generation ?? 0) + 1);
    await harness.client.get(leases, { namespace: harness.namespace, name: slotName() });
  });
});

describe('a baseline', () => {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  async function receipt(orderId: string, text: string): Promise<BaselineReceipt> {
    const id = randomUUID();
    const configurationDigest = (await status())?.orders?.configuration.digest ?? '';
    const receipt: BaselineReceipt = {
      orderId,
      digest: digest(text),
      entries: 100,
      configurationDigest,
      aideVersion: '0.19.1',
      bootId: 'boot',
      reason: 'Demand',
      createdAt: new Date().toISOString(),
    };
    await daemon.send({ kind: 'baseline', id, node, receipt });
    await harness.statusWhen('results', node, 'has the receipt', ({ acknowledged }) => acknowledged === id);
    // The operator writes what it knows of the comparison before it.
    const uncompared = 'The daemon told of no comparison with the baseline before.';
    return { ...receipt, closing: { uncompared, at: expect.any(String) } };
  }
  const standing = async () => (await status())?.orders?.baseline.id ?? '';
  const reinit = async () => {
    const before = await standing();
    await harness.annotate('results', { [REINIT_ANNOTATION]: node });
    await eventually('the node has an order', async () => (await standing()) !== before);
    return await standing();
  };

  test('that was ordered is on record, first of all that were', async () => {
    const first = await receipt(await reinit(), 'one');
    const second = await receipt(await reinit(), 'two');
    const after = await status();
    expect(after?.baseline).toEqual(second);
    expect(after?.baselines?.slice(0, 2)).toEqual([second, first]);
    await daemon.report({ verdict: 'Succeeded', baselineDigest: digest('two') });
    expect((await status())?.lastResult?.condition).toBe('Succeeded');
  });

  test('of an order that another came after is taken in', async () => {
    const earlier = await reinit();
    const later = await reinit();
    const late = await receipt(earlier, 'late');
    expect((await status())?.baseline).toEqual(late);
    const newest = await receipt(later, 'newest');
    expect((await status())?.baseline).toEqual(newest);
  });

  test.each([
    ['that nobody ordered', async () => 'made-up', 'no order of that id was given'],
    ['made a second time for its order', standing, 'its order was carried out already'],
  ])('%s changes nothing that is on record: the node is Failed, and it is told', async (_, orderOf, why) => {
    await daemon.report({ verdict: 'Succeeded', baselineDigest: digest('newest') });
    const before = await status();
    await receipt(await orderOf(), `forged ${why}`);
    const after = await status();
    expect([after?.baseline, after?.baselines]).toEqual([before?.baseline, before?.baselines]);
    expect(after?.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Unordered' });
    expect(after?.lastResult?.errorMessage).toContain(why);
    expect((await kept())?.data?.integritylog).toContain(why);
    await eventually('it is told', async () =>
      (await harness.events('BaselineUnordered')).some(
        ({ type, message }) => type === 'Warning' && message?.includes(why),
      ),
    );
    await daemon.report({ verdict: 'Succeeded', baselineDigest: digest(`forged ${why}`) });
    expect((await status())?.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Replaced' });
  });

  test('that is another than the one on record makes a scan Failed whatever it found, and it is told', async () => {
    await daemon.report({ verdict: 'Succeeded', baselineDigest: digest('newest') });
    const told = (await harness.events('BaselineUntrusted')).length;
    await daemon.report({ ...failure, baselineDigest: digest('x') }, [{ integritylog: 'what it found' }]);
    expect((await status())?.lastResult).toMatchObject({
      condition: 'Failed',
      baselineFault: 'Replaced',
      filesAdded: 1,
    });
    expect((await kept())?.data?.integritylog).toBe('what it found');
    await eventually('it is told', async () => (await harness.events('BaselineUntrusted')).length > told);
    await daemon.report({ ...failure, baselineFault: 'Missing', errorMessage: 'It is gone.' }, [{ integritylog: 'x' }]);
    expect((await status())?.lastResult).toMatchObject({ baselineFault: 'Missing', errorMessage: 'It is gone.' });
    await daemon.report({ verdict: 'Succeeded', baselineDigest: digest('newest') });
    expect((await status())?.lastResult).toMatchObject({ condition: 'Succeeded' });
  });
});

test('what a daemon tells beside its scans stays in the status, fit to be shown', async () => {
  const at = new Date().toISOString();
  const id = randomUUID();
  await daemon.send({ kind: 'notice', id, node, notice: 'UnorderedReinit', at, message: 'A \u001b[31mfile.' });
  const after = await harness.statusWhen('results', node, 'has it', ({ acknowledged }) => acknowledged === id);
  expect(after.notices?.[0]).toEqual({ at, reason: 'UnorderedReinit', message: 'A \\x1b[31mfile.' });
  await slotIsEmpty();
});

describe('an operator that dies while it takes in a failure', () => {
  // Its writes: the verdict, part 2 of the kept report, the kept report, the status, part 2 of the message, the message.
  test.each([0, 1, 2, 3, 4, 5])('after %d of its writes loses nothing', async (count) => {
    await daemon.report({ verdict: 'Succeeded' });
    await slotIsEmpty();
    await harness.stop();
    await using dying = await startGate(harness.connection);
    dying.shutAfter(count);
    const scan = daemon.scan({ ...failure, counts: { ...counts, added: count } });
    await daemon.send(scan, [{ integritylog: `${count}1==` }, { integritylog: `${count}2==` }]);
    harness.start({ connection: dying.connection });
    await dying.shut();
    await harness.crash();
    expect(dying.writes).toHaveLength(count);

    harness.start({ connection: gate.connection });
    await toldOf(scan);
    await slotIsEmpty();
    expect((await status())?.lastResult).toMatchObject({ condition: 'Failed', filesAdded: count });
    const [first, second] = [await kept(), await find(`${failedName('results', node)}-2`)];
    expect([first?.data?.integritylog, second?.data?.integritylog]).toEqual([`${count}1==`, `${count}2==`]);
    expect(first?.metadata?.annotations?.[FILES_ADDED_ANNOTATION]).toBe(String(count));
    expect(await find(`${slotName()}-2`)).toBeUndefined();
  });
});
