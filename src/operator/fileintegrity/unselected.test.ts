import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  aNode,
  anIntegrity,
  aSettledWorld,
  carriedOut,
  eventsOf,
  memoryOn,
  NOW,
  ordersOf,
  settle,
  verbs,
  withAnnotations,
  withResult,
  withSpec,
  withStates,
} from '../../../test/support/operator-worlds.ts';
import { plan } from './plan.ts';
import type { World } from './world.ts';

const FORGET = 'file-integrity.openshift.io/forget';
const DAY_MS = 24 * 3600 * 1000;
const worker = { role: 'worker' };
const watching = anIntegrity({ nodeSelector: worker });
/** Two nodes that are watched because of their label. */
const before = aSettledWorld({ integrity: watching, nodes: [aNode('a', worker), aNode('b', worker)] });

/** The world with another node in the place of b. */
const withB = (world: World, b: Node): World => ({ ...world, nodes: [aNode('a', worker), b] });
const later = (world: World, ms: number): World => ({ ...world, now: new Date(NOW.getTime() + ms) });
const conditionOf = (world: World, type: string) =>
  world.integrity.status?.conditions?.find((condition) => condition.type === type);
const unselectedOn = (world: World, node: string) => world.statuses.get(node)?.unselected;

const relabelled = withB(before, aNode('b', { role: 'none' }));
const noExecute = { key: 'mine', value: 'yes', effect: 'NoExecute' };

describe('a node that was watched and', () => {
  test('has other labels keeps its record, and is shown until they fit again', () => {
    const failed = withResult(before, 'b', 'Failed');
    const world = carriedOut(withB(failed, aNode('b', { role: 'none' })));
    expect(unselectedOn(world, 'b')).toEqual({
      reason: 'Deselected',
      message: 'The node does not have the labels any more by which it was selected: role=worker, which is none.',
      since: NOW.toISOString(),
    });
    const shown = settle(withStates(world));
    expect(shown.statuses.get('b')?.state).toBe('Failed');
    expect(shown.statuses.get('b')?.baseline).toEqual(before.statuses.get('b')?.baseline);
    expect(conditionOf(shown, 'IntegrityHeld')?.status).toBe('False');
    expect(conditionOf(shown, 'Ready')).toMatchObject({ status: 'False', reason: 'NodesNotWatched' });
    expect(conditionOf(shown, 'Ready')?.message).toMatch(/^1 of 2 nodes: Deselected \(b\)\. .*forget\.$/);
    expect(shown.integrity.status?.nodes).toMatchObject({ selected: 1, deselected: 1, failed: 1, unwatched: 0 });
    const back = settle(withB(shown, aNode('b', worker)));
    expect(unselectedOn(back, 'b')).toBeUndefined();
    expect(ordersOf(back, 'b')).toEqual(ordersOf(before, 'b'));
    expect(conditionOf(back, 'Ready')?.status).toBe('True');
  });

  test('has other labels is shown for as long as nobody says that it is right', () => {
    const world = settle(relabelled);
    expect(verbs(later(world, 4000 * DAY_MS))).not.toContain('remove-node-status');
    expect(plan(world).outcome).toEqual({ kind: 'done' });
  });

  test('says that it runs Windows is shown', () => {
    const world = settle(withB(before, aNode('b', { ...worker, 'kubernetes.io/os': 'windows' })));
    expect(unselectedOn(world, 'b')?.reason).toBe('Deselected');
  });

  test('has a taint is shown, and is watched again when it ends, with the orders that it had', () => {
    const world = settle(withStates(carriedOut(withB(before, aNode('b', worker, [noExecute])))));
    expect(unselectedOn(world, 'b')).toMatchObject({
      reason: 'NotTolerated',
      message: 'The node has taints that are not tolerated: mine=yes:NoExecute.',
    });
    expect(world.statuses.get('b')?.state).toBe('Unwatched');
    expect(conditionOf(world, 'Ready')?.reason).toBe('NodesNotWatched');
    expect(world.integrity.status?.phase).toBe('Active');
    const back = settle(withB(world, aNode('b', worker)));
    expect(ordersOf(back, 'b')).toEqual(ordersOf(before, 'b'));
    expect(unselectedOn(back, 'b')).toBeUndefined();
  });

  test('has a taint and keeps one behind that lets running daemons stay is not watched again: none would be started', () => {
    const world = settle(withB(before, aNode('b', worker, [noExecute])));
    const half = settle(withB(world, aNode('b', worker, [{ key: 'other', effect: 'NoSchedule' }])));
    expect(unselectedOn(half, 'b')?.reason).toBe('NotTolerated');
  });

  test('is gone loses its status', () => {
    const world = { ...settle(relabelled), nodes: [aNode('a', worker)] };
    expect(actionsOf(world, 'remove-node-status').map(({ nodeName }) => nodeName)).toEqual(['b']);
    expect(eventsOf(world).join()).not.toContain('NodeForgotten');
  });

  test('was selected before the operator remembered by what is shown: nobody knows that it was asked for', () => {
    const b = before.statuses.get('b');
    const { metadata } = b ?? { metadata: {} };
    const forgetful = { ...b, metadata: { ...metadata, annotations: {} } } as typeof b & {};
    const world = { ...relabelled, statuses: new Map([...before.statuses, ['b', forgetful]]) };
    expect(unselectedOn(carriedOut(world), 'b')?.reason).toBe('Deselected');
  });
});

