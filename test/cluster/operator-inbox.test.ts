import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AIDE_CONF_LABEL,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
} from '../../src/api/keys.ts';
import { partName, resultName } from '../../src/api/names.ts';
import type { Outcome } from '../../src/api/protocol.ts';
import { configMaps, leases, pods } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { connectAsOperator } from '../support/restricted.ts';

// What lies in the place of a node's messages without being one, and an operator that cannot read all it should.

let harness: OperatorHarness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

/** A FileIntegrity with one node that was scanned. */
async function watched(name: string, staleAfter = 3600): Promise<string> {
  const nodeSelector = { [`${harness.namespace}/${name}`]: '' };
  const node = await harness.addNode({ labels: nodeSelector });
  await harness.createIntegrity(name, { nodeSelector, staleAfter });
  await harness.daemon(name, node).makeBaseline();
  await harness.daemon(name, node).report({});
  await harness.nodeSays(name, node, 'IntegrityHeld', 'True NoChanges');
  await harness.nodeSays(name, node, 'Ready', 'True Watched');
  return node;
}

const mapOf = (name: string, metadata: Partial<ConfigMap['metadata'] & {}> = {}): ConfigMap => ({
  metadata: { name, namespace: harness.namespace, ...metadata },
  data: { integritylog: 'x' },
});
const find = (name: string) => harness.client.find(configMaps, { namespace: harness.namespace, name });
const goneSoon = (name: string) => eventually(`${name} is gone`, async () => (await find(name)) === undefined);
const toldOf = async (reason: string, what: string) =>
  (await harness.told(reason)).filter((message) => message.includes(what));

/** What a daemon says by its heartbeat when it finds its slot taken. */
async function beat(integrity: string, node: string, outcome: Outcome): Promise<void> {
  const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) } };
  const ref = { namespace: harness.namespace, name: resultName(integrity, node) };
  await eventually('there is a lease', () => harness.client.find(leases, ref));
  await harness.client.patch(leases, ref, { metadata }, { type: 'merge' });
}

describe.concurrent('a slot that somebody took', () => {
  test('hides no failure: the heartbeat tells it and whose place is taken, who took it is told, and the slot is free', async () => {
    const node = await watched('squatted');
    const slot = resultName('squatted', node);
    await harness.client.create(configMaps, mapOf(slot));
    const counts = { added: 0, changed: 1, removed: 0 };
    const scan = harness.daemon('squatted', node).scan({ verdict: 'Failed', exitStatus: 4, counts });
    await beat('squatted', node, { ...scan, slotTaken: true });
    await harness.nodeSays('squatted', node, 'IntegrityHeld', 'False Changed');
    await goneSoon(slot);
    await eventually('it is told', async () => (await toldOf('SlotTaken', slot)).length > 0);
    const [message = ''] = await toldOf('SlotTaken', slot);
    expect(message).toMatch(/made at 20\d\d-.* with test/);
    expect(message).toContain('It was removed.');
    // The message that waited comes, with its report.
    await harness.daemon('squatted', node).report({ ...scan, id: `${scan.id}-1` }, [{ integritylog: 'the report' }]);
    const status = await harness.status('squatted', node);
    expect((await find(status?.lastResult?.resultConfigMapName ?? ''))?.data?.integritylog).toBe('the report');
  });

  test('is found when no result waits', async () => {
    const node = await watched('receipts');
    const slot = resultName('receipts', node);
    await harness.client.create(configMaps, mapOf(slot));
    const at = new Date().toISOString();
    await beat('receipts', node, { kind: 'notice', id: 'n-1', node, notice: 'SlotTaken', at, message: 'taken' });
    await goneSoon(slot);
    await eventually('it is told', async () => (await toldOf('SlotTaken', slot)).length > 0);
  });

  test('is found when its node is late and says nothing', async () => {
    const node = await watched('late', 10);
    const slot = resultName('late', node);
    await harness.client.create(configMaps, mapOf(slot));
    await goneSoon(slot);
    await eventually('it is told', async () => (await toldOf('SlotTaken', slot)).length > 0);
  });

  test('by what must not be removed leaves the node neither ready nor held', async () => {
    const node = await watched('needed');
    const slot = resultName('needed', node);
    const labels = { [OWNER_LABEL]: 'other', [AIDE_CONF_LABEL]: '' };
    await harness.client.create(configMaps, mapOf(slot, { labels }));
    const scan = harness.daemon('needed', node).scan({});
    await beat('needed', node, { ...scan, slotTaken: true });
    await harness.nodeSays('needed', node, 'Ready', 'False SlotTaken');
    const { state } = await harness.nodeSays('needed', node, 'IntegrityHeld', 'Unknown SlotTaken');
    expect(state).toBe('Silent');
    await eventually('it is told', async () => (await toldOf('SlotTaken', slot)).length > 0);
    expect(await find(slot)).toBeDefined();
    await harness.client.remove(configMaps, { namespace: harness.namespace, name: slot });
    await beat('needed', node, harness.daemon('needed', node).scan({}));
    await harness.nodeSays('needed', node, 'Ready', 'True Watched');
    await harness.nodeSays('needed', node, 'IntegrityHeld', 'True NoChanges');
  });
});

