import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  aNode,
  aSettledWorld,
  carriedOut,
  eventsOf,
  machineConfigured,
  memoryOn,
  NOW,
  ordersOf,
  settle,
  verbs,
  withAnnotations,
  withBaselinesMade,
  withResult,
  withSpec,
  withStates,
} from '../../../test/support/operator-worlds.ts';
import type { World } from '../fileintegrity/world.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const at = (node: string, current: string, desired: string, state: string) =>
  machineConfigured(aNode(node), current, desired, state);

describe('orders for the same world', () => {
  test('are the same orders, whatever the time: planning again re-initialises nothing', () => {
    const asked = withAnnotations(aSettledWorld(), { [key('re-init')]: '' });
    const later = { ...asked, now: new Date(NOW.getTime() + 60_000) };
    expect(ordersOf(carriedOut(later), 'a')?.baseline.id).toBe(ordersOf(carriedOut(asked), 'a')?.baseline.id);
  });

  test('have a grace period of at least 10 seconds', () => {
    const periods = [-5, 0, 9, 10, 11].map((gracePeriod) => {
      const world = carriedOut(withSpec(aSettledWorld(), { config: { gracePeriod } }));
      return ordersOf(world, 'a')?.settings.gracePeriod;
    });
    expect(periods).toEqual([10, 10, 10, 10, 11]);
  });
});

describe('an update and what else happens at the same time', () => {
  const before = () => aSettledWorld({ nodes: [at('a', 'x', 'x', 'Done'), aNode('b')] });
  const during = () => carriedOut({ ...before(), nodes: [at('a', 'x', 'y', 'Working'), aNode('b')] });
  const done = (world: World): World => ({ ...world, nodes: [at('a', 'y', 'y', 'Done'), aNode('b')] });

  test('a re-init that is asked for when the update ends is carried out by the baseline after it, which names the update', () => {
    const world = carriedOut(done(withAnnotations(during(), { [key('re-init')]: 'a' })));
    expect(ordersOf(world, 'a')?.baseline).toMatchObject({ reason: 'NodeUpdate', detail: 'from x to y' });
    expect(verbs(settle(world))).toEqual([]);
  });

  test('a configuration that changes when the update ends leads to one baseline, which names the update', () => {
    const judged: World['judged'] = {
      kind: 'user',
      source: 'fio/mine:aide.conf',
      text: '/etc R\n',
      notes: [],
      remarks: [],
    };
    const world = carriedOut({ ...done(during()), judged });
    expect(ordersOf(world, 'a')?.baseline).toMatchObject({ reason: 'NodeUpdate', detail: 'from x to y' });
    expect(ordersOf(world, 'b')?.baseline.reason).toBe('Configuration');
  });

  test('what the update changed is remembered until a baseline has it, also when another order takes the place', () => {
    const updated = carriedOut(done(during()));
    expect(memoryOn(updated, 'a').updated).toEqual({ from: 'x', to: 'y' });
    const asked = carriedOut(withAnnotations(updated, { [key('re-init')]: 'a' }));
    expect(ordersOf(asked, 'a')?.baseline.reason).toBe('Demand');
    expect(ordersOf(asked, 'a')?.baseline.detail).toContain('the node was updated from x to y');
    expect(memoryOn(asked, 'a').updated).toEqual({ from: 'x', to: 'y' });
    expect(memoryOn(settle(asked), 'a').updated).toBeUndefined();
  });

  test('a second update before the baseline of the first is told of from the first configuration', () => {
    const updated = carriedOut(done(during()));
    const again = carriedOut({ ...updated, nodes: [at('a', 'y', 'z', 'Working'), aNode('b')] });
    const world = carriedOut({ ...again, nodes: [at('a', 'z', 'z', 'Done'), aNode('b')] });
    expect(ordersOf(world, 'a')?.baseline.detail).toBe('from x to z');
  });

  test('a re-init asked for while the node is held waits, and is carried out after the update', () => {
    const asked = settle(withAnnotations(during(), { [key('re-init')]: '' }));
    expect(ordersOf(asked, 'a')).toMatchObject({ hold: { reason: 'MachineConfig' }, baseline: { reason: 'Demand' } });
    expect(asked.integrity.status?.phase).toBe('Initializing');
    expect(settle(done(asked)).integrity.status?.phase).toBe('Active');
  });

  test('a node that is held by annotation too stays held when its update ends', () => {
    const world = carriedOut(done(withAnnotations(during(), { [key('holdoff')]: 'a' })));
    expect(ordersOf(world, 'a')).toMatchObject({ hold: { reason: 'Annotation' }, baseline: { reason: 'NodeUpdate' } });
  });

  test('nodes that are updated one after another are held one after another', () => {
    const fleet = (...states: [string, string, string][]) => states.map((state, index) => at(`n${index}`, ...state));
    const old: [string, string, string] = ['x', 'x', 'Done'];
    const working: [string, string, string] = ['x', 'y', 'Working'];
    const updated: [string, string, string] = ['y', 'y', 'Done'];
    let world = aSettledWorld({ nodes: fleet(old, old, old) });
    const held: string[][] = [];
    for (const nodes of [fleet(working, old, old), fleet(updated, working, old), fleet(updated, updated, working)]) {
      world = settle({ ...world, nodes });
      held.push([...world.statuses.keys()].filter((name) => ordersOf(world, name)?.hold));
    }
    expect(held).toEqual([['n0'], ['n1'], ['n2']]);
    world = settle({ ...world, nodes: fleet(updated, updated, updated) });
    expect(['n0', 'n1', 'n2'].map((name) => ordersOf(world, name)?.baseline.detail)).toEqual([
      'from x to y',
      'from x to y',
      'from x to y',
    ]);
  });
});

