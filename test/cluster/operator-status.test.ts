import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Condition } from '../../src/api/condition.ts';
import type { FileIntegritySpecInput, NodeCounts } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { HOLDOFF_ANNOTATION } from '../../src/api/keys.ts';
import { daemonSetName, nodeStatusName } from '../../src/api/names.ts';
import { pods } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { quotas } from '../support/quotas.ts';

// One operator for all; each test has a FileIntegrity and nodes of its own.
let harness: OperatorHarness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

/** A FileIntegrity with so many nodes, of which each has its baseline and a scan without findings. */
async function watched(name: string, count = 1, spec: Partial<FileIntegritySpecInput> = {}): Promise<string[]> {
  const nodeSelector = { [`${harness.namespace}/${name}`]: '' };
  const names: string[] = [];
  for (let index = 0; index < count; index++) names.push(await harness.addNode({ labels: nodeSelector }));
  await harness.createIntegrity(name, { nodeSelector, ...spec });
  for (const node of names) {
    await harness.daemon(name, node).makeBaseline();
    await harness.daemon(name, node).report({ verdict: 'Succeeded' });
  }
  await harness.integritySays(name, 'Ready', 'True Active');
  return names;
}

async function remove(name: string): Promise<void> {
  const { namespace, client } = harness;
  await client.remove(fileIntegrities, { namespace, name }, { propagation: 'Background' });
}

interface Said {
  readonly conditions?: Condition[];
}
/** Of a FileIntegrity's status, or of a node's object. */
const condition = (said: Said & { status?: Said } = {}, type: string) =>
  (said.conditions ?? said.status?.conditions)?.find((each) => each.type === type);

