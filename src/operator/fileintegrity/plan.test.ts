import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  aNode,
  anIntegrity,
  aSettledWorld,
  aWorld,
  carriedOut,
  eventsOf,
  machineConfigured,
  minutesBefore,
  NOW,
  ordersOf,
  settle,
  updatedOf,
  verbs,
  withAnnotations,
  withBaselinesMade,
  withResult,
  withSpec,
} from '../../../test/support/operator-worlds.ts';
import { plan } from './plan.ts';
import type { World } from './world.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const reinit = (nodes: string) => ({ [key('re-init')]: nodes });

describe('a new FileIntegrity', () => {
  test('gets its configuration, the orders of each node, its daemon set and its status', () => {
    expect(verbs(aWorld())).toEqual([
      'apply-configuration',
      'apply-node-status',
      'apply-node-status',
      'apply-daemon-set',
      'write-status',
      'event',
    ]);
  });

  test('is Pending until there is a daemon set, then Initializing until each node has its baseline, then Active', () => {
    const phases: (string | undefined)[] = [];
    let world = aWorld();
    for (let round = 0; round < 4; round++) {
      world = round === 2 ? withBaselinesMade(carriedOut(world)) : carriedOut(world);
      phases.push(world.integrity.status?.phase);
    }
    expect(phases).toEqual(['Pending', 'Initializing', 'Initializing', 'Active']);
  });

  test('has nothing more done for it once all is as it should be', () => {
    expect(verbs(aSettledWorld())).toEqual([]);
  });

  test('gets no daemon set and no orders before its initial delay is over, counted from its creation', () => {
    const integrity = anIntegrity({ config: { initialDelay: 3660 } });
    const world = aWorld({ integrity });
    expect(verbs(world)).toEqual(['apply-configuration', 'write-status', 'event']);
    expect(plan(world).outcome).toEqual({
      kind: 'waiting',
      reason: 'the initial delay is not over',
      requeueAfterMs: 60_000,
    });
    const later = { ...world, now: new Date(NOW.getTime() + 60_000) };
    expect(verbs(later)).toContain('apply-daemon-set');
  });

  test('whose delay is raised later keeps its daemon set up to date', () => {
    const world = withSpec(aSettledWorld(), { config: { initialDelay: 1_000_000 }, debug: true });
    expect(actionsOf(world, 'apply-node-status')).toHaveLength(2);
    expect(plan(world).outcome).toEqual({ kind: 'done' });
  });

  test('that is being deleted has nothing done for it', () => {
    const integrity = anIntegrity();
    const world = aWorld({
      integrity: { ...integrity, metadata: { ...integrity.metadata, deletionTimestamp: minutesBefore(1) } },
    });
    expect(verbs(world)).toEqual([]);
  });

  test('does not overwrite a config map of the user that bears its name', () => {
    const world = aWorld({ effective: { metadata: { name: 'worker', namespace: 'fio' }, data: { mine: '' } } });
    expect(verbs(world)).toEqual(['write-status', 'event', 'event']);
    expect(plan(world).outcome).toMatchObject({ kind: 'waiting' });
    expect(verbs(carriedOut(world))).toEqual([]);
    const { status } = carriedOut(world).integrity;
    expect(status?.phase).toBe('Error');
    for (const [type, value] of [
      ['Ready', 'False'],
      ['Stalled', 'True'],
    ]) {
      expect(status?.conditions).toContainEqual(expect.objectContaining({ type, status: value, reason: 'NameTaken' }));
    }
  });
});

describe('a change of the spec', () => {
  test('of gracePeriod, debug or maxBackups goes to the nodes as orders and restarts no daemon', () => {
    const world = withSpec(aSettledWorld(), { debug: true, config: { gracePeriod: 60, maxBackups: 1 } });
    expect(verbs(world)).toEqual(['apply-node-status', 'apply-node-status']);
    expect(ordersOf(carriedOut(world), 'a')?.settings).toEqual({ gracePeriod: 60, maxBackups: 1, debug: true });
  });

  test('of the node selector makes new statuses, and marks those that are not asked for any more', () => {
    const nodes = [aNode('a', { pool: 'x' }), aNode('b', { pool: 'y' })];
    const before = withSpec(aSettledWorld({ nodes }), { nodeSelector: { pool: 'y' } });
    const world = withSpec(settle(before), { nodeSelector: { pool: 'x' } });
    expect(actionsOf(world, 'remove-node-status')).toEqual([]);
    expect(carriedOut(world).statuses.get('b')?.unselected?.reason).toBe('SpecChanged');
    expect(carriedOut(world).statuses.get('a')?.unselected).toBeUndefined();
    expect(verbs(world)).toContain('apply-daemon-set');
  });

  test('from an absent to an empty node selector changes nothing', () => {
    expect(verbs(withSpec(aSettledWorld(), { nodeSelector: {} }))).toEqual([]);
  });

  test('of the resources changes the daemon set', () => {
    const world = withSpec(aSettledWorld(), { resources: { limits: { memory: '1Gi', cpu: 1 } } });
    const [action] = actionsOf(world, 'apply-daemon-set');
    expect(action?.object.spec?.template.spec?.containers[0]?.resources).toEqual({
      limits: { memory: '1Gi', cpu: '1' },
    });
  });
});