describe('a node that says something else of itself than before', () => {
  test('keeps the default configuration that was chosen for it: a node cannot have itself re-initialised that way', () => {
    const world = aSettledWorld();
    const claims = { ...world, nodes: [at('a', 'x', 'x', 'Done'), aNode('b')] };
    expect(ordersOf(carriedOut(claims), 'a')).toEqual(ordersOf(world, 'a'));
    expect(carriedOut(claims).effective?.data).toEqual(world.effective?.data);
  });

  test('and is another machine of the same name loses what the first one said, and starts afresh', () => {
    const failed = withResult(aSettledWorld(), 'a', 'Failed');
    const other = aNode('a');
    const replaced = {
      ...failed,
      nodes: [{ ...other, metadata: { ...other.metadata, uid: 'another' } }, aNode('b')],
    };
    expect(actionsOf(replaced, 'remove-node-status')).toMatchObject([{ nodeName: 'a' }]);
    expect(actionsOf(replaced, 'apply-node-status')).toEqual([]);
    const world = settle(replaced);
    expect(world.statuses.get('a')?.lastResult).toBeUndefined();
    expect(ordersOf(world, 'a')?.baseline.reason).toBe('Initial');
    expect(ordersOf(world, 'a')?.baseline.id).not.toBe(ordersOf(failed, 'a')?.baseline.id);
  });
});

describe('the annotation holdoff', () => {
  const held = (value: string) => {
    const nodes = ['node-1', 'node-10', 'node-2'].map((name) => aNode(name));
    const world = carriedOut(withAnnotations(aSettledWorld({ nodes }), { [key('holdoff')]: value }));
    return [...world.statuses.keys()].filter((name) => ordersOf(world, name)?.hold);
  };

  test('names nodes exactly', () => {
    expect(held('node-10')).toEqual(['node-10']);
    expect(held(' node-1 ,, node-2')).toEqual(['node-1', 'node-2']);
  });

  test.each([
    ['of commas alone', ',,,,', []],
    ['of other characters than names have', 'node‑1,ｎode-2,\u202enode-1,node-10', ['node-10']],
    ['of 256 KiB', `${'x,'.repeat(131_000)}`, []],
    ['that is too long, whose last name is cut', `${'x,'.repeat(131_069)}node-10000`, []],
  ])('with a value %s holds none but the named', (_, value, names) => {
    expect(held(value)).toEqual(names);
  });
});

