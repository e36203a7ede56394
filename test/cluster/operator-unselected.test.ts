import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileIntegritySpecInput, FileIntegrityStatus, NodeCounts } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { RECORD_LABEL } from '../../src/api/keys.ts';
import { departedName } from '../../src/api/names.ts';
import { configMaps, nodes } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// Nodes that were watched and are not any more. One operator for all; each test has a FileIntegrity and nodes of its own.
let harness: OperatorHarness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const FORGET = 'file-integrity.openshift.io/forget';
const FOUND = { verdict: 'Failed', exitStatus: 4, counts: { added: 0, changed: 1, removed: 0 } } as const;
const NO_EXECUTE: Taint = { key: 'mine', value: 'yes', effect: 'NoExecute' };
const selecting = (name: string) => ({ [`${harness.namespace}/${name}`]: '' });

/** A FileIntegrity with two nodes, of which each has its baseline and a scan without findings. */
async function watched(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<[one: string, two: string]> {
  const labels = selecting(name);
  const both: [string, string] = [await harness.addNode({ labels }), await harness.addNode({ labels })];
  await harness.createIntegrity(name, { nodeSelector: labels, ...spec });
  for (const node of both) {
    await harness.daemon(name, node).makeBaseline();
    await harness.daemon(name, node).report({ verdict: 'Succeeded' });
  }
  await harness.integritySays(name, 'Ready', 'True Active');
  return both;
}

async function remove(name: string): Promise<void> {
  const { namespace, client } = harness;
  await client.remove(fileIntegrities, { namespace, name }, { propagation: 'Background' });
}

const change = (name: string, spec: object) =>
  harness.client.patch(fileIntegrities, { namespace: harness.namespace, name }, { spec }, { type: 'merge' });
const taint = (node: string, taints: Taint[]) =>
  harness.client.patch(nodes, { name: node }, { spec: { taints } }, { type: 'merge' });
const found = (name: string, node: string) => harness.daemon(name, node).report(FOUND, [{ integritylog: 'x' }]);
const told = (reason: string, words: string) =>
  eventually(`${words} is told as ${reason}`, async () => (await harness.told(reason)).join('\n').includes(words));
/** Waits until the FileIntegrity counts so, and returns its status. */
async function countsWhen(name: string, wanted: Partial<NodeCounts>): Promise<FileIntegrityStatus | undefined> {
  let last: FileIntegrityStatus | undefined;
  await eventually(`the counts of ${name} are ${JSON.stringify(wanted)}`, async () => {
    last = (await harness.integrity(name)).status;
    return Object.entries(wanted).every(([key, count]) => last?.nodes?.[key as keyof NodeCounts] === count);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`);
  });
  return last;
}
const condition = (status: FileIntegrityStatus | undefined, type: string) =>
  status?.conditions?.find((each) => each.type === type);

describe.concurrent('a node that was watched and', () => {
  test('takes its label away keeps its record, is shown as Deselected, and is compared with that record when it returns', async () => {
    const [one, two] = await watched('labels');
    await found('labels', two);
    const before = await harness.status('labels', two);
    await harness.labelNode(two, { [`${harness.namespace}/labels`]: null });
    const shown = await harness.nodeSays('labels', two, 'Ready', 'False Deselected');
    expect(shown.metadata.uid).toBe(before?.metadata.uid);
    expect(shown.state).toBe('Failed');
    for (const field of ['baseline', 'baselines', 'failures', 'lastResult'] as const) {
      expect(shown[field]).toEqual(before?.[field]);
    }
    expect(shown.unselected?.message).toBe(
      `The node does not have the labels any more by which it was selected: ${harness.namespace}/labels=, which is not there.`,
    );
    await told('NodeNotWatched', two);
    const { status } = await harness.integritySays('labels', 'Ready', 'False NodesNotWatched');
    expect(condition(status, 'Ready')?.message).toContain(`1 of 2 nodes: Deselected (${two}).`);
    expect(condition(status, 'IntegrityHeld')).toMatchObject({
      status: 'False',
      message: `1 of 2 nodes: Changed (${two}).`,
    });
    await countsWhen('labels', { selected: 1, deselected: 1, failed: 1, watched: 1, succeeded: 1 });
    expect(status?.phase).toBe('Active');

    await harness.labelNode(two, { [`${harness.namespace}/labels`]: '' });
    const back = await harness.nodeSays('labels', two, 'Ready', 'True Watched');
    expect(back.orders?.baseline).toEqual(before?.orders?.baseline);
    expect(back.baseline).toEqual(before?.baseline);
    expect(back.unselected).toBeUndefined();
    // What it is compared with now is not what is on record.
    const digest = 'e'.repeat(64);
    await harness
      .daemon('labels', two)
      .report({ verdict: 'Succeeded', baselineDigest: digest }, [{ integritylog: 'x' }]);
    const compared = await harness.nodeSays('labels', two, 'IntegrityHeld', 'False BaselineReplaced');
    expect(compared.lastResult?.condition).toBe('Failed');
    expect((await harness.told('DatabaseAdopted')).join()).not.toContain(two);
    expect((await harness.status('labels', one))?.state).toBe('Succeeded');
    await remove('labels');
  });

  test('gets a taint is shown as NotTolerated, also by an operator that is started again, until it ends', async () => {
    const [, two] = await watched('taints');
    const before = await harness.status('taints', two);
    await taint(two, [NO_EXECUTE]);
    const shown = await harness.nodeSays('taints', two, 'Ready', 'False NotTolerated');
    expect(shown.state).toBe('Unwatched');
    expect(shown.unselected?.message).toBe('The node has taints that are not tolerated: mine=yes:NoExecute.');
    await harness.integritySays('taints', 'Ready', 'False NodesNotWatched');
    await countsWhen('taints', { selected: 1, deselected: 1, unwatched: 1, notTolerated: 0 });
    await harness.stop();
    harness.start();
    // What the next one does for another FileIntegrity shows that it has looked.
    await watched('later');
    await harness.nodeSays('taints', two, 'Ready', 'False NotTolerated');
    await remove('later');
    await taint(two, []);
    const back = await harness.nodeSays('taints', two, 'Ready', 'True Watched');
    expect(back.orders).toEqual(before?.orders);
    expect(back.baseline).toEqual(before?.baseline);
    await told('NodeWatchedAgain', two);
    await harness.integritySays('taints', 'Ready', 'True Active');
    await remove('taints');
  });

  test('is not asked for any more keeps its record, and its FileIntegrity is Ready; what was found on it stands', async () => {
    const [one, two] = await watched('narrow');
    await found('narrow', two);
    await harness.labelNode(one, { pool: 'x' });
    await change('narrow', { nodeSelector: { ...selecting('narrow'), pool: 'x' } });
    const shown = await harness.nodeSays('narrow', two, 'Ready', 'False SpecChanged');
    expect(shown.baseline).toBeDefined();
    await countsWhen('narrow', { selected: 1, deselected: 1, failed: 1 });
    await harness.integritySays('narrow', 'Ready', 'True Active');
    await harness.integritySays('narrow', 'IntegrityHeld', 'False Changed');
    await told('NodeNotWatched', `because the FileIntegrity does not ask for them: ${two}. Failed: ${two}.`);
    await change('narrow', { history: { departedFor: 0 } });
    await eventually('the status is gone', async () => (await harness.status('narrow', two)) === undefined);
    await harness.integritySays('narrow', 'IntegrityHeld', 'True NoChanges');
    await remove('narrow');
  });

  test('dropped out of sight is forgotten by whoever says that it is right, which is told', async () => {
    const [one, two] = await watched('forget');
    await found('forget', two);
    await harness.labelNode(two, { [`${harness.namespace}/forget`]: null });
    await harness.integritySays('forget', 'Ready', 'False NodesNotWatched');
    await change('forget', { history: { departedFor: 0 } });
    await harness.annotate('forget', { [FORGET]: `${two},${one}` });
    await eventually('the status is gone', async () => (await harness.status('forget', two)) === undefined);
    await told('NodeForgotten', `What is on record is shown no longer, as test asked: ${two}. Failed: ${two}.`);
    await told('NodeNotForgotten', one);
    const { metadata } = await harness.integritySays('forget', 'Ready', 'True Active');
    expect(metadata.annotations?.[FORGET]).toBeUndefined();
    expect((await harness.status('forget', one))?.state).toBe('Succeeded');
    await remove('forget');
  });
});

test('a node that deselected itself while no operator looked is shown by the next one', async () => {
  const [, two] = await watched('away');
  const before = await harness.status('away', two);
  await harness.stop();
  await harness.labelNode(two, { [`${harness.namespace}/away`]: 'other' });
  harness.start();
  const shown = await harness.nodeSays('away', two, 'Ready', 'False Deselected');
  expect(shown.baseline).toEqual(before?.baseline);
  expect(shown.unselected?.message).toContain('which is other.');
  await remove('away');
});

test('nodes that were never watched because of their taints are counted and named, and make nothing False', async () => {
  const labels = selecting('tainted');
  const taints: Taint[] = [{ key: 'example.com/reserved', effect: 'NoSchedule' }];
  const control = await harness.addNode({ labels, taints });
  await watched('tainted');
  const status = await countsWhen('tainted', { selected: 2, watched: 2, notTolerated: 1, deselected: 0, unwatched: 0 });
  expect(condition(status, 'Ready')?.message).toBe(
    `All 2 nodes are watched. Not watched, because the tolerations do not admit them: 1 node (${control}).`,
  );
  expect(await harness.status('tainted', control)).toBeUndefined();
  await remove('tainted');
});

describe.concurrent('what is on record of a node whose status went', () => {
  test('counts when its FileIntegrity is deleted and made again: its database is recognised, and its failure stands', async () => {
    const [one, two] = await watched('again');
    await found('again', two);
    const [first, second] = [await harness.status('again', one), await harness.status('again', two)];
    await remove('again');
    await harness.createIntegrity('again', { nodeSelector: selecting('again') });
    const isNew = (node: string, uid: string | undefined) =>
      harness.statusWhen(
        'again',
        node,
        'is made anew',
        ({ metadata, baseline }) => metadata.uid !== uid && baseline !== undefined,
      );
    const failed = await isNew(two, second?.metadata.uid);
    expect(failed.baseline).toEqual(second?.baseline);
    expect(failed.lastResult).toEqual(second?.lastResult);
    await isNew(one, first?.metadata.uid);
    await harness.daemon('again', one).makeBaseline({ adopted: true, digest: first?.baseline?.digest ?? '' });
    await told('DatabaseRecognised', one);
    expect((await harness.status('again', one))?.baseline?.adopted).toBeUndefined();
    expect((await harness.told('DatabaseAdopted')).join()).not.toContain(one);
    await harness.nodeSays('again', one, 'BaselineTrusted', 'True Recorded');
    await remove('again');
  });

  test('counts when its node object is deleted and comes back: another database is not adopted', async () => {
    const [, two] = await watched('returns');
    const before = await harness.status('returns', two);
    await harness.replaceNode(two);
    const after = await harness.statusWhen(
      'returns',
      two,
      'is made anew',
      ({ metadata, baseline }) => metadata.uid !== before?.metadata.uid && baseline !== undefined,
    );
    expect(after.baseline).toEqual(before?.baseline);
    await harness.daemon('returns', two).makeBaseline({ adopted: true });
    const shown = await harness.nodeSays('returns', two, 'IntegrityHeld', 'False BaselineReplaced');
    expect(shown.baseline).toEqual(before?.baseline);
    await told('BaselineUntrusted', two);
    await remove('returns');
  });

  test('is written down where it outlives all of it, and by the operator only', async () => {
    const { client, namespace } = harness;
    const [, two] = await watched('written');
    await harness.removeNode(two);
    const ref = { namespace, name: departedName('written') };
    let text = '';
    await eventually('the record names the node', async () => {
      text = (await client.find(configMaps, ref))?.data?.['record.json'] ?? '';
      return text.includes(two);
    });
    expect(JSON.parse(text)).toMatchObject({ kind: 'DepartedNodes', fileIntegrity: 'written', leftOut: 0 });
    expect((await client.get(configMaps, ref)).metadata?.labels).toHaveProperty([RECORD_LABEL]);
    await remove('written');
  });
});
