import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileIntegrities } from '../../src/api/group.ts';
import { HOLDOFF_ANNOTATION } from '../../src/api/keys.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let shared: string;

beforeAll(async () => {
  harness = await startHarness();
  shared = await harness.addNode();
  await harness.createIntegrity('first');
  await harness.daemon('first', shared).makeBaseline();
});
afterAll(() => harness[Symbol.asyncDispose]());

const exclusive = async (integrity: string) =>
  (await harness.integrity(integrity)).status?.conditions?.find(({ type }) => type === 'Exclusive');

test('a FileIntegrity that is alone on its nodes says so', async () => {
  await eventually('first is alone', async () => (await exclusive('first'))?.status === 'True');
});

test('a second one on the same node gets files of its own, the first keeps its baseline, and both say so', async () => {
  const before = await harness.status('first', shared);
  await harness.createIntegrity('second');
  const { orders } = await harness.statusWhen('second', shared, 'has orders', (status) => status.orders !== undefined);
  expect(orders).toMatchObject({ files: 'aide.second', baseline: { reason: 'Initial' } });
  for (const [one, other] of [
    ['first', 'second'],
    ['second', 'first'],
  ] as const) {
    await eventually(`${one} tells of ${other}`, async () => (await exclusive(one))?.status === 'False');
    const condition = await exclusive(one);
    expect(condition).toMatchObject({ reason: 'NodesShared' });
    expect(condition?.message).toContain(other);
    expect(condition?.message).toContain(shared);
  }
  const after = await harness.status('first', shared);
  expect(after?.orders).toEqual(before?.orders);
});

test('what one holds does not hold the other', async () => {
  await harness.annotate('second', { [HOLDOFF_ANNOTATION]: '' });
  const held = await harness.statusWhen('second', shared, 'is held', ({ orders }) => orders?.hold !== undefined);
  expect(held.orders?.hold).toMatchObject({ reason: 'Annotation', owner: 'test' });
  expect((await harness.status('first', shared))?.orders?.hold).toBeUndefined();
  await harness.annotate('second', { [HOLDOFF_ANNOTATION]: null });
});

test('when the other is gone the own files stay, and it is alone again', async () => {
  await harness.client.remove(fileIntegrities, {
    namespace: harness.namespace,
    name: 'first',
  });
  await eventually('second is alone', async () => (await exclusive('second'))?.status === 'True');
  expect((await harness.status('second', shared))?.orders).toMatchObject({
    files: 'aide.second',
    baseline: { reason: 'Initial' },
  });
});