describe('nodes that come and go', () => {
  test('a node that joins gets orders', () => {
    const world = aSettledWorld();
    const grown = { ...world, nodes: [...world.nodes, aNode('c')] };
    expect(actionsOf(grown, 'apply-node-status').map(({ object }) => object.nodeName)).toEqual(['c']);
  });

  test('a node that is gone loses its status', () => {
    const world = { ...aSettledWorld(), nodes: [aNode('a')] };
    expect(actionsOf(world, 'remove-node-status')).toEqual([
      { do: 'remove-node-status', name: 'worker-b', nodeName: 'b', uid: 'uid-of-status-b' },
    ]);
  });

  test('a node whose status name belongs to another FileIntegrity is told of and left alone', () => {
    const world = aWorld({ foreignStatuses: new Map([['worker-a', 'another']]) });
    expect(actionsOf(world, 'apply-node-status').map(({ object }) => object.nodeName)).toEqual(['b']);
    expect(eventsOf(world)).toContain(
      'NameTaken: Not watched, because the names of their node statuses belong to something else: a.',
    );
    expect(verbs(settle(world))).toEqual([]);
  });

  test('a node whose status is still that of an earlier FileIntegrity of the same name waits until that is gone', () => {
    const world = aWorld({ foreignStatuses: new Map([['worker-a', 'worker']]) });
    expect(actionsOf(world, 'apply-node-status').map(({ object }) => object.nodeName)).toEqual(['b']);
    expect(eventsOf(world).join()).not.toContain('NameTaken');
    expect(settle({ ...settle(world), foreignStatuses: new Map() }).statuses.size).toBe(2);
  });
});

