import { describe, expect, test } from 'vitest';
import {
  aNode,
  anIntegrity,
  aSettledWorld,
  aWorld,
  carriedOut,
  eventsOf,
  minutesBefore,
  NOW,
  settle,
  verbs,
  withAnnotations,
  withBaselinesMade,
  withResult,
  withStates,
} from '../../../test/support/operator-worlds.ts';
import type { Condition } from '../../api/condition.ts';
import { plan } from './plan.ts';
import type { World } from './world.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const condition = (world: World, type: string) =>
  carriedOut(world).integrity.status?.conditions?.find((each) => each.type === type);
const phase = (world: World) => carriedOut(world).integrity.status?.phase;

/** The world with a result of so many milliseconds after NOW. */
function resultAt(world: World, condition: 'Succeeded' | 'Errored', ms: number): World {
  const later = withResult(world, 'a', condition);
  const status = later.statuses.get('a');
  if (!status?.lastResult) throw new Error('no result');
  const lastResult = { ...status.lastResult, lastProbeTime: new Date(NOW.getTime() + ms).toISOString() };
  return { ...later, statuses: new Map([...later.statuses, ['a', { ...status, lastResult }]]) };
}

describe('the condition Ready', () => {
  test('is True when all nodes are watched', () => {
    expect(aSettledWorld().integrity.status?.conditions?.[0]).toMatchObject({
      type: 'Ready',
      status: 'True',
      message: 'All 2 nodes are watched.',
      observedGeneration: 1,
    });
  });

  test('names the nodes that are held: they are not scanned, which must not look like nothing found', () => {
    const world = withAnnotations(aSettledWorld(), { [key('holdoff')]: 'b' });
    expect(condition(world, 'Ready')).toMatchObject({
      status: 'True',
      message: '1 of 2 nodes watched. Held, and not scanned: b.',
    });
  });

  test('is False when all are held: then nothing is watched', () => {
    const world = withAnnotations(aSettledWorld(), { [key('holdoff')]: '' });
    expect(condition(world, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'NodesHeld',
      message: '0 of 2 nodes watched. Held, and not scanned: a, b.',
    });
    expect(phase(world)).toBe('Active');
  });

  test.each(['a,worker-22', 'true', 'worker-22'])('says, and an event, which of holdoff=%s is no node', (value) => {
    const world = withAnnotations(aSettledWorld(), { [key('holdoff')]: value });
    const told = `The annotation ${key('holdoff')} names what is no node that is watched: ${value.split(',').at(-1)}.`;
    expect(condition(world, 'Ready')?.message).toMatch(new RegExp(`watched.*${told}$`));
    expect(eventsOf(world)).toContain(`HoldoffUnknownNode: ${told}`);
    expect(eventsOf(carriedOut(world))).toEqual([]);
  });

  test('names the nodes with findings', () => {
    expect(condition(withResult(aSettledWorld(), 'a', 'Failed'), 'Ready')?.message).toBe(
      'All 2 nodes are watched. Changed files: a.',
    );
  });

  test('names the nodes that could not be scanned', () => {
    expect(condition(withResult(aSettledWorld(), 'a', 'Errored'), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Error',
      message: '1 of 2 nodes could not be scanned: a.',
    });
  });

  test('is False when no node is selected', () => {
    expect(condition({ ...aSettledWorld(), nodes: [] }, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'NoNodes',
    });
  });

  test('names some of many', () => {
    const nodes = Array.from({ length: 9 }, (_, index) => aNode(`n${index}`));
    const world = withAnnotations(aSettledWorld({ nodes }), { [key('holdoff')]: '' });
    expect(condition(world, 'Ready')?.message).toContain('n0, n1, n2, n3, n4 and 4 more.');
  });
});