describe.concurrent('parts', () => {
  test('above the number that a message may have are removed, which is told, and the others wait for theirs', async () => {
    const node = await watched('surplus');
    const first = resultName('surplus', node);
    const labels = (number: number) => ({
      [OWNER_LABEL]: 'surplus',
      [NODE_LABEL]: node,
      [PART_LABEL]: String(number),
    });
    for (const number of [2, 3, 100, 101, 999]) {
      await harness.client.create(configMaps, mapOf(partName(first, number), { labels: labels(number) }));
    }
    for (const number of [100, 101, 999]) await goneSoon(partName(first, number));
    await eventually('it is told', async () => (await toldOf('PartsRemoved', node)).length > 0);
    expect(await find(partName(first, 2))).toBeDefined();
    // They go with the next message, whose they cannot be.
    await harness.daemon('surplus', node).report({});
    for (const number of [2, 3]) await goneSoon(partName(first, number));
  });

  test('of a FileIntegrity or a node that nobody watches are removed', async () => {
    const node = await watched('known');
    const labels = { [OWNER_LABEL]: 'known', [NODE_LABEL]: 'nobody', [PART_LABEL]: '2' };
    const name = partName(resultName('known', 'nobody'), 2);
    await harness.client.create(configMaps, mapOf(name, { labels }));
    await goneSoon(name);
    const odd = { [OWNER_LABEL]: 'known', [NODE_LABEL]: node, [LOG_LABEL]: '' };
    await harness.client.create(configMaps, mapOf('odd-name', { labels: odd }));
    await goneSoon('odd-name');
  });
});

describe('an operator that leads and cannot read', () => {
  const without = (resource: string) => (rule: PolicyRule) => !rule.resources?.includes(resource);

  async function restrict(resource: string): Promise<void> {
    const { client, connection, namespace } = harness;
    await harness.stop();
    const restricted = await connectAsOperator(client, connection, namespace, without(resource));
    harness.start({ connection: restricted, readGraceMs: 1000 });
  }

  async function release(): Promise<void> {
    await harness.stop();
    harness.start();
  }

  test('the messages says so, judges the time, and lets nothing look well', async () => {
    const node = await watched('blind', 10);
    await restrict(configMaps.plural);
    await harness.integritySays('blind', 'Ready', 'False OperatorCannotRead');
    const { status } = await harness.integritySays('blind', 'Stalled', 'True OperatorCannotRead');
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.message).toContain('configmaps (');
    await eventually('it is told', async () => (await toldOf('OperatorCannotRead', 'configmaps')).length > 0);
    await harness.nodeSays('blind', node, 'IntegrityHeld', 'Unknown OperatorCannotRead');
    const late = await harness.nodeSays('blind', node, 'Fresh', 'False Late');
    expect(late.state).toBe('Silent');
    await harness.integritySays('blind', 'Fresh', 'False Late');
    await release();
    await harness.daemon('blind', node).report({});
    await harness.integritySays('blind', 'Ready', 'True Active');
    await harness.nodeSays('blind', node, 'IntegrityHeld', 'True NoChanges');
  });

  test('the daemons’ pods takes none for missing, and none for running', async () => {
    const node = await watched('podless');
    await restrict(pods.plural);
    await harness.nodeSays('podless', node, 'Ready', 'Unknown OperatorCannotRead');
    await harness.integritySays('podless', 'Ready', 'False OperatorCannotRead');
    // What it found is taken in all the same.
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('podless', node).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    await harness.nodeSays('podless', node, 'IntegrityHeld', 'False Changed');
    await release();
    await harness.nodeSays('podless', node, 'Ready', 'True Watched');
  });
});
