import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { nodeStatuses } from '../../src/api/group.ts';
import { daemonSetName, nodeStatusName } from '../../src/api/names.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { nodes, pods } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// What the conditions cost: each write of the operator goes through a gate that counts it.
let harness: OperatorHarness;
let gate: Gate;
let watched: string[];

beforeAll(async () => {
  gate = await startGate(await connectKubeconfig(inject('kubeconfig')));
  harness = await startHarness({ connection: gate.connection });
  watched = await Promise.all(Array.from({ length: 5 }, () => harness.addNode()));
  await harness.createIntegrity('cost');
  for (const node of watched) {
    await harness.daemon('cost', node).makeBaseline();
    await harness.daemon('cost', node).report({ verdict: 'Succeeded' });
  }
  await harness.integritySays('cost', 'Ready', 'True Active');
  await harness.integritySays('cost', 'Fresh', 'True Scanned');
});
afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

/** The writes that a change leads to, once all that was written is known to the operator. */
async function writesAfter(change: () => Promise<unknown>): Promise<string[]> {
  await settled();
  const before = gate.writes.length;
  await change();
  await settled();
  return gate.writes.slice(before);
}

/** A mark goes through all that the operator does: whatever was asked of it before is done when that is answered. */
async function settled(): Promise<void> {
  const [last = ''] = watched;
  const { finishedAt } = await harness.daemon('cost', last).beat({ verdict: 'Succeeded' });
  await taken(last, finishedAt);
  // The FileIntegrity is planned at most once a second.
  let writes = -1;
  for (let quiet = 0; quiet < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    quiet = gate.writes.length === writes ? quiet + 1 : 0;
    writes = gate.writes.length;
  }
}

const taken = (node: string, finishedAt: string) =>
  harness.statusWhen('cost', node, 'has the heartbeat', ({ lastScan }) => lastScan?.finishedAt === finishedAt);
const markOf = () => `PATCH fileintegritynodestatuses/${nodeStatusName('cost', watched[0] ?? '')}`;

test('a quiet scan is one write of the operator, with all that follows from it', async () => {
  const scans = 4;
  const writes = await writesAfter(async () => {
    for (let round = 0; round < scans; round++) {
      for (const node of watched) {
        const before = await harness.status('cost', node);
        const { finishedAt } = await harness.daemon('cost', node).beat({ verdict: 'Succeeded' });
        const { freshUntil } = await taken(node, finishedAt);
        expect(Date.parse(freshUntil ?? '')).toBeGreaterThan(Date.parse(before?.freshUntil ?? ''));
      }
    }
  });
  const perNode = watched.flatMap((node) =>
    Array.from({ length: scans }, () => `PATCH fileintegritynodestatuses/${nodeStatusName('cost', node)}`),
  );
  expect([...writes].sort()).toEqual([...perNode, markOf()].sort());
});

test('what a kubelet reports of its node again and again is no write', async () => {
  const writes = await writesAfter(async () => {
    for (const name of watched) {
      const conditions = [
        { type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString(), reason: 'Again' },
      ];
      await harness.client.patch(nodes, { name }, { status: { conditions } }, { type: 'merge', subresource: 'status' });
    }
  });
  expect(writes).toEqual([markOf()]);
});

test('a daemon that is restarted is written of at each step, of its own node alone', async () => {
  const [, node = ''] = watched;
  const { client, namespace } = harness;
  const own = `PATCH fileintegritynodestatuses/${nodeStatusName('cost', node)}`;
  const began = Date.now();
  const writes = await writesAfter(async () => {
    const { items } = await client.list(pods, { namespace, labelSelector: `app=${daemonSetName('cost')}` });
    const pod = items.find(({ spec }) => spec?.nodeName === node);
    await client.remove(pods, { namespace, name: pod?.metadata?.name ?? '' });
    await eventually('it was seen', async () => {
      const found = await client.get(nodeStatuses, { namespace, name: nodeStatusName('cost', node) });
      const ready = found.status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.status === 'True' && Date.parse(ready.lastTransitionTime) >= began;
    });
    await harness.integritySays('cost', 'Ready', 'True Active');
  });
  const others = writes.filter((write) => write !== own && write !== 'PATCH fileintegrities/cost/status');
  expect(others).toEqual([markOf()]);
  // Ended, missing, to be started, running.
  expect(writes.filter((write) => write === own).length).toBeLessThanOrEqual(6);
});