describe('the condition Ready while a daemon does not run', () => {
  const at = (world: World, ms: number): World => ({ ...world, now: new Date(NOW.getTime() + ms) });
  const without = (world: World) => withStates(world, { b: { is: 'missing' } });

  test('is False as long as a roll-out may take, and then says which node is not watched', () => {
    const world = without(aSettledWorld());
    expect(condition(world, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Initializing',
      message: 'Not watched yet: 1 of 2 nodes: DaemonMissing (b).',
    });
    expect(condition(world, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'Initializing',
      message: 'Not watched yet: 1 of 2 nodes: DaemonMissing (b).',
    });
    expect(plan(world).outcome).toEqual({ kind: 'done', requeueAfterMs: 120_001 });
    const settled = carriedOut(world);
    expect(condition(at(settled, 119_999), 'Ready')?.reason).toBe('Initializing');
    expect(condition(at(settled, 120_000), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'NodesNotWatched',
      message: '1 of 2 nodes: DaemonMissing (b).',
      lastTransitionTime: NOW.toISOString(),
    });
    expect(plan(at(settled, 120_000)).outcome).toEqual({ kind: 'done' });
    expect(condition(withStates(at(settled, 120_000)), 'Ready')?.status).toBe('True');
  });

  test('is True where that node is held, which is said elsewhere', () => {
    const held = carriedOut(withAnnotations(aSettledWorld(), { [key('holdoff')]: 'b' }));
    const world = without(held);
    expect(condition(at(world, 600_000), 'Ready')).toMatchObject({
      status: 'True',
      message: '1 of 2 nodes watched. Held, and not scanned: b.',
    });
    expect(carriedOut(world).integrity.status?.nodes).toMatchObject({ selected: 2, watched: 1, held: 1 });
  });

  test('is False where nothing was said of a node yet', () => {
    const world = aSettledWorld();
    const statuses = [...world.statuses].map(([name, { status: _, state: __, ...rest }]) => [name, rest] as const);
    expect(condition({ ...world, statuses: new Map(statuses) }, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Initializing',
    });
  });
});

describe('the condition Stalled', () => {
  const refused: World['judged'] = { kind: 'refused', source: 'fio/mine:aide.conf', message: 'line 3: no such group.' };

  test('is there only while a person must act', () => {
    expect(condition(aSettledWorld(), 'Stalled')).toBeUndefined();
    const bad = settle({ ...aSettledWorld(), judged: refused });
    expect(condition(bad, 'Stalled')).toMatchObject({ status: 'True', reason: 'Refused' });
    expect(condition(settle({ ...bad, judged: { kind: 'default' } }), 'Stalled')).toBeUndefined();
  });

  test('is there while the name of a node status is taken', () => {
    const world = aWorld({ foreignStatuses: new Map([['worker-a', 'another']]) });
    expect(condition(settle(world), 'Stalled')).toMatchObject({ status: 'True', reason: 'NameTaken' });
    expect(carriedOut(settle(world)).integrity.status?.nodes).toMatchObject({ selected: 2, unwatched: 1 });
  });

  test('is not there for findings, silence, holds and scans that could not be done', () => {
    for (const result of ['Failed', 'Errored'] as const) {
      expect(condition(withResult(aSettledWorld(), 'a', result), 'Stalled')).toBeUndefined();
    }
    expect(condition(withAnnotations(aSettledWorld(), { [key('holdoff')]: '' }), 'Stalled')).toBeUndefined();
    expect(condition({ ...aSettledWorld(), nodes: [] }, 'Stalled')).toBeUndefined();
  });
});

describe('the condition Exclusive', () => {
  const shared = (nodes: string[]): World['others'] => [
    { integrity: anIntegrity(), selected: new Set(nodes), statuses: new Map() },
  ];

  test('is True while no other FileIntegrity watches its nodes', () => {
    expect(condition(aSettledWorld(), 'Exclusive')).toMatchObject({ status: 'True', reason: 'NoOther' });
    expect(condition({ ...aSettledWorld(), others: shared(['x']) }, 'Exclusive')?.status).toBe('True');
  });

  test('is False with the nodes that are shared, and that is told once', () => {
    const world = { ...aSettledWorld(), others: shared(['b']) };
    expect(condition(world, 'Exclusive')).toMatchObject({
      status: 'False',
      reason: 'NodesShared',
      message: 'Other FileIntegrities watch some of its nodes, too, and their scans take turns: worker (b).',
    });
    expect(eventsOf(world)).toEqual([expect.stringContaining('NodesShared: ')]);
    const more = { ...carriedOut(world), others: shared(['a', 'b']) };
    expect(verbs(more)).toEqual(['write-status']);
  });
});

