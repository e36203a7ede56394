import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileIntegrities } from '../../src/api/group.ts';
import {
  CLOSING_LABEL,
  OWNER_LABEL,
  RECORD_KEY,
  RECORD_LABEL,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
  REQUESTED_BY_ANNOTATION,
} from '../../src/api/keys.ts';
import { failedName, historyName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let gate: Gate;
let one: string;
let two: string;

beforeAll(async () => {
  harness = await startHarness();
  gate = await startGate(harness.connection);
  await harness.stop();
  harness.start({ connection: gate.connection });
  [one, two] = await Promise.all([harness.addNode(), harness.addNode()]);
  await harness.createIntegrity('recorded', { history: { failedResults: 5, reinitRecords: 3 } });
  for (const node of [one, two]) {
    await harness.daemon('recorded', node).makeBaseline();
    await harness.daemon('recorded', node).report({ verdict: 'Succeeded' });
  }
  await harness.phaseWhen('recorded', 'Active');
});
afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

async function records(): Promise<ConfigMap[]> {
  const list = await harness.client.list(configMaps, { namespace: harness.namespace, labelSelector: RECORD_LABEL });
  return list.items;
}
const contentOf = (record: ConfigMap | undefined) => JSON.parse(record?.data?.[RECORD_KEY] ?? '');
const orderOf = async (node: string) => (await harness.status('recorded', node))?.orders?.baseline;

/** Asks, waits until the nodes have the order and have carried it out, finding nothing, and gives the record that there is more. */
async function reinit(annotations: Record<string, string>, nodes: readonly string[]): Promise<ConfigMap | undefined> {
  const before = await records();
  const orders = await Promise.all(nodes.map(orderOf));
  await harness.annotate('recorded', annotations);
  for (const [index, node] of nodes.entries()) {
    await eventually(`${node} has a new order`, async () => (await orderOf(node))?.id !== orders[index]?.id);
  }
  const known = new Set(before.map(({ metadata }) => metadata?.name));
  const added = (await records()).filter(({ metadata }) => !known.has(metadata?.name));
  for (const node of nodes) await harness.daemon('recorded', node).replaceBaseline({ verdict: 'Succeeded' });
  await harness.phaseWhen('recorded', 'Active');
  expect(added).toHaveLength(1);
  return added[0];
}

describe('what a re-init erases', () => {
  test('is on record before it is ordered: who asked, when, and what each node’s last result was', async () => {
    const counts = { added: 1, changed: 2, removed: 3 };
    await harness.daemon('recorded', one).report({ verdict: 'Failed', exitStatus: 7, counts }, [{ integritylog: 'x' }]);
    const found = await harness.status('recorded', one);
    const writes = gate.writes.length;
    const record = await reinit({ [REINIT_ANNOTATION]: '', [REQUESTED_BY_ANNOTATION]: 'mallory' }, [one, two]);
    const order = gate.writes.slice(writes);
    const posted = order.indexOf('POST configmaps');
    expect(posted).toBeGreaterThanOrEqual(0);
    expect(posted).toBeLessThan(order.findIndex((write) => write.startsWith('PATCH fileintegritynodestatuses')));
    const id = (await orderOf(one))?.id;
    expect(contentOf(record)).toMatchObject({
      fileIntegrity: 'recorded',
      reason: 'Demand',
      who: 'mallory',
      detail: 'asked for by mallory',
      requestedAt: (await orderOf(one))?.requestedAt,
      nodes: [
        {
          node: one,
          order: id,
          lastResult: { condition: 'Failed', filesAdded: 1, filesChanged: 2, filesRemoved: 3 },
          keptFailure: {
            configMapName: historyName(failedName('recorded', one), 1),
            newestConfigMapName: failedName('recorded', one),
            digest: found?.failures?.[0]?.digest,
            sequence: 1,
          },
          baselineDigest: found?.baseline?.digest,
        },
      ],
      withoutFindings: [two],
      leftOut: 0,
    });
    expect(record?.metadata?.labels).toMatchObject({ [OWNER_LABEL]: 'recorded', [RECORD_LABEL]: '' });
    expect(record?.metadata?.ownerReferences).toBeUndefined();
    const { annotations = {} } = (await harness.integrity('recorded')).metadata;
    expect(annotations).not.toHaveProperty(REINIT_ANNOTATION);
    expect(annotations).not.toHaveProperty(REQUESTED_BY_ANNOTATION);
    const named = `What it erases is recorded in ${record?.metadata?.name}.`;
    for (const reason of ['ReinitRequested', 'BaselineOrdered']) {
      await eventually(`${reason} names it`, async () =>
        (await harness.told(reason)).some((message) => message.endsWith(named)),
      );
    }
  });

  test('has what no scan had seen in the kept failure that its record links', async () => {
    const counts = { added: 0, changed: 3, removed: 0 };
    await harness.daemon('recorded', one).report({ verdict: 'Failed', exitStatus: 4, counts }, [{ integritylog: 'x' }]);
    const before = await records();
    const earlier = await orderOf(one);
    await harness.annotate('recorded', { [REINIT_ANNOTATION]: one, [REQUESTED_BY_ANNOTATION]: 'mallory' });
    await eventually('it has an order', async () => (await orderOf(one))?.id !== earlier?.id);
    const all = { verdict: 'Failed', exitStatus: 4, counts: { ...counts, changed: 4 } } as const;
    await harness.daemon('recorded', one).replaceBaseline(all, [{ integritylog: 'the fourth' }]);
    const { baseline, failures } = (await harness.status('recorded', one)) ?? {};
    const [newest] = failures ?? [];
    const kept = { configMapName: failedName('recorded', one), sequence: newest?.sequence, digest: newest?.digest };
    expect(baseline?.closing).toMatchObject({ verdict: 'Failed', counts: { changed: 4 }, kept });
    const failed = await harness.client.get(configMaps, { namespace: harness.namespace, name: kept.configMapName });
    expect(failed.data?.integritylog).toBe('the fourth');
    const order = await orderOf(one);
    let added: ConfigMap[] = [];
    await eventually('both records are there', async () => {
      const known = new Set(before.map(({ metadata }) => metadata?.name));
      added = (await records()).filter(({ metadata }) => !known.has(metadata?.name));
      return added.length === 2;
    });
    const accepted = added.map(contentOf).find(({ kind }) => kind === 'Acceptance');
    const configMapName = historyName(kept.configMapName, newest?.sequence ?? 0);
    const forGood = { ...kept, configMapName, newestConfigMapName: kept.configMapName };
    expect(accepted).toMatchObject({
      reason: 'Demand',
      detail: 'asked for by mallory',
      nodes: [{ node: one, order: order?.id, accepted: { counts: { changed: 4 }, kept: forGood } }],
    });
    await eventually('it is told', async () =>
      (await harness.told('BaselineAccepted')).some((message) => message.includes('asked for by mallory')),
    );
  });

  test('of the failed nodes names the client that asked, where nobody wrote which user it was', async () => {
    await harness.daemon('recorded', one).report({ verdict: 'Succeeded' });
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('recorded', two).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    const content = contentOf(await reinit({ [REINIT_ON_FAILED_ANNOTATION]: '' }, [two]));
    expect(content).toMatchObject({ reason: 'Failed', nodes: [{ node: two }], withoutFindings: [] });
    expect(content.who).not.toBe('unknown');
  });

  test('is kept for as many as are wanted, the oldest going first', async () => {
    for (let round = 0; round < 3; round++) await reinit({ [REINIT_ANNOTATION]: one }, [one]);
    const orders = async () => (await records()).filter(({ metadata }) => !(CLOSING_LABEL in (metadata?.labels ?? {})));
    await eventually('three are left', async () => (await orders()).length === 3);
    const contents = (await orders()).map(contentOf);
    expect(contents.map(({ nodes, withoutFindings }) => [nodes.length, withoutFindings])).toEqual(
      contents.map(() => [0, [one]]),
    );
  });

  test('is not pushed out by a node that has itself updated again and again', async () => {
    const before = (await records()).map(({ metadata }) => metadata?.uid);
    const config = (name: string) => `machineconfiguration.openshift.io/${name}`;
    const counts = { added: 0, changed: 1, removed: 0 };
    for (let round = 0; round < 5; round++) {
      const earlier = await orderOf(one);
      await harness.annotateNode(one, { [config('desiredConfig')]: `${round}`, [config('state')]: 'Working' });
      await harness.statusWhen('recorded', one, 'is held', ({ orders }) => orders?.hold !== undefined);
      await harness.annotateNode(one, { [config('currentConfig')]: `${round}`, [config('state')]: 'Done' });
      await eventually('it has an order', async () => (await orderOf(one))?.id !== earlier?.id);
      const found = { verdict: 'Failed', exitStatus: 4, counts } as const;
      await harness.daemon('recorded', one).replaceBaseline(found, [{ integritylog: 'x' }]);
    }
    const last = (await orderOf(one))?.id;
    await eventually('there are three of updates, and three of what their baselines accepted', async () => {
      const now = await records();
      const isThere = now.map(contentOf).some(({ kind, nodes }) => kind === 'Acceptance' && nodes[0]?.order === last);
      return isThere && now.length === before.length + 6;
    });
    const after = (await records()).map(({ metadata }) => metadata?.uid);
    expect(before.filter((uid) => !after.includes(uid))).toEqual([]);
  });

  test('outlives the FileIntegrity', async () => {
    // What was on record of the nodes is written down when they go, sooner or later.
    const ofOrders = async () =>
      (await records())
        .filter((record) => contentOf(record).kind !== 'DepartedNodes')
        .map(({ metadata }) => metadata?.uid);
    const before = await ofOrders();
    await harness.client.remove(fileIntegrities, { namespace: harness.namespace, name: 'recorded' });
    await eventually('the status is gone', async () => (await harness.status('recorded', one)) === undefined);
    expect(await ofOrders()).toEqual(before);
  });
});