describe('a node that its FileIntegrity does not ask for any more', () => {
  const narrowed = settle(withSpec(before, { nodeSelector: { role: 'master' } }));

  test('keeps its record for as long as the spec says, and takes nothing from the others', () => {
    expect(unselectedOn(narrowed, 'b')).toMatchObject({ reason: 'SpecChanged', since: NOW.toISOString() });
    expect(conditionOf(narrowed, 'Ready')?.reason).toBe('NoNodes');
    expect(plan(narrowed).outcome).toEqual({ kind: 'done', requeueAfterMs: 30 * DAY_MS + 1 });
    expect(verbs(later(narrowed, 30 * DAY_MS - 1))).toEqual([]);
    const over = later(narrowed, 30 * DAY_MS);
    expect(actionsOf(over, 'remove-node-status')).toHaveLength(2);
    expect(eventsOf(over).join()).toContain('NodeForgotten');
  });

  test('goes at once where nothing is to be kept', () => {
    const history = { departedFor: 0 };
    const world = withSpec(before, { nodeSelector: { role: 'master' }, history });
    expect(actionsOf(world, 'remove-node-status')).toHaveLength(2);
  });

  test('because of the tolerations, likewise', () => {
    const tolerations = [{ key: 'mine', operator: 'Exists' as const }];
    const tolerant = aSettledWorld({
      integrity: anIntegrity({ nodeSelector: worker, tolerations }),
      nodes: [aNode('a', worker), aNode('b', worker, [noExecute])],
    });
    const world = settle(withSpec(tolerant, { tolerations: [] }));
    expect(unselectedOn(world, 'b')?.reason).toBe('SpecChanged');
    expect(conditionOf(world, 'Ready')?.status).toBe('True');
  });

  test('and has findings is told of, and what was found on it stands', () => {
    const failed = withResult(before, 'b', 'Failed');
    const asked = withSpec(failed, { nodeSelector: { role: 'master' } });
    expect(eventsOf(asked)).toContain(
      'NodeNotWatched: Not watched any more, because the FileIntegrity does not ask for them: a, b. Failed: b.',
    );
    const world = settle(withStates(carriedOut(asked)));
    expect(conditionOf(world, 'IntegrityHeld')?.status).toBe('False');
  });

  test('and that has dropped out of sight before stays in sight while the new selector fits what it was', () => {
    const dropped = settle(relabelled);
    const other = settle(withSpec(dropped, { nodeSelector: {}, tolerations: [] }));
    expect(unselectedOn(other, 'b')).toBeUndefined(); // every node is asked for
    const same = settle(withSpec(dropped, { nodeSelector: worker, debug: true, tolerations: [] }));
    expect(unselectedOn(same, 'b')?.reason).toBe('Deselected');
    const narrower = settle(withSpec(dropped, { nodeSelector: { ...worker, pool: 'x' } }));
    expect(unselectedOn(narrower, 'b')?.reason).toBe('SpecChanged');
  });
});

describe('the annotation forget', () => {
  const dropped = settle(withStates(carriedOut(withB(withResult(before, 'b', 'Failed'), aNode('b')))));

  test.each(['b', ''])(
    '%j ends that a node is shown which dropped out of sight, and tells what was found on it',
    (value) => {
      const asked = withAnnotations(dropped, { [FORGET]: value });
      expect(actionsOf(asked, 'remove-node-status').map(({ nodeName }) => nodeName)).toEqual(['b']);
      expect(eventsOf(asked)).toContain(
        'NodeForgotten: What is on record is shown no longer, as unknown asked: b. Failed: b.',
      );
      const world = settle(asked);
      expect(world.integrity.metadata.annotations).toEqual({});
      expect(conditionOf(world, 'Ready')?.status).toBe('True');
      expect(world.statuses.has('a')).toBe(true);
    },
  );

  test('does nothing to a node that is watched, and says so', () => {
    const asked = withAnnotations(dropped, { [FORGET]: 'a' });
    expect(verbs(asked)).toEqual(['remove-annotations', 'event']);
    expect(eventsOf(asked)).toEqual(['NodeNotForgotten: Not forgotten, because they are watched: a.']);
    expect(settle(asked).statuses.size).toBe(2);
  });
});