describe('the condition AdmissionEnforced', () => {
  const type = 'AdmissionEnforced';
  const gone: World['admission'] = { is: 'not-enforced', faults: ['binding x is missing', 'policy y is missing'] };
  const enforced: World['admission'] = { is: 'enforced', policies: 8 };

  test('is there where somebody looks, and says what is wrong', () => {
    expect(condition(aSettledWorld(), type)).toBeUndefined();
    expect(condition({ ...aSettledWorld(), admission: enforced }, type)).toMatchObject({ status: 'True' });
    const { status, reason, message } = condition({ ...aSettledWorld(), admission: gone }, type) ?? {};
    expect([status, reason]).toEqual(['False', 'NotEnforced']);
    expect(message).toContain('binding x is missing; policy y is missing');
    const unreadable: World['admission'] = { is: 'unknown', reason: 'Unreadable', message: 'forbidden' };
    expect(condition({ ...aSettledWorld(), admission: unreadable }, type)).toMatchObject({ status: 'Unknown' });
  });

  test('is no part of Ready: the nodes are watched all the same', () => {
    expect(condition({ ...aSettledWorld(), admission: gone }, 'Ready')).toMatchObject({ status: 'True' });
  });

  test('names so many faults as can be read, and counts the others', () => {
    const faults = Array.from({ length: 9 }, (_, index) => `policy ${index} is missing`);
    const { message } = condition({ ...aSettledWorld(), admission: { is: 'not-enforced', faults } }, type) ?? {};
    expect(message).toContain('policy 5 is missing; and 3 more.');
  });

  test('is told of one that is new; of others it is told when it happens', () => {
    const told = expect.stringMatching(/^AdmissionNotEnforced: /);
    expect(eventsOf({ ...aWorld(), admission: gone })).toContainEqual(told);
    const world = carriedOut({ ...aSettledWorld(), admission: enforced });
    expect(eventsOf({ ...world, admission: gone })).not.toContainEqual(told);
  });

  test('never stays True while nothing can be done for a FileIntegrity', () => {
    const world = carriedOut({ ...aSettledWorld(), admission: enforced });
    const foreign = {
      ...world,
      effective: { metadata: { name: 'worker', namespace: 'fio' }, data: {} },
      admission: gone,
    };
    expect(condition(foreign, type)).toMatchObject({ status: 'False' });
  });
});

describe('a FileIntegrity for which nothing can be done', () => {
  test('goes on to say how its nodes are: their silence does not stay green', () => {
    const statuses = [...withResult(withResult(aSettledWorld(), 'a', 'Succeeded'), 'b', 'Succeeded').statuses];
    const world = settle({ ...aSettledWorld(), statuses: new Map(statuses) });
    expect(condition(world, 'Fresh')).toMatchObject({ status: 'True' });
    const foreign = { ...world, effective: { metadata: { name: 'worker', namespace: 'fio' }, data: {} } };
    const trouble = carriedOut(foreign);
    expect(condition(trouble, 'Ready')).toMatchObject({ status: 'False', reason: 'NameTaken' });
    expect(condition(trouble, 'ConfigurationValid')).toEqual(condition(world, 'ConfigurationValid'));
    const later = withStates({ ...trouble, now: new Date(NOW.getTime() + 3_600_000) });
    expect(condition(later, 'Fresh')).toMatchObject({ status: 'False', reason: 'Late' });
    expect(carriedOut(later).integrity.status?.nodes).toMatchObject({ selected: 2, silent: 2 });
  });
});

describe('the phase of a node that could not be scanned', () => {
  const at = (world: World, ms: number): World => ({ ...world, now: new Date(NOW.getTime() + ms) });

  test('is Error until it gets a new baseline, then Initializing until the scan after it', () => {
    const errored = carriedOut(resultAt(aSettledWorld(), 'Errored', 1000));
    expect(errored.integrity.status?.phase).toBe('Error');
    const asked = carriedOut(at(withAnnotations(errored, { [key('re-init')]: '' }), 5000));
    const based = carriedOut(withBaselinesMade(asked));
    expect([phase(asked), phase(based)]).toEqual(['Initializing', 'Initializing']);
    expect(condition(based, 'Ready')?.message).toBe('The scan after the new baseline is still to come: a.');
    expect(phase(resultAt(based, 'Succeeded', 6000))).toBe('Active');
    expect(phase(resultAt(based, 'Errored', 6000))).toBe('Error');
  });

  test('is Error also where the clock of the node is behind', () => {
    const behind = aSettledWorld();
    const statuses = [...behind.statuses].map(([name, status]) => {
      const baseline = status.baseline && { ...status.baseline, createdAt: minutesBefore(90) };
      return [name, { ...status, ...(baseline && { baseline }) }] as const;
    });
    expect(phase(resultAt({ ...behind, statuses: new Map(statuses) }, 'Errored', -80 * 60_000))).toBe('Error');
  });
});