describe('re-init', () => {
  test('of all nodes: the request is written before the annotation goes, and each node gets its order', () => {
    const asked = withAnnotations(aSettledWorld(), reinit(''));
    expect(verbs(asked).slice(0, 2)).toEqual(['apply-configuration', 'remove-annotations']);
    const world = carriedOut(asked);
    expect(updatedOf(world)).toBe('');
    expect(ordersOf(world, 'a')?.baseline).toMatchObject({ reason: 'Demand', id: ordersOf(world, 'b')?.baseline.id });
    expect(settle(world).integrity.status?.phase).toBe('Active');
    expect(updatedOf(settle(world))).toBeUndefined();
  });

  test('of named nodes touches no other, not one whose name begins alike either', () => {
    const nodes = ['node-1', 'node-10', 'node-2'].map((name) => aNode(name));
    const before = aSettledWorld({ nodes });
    const world = carriedOut(withAnnotations(before, reinit('node-1, node-2')));
    expect(updatedOf(world)).toBe('node-1,node-2');
    expect(ordersOf(world, 'node-1')?.baseline.reason).toBe('Demand');
    expect(ordersOf(world, 'node-10')).toEqual(ordersOf(before, 'node-10'));
  });

  test('a node leaves the list when its receipt is in', () => {
    const asked = carriedOut(withAnnotations(aSettledWorld(), reinit('a,b')));
    const a = withBaselinesMade(asked).statuses.get('a');
    const world = a ? carriedOut({ ...asked, statuses: new Map([...asked.statuses, ['a', a]]) }) : asked;
    expect(updatedOf(world)).toBe('b');
  });

  test('of a node that nobody knows is told of, and over at once', () => {
    const world = withAnnotations(aSettledWorld(), reinit('nobody\u001b[2J'));
    expect(eventsOf(world)).toEqual([
      'ReinitUnknownNode: Not re-initialised, because this FileIntegrity watches no such node: nobody\\x1b[2J.',
    ]);
    expect(updatedOf(carriedOut(world))).toBeUndefined();
    expect(actionsOf(world, 'apply-node-status')).toEqual([]);
  });

  test('on failed touches only the nodes whose last result is Failed', () => {
    const failed = withResult(withResult(aSettledWorld(), 'a', 'Failed'), 'b', 'Errored');
    const world = carriedOut(withAnnotations(failed, { [key('re-init-on-failed')]: '' }));
    expect(ordersOf(world, 'a')?.baseline.reason).toBe('Failed');
    expect(ordersOf(world, 'b')?.baseline.reason).toBe('Initial');
    expect(world.integrity.metadata.annotations).toEqual({});
  });

  test('on failed with no failed node re-initialises nobody', () => {
    const world = withAnnotations(aSettledWorld(), { [key('re-init-on-failed')]: '' });
    expect(actionsOf(world, 'apply-node-status')).toEqual([]);
    expect(settle(world).integrity.metadata.annotations).toEqual({});
  });

  test('is not taken up twice when the operator dies between writing the request and removing the annotation', () => {
    const asked = withAnnotations(aSettledWorld(), reinit(''));
    const [write] = actionsOf(asked, 'apply-configuration');
    const afterCrash = write ? carriedOut(asked, [write]) : asked;
    expect(settle(afterCrash).effective).toMatchObject({ data: asked.effective?.data });
    expect(ordersOf(settle(afterCrash), 'a')?.baseline.id).toBe(ordersOf(settle(asked), 'a')?.baseline.id);
  });

  test('is not taken up again from an old copy of the FileIntegrity when it is long done', () => {
    const asked = withAnnotations(aSettledWorld(), reinit(''));
    const done = settle(asked);
    const stale = { ...done, integrity: { ...asked.integrity, status: done.integrity.status } } as World;
    expect(actionsOf(stale, 'apply-node-status')).toEqual([]);
  });

  test('asked for again while one is under way reaches the nodes that were named anew, and no other twice', () => {
    const first = carriedOut(withAnnotations(aSettledWorld(), reinit('')));
    const second = carriedOut(withAnnotations(first, reinit('b')));
    expect(ordersOf(second, 'a')).toEqual(ordersOf(first, 'a'));
    expect(ordersOf(second, 'b')?.baseline.id).not.toBe(ordersOf(first, 'b')?.baseline.id);
    const end = settle(second);
    expect(updatedOf(end)).toBeUndefined();
    expect(ordersOf(end, 'b')?.baseline.id).toBe(ordersOf(second, 'b')?.baseline.id);
  });

  test('of all nodes does not order a second baseline of a node that joins meanwhile', () => {
    const asked = carriedOut(withAnnotations(aSettledWorld(), reinit('')));
    const world = settle({ ...asked, nodes: [...asked.nodes, aNode('c')] });
    expect(ordersOf(world, 'c')?.baseline.reason).toBe('Initial');
  });

  test('that waits for a dead node does not repeat itself on a node that was updated meanwhile', () => {
    const nodes = [machineConfigured(aNode('a'), 'x', 'x', 'Done'), aNode('b')];
    const asked = carriedOut(withAnnotations(aSettledWorld({ nodes }), reinit('')));
    const done = withBaselinesMade(asked).statuses.get('a');
    const waiting = done ? { ...asked, statuses: new Map([...asked.statuses, ['a', done]]) } : asked;
    const updated = { ...waiting, nodes: [machineConfigured(aNode('a'), 'y', 'y', 'Done'), aNode('b')] };
    const world = carriedOut(carriedOut(updated));
    expect(ordersOf(world, 'a')?.baseline).toMatchObject({ reason: 'NodeUpdate', detail: 'from x to y' });
  });
});

describe('a hold', () => {
  test('by annotation holds the named nodes, says why and since when, and ends with the annotation', () => {
    const world = carriedOut(withAnnotations(aSettledWorld(), { [key('holdoff')]: 'a' }));
    expect(ordersOf(world, 'a')?.hold).toMatchObject({ reason: 'Annotation', since: NOW.toISOString() });
    expect(ordersOf(world, 'b')?.hold).toBeUndefined();
    const later = { ...world, now: new Date(NOW.getTime() + 60_000) };
    expect(verbs(later)).toEqual([]);
    const released = { ...later, integrity: anIntegrity({}, {}) };
    expect(actionsOf(released, 'apply-node-status')).toMatchObject([{ news: { hold: 'ends' } }]);
    expect(ordersOf(carriedOut(released), 'a')?.baseline).toEqual(ordersOf(world, 'a')?.baseline);
  });

  test('with an empty value holds every node', () => {
    const world = carriedOut(withAnnotations(aSettledWorld(), { [key('holdoff')]: '' }));
    expect([ordersOf(world, 'a')?.hold?.reason, ordersOf(world, 'b')?.hold?.reason]).toEqual([
      'Annotation',
      'Annotation',
    ]);
  });
});

