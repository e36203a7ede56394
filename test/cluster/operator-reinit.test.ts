import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  HOLDOFF_ANNOTATION,
  RECORD_LABEL,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REINIT_ONCE_ANNOTATION,
  REINIT_REQUEST_ANNOTATION,
  UPDATED_ANNOTATION,
} from '../../src/api/keys.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let one: string;
let two: string;

beforeAll(async () => {
  harness = await startHarness();
  [one, two] = await Promise.all([harness.addNode(), harness.addNode()]);
  await harness.createIntegrity('fleet');
  for (const node of [one, two]) {
    await harness.daemon('fleet', node).makeBaseline();
    await harness.daemon('fleet', node).report({ verdict: 'Succeeded' });
  }
  await harness.phaseWhen('fleet', 'Active');
});
afterAll(() => harness[Symbol.asyncDispose]());

const effective = async () =>
  (await harness.client.get(configMaps, { namespace: harness.namespace, name: 'fleet' })).metadata?.annotations ?? {};
const updated = async () => (await effective())[UPDATED_ANNOTATION];
const updatedWhen = (value: string | undefined) =>
  eventually(`updated is ${value}`, async () => (await updated()) === value);
const annotation = async (key: string) => (await harness.integrity('fleet')).metadata.annotations?.[key];
const order = async (node: string) => (await harness.status('fleet', node))?.orders?.baseline;
const records = async () =>
  (await harness.client.list(configMaps, { namespace: harness.namespace, labelSelector: RECORD_LABEL })).items.map(
    ({ metadata }) => metadata?.name ?? '',
  );
const ordered = (node: string, reason: string, before: string | undefined) =>
  harness.statusWhen(
    'fleet',
    node,
    `has a new order ${reason}`,
    ({ orders }) => orders?.baseline.reason === reason && orders.baseline.id !== before,
  );

describe('re-init', () => {
  test('of one node touches no other, names who asked, and an unknown node is told of', async () => {
    const before = await order(two);
    await harness.annotate('fleet', { [REINIT_ANNOTATION]: `${one}, ${one}0` });
    const status = await ordered(one, 'Demand', undefined);
    expect(status.orders?.baseline.detail).toMatch(/^asked for by .+/);
    expect(await updated()).toBe(one);
    await eventually('the annotation is gone', async () => (await annotation(REINIT_ANNOTATION)) === undefined);
    expect(await order(two)).toEqual(before);
    await eventually('the unknown node is told of', async () =>
      (await harness.told('ReinitUnknownNode')).some((message) => message.endsWith(`no such node: ${one}0.`)),
    );
    expect((await harness.told('ReinitRequested')).join()).toContain(`of ${one} was asked for by`);
    await harness.daemon('fleet', one).makeBaseline();
    await updatedWhen(undefined);
    await harness.phaseWhen('fleet', 'Active');
  });

  test('of the failed nodes touches only those, and what they found is told of', async () => {
    const before = await order(two);
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('fleet', one).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    await harness.annotate('fleet', { [REINIT_ON_FAILED_ANNOTATION]: '' });
    await ordered(one, 'Failed', undefined);
    expect(await order(two)).toEqual(before);
    await eventually('it is told', async () =>
      (await harness.told('ReinitRequested')).some((message) =>
        message.includes(`It accepts the findings on ${one}. What it erases is recorded in `),
      ),
    );
    await harness.daemon('fleet', one).makeBaseline();
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
    await harness.phaseWhen('fleet', 'Active');
  });

  test('asked for again while one is under way shrinks node by node, and no node carries out one twice', async () => {
    await harness.annotate('fleet', { [REINIT_ANNOTATION]: `${one},${two}` });
    const [first] = await Promise.all([ordered(one, 'Demand', undefined), ordered(two, 'Demand', undefined)]);
    await updatedWhen([one, two].sort().join(','));
    await harness.daemon('fleet', two).makeBaseline();
    await updatedWhen(one);
    await harness.annotate('fleet', { [REINIT_ANNOTATION]: one });
    const again = await ordered(one, 'Demand', first.orders?.baseline.id);
    const done = await order(two);
    await harness.daemon('fleet', one).makeBaseline();
    await updatedWhen(undefined);
    expect((await order(one))?.id).toBe(again.orders?.baseline.id);
    expect(await order(two)).toEqual(done);
    await harness.phaseWhen('fleet', 'Active');
  });
});