describe('the status', () => {
  const other: Condition = {
    type: 'Audited',
    status: 'True',
    reason: 'Yes',
    message: '',
    lastTransitionTime: NOW.toISOString(),
  };
  const withConditions = (world: World, change: (conditions: readonly Condition[]) => Condition[]): World => {
    const { integrity } = world;
    const conditions = change(integrity.status?.conditions ?? []);
    return { ...world, integrity: { ...integrity, status: { ...integrity.status, conditions } } };
  };

  test('is not written because of somebody else’s condition or their order, and does not take that condition over', () => {
    const world = withConditions(aSettledWorld(), (conditions) => [other, ...conditions].reverse());
    expect(verbs(world)).toEqual([]);
    const failed = withResult(world, 'a', 'Failed');
    const written = plan(failed).actions.find((action) => action.do === 'write-status');
    const types = written?.status.conditions?.map(({ type }) => type);
    expect(types).toEqual([
      'Ready',
      'Progressing',
      'ConfigurationValid',
      'IntegrityHeld',
      'Fresh',
      'BaselineTrusted',
      'Exclusive',
    ]);
  });

  test('that lost a condition gets it back', () => {
    const world = withConditions(aSettledWorld(), (conditions) => conditions.slice(1));
    expect(verbs(world)).toEqual(['write-status']);
  });

  test('says of which generation it speaks', () => {
    const world = aSettledWorld();
    const next = {
      ...world,
      integrity: { ...world.integrity, metadata: { ...world.integrity.metadata, generation: 2 } },
    };
    const { status } = settle(next).integrity;
    expect(status?.observedGeneration).toBe(2);
    expect(new Set(status?.conditions?.map(({ observedGeneration }) => observedGeneration))).toEqual(new Set([2]));
    expect(eventsOf(next)).toEqual([]);
  });
});

describe('until when a FileIntegrity counts', () => {
  const worldOf = (times: Record<string, string | undefined>, standing?: string): World => {
    const world = aSettledWorld();
    const statuses = [...world.statuses].map(([name, status]) => {
      const { freshUntil: _, ...rest } = status;
      const freshUntil = times[name];
      return [name, { ...rest, ...(freshUntil !== undefined && { freshUntil }) }] as const;
    });
    const { status } = world.integrity;
    const before = {
      ...(status as NonNullable<typeof status>),
      ...(standing !== undefined && { freshUntil: standing }),
    };
    return { ...world, statuses: new Map(statuses), integrity: { ...world.integrity, status: before } };
  };
  const until = (world: World) => carriedOut(world).integrity.status?.freshUntil;
  const requeued = (world: World) => (plan(world).outcome as { requeueAfterMs?: number }).requeueAfterMs;

  test('is the earliest time of its nodes, and unknown while one has none', () => {
    expect(until(worldOf({ a: minutesBefore(-37), b: minutesBefore(-30) }))).toBe(minutesBefore(-30));
    expect(until(worldOf({ a: minutesBefore(-37), b: undefined }))).toBeUndefined();
    expect(until(worldOf({ a: minutesBefore(-37), b: minutesBefore(5) }))).toBe(minutesBefore(5));
  });

  test('stays what was written as long as that is early enough and will not be over soon', () => {
    const times = { a: minutesBefore(-37), b: minutesBefore(-30) };
    expect(until(worldOf(times, minutesBefore(-20)))).toBe(minutesBefore(-20));
    expect(until(worldOf(times, minutesBefore(-14)))).toBe(minutesBefore(-30));
    expect(until(worldOf(times, minutesBefore(-31)))).toBe(minutesBefore(-30));
  });

  test('is looked at again in time, though nothing tells', () => {
    expect(requeued(worldOf({ a: minutesBefore(-37), b: minutesBefore(-30) }))).toBe(15 * 60_000 + 1);
    expect(requeued(worldOf({ a: minutesBefore(5), b: minutesBefore(-30) }))).toBeUndefined();
  });
});

test('what asks for more than is allowed is in the condition of the configuration, and told', () => {
  const exceeded = ['spec.config.gracePeriod is 99 seconds, and counts as the most that is allowed, 10'];
  const world = { ...aSettledWorld(), exceeded };
  expect(condition(world, 'ConfigurationValid')).toMatchObject({ status: 'True', reason: 'Warnings' });
  expect(eventsOf(world)).toEqual([expect.stringContaining(`More than is allowed: ${exceeded[0]}.`)]);
  expect(verbs(settle(world))).toEqual([]);
  const refused: World['judged'] = { kind: 'refused', source: 'fio/mine:aide.conf', message: 'line 3: no.' };
  expect(condition({ ...world, judged: refused }, 'ConfigurationValid')?.message).toContain(`${exceeded[0]}.`);
});