describe('a node update', () => {
  const updating = (name: string) => machineConfigured(aNode(name), 'old', 'new', 'Working');

  test('holds the node, and orders a new baseline that names the update when it is over', () => {
    const before = aSettledWorld({ nodes: [machineConfigured(aNode('a'), 'old', 'old', 'Done'), aNode('b')] });
    const during = carriedOut({ ...before, nodes: [updating('a'), aNode('b')] });
    expect(ordersOf(during, 'a')?.hold).toMatchObject({ reason: 'MachineConfig', since: NOW.toISOString() });
    expect(ordersOf(during, 'a')?.baseline).toEqual(ordersOf(before, 'a')?.baseline);
    const after = carriedOut({ ...during, nodes: [machineConfigured(aNode('a'), 'new', 'new', 'Done'), aNode('b')] });
    expect(ordersOf(after, 'a')?.hold).toBeUndefined();
    expect(ordersOf(after, 'a')?.baseline).toMatchObject({ reason: 'NodeUpdate', detail: 'from old to new' });
    expect(ordersOf(after, 'b')).toEqual(ordersOf(before, 'b'));
    expect(verbs(settle(after))).toEqual([]);
  });

  test('of a node that vanishes in the middle ends with its status', () => {
    const before = aSettledWorld({ nodes: [updating('a'), aNode('b')] });
    const world = { ...before, nodes: [aNode('b')] };
    expect(actionsOf(world, 'remove-node-status')).toHaveLength(1);
    expect(settle(world).integrity.status?.phase).toBe('Active');
  });
});

describe('the configuration', () => {
  const user = (text: string): World['judged'] => ({
    kind: 'user',
    source: 'fio/mine:aide.conf',
    text,
    notes: [],
    remarks: [],
  });

  test('once changed orders a new baseline of every node, and the same one never orders twice', () => {
    const changed = carriedOut({ ...aSettledWorld(), judged: user('/etc R\n') });
    expect(ordersOf(changed, 'a')?.baseline.reason).toBe('Configuration');
    expect(verbs(settle(changed))).toEqual([]);
  });

  test('changed back is another change', () => {
    const before = aSettledWorld();
    const back = settle({ ...settle({ ...before, judged: user('/etc R\n') }), judged: { kind: 'default' } });
    expect(ordersOf(back, 'a')?.baseline.reason).toBe('Configuration');
    expect(back.effective?.data).toEqual(before.effective?.data);
  });

  test('that is refused leaves the last good one on the nodes, and the phase is Error until it is mended', () => {
    const good = settle({ ...aSettledWorld(), judged: user('/etc R\n') });
    const refused: World['judged'] = {
      kind: 'refused',
      source: 'fio/mine:aide.conf',
      message: 'line 3: no such group.',
    };
    const bad = settle({ ...good, judged: refused });
    expect(bad.integrity.status?.phase).toBe('Error');
    expect(bad.integrity.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'ConfigurationValid', status: 'False', reason: 'Refused' }),
    );
    expect(eventsOf({ ...good, judged: refused })).toContainEqual(
      expect.stringMatching(
        /^ConfigurationRefused: line 3: no such group\. The last good one, fio\/mine:aide\.conf as of \S+, stays in use /,
      ),
    );
    expect(bad.effective).toEqual(good.effective);
    expect(ordersOf(bad, 'a')).toEqual(ordersOf(good, 'a'));
    expect(settle({ ...bad, judged: user('/etc R\n') }).integrity.status?.phase).toBe('Active');
  });

  test('edited by hand while the user’s is refused is not taken for the last good one', () => {
    const good = settle({ ...aSettledWorld(), judged: user('/etc R\n') });
    const effective = { ...good.effective, data: { 'aide.conf': '' } };
    const world = settle({ ...good, effective, judged: { kind: 'refused', source: 'x', message: 'no.' } });
    expect(world.effective?.data).toEqual({ 'aide.conf': '/usr linux\n' });
  });

  test('is chosen per node: OpenShift nodes and others each get the default for their kind', () => {
    const nodes = [
      aNode('a'),
      machineConfigured(aNode('b'), 'x', 'x', 'Done'),
      machineConfigured(aNode('c'), 'x', 'x', 'Done'),
    ];
    const world = aSettledWorld({ nodes });
    expect(world.effective?.data).toEqual({ 'aide.conf': '/usr openshift\n', 'aide-linux.conf': '/usr linux\n' });
    expect(ordersOf(world, 'a')?.configuration.key).toBe('aide-linux.conf');
    expect(ordersOf(world, 'b')?.configuration.key).toBe('aide.conf');
    expect(world.integrity.status?.conditions?.find(({ type }) => type === 'ConfigurationValid')?.message).toBe(
      'The default configuration for OpenShift nodes (aide.conf, nodes: 2) and for general Linux nodes (aide-linux.conf, nodes: 1) is used.',
    );
  });

  test('keeps its keys when the other kind of node becomes the more frequent, so that nothing is re-initialised', () => {
    const before = aSettledWorld();
    const more = ['c', 'd', 'e'].map((name) => machineConfigured(aNode(name), 'x', 'x', 'Done'));
    const world = settle({ ...before, nodes: [...before.nodes, ...more] });
    expect(ordersOf(world, 'a')).toEqual(ordersOf(before, 'a'));
  });

  test('whose label was taken away gets it back', () => {
    const before = aSettledWorld();
    const { labels: _, ...metadata } = before.effective?.metadata ?? {};
    const world = { ...before, effective: { ...before.effective, metadata } };
    expect(verbs(world)).toEqual(['apply-configuration']);
  });
});

