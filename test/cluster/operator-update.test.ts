import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMPRESSED_ANNOTATION, RESULT_LOG_LABEL, SET_ASIDE_LABEL } from '../../src/api/keys.ts';
import { failedName, resultName, setAsideName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { UPDATING_LABEL } from '../../src/operator/nodes/update.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let one: string;
let two: string;

beforeAll(async () => {
  harness = await startHarness();
  [one, two] = await Promise.all([harness.addNode({ annotations: at('x', 'x', 'Done') }), harness.addNode()]);
  await harness.createIntegrity('fleet');
  for (const node of [one, two]) {
    await harness.daemon('fleet', node).makeBaseline();
    await harness.daemon('fleet', node).report({ verdict: 'Succeeded' });
  }
  await harness.phaseWhen('fleet', 'Active');
});
afterAll(() => harness[Symbol.asyncDispose]());

/** What the Machine Config Operator writes on a node. */
function at(current: string, desired: string, state: string): Record<string, string> {
  return {
    'machineconfiguration.openshift.io/currentConfig': current,
    'machineconfiguration.openshift.io/desiredConfig': desired,
    'machineconfiguration.openshift.io/state': state,
  };
}

const heldWhen = (node: string, reason: string) =>
  harness.statusWhen('fleet', node, `is held: ${reason}`, ({ orders }) => orders?.hold?.reason === reason);
const updatedWhen = (node: string, detail: string) =>
  harness.statusWhen(
    'fleet',
    node,
    `has its order after the update ${detail}`,
    ({ orders }) => !orders?.hold && orders?.baseline.reason === 'NodeUpdate' && orders.baseline.detail === detail,
  );
const failure = { verdict: 'Failed', exitStatus: 7, counts: { added: 1, changed: 2, removed: 3 } } as const;
const report = [{ integritylog: 'the update’s changes' }];

describe('an update by the Machine Config Operator', () => {
  test('holds its node and no other, and the baseline after it names from which configuration to which', async () => {
    const before = await harness.status('fleet', two);
    await harness.annotateNode(one, at('x', 'y', 'Working'));
    const held = await heldWhen(one, 'MachineConfig');
    expect(held.orders?.hold?.message).toBe('The Machine Config Operator updates the node from x to y.');
    await harness.annotateNode(one, at('y', 'y', 'Working'));
    await harness.annotateNode(one, at('y', 'y', 'Done'));
    await updatedWhen(one, 'from x to y');
    expect((await harness.status('fleet', two))?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    await harness.daemon('fleet', one).makeBaseline();
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
    await harness.phaseWhen('fleet', 'Active');
    expect((await harness.told('BaselineOrdered')).join()).toContain(`NodeUpdate: from x to y, by test): ${one}.`);
  });

  test('of two seconds, with a change that no scan has seen: it is kept and told before the new baseline is on record', async () => {
    await harness.annotateNode(one, at('y', 'y2', 'Working'));
    await heldWhen(one, 'MachineConfig');
    await harness.annotateNode(one, at('y2', 'y2', 'Done'));
    await updatedWhen(one, 'from y to y2');
    await harness.daemon('fleet', one).replaceBaseline(failure, report);
    const status = await harness.status('fleet', one);
    expect(status?.baseline?.closing).toMatchObject({
      verdict: 'Failed',
      counts: failure.counts,
      kept: { configMapName: setAsideName('fleet', one), setAside: true },
    });
    const name = setAsideName('fleet', one);
    const kept = await harness.client.get(configMaps, { namespace: harness.namespace, name });
    expect(kept.data?.integritylog).toBe(report[0]?.integritylog);
    await eventually('it is told', async () =>
      (await harness.told('BaselineAccepted')).some((message) => message.includes('(NodeUpdate, from y to y2')),
    );
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
    await harness.annotateNode(one, at('y', 'y', 'Done'));
    await updatedWhen(one, 'from y2 to y');
    await harness.daemon('fleet', one).replaceBaseline({ verdict: 'Succeeded' });
  });

  test('of which the node alone speaks holds it, and orders no new baseline', async () => {
    const before = (await harness.status('fleet', one))?.orders?.baseline;
    await harness.annotateNode(one, at('y', 'y', 'Working'));
    await heldWhen(one, 'MachineConfig');
    await harness.annotateNode(one, at('y', 'y', 'Done'));
    const after = await harness.statusWhen('fleet', one, 'is not held', ({ orders }) => orders?.hold === undefined);
    expect(after.orders?.baseline).toEqual(before);
    await harness.daemon('fleet', one).report(failure, report);
    expect((await harness.status('fleet', one))?.lastResult?.condition).toBe('Failed');
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
  });

  test('that is Degraded keeps the node held until it is Done', async () => {
    await harness.annotateNode(one, at('y', 'z', 'Degraded'));
    const held = await heldWhen(one, 'MachineConfig');
    expect(held.orders?.hold?.message).toContain('could not update the node (Degraded)');
    await harness.annotateNode(one, at('z', 'z', 'Done'));
    await updatedWhen(one, 'from y to z');
    await harness.daemon('fleet', one).makeBaseline();
  });

  test('goes on when the operator is started again in the middle, and keeps the time of its beginning', async () => {
    await harness.annotateNode(one, at('z', 'q', 'Working'));
    const { orders } = await heldWhen(one, 'MachineConfig');
    await harness.stop();
    harness.start();
    await harness.annotate('fleet', { 'file-integrity.openshift.io/holdoff': two });
    await heldWhen(two, 'Annotation');
    expect((await harness.status('fleet', one))?.orders).toEqual(orders);
    await harness.annotate('fleet', { 'file-integrity.openshift.io/holdoff': null });
    await harness.annotateNode(one, at('q', 'q', 'Done'));
    await updatedWhen(one, 'from z to q');
    await harness.daemon('fleet', one).makeBaseline();
  });

  test('raises no failure, but what was found meanwhile is kept beside and told of', async () => {
    const { client, namespace } = harness;
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
    const before = (await harness.status('fleet', one))?.lastResult;
    const failed = () => client.find(configMaps, { namespace, name: failedName('fleet', one) });
    const earlier = await failed();
    await harness.annotateNode(one, at('q', 'r', 'Working'));
    await heldWhen(one, 'MachineConfig');
    await harness.daemon('fleet', one).report(failure, report);
    await harness.annotateNode(one, at('r', 'r', 'Done'));
    await updatedWhen(one, 'from q to r');
    await harness.daemon('fleet', one).report(failure, [{ integritylog: 'YQ==' }, { integritylog: 'Yg==' }]);
    expect((await harness.status('fleet', one))?.lastResult).toEqual(before);
    const name = setAsideName('fleet', one);
    const kept = await client.get(configMaps, { namespace, name });
    expect(kept.data).toEqual({ integritylog: 'YQ==' });
    expect(kept.metadata?.labels).toHaveProperty([SET_ASIDE_LABEL]);
    expect(kept.metadata?.labels).not.toHaveProperty([RESULT_LOG_LABEL]);
    expect(kept.metadata?.annotations).toHaveProperty([COMPRESSED_ANNOTATION]);
    expect((await client.get(configMaps, { namespace, name: `${name}-2` })).data).toEqual({ integritylog: 'Yg==' });
    expect(await failed()).toEqual(earlier);
    await eventually('it is told', async () =>
      (await harness.told('NodeIntegritySetAside')).includes(
        `node ${one} has changed while it was updated from q to r, which is not counted! ` +
          `a:1,c:2,r:3 log:${namespace}/${name}`,
      ),
    );

    await harness.daemon('fleet', one).makeBaseline();
    await harness.daemon('fleet', one).report(failure, report);
    expect((await harness.status('fleet', one))?.lastResult?.condition).toBe('Failed');
    await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
  });

  test('that began and ended while the operator was away is seen, and a report that waited since then does not count', async () => {
    const slot = { namespace: harness.namespace, name: resultName('fleet', one) };
    await eventually('no message waits', async () => !(await harness.client.find(configMaps, slot)));
    await harness.stop();
    await harness.annotateNode(one, at('s', 's', 'Done'));
    const outcome = harness.daemon('fleet', one).scan(failure);
    await harness.daemon('fleet', one).send(outcome, report);
    harness.start();
    const { orders } = await updatedWhen(one, 'from r to s');
    const status = await harness.statusWhen(
      'fleet',
      one,
      'has the report',
      ({ acknowledged }) => acknowledged === outcome.id,
    );
    expect(status.lastResult?.condition).toBe('Succeeded');
    expect(status.orders).toEqual(orders);
    await harness.daemon('fleet', one).makeBaseline();
    await harness.phaseWhen('fleet', 'Active');
  });

  test('of nodes one after another holds and re-initialises each in its turn', async () => {
    await harness.annotateNode(two, at('s', 's', 'Done'));
    await harness.annotateNode(one, at('s', 't', 'Working'));
    await heldWhen(one, 'MachineConfig');
    expect((await harness.status('fleet', two))?.orders?.hold).toBeUndefined();
    await harness.annotateNode(one, at('t', 't', 'Done'));
    await updatedWhen(one, 'from s to t');
    await harness.daemon('fleet', one).makeBaseline();
    await harness.annotateNode(two, at('s', 't', 'Working'));
    await heldWhen(two, 'MachineConfig');
    expect((await harness.status('fleet', one))?.orders?.hold).toBeUndefined();
    await harness.annotateNode(two, at('t', 't', 'Done'));
    await updatedWhen(two, 'from s to t');
    await harness.daemon('fleet', two).makeBaseline();
    await harness.phaseWhen('fleet', 'Active');
  });
});

test('the label of an update holds a node too, and the baseline after it names the system', async () => {
  await harness.labelNode(two, { [UPDATING_LABEL]: 'trixie' });
  await heldWhen(two, 'NodeUpdating');
  await harness.labelNode(two, { [UPDATING_LABEL]: null });
  const system = 'Debian GNU/Linux 13 (trixie), kernel 6.12.0, kubelet v1.36.3';
  await updatedWhen(two, `from ${system} to ${system}`);
  await harness.daemon('fleet', two).makeBaseline();
});

test('a node that vanishes in the middle of its update ends with its status, and one of its name starts afresh', async () => {
  const { client, namespace } = harness;
  await harness.annotateNode(two, at('t', 'u', 'Working'));
  await heldWhen(two, 'MachineConfig');
  await harness.removeNode(two);
  await eventually('the status is gone', async () => (await harness.status('fleet', two)) === undefined);
  await harness.phaseWhen('fleet', 'Active');

  const messageIsGone = () =>
    eventually(
      'the message is gone',
      async () => !(await client.find(configMaps, { namespace, name: resultName('fleet', one) })),
    );
  await harness.daemon('fleet', one).report(failure, report);
  await messageIsGone();
  await harness.stop();
  await harness.daemon('fleet', one).send(harness.daemon('fleet', one).scan(failure), report);
  await harness.replaceNode(one);
  harness.start();
  const status = await harness.statusWhen(
    'fleet',
    one,
    'is the new machine’s',
    ({ orders, lastResult }) => orders?.baseline.reason === 'Initial' && lastResult === undefined,
  );
  expect(status.results).toBeUndefined();
  await messageIsGone();
  await eventually('it is told', async () => (await harness.told('NodeReplaced')).join().includes(one));
  await harness.daemon('fleet', one).makeBaseline();
  await harness.daemon('fleet', one).report({ verdict: 'Succeeded' });
  await harness.phaseWhen('fleet', 'Active');
});