async function countsWhen(name: string, wanted: Partial<NodeCounts>): Promise<void> {
  let last: NodeCounts | undefined;
  await eventually(`the counts of ${name} are ${JSON.stringify(wanted)}`, async () => {
    last = (await harness.integrity(name)).status?.nodes;
    return Object.entries(wanted).every(([key, count]) => last?.[key as keyof NodeCounts] === count);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; they are ${JSON.stringify(last)}`);
  });
  const { selected, watched: _, deselected = 0, notTolerated: __, ...states } = last as NodeCounts;
  expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(selected + deselected);
}

async function podsOf(name: string) {
  const labelSelector = `app=${daemonSetName(name)}`;
  return (await harness.client.list(pods, { namespace: harness.namespace, labelSelector })).items;
}

describe('a node whose daemon works', () => {
  test('is Succeeded and all its conditions are True; so are those of the FileIntegrity, and the counts add up', async () => {
    const [one = '', two = ''] = await watched('well', 2);
    for (const node of [one, two]) {
      const status = await harness.nodeSays('well', node, 'Fresh', 'True Scanned');
      expect(status.state).toBe('Succeeded');
      expect(status.status?.conditions?.map(({ type, status }) => `${type} ${status}`).sort()).toEqual([
        'BaselineTrusted True',
        'Fresh True',
        'IntegrityHeld True',
        'Ready True',
      ]);
      const { startedAt = '', finishedAt = '', observedAt = '' } = status.lastScan ?? {};
      const limitMs = 2 * 900_000 + 2 * (Date.parse(finishedAt) - Date.parse(startedAt)) + 300_000;
      expect(Date.parse(status.freshUntil ?? '')).toBe(Date.parse(observedAt) + limitMs);
    }
    await countsWhen('well', { selected: 2, watched: 2, succeeded: 2 });
    const { status, metadata } = await harness.integritySays('well', 'Fresh', 'True Scanned');
    const said = status?.conditions?.map(({ type, status }) => `${type} ${status}`).sort();
    expect(said).toEqual([
      'BaselineTrusted True',
      'ConfigurationValid True',
      'Exclusive True',
      'Fresh True',
      'IntegrityHeld True',
      'Progressing False',
      'Ready True',
    ]);
    expect(new Set(status?.conditions?.map(({ observedGeneration }) => observedGeneration))).toEqual(
      new Set([metadata.generation]),
    );
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('well', one).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    await harness.daemon('well', two).report({ verdict: 'Errored', exitStatus: 18, errorMessage: 'no.' });
    await countsWhen('well', { failed: 1, errored: 1, succeeded: 0 });
    expect(
      condition((await harness.integritySays('well', 'IntegrityHeld', 'False Changed')).status, 'IntegrityHeld'),
    ).toMatchObject({ message: `1 of 2 nodes: Changed (${one}).` });
    await remove('well');
  });
});

describe('a node whose daemon does not work is shown as that, and it goes away', () => {
  let node: string;
  beforeAll(async () => {
    [node = ''] = await watched('ill');
  });
  afterAll(() => remove('ill'));

  async function wellAgain(since: Condition | undefined): Promise<void> {
    const status = await harness.nodeSays('ill', node, 'Ready', 'True Watched');
    expect(Date.parse(condition(status, 'Ready')?.lastTransitionTime ?? '')).toBeGreaterThanOrEqual(
      Date.parse(since?.lastTransitionTime ?? ''),
    );
    // It was short, so the last scan counts all the time.
    expect(condition(status, 'Fresh')).toMatchObject({ status: 'True', reason: 'Scanned' });
    await harness.integritySays('ill', 'Ready', 'True Active');
    await countsWhen('ill', { watched: 1, succeeded: 1 });
  }

  test('missing, where its pod is gone', async () => {
    const { client, namespace } = harness;
    const quota = { metadata: { name: 'none', namespace }, spec: { hard: { pods: '0' } } };
    await client.create(quotas, quota);
    await eventually('the quota counts', async () => {
      const { status } = (await client.get(quotas, { namespace, name: 'none' })) as { status?: { hard?: object } };
      return status?.hard !== undefined;
    });
    const began = Date.now();
    for (const pod of await podsOf('ill')) await client.remove(pods, { namespace, name: pod.metadata?.name ?? '' });
    const status = await harness.nodeSays('ill', node, 'Ready', 'False DaemonMissing');
    const ready = condition(status, 'Ready');
    expect(Date.parse(ready?.lastTransitionTime ?? '')).toBeGreaterThanOrEqual(began);
    expect(status.state).toBe('Succeeded');
    await countsWhen('ill', { selected: 1, watched: 0, succeeded: 1 });
    expect(
      condition((await harness.integritySays('ill', 'Ready', 'False Initializing')).status, 'Ready')?.message,
    ).toBe(`Not watched yet: 1 of 1 node: DaemonMissing (${node}).`);
    await client.remove(quotas, { namespace, name: 'none' });
    await wellAgain(ready);
  });

  test('for longer than a roll-out may take makes the FileIntegrity NodesNotWatched', async () => {
    const { client, namespace } = harness;
    harness.daemonsOn(node, 'crash');
    const { conditions = [] } = (await harness.nodeSays('ill', node, 'Ready', 'False DaemonNotRunning')).status ?? {};
    const earlier = new Date(Date.now() - 121_000).toISOString();
    const patch = conditions.map((each) => (each.type === 'Ready' ? { ...each, lastTransitionTime: earlier } : each));
    const ref = { namespace, name: nodeStatusName('ill', node) };
    await client.patch(nodeStatuses, ref, { status: { conditions: patch } }, { type: 'merge' });
    await harness.annotate('ill', { look: 'again' });
    const { status } = await harness.integritySays('ill', 'Ready', 'False NodesNotWatched');
    expect(condition(status, 'Ready')?.message).toBe(`1 of 1 node: DaemonNotRunning (${node}).`);
    expect(status?.phase).toBe('Initializing');
    harness.daemonsOn(node, 'run');
    await wellAgain(conditions.find(({ type }) => type === 'Ready'));
  });

  test('crash-looping, with how it ended, in safe words', async () => {
    harness.daemonsOn(node, 'crash');
    const status = await harness.nodeSays('ill', node, 'Ready', 'False DaemonNotRunning');
    expect(condition(status, 'Ready')?.message).toMatch(
      /^The daemon's pod aide-ill-\w+ does not run: CrashLoopBackOff, it ended with status 1\.$/,
    );
    harness.daemonsOn(node, 'run');
    await wellAgain(condition(status, 'Ready'));
  });

  test('not scheduled, with the scheduler’s words', async () => {
    const { client, namespace } = harness;
    const resources = { requests: { cpu: '1000' }, limits: { memory: '1Gi' } };
    const change = (spec: object) =>
      client.patch(fileIntegrities, { namespace, name: 'ill' }, { spec }, { type: 'merge' });
    await change({ resources });
    const status = await harness.nodeSays('ill', node, 'Ready', 'False DaemonNotScheduled');
    await eventually('the scheduler has said why', async () => {
      const now = await harness.status('ill', node);
      return condition(now, 'Ready')?.message.includes('Insufficient cpu');
    });
    await change({ resources: null });
    await wellAgain(condition(status, 'Ready'));
  });

  test('on a node that is not ready', async () => {
    await harness.loseNode(node);
    const status = await harness.nodeSays('ill', node, 'Ready', 'False NodeNotReady');
    expect(condition(status, 'Ready')?.message).toContain('(Played)');
    await harness.reviveNode(node);
    await wellAgain(condition(status, 'Ready'));
  });
});

describe('a node that is held', () => {
  test('is Held, with who holds it and since when; held too long is told; and it goes away', async () => {
    const [node = '', other = ''] = await watched('holds', 2);
    const { client, namespace } = harness;
    await harness.annotate('holds', { [HOLDOFF_ANNOTATION]: node });
    const held = await harness.nodeSays('holds', node, 'Ready', 'False Held');
    expect(held.state).toBe('Held');
    expect(condition(held, 'Ready')?.message).toBe(
      `No scan is started since ${held.orders?.hold?.since} by test: ${held.orders?.hold?.message}`,
    );
    expect(condition(held, 'Fresh')?.status).toBe('True');
    await countsWhen('holds', { selected: 2, watched: 1, held: 1, succeeded: 1 });
    const { status } = await harness.integritySays('holds', 'Ready', 'True Active');
    expect(condition(status, 'Ready')?.message).toContain(`Held, and not scanned: ${node}.`);

    const hold = { since: new Date(Date.now() - 5 * 3_600_000).toISOString() };
    const ref = { namespace, name: nodeStatusName('holds', node) };
    await client.patch(nodeStatuses, ref, { orders: { hold } }, { type: 'merge' });
    await harness.nodeSays('holds', node, 'Ready', 'False HeldTooLong');
    await eventually('it is told', async () =>
      (await harness.told('NodeHeldTooLong')).includes(
        `Held for longer than spec.holdLimit allows (HeldTooLong, by test), on 1 node: ${node}.`,
      ),
    );
    await harness.annotate('holds', { [HOLDOFF_ANNOTATION]: null });
    const released = await harness.nodeSays('holds', node, 'Ready', 'True Watched');
    expect(released.state).toBe('Succeeded');
    await countsWhen('holds', { watched: 2, held: 0, succeeded: 2 });
    expect((await harness.status('holds', other))?.state).toBe('Succeeded');
    await remove('holds');
  });

  test('by an update is Suspended', async () => {
    const [node = ''] = await watched('updates');
    const updating = { 'file-integrity.node-restriction.kubernetes.io/updating': '' };
    await harness.labelNode(node, updating);
    const { state } = await harness.nodeSays('updates', node, 'Ready', 'False Suspended');
    expect(state).toBe('Held');
    await harness.labelNode(node, { ...updating, 'file-integrity.node-restriction.kubernetes.io/updating': null });
    const after = await harness.nodeSays('updates', node, 'Ready', 'True Watched');
    expect(after.orders?.baseline.reason).toBe('NodeUpdate');
    await remove('updates');
  });
});

describe('two FileIntegrities on one node', () => {
  test('say so, each with the other’s name, until one is gone', async () => {
    const [node = ''] = await watched('first');
    const nodeSelector = { [`${harness.namespace}/first`]: '' };
    await harness.createIntegrity('second', { nodeSelector });
    const { status } = await harness.integritySays('first', 'Exclusive', 'False NodesShared');
    expect(condition(status, 'Exclusive')?.message).toContain(`second (${node})`);
    await harness.integritySays('second', 'Exclusive', 'False NodesShared');
    await remove('second');
    await harness.integritySays('first', 'Exclusive', 'True NoOther');
    await remove('first');
  });
});
