import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { aNode, annotated, machineConfigured, NOW } from '../../../test/support/operator-worlds.ts';
import type { UpdateMemory } from './memory.ts';
import { followUpdate, UPDATING_LABEL } from './update.ts';

const later = new Date(NOW.getTime() + 60_000);
const node = (current: string, desired: string, state: string) =>
  machineConfigured(aNode('a'), current, desired, state);
const labelled = (value: string) => aNode('a', { [UPDATING_LABEL]: value });

/** What the operator makes of a node that goes through these states, one look at each. */
function follow(states: readonly Node[], start: UpdateMemory = {}) {
  let memory = start;
  return states.map((state) => {
    const plan = followUpdate(state, memory, NOW, true);
    memory = plan.memory;
    return plan;
  });
}

describe('an update by the Machine Config Operator', () => {
  test('holds from the moment that another configuration is desired until the node is Done with it', () => {
    const plans = follow([
      node('x', 'x', 'Done'),
      node('x', 'y', 'Done'),
      node('x', 'y', 'Working'),
      node('y', 'y', 'Working'),
      node('y', 'y', 'Done'),
    ]);
    expect(plans.map(({ hold }) => hold?.reason)).toEqual([
      undefined,
      'MachineConfig',
      'MachineConfig',
      'MachineConfig',
      undefined,
    ]);
    expect(plans.map(({ finished }) => finished)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      { from: 'x', to: 'y' },
    ]);
  });

  test('keeps the time of its beginning', () => {
    const [begun] = follow([node('x', 'y', 'Working')]);
    const plan = followUpdate(node('x', 'y', 'Working'), begun?.memory ?? {}, later, true);
    expect(plan.hold?.since).toBe(NOW.toISOString());
  });

  test.each([
    ['says that it works', [node('x', 'x', 'Working')]],
    ['says that it has another configuration', [node('z', 'x', 'Done'), node('z', 'x', 'Working')]],
    ['says so again and again', [node('x', 'x', 'Working'), node('z', 'x', 'Degraded'), node('x', 'x', 'Working')]],
  ])('of which the node alone says something holds it, and makes no new baseline: it %s', (_, states) => {
    const plans = follow([node('x', 'x', 'Done'), ...states, node('x', 'x', 'Done')]);
    expect(plans.slice(1, -1).map(({ hold }) => hold?.reason)).toEqual(states.map(() => 'MachineConfig'));
    expect(plans.at(-1)).toEqual({ memory: { configuration: 'x' } });
  });

  test('is none where there is no Machine Config Operator, and one under way ends without a baseline', () => {
    const [begun] = follow([node('x', 'y', 'Working')]);
    for (const state of [node('x', 'y', 'Working'), node('y', 'y', 'Done')]) {
      expect(followUpdate(state, begun?.memory ?? {}, NOW, false)).toEqual({ memory: {} });
    }
    expect(followUpdate(labelled(''), {}, NOW, false).hold?.reason).toBe('NodeUpdating');
  });

  test('that is Degraded stays held, also when it is back at the configuration that it came from', () => {
    const plans = follow([node('x', 'y', 'Working'), node('x', 'y', 'Degraded'), node('x', 'x', 'Degraded')]);
    expect(plans.map(({ hold }) => hold?.message)).toEqual([
      'The Machine Config Operator updates the node from x to y.',
      'The Machine Config Operator could not update the node (Degraded) from x to y.',
      'The Machine Config Operator could not update the node (Degraded) from x to x.',
    ]);
    expect(follow([node('x', 'x', 'Done')], plans.at(-1)?.memory)[0]?.finished).toEqual({ from: 'x', to: 'x' });
  });

  test('stays held in a state that nobody knows, until it is Done', () => {
    const plans = follow([node('x', 'y', 'Working'), node('y', 'y', 'Unreconcilable'), node('y', 'y', 'Done')]);
    expect(plans.map(({ hold }) => hold !== undefined)).toEqual([true, true, false]);
  });

  test('that was never begun is no reason to hold a node because it is Degraded: a changed file makes it so', () => {
    const plans = follow([node('x', 'x', 'Done'), node('x', 'x', 'Degraded'), node('x', 'x', 'Done')]);
    expect(plans.map(({ hold }) => hold)).toEqual([undefined, undefined, undefined]);
    expect(plans.map(({ finished }) => finished)).toEqual([undefined, undefined, undefined]);
  });

  test('that began and ended unseen shows by the configuration', () => {
    const [plan] = follow([node('y', 'y', 'Done')], { configuration: 'x' });
    expect(plan).toMatchObject({ finished: { from: 'x', to: 'y' }, memory: { configuration: 'y' } });
  });

  test('that is seen only when the node has the new configuration, and is not Done, is told of from the old one', () => {
    const plans = follow([node('y', 'y', 'Working'), node('y', 'y', 'Done')], { configuration: 'x' });
    expect(plans[0]?.hold?.message).toContain('from x to y');
    expect(plans[1]?.finished).toEqual({ from: 'x', to: 'y' });
    expect(follow([node('y', 'y', 'Degraded')], { configuration: 'x' })[0]?.hold?.reason).toBe('MachineConfig');
  });

  test('is none of a node that stops saying which configuration it has, and then says another one than is desired', () => {
    const silent = annotated(aNode('a'), { 'machineconfiguration.openshift.io/desiredConfig': 'x' });
    const plans = follow([node('x', 'x', 'Done'), silent, node('y', 'x', 'Working'), silent, node('x', 'x', 'Done')]);
    expect(plans.map(({ hold }) => hold?.reason)).toEqual([
      undefined,
      undefined,
      'MachineConfig',
      undefined,
      undefined,
    ]);
    expect(plans.map(({ finished }) => finished)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  test('is over when the annotations are gone', () => {
    const [, after] = follow([node('x', 'y', 'Working'), aNode('a')]);
    expect(after).toMatchObject({ finished: { from: 'x', to: 'y' }, memory: {} });
    expect(after?.hold).toBeUndefined();
  });

  test('does not put what a node writes unread into sentences', () => {
    const [plan] = follow([node('x\u001b[2J', `y${'z'.repeat(5000)}`, 'Working')]);
    expect(plan?.hold?.message).toContain('from x\\x1b[2J to yzz');
    expect(plan?.hold?.message.length).toBeLessThan(800);
  });
});

describe('an update that the label marks', () => {
  test('holds while the label is there and names the system before and after', () => {
    const plans = follow([labelled(''), labelled(''), aNode('a')]);
    expect(plans.map(({ hold }) => hold?.reason)).toEqual(['NodeUpdating', 'NodeUpdating', undefined]);
    const system = 'Debian GNU/Linux 13 (trixie), kernel 6.12.0, kubelet v1.36.3';
    expect(plans[2]?.finished).toEqual({ from: system, to: system });
  });

  test('says to what, when the label has a value', () => {
    expect(follow([labelled('trixie-13.2')])[0]?.hold?.message).toBe(
      `The label ${UPDATING_LABEL} says that the node is being updated to trixie-13.2.`,
    );
  });

  test('around one of the Machine Config Operator is one update, and names the configurations', () => {
    const withLabel = (state: Node) => ({
      ...state,
      metadata: { ...state.metadata, labels: { [UPDATING_LABEL]: '' } },
    });
    const plans = follow([
      node('x', 'x', 'Done'),
      withLabel(node('x', 'x', 'Done')),
      withLabel(node('x', 'y', 'Working')),
      withLabel(node('y', 'y', 'Done')),
      node('y', 'y', 'Done'),
    ]);
    expect(plans.map(({ finished }) => finished)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      { from: 'x', to: 'y' },
    ]);
  });
});

test('a node that nobody updates is remembered with its configuration only', () => {
  const [plain, configured] = follow([aNode('a'), node('x', 'x', 'Done')]);
  expect(plain).toEqual({ memory: {} });
  expect(configured).toEqual({ memory: { configuration: 'x' } });
  expect(
    followUpdate(annotated(aNode('a'), { 'machineconfiguration.openshift.io/state': 'Done' }), {}, NOW, true),
  ).toEqual({
    memory: {},
  });
});

describe('who holds', () => {
  const recorded = (state: Node, manager: string, part: 'annotations' | 'labels', key: string): Node => {
    const managedFields = [{ manager, fieldsV1: { 'f:metadata': { [`f:${part}`]: { [`f:${key}`]: {} } } } }];
    return { ...state, metadata: { ...state.metadata, managedFields } };
  };
  const annotation = (name: string) => `machineconfiguration.openshift.io/${name}`;

  test('is who the API server has recorded for what says that the node is being updated', () => {
    const working = recorded(node('x', 'x', 'Working'), 'kubectl-annotate', 'annotations', annotation('state'));
    expect(followUpdate(working, {}, NOW, true).hold?.owner).toBe('kubectl-annotate');
    const desired = recorded(
      node('x', 'y', 'Done'),
      'machine-config-controller',
      'annotations',
      annotation('desiredConfig'),
    );
    expect(followUpdate(desired, {}, NOW, true).hold?.owner).toBe('machine-config-controller');
    const marked = recorded(labelled('2'), 'upgrade\u001b[31m', 'labels', UPDATING_LABEL);
    expect(followUpdate(marked, {}, NOW, true).hold?.owner).toBe('upgrade\\x1b[31m');
  });

  test('is unknown where nothing is recorded', () => {
    expect(followUpdate(node('x', 'y', 'Done'), {}, NOW, true).hold?.owner).toBe('unknown');
  });
});