describe('the phase', () => {
  test('is Error, with a Warning event, while the last result of a node is Errored', () => {
    const world = withResult(aSettledWorld(), 'a', 'Errored');
    expect(eventsOf(world)).toEqual(['FileIntegrityStatus: Error']);
    expect(actionsOf(world, 'event')[0]?.type).toBe('Warning');
    const mended = withResult(carriedOut(world), 'a', 'Succeeded');
    expect(eventsOf(mended)).toEqual(['FileIntegrityStatus: Active']);
  });

  test('is Active while a node is Failed: the scan could be done', () => {
    expect(carriedOut(withResult(aSettledWorld(), 'a', 'Failed')).integrity.status?.phase).toBe('Active');
  });

  test('is Initializing while the daemon set is not ready on every node', () => {
    const world = aSettledWorld();
    const status = { ...world.daemonSet?.status, numberReady: 1 };
    const unready = { ...world, daemonSet: { ...world.daemonSet, status } } as World;
    expect(carriedOut(unready).integrity.status?.phase).toBe('Initializing');
  });

  test('keeps the time of its conditions while they do not change', () => {
    const world = { ...withResult(aSettledWorld(), 'a', 'Errored'), now: new Date(NOW.getTime() + 5000) };
    const conditions = carriedOut(world).integrity.status?.conditions ?? [];
    const time = (type: string) => conditions.find((condition) => condition.type === type)?.lastTransitionTime;
    expect(time('Ready')).toBe('2026-11-24T12:00:05.000Z');
    expect(time('ConfigurationValid')).toBe(NOW.toISOString());
  });
});

describe('a priority class', () => {
  test('that does not exist is cleared from the spec, with an event, and the daemons go without', () => {
    const integrity = anIntegrity({ priorityClassName: 'nope' });
    const world = aWorld({ integrity, priorityClass: 'unknown' });
    expect(verbs(world)).toContain('clear-priority-class');
    expect(eventsOf(world)[0]).toBe(
      'PriorityClass: The priority class nope does not exist. The daemons go without one.',
    );
    expect(actionsOf(world, 'apply-daemon-set')[0]?.object.spec?.template.spec?.priorityClassName).toBeUndefined();
  });

  test('that does not exist stays where the spec is to stay, and is told of once', () => {
    const integrity = anIntegrity({ priorityClassName: 'nope' }, { [key('keep-spec')]: '' });
    const world = settle(aWorld({ integrity, priorityClass: 'unknown' }));
    expect(world.integrity.spec.priorityClassName).toBe('nope');
    const valid = world.integrity.status?.conditions?.find(({ type }) => type === 'ConfigurationValid');
    expect(valid).toMatchObject({ status: 'True', reason: 'Warnings' });
    expect(valid?.message).toContain(' The priority class nope does not exist. The daemons go without one.');
    expect(eventsOf(aWorld({ integrity, priorityClass: 'unknown' })).join()).toContain('ConfigurationWarnings');
    expect(world.daemonSet?.spec?.template.spec?.priorityClassName).toBeUndefined();
    expect(verbs(world)).toEqual([]);
  });

  test('that exists is given to the daemons', () => {
    const integrity = anIntegrity({ priorityClassName: 'high' });
    const world = aWorld({ integrity, priorityClass: 'known' });
    expect(actionsOf(world, 'apply-daemon-set')[0]?.object.spec?.template.spec?.priorityClassName).toBe('high');
  });
});