describe('nodes that are not tolerated', () => {
  const control = aNode('c', {}, [{ key: 'example.com/reserved', effect: 'NoSchedule' }]);

  test('and never were watched are counted and named, and make nothing False', () => {
    const world = aSettledWorld({ nodes: [aNode('a'), control] });
    expect(world.integrity.status?.nodes).toMatchObject({ selected: 1, notTolerated: 1, deselected: 0 });
    expect(conditionOf(world, 'Ready')).toMatchObject({
      status: 'True',
      message: 'The one node is watched. Not watched, because the tolerations do not admit them: 1 node (c).',
    });
  });

  test('are told of where there are no others', () => {
    const world = aSettledWorld({ nodes: [control] });
    expect(conditionOf(world, 'Ready')?.message).toBe(
      'No node is selected: nothing is watched. Not watched, because the tolerations do not admit them: 1 node (c).',
    );
  });
});

describe('what is on record of a node whose status goes', () => {
  const written = (world: World) => actionsOf(world, 'write-departed').flatMap(({ nodes }) => nodes);
  const b = before.statuses.get('b');

  test('is written down before the status goes, with why', () => {
    const gone = { ...withResult(before, 'b', 'Failed'), nodes: [aNode('a', worker)] };
    expect(verbs(gone).slice(0, 2)).toEqual(['write-departed', 'remove-node-status']);
    expect(written(gone)).toMatchObject([
      { node: 'b', why: 'gone', uid: 'uid-of-b', baseline: b?.baseline, lastResult: { condition: 'Failed' } },
    ]);
    const asked = withAnnotations(settle(relabelled), { [FORGET]: 'b' });
    expect(written(asked)).toMatchObject([{ node: 'b', why: 'forgotten', who: 'unknown' }]);
  });

  test('goes with the status that is made for the name, until the results have it', () => {
    const gone = settle({ ...before, nodes: [aNode('a', worker)] });
    const made = carriedOut({ ...gone, nodes: before.nodes });
    expect(made.statuses.get('b')?.predecessor).toEqual({
      at: NOW.toISOString(),
      why: 'gone',
      uid: 'uid-of-b',
      baseline: b?.baseline,
    });
    expect(made.statuses.get('b')?.predecessor).not.toHaveProperty('node');
    expect(ordersOf(made, 'b')?.baseline.reason).toBe('Initial');
    // Another order than that of the status before: what was carried out then is no answer to it.
    expect(ordersOf(made, 'b')?.baseline.id).not.toBe(ordersOf(before, 'b')?.baseline.id);
    expect(carriedOut(made).statuses.get('b')?.predecessor).toBeDefined();
    expect(settle(made).statuses.get('b')?.predecessor).toBeUndefined();
  });

  test('is written down as soon as it is seen that somebody removed the status', () => {
    const node = {
      node: 'b',
      at: NOW.toISOString(),
      why: 'removed',
      baseline: b?.baseline,
    } as World['unwritten'][number];
    const statuses = new Map([...before.statuses].filter(([name]) => name !== 'b'));
    const removed = { ...before, statuses, unwritten: [node], departed: new Map([['b', node]]) };
    expect(verbs(removed)[0]).toBe('write-departed');
    expect(carriedOut(removed).statuses.get('b')?.predecessor?.why).toBe('removed');
    const deleted = { ...removed.integrity.metadata, deletionTimestamp: NOW.toISOString() };
    expect(verbs({ ...removed, integrity: { ...removed.integrity, metadata: deleted } })).toEqual(['write-departed']);
  });
});

test('by what a node was selected is remembered, unless the selector is too large', () => {
  expect(memoryOn(before, 'a')?.selected).toEqual({ labels: worker });
  const large = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key-${index}`, 'v'.repeat(60)]));
  const world = aSettledWorld({ integrity: anIntegrity({ nodeSelector: large }), nodes: [aNode('a', large)] });
  expect(memoryOn(world, 'a')?.selected).toEqual({});
  expect(unselectedOn(settle({ ...world, nodes: [aNode('a')] }), 'a')?.reason).toBe('Deselected');
});