describe('what is told of orders', () => {
  test('of a re-init: who asked for it, and which nodes had findings that it accepts', () => {
    const world = withAnnotations(withResult(aSettledWorld(), 'b', 'Failed'), { [key('re-init')]: '' });
    const [name] = actionsOf(world, 'write-record').map(({ record }) => record.name);
    const recorded = `What it erases is recorded in ${name}.`;
    expect(eventsOf(world)).toEqual([
      `ReinitRequested: A re-initialisation of every node was asked for by unknown. It accepts the findings on b. ${recorded}`,
      `BaselineOrdered: A new baseline of 2 nodes was ordered (Demand: asked for by unknown): a, b. It accepts the findings on b. ${recorded}`,
      'FileIntegrityStatus: Initializing',
    ]);
  });

  test('of an update: from which configuration to which', () => {
    const before = aSettledWorld({ nodes: [at('a', 'x', 'x', 'Done'), aNode('b')] });
    const during = { ...before, nodes: [at('a', 'x', 'y', 'Working'), aNode('b')] };
    expect(eventsOf(during)).toEqual([
      'NodeHeld: No scan is started on 1 node (The Machine Config Operator updates the node from x to y.): a.',
    ]);
    const after = { ...carriedOut(during), nodes: [at('a', 'y', 'y', 'Done'), aNode('b')] };
    expect(eventsOf(after).slice(0, 2)).toEqual([
      expect.stringContaining(
        'BaselineOrdered: A new baseline of 1 node was ordered (NodeUpdate: from x to y, by unknown): a. What it erases is recorded in ',
      ),
      'NodeReleased: Scans go on on 1 node: a.',
    ]);
  });

  test('that accept findings, whatever orders them, is a warning that names who is behind it', () => {
    const warnings = (world: World) =>
      actionsOf(world, 'event')
        .filter(({ type }) => type === 'Warning')
        .map(({ reason, message }) => `${reason}: ${message.replace(/ What it erases.*/, '')}`);
    const user = { kind: 'user', source: 'fio/mine:aide.conf', notes: [], remarks: [], who: 'mallory' } as const;
    const configured = withResult(
      aSettledWorld({ judged: { ...user, text: '/etc R\n', who: 'alice' } }),
      'b',
      'Failed',
    );
    const changed = { ...configured, judged: { ...user, text: '/etc/a R\n' } };
    expect(warnings(changed)).toEqual([
      expect.stringMatching(
        /^BaselineOrdered: A new baseline of 2 nodes was ordered \(Configuration: from \w+ to \w+, by mallory\): a, b\. It accepts the findings on b\.$/,
      ),
    ]);
    expect(actionsOf(changed, 'write-record')[0]?.record.nodes[0]?.who).toBe('mallory');

    const failed = withResult(aSettledWorld({ nodes: [at('a', 'x', 'x', 'Done'), aNode('b')] }), 'a', 'Failed');
    const held = carriedOut({ ...failed, nodes: [at('a', 'x', 'y', 'Working'), aNode('b')] });
    expect(warnings({ ...held, nodes: [at('a', 'y', 'y', 'Done'), aNode('b')] })).toEqual([
      'BaselineOrdered: A new baseline of 1 node was ordered (NodeUpdate: from x to y, by unknown): a. ' +
        'It accepts the findings on a.',
    ]);
    const asked = withAnnotations(failed, { [key('re-init')]: 'a' });
    expect(warnings(asked).map((text) => text.split(':')[0])).toEqual(['ReinitRequested', 'BaselineOrdered']);
    expect(warnings(withAnnotations(failed, { [key('re-init')]: 'b' }))).toEqual([]);
  });

  test('of a failed node whose last scan could not be done are the same', () => {
    const world = withResult(aSettledWorld(), 'b', 'Errored');
    const status = world.statuses.get('b');
    if (!status) throw new Error('no status');
    const failure = { since: NOW.toISOString(), lastProbeTime: NOW.toISOString(), baselineDigest: 'd'.repeat(64) };
    const standing = withStates({ ...world, statuses: new Map([...world.statuses, ['b', { ...status, failure }]]) });
    const asked = withAnnotations(standing, { [key('re-init-on-failed')]: '' });
    expect(eventsOf(asked)[0]).toContain(
      'ReinitRequested: A re-initialisation of b was asked for by unknown. It accepts',
    );
    expect(actionsOf(asked, 'write-record')[0]?.record.nodes[0]?.before.failure).toEqual(failure);
  });

  test('of many nodes in one event', () => {
    const nodes = Array.from({ length: 200 }, (_, index) => aNode(`n${index}`));
    const world = withAnnotations(aSettledWorld({ nodes }), { [key('holdoff')]: '' });
    expect(eventsOf(world)).toHaveLength(1);
    expect(eventsOf(world)[0]).toContain('200 nodes');
  });

  test('of a new FileIntegrity: nothing, its first baselines are no news', () => {
    expect(eventsOf(withBaselinesMade(aSettledWorld()))).toEqual([]);
  });

  test('of a node that is in the cluster and not watched any more', () => {
    const nodes = [aNode('a', { pool: 'x' }), aNode('b', { pool: 'x' })];
    const world = withResult(aSettledWorld({ nodes, integrity: selecting({ pool: 'x' }) }), 'b', 'Failed');
    expect(eventsOf({ ...world, nodes: [aNode('a', { pool: 'x' }), aNode('b')] })[0]).toBe(
      'NodeNotWatched: Not watched any more, because labels do not fit, which nobody asked for here: b. Failed: b.',
    );
    expect(eventsOf({ ...world, nodes: [aNode('a', { pool: 'x' })] })).toEqual([]);
  });
});

function selecting(nodeSelector: Record<string, string>) {
  return withSpec(aSettledWorld(), { nodeSelector }).integrity;
}

describe('what stood before', () => {
  test('is remembered, newest first, ten at most: a receipt of it may still be under way', () => {
    let world = aSettledWorld();
    const ids: string[] = [];
    for (let count = 0; count < 12; count++) {
      ids.unshift(ordersOf(world, 'a')?.baseline.id ?? '');
      const asked = withAnnotations(world, { [key('re-init')]: 'a' });
      const { integrity } = asked;
      const metadata = { ...integrity.metadata, resourceVersion: `r${count}` };
      world = withBaselinesMade(settle({ ...asked, integrity: { ...integrity, metadata } }));
    }
    expect(new Set(ids).size).toBe(12);
    expect(memoryOn(world, 'a')?.orders).toEqual(ids.slice(0, 10));
    expect(memoryOn(world, 'b')?.orders).toBeUndefined();
  });
});