test('a hold by annotation shows in the node status with reason and since, keeps a re-init waiting, and is released', async () => {
  await harness.annotate('fleet', { [HOLDOFF_ANNOTATION]: two });
  const held = await harness.statusWhen('fleet', two, 'is held', ({ orders }) => orders?.hold !== undefined);
  expect(held.orders?.hold).toMatchObject({ reason: 'Annotation', since: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect((await harness.status('fleet', one))?.orders?.hold).toBeUndefined();
  await eventually('the condition says so', async () => {
    const ready = (await harness.integrity('fleet')).status?.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' && ready.message.endsWith(`Held, and not scanned: ${two}.`);
  });
  await harness.annotate('fleet', { [REINIT_ANNOTATION]: two });
  const asked = await ordered(two, 'Demand', held.orders?.baseline.id);
  expect(asked.orders?.hold).toEqual(held.orders?.hold);
  await harness.phaseWhen('fleet', 'Initializing');
  await harness.annotate('fleet', { [HOLDOFF_ANNOTATION]: null });
  const free = await harness.statusWhen('fleet', two, 'is released', ({ orders }) => orders?.hold === undefined);
  expect(free.orders?.baseline).toEqual(asked.orders?.baseline);
  await harness.daemon('fleet', two).makeBaseline();
  await harness.phaseWhen('fleet', 'Active');
  expect((await harness.told('NodeHeld')).join()).toContain(two);
  expect((await harness.told('NodeReleased')).join()).toContain(two);
});

describe('an operator that dies while it takes up a re-init', () => {
  // Its writes: the request, the annotation, the record, the orders of both nodes, and the status.
  // What stays where it is has no annotation to be taken away.
  test.each([
    ...[0, 1, 2, 3, 4, 5].map((count) => [count, REINIT_ANNOTATION] as const),
    ...[1, 4].map((count) => [count, REINIT_ONCE_ANNOTATION] as const),
  ])('after %d of its writes loses no request by %s, and orders once', async (count, asked) => {
    const earlier = await records();
    const before = [await order(one), await order(two)].map((each) => each?.id);
    await harness.stop();
    await using gate = await startGate(harness.connection);
    gate.shutAfter(count);
    const value = asked === REINIT_ANNOTATION ? '' : `after ${count} writes`;
    await harness.annotate('fleet', { [asked]: value });
    harness.start({ connection: gate.connection });
    await gate.shut();
    await harness.crash();
    expect(gate.writes).toHaveLength(count);

    harness.start();
    const [first, second] = await Promise.all([ordered(one, 'Demand', before[0]), ordered(two, 'Demand', before[1])]);
    expect(first.orders?.baseline.id).toBe(second.orders?.baseline.id);
    await Promise.all(
      [one, two].map((node) => harness.daemon('fleet', node).replaceBaseline({ verdict: 'Succeeded' })),
    );
    await updatedWhen(undefined);
    await harness.phaseWhen('fleet', 'Active');
    expect(await annotation(REINIT_ANNOTATION)).toBeUndefined();
    if (asked === REINIT_ONCE_ANNOTATION) {
      expect(await annotation(asked)).toBe(value);
      const { status } = await harness.integrity('fleet');
      expect(status?.reinitOnce?.at(-1)).toMatchObject({ value, id: first.orders?.baseline.id });
    }
    expect((await order(one))?.id).toBe(first.orders?.baseline.id);
    const requests = JSON.parse((await effective())[REINIT_REQUEST_ANNOTATION] ?? '[]');
    expect(requests).toHaveLength(1);
    const written = (await records()).filter((name) => !earlier.includes(name));
    expect(written).toHaveLength(1);
  });

  test('leaves a cluster in which nothing is written any more once all is as it should be', async () => {
    await harness.stop();
    await using gate = await startGate(harness.connection);
    const before = await harness.versions();
    harness.start({ connection: gate.connection });
    // Touches the FileIntegrity, so that a reconcile is sure to have taken place when the node has its orders.
    await harness.annotate('fleet', { [HOLDOFF_ANNOTATION]: one });
    await harness.statusWhen('fleet', one, 'is held', ({ orders }) => orders?.hold !== undefined);
    await harness.annotate('fleet', { [HOLDOFF_ANNOTATION]: null });
    await harness.statusWhen('fleet', one, 'is released', ({ orders }) => orders?.hold === undefined);
    await harness.phaseWhen('fleet', 'Active');
    await harness.stop();
    const changed = (name: string) => name.includes(one) || name === 'FileIntegrity/fleet';
    const untouched = (versions: Record<string, string>) => Object.entries(versions).filter(([name]) => !changed(name));
    expect(untouched(await harness.versions())).toEqual(untouched(before));
    expect(gate.writes.filter((write) => !changed(write) && !write.includes('fileintegrities'))).toEqual([]);
    harness.start();
  });
});
