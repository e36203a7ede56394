import { describe, expect, test } from 'vitest';
import { aNode, anIntegrity, minutesBefore, NOW } from '../../../test/support/operator-worlds.ts';
import { aReceipt, aStatus, DIGEST } from '../../../test/support/result-worlds.ts';
import type { NodeStatusFields, ScanResult, Unselected } from '../../api/nodestatus.ts';
import type { BaselineFault, Hold } from '../../api/protocol.ts';
import { type NodeStatePlan, type NodeStateWorld, planNodeState } from './state.ts';

// gracePeriod 900 and scans of one minute: a scan counts for 2 × 900 + 2 × 60 + 300 seconds, which is 37 minutes.

const order = { id: 'order-1', reason: 'Initial', requestedAt: minutesBefore(60) } as const;
const orders = { ...aStatus().orders, baseline: order } as NonNullable<NodeStatusFields['orders']>;

/** The fields after a scan that was taken in so many minutes ago. */
function scanned(ago: number, result: Partial<ScanResult> = {}): Partial<NodeStatusFields> {
  const lastResult: ScanResult = { condition: 'Succeeded', lastProbeTime: minutesBefore(ago), ...result };
  const lastScan = {
    startedAt: minutesBefore(ago + 1),
    finishedAt: minutesBefore(ago),
    observedAt: minutesBefore(ago),
  };
  return { lastResult, results: [lastResult], lastScan };
}

function aWorld(fields: Partial<NodeStatusFields>, changes: Partial<NodeStateWorld> = {}): NodeStateWorld {
  return {
    now: NOW,
    fields: { orders, baseline: aReceipt({ createdAt: minutesBefore(58) }), ...fields },
    daemon: { is: 'running' },
    node: aNode('a'),
    spec: anIntegrity().spec,
    generation: 3,
    ...changes,
  };
}

const say = ({ conditions }: NodeStatePlan, type: string) => conditions.find((each) => each.type === type);
/** `True Scanned` */
function told(world: NodeStateWorld, type: string): string {
  const { status, reason } = say(planNodeState(world), type) ?? {};
  return `${status} ${reason}`;
}
const stateOf = (world: NodeStateWorld) => planNodeState(world).state;
/** The same world so many minutes later, with the conditions that were written before. */
function later(world: NodeStateWorld, minutes: number, changes: Partial<NodeStateWorld> = {}): NodeStateWorld {
  const { conditions } = planNodeState(world);
  const now = new Date(world.now.getTime() + minutes * 60_000);
  return { ...world, now, fields: { ...world.fields, conditions }, ...changes };
}
const hold = (reason: Hold['reason'], ago: number): Partial<NodeStatusFields> => ({
  orders: { ...orders, hold: { reason, message: 'No scan is wanted.', owner: 'kubectl', since: minutesBefore(ago) } },
});
const unscheduled = { is: 'not scheduled', pod: 'p', why: '0/3 nodes are available' } as const;
const crashing = { is: 'not running', pod: 'p', why: 'CrashLoopBackOff, it ended with status 1' } as const;

describe('a node that is watched and was scanned', () => {
  test('is Succeeded, and all its conditions are True', () => {
    const plan = planNodeState(aWorld(scanned(10)));
    expect(plan.state).toBe('Succeeded');
    expect(plan.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`)).toEqual([
      'Ready True Watched',
      'IntegrityHeld True NoChanges',
      'Fresh True Scanned',
      'BaselineTrusted True Recorded',
    ]);
    expect(plan.observedGeneration).toBe(3);
    for (const condition of plan.conditions) expect(condition).not.toHaveProperty('observedGeneration');
  });

  test('says until when that counts, and wants to be looked at then', () => {
    const plan = planNodeState(aWorld(scanned(10)));
    expect(plan.freshUntil).toBe(minutesBefore(-27));
    expect(plan.changesAt?.toISOString()).toBe(minutesBefore(-27));
  });

  test('says the same when it is looked at again', () => {
    const world = aWorld(scanned(10));
    const { changesAt: _, ...first } = planNodeState(world);
    expect(planNodeState(later(world, 5))).toMatchObject(first);
  });
});

describe('silence', () => {
  test('makes a node Silent and not Fresh once the limit is over, since then', () => {
    const world = aWorld(scanned(10));
    const [before, after] = [later(world, 26.9), later(world, 27)];
    expect([stateOf(before), told(before, 'Fresh')]).toEqual(['Succeeded', 'True Scanned']);
    expect([stateOf(after), told(after, 'Fresh')]).toEqual(['Silent', 'False Late']);
    expect(say(planNodeState(after), 'Fresh')?.lastTransitionTime).toBe(minutesBefore(-27));
    expect(told(after, 'IntegrityHeld')).toBe('True NoChanges');
    expect(planNodeState(after).changesAt).toBeUndefined();
  });

  test('ends with the next scan', () => {
    const world = later(aWorld(scanned(10)), 60);
    const { conditions } = planNodeState(world);
    const again = { ...world, fields: { ...world.fields, ...scanned(-59), conditions } };
    expect([stateOf(again), told(again, 'Fresh')]).toEqual(['Succeeded', 'True Scanned']);
  });

  test('has the limit that the spec says', () => {
    const spec = anIntegrity({ staleAfter: 30 }).spec;
    expect(told(aWorld(scanned(0.4), { spec }), 'Fresh')).toBe('True Scanned');
    expect(told(aWorld(scanned(0.6), { spec }), 'Fresh')).toBe('False Late');
  });

  test.each([
    ['DaemonMissing', { daemon: { is: 'missing' } as const }],
    ['DaemonNotScheduled', { daemon: unscheduled }],
    ['DaemonNotRunning', { daemon: crashing }],
    ['DaemonOutOfMemory', { daemon: { ...crashing, is: 'starved' } as const }],
    ['NodeNotReady', { node: undefined }],
  ])('has the reason %s where that is why', (reason, changes) => {
    const world = aWorld(scanned(60), changes);
    expect([told(world, 'Ready'), told(world, 'Fresh')]).toEqual([`False ${reason}`, `False ${reason}`]);
    expect(told(aWorld(scanned(10), changes), 'Fresh')).toBe('True Scanned');
  });

  test('says that there was not enough memory, also of a daemon that runs again', () => {
    const world = aWorld(scanned(60), { daemon: { is: 'running', starved: true } });
    expect([told(world, 'Ready'), told(world, 'Fresh')]).toEqual(['True Watched', 'False DaemonOutOfMemory']);
    const { conditions } = planNodeState(world);
    expect(conditions.find(({ type }) => type === 'Fresh')?.message).toContain('raise spec.resources.limits.memory');
  });

  test('is not broken by scans that could not be done', () => {
    const errored = scanned(1, { condition: 'Errored', errorMessage: 'no.' });
    const good = scanned(20).lastResult as ScanResult;
    const results = [good, ...(errored.results ?? [])];
    expect(planNodeState(aWorld({ ...errored, results })).freshUntil).toBe(minutesBefore(-17));
    expect(told(aWorld({ ...errored, results: [{ ...good, lastProbeTime: minutesBefore(50) }] }), 'Fresh')).toBe(
      'False Errored',
    );
    expect(told(aWorld(errored), 'Fresh')).toBe('False Errored');
    expect(stateOf(aWorld(errored))).toBe('Errored');
  });

  test('is not broken by receipts that nobody ordered', () => {
    const { lastScan, results = [] } = scanned(50);
    const unordered = scanned(1, { condition: 'Failed', baselineFault: 'Unordered' }).lastResult as ScanResult;
    const fields = { lastResult: unordered, results: [...results, unordered], ...(lastScan && { lastScan }) };
    expect([stateOf(aWorld(fields)), told(aWorld(fields), 'Fresh')]).toEqual(['Failed', 'False Late']);
  });

  test('counts a scan whose findings were set aside: it was done', () => {
    const { lastScan } = scanned(10);
    expect(told(aWorld({ ...scanned(100), ...(lastScan && { lastScan }) }), 'Fresh')).toBe('True Scanned');
  });

  test('goes by the operator’s clock: a node whose clock is ahead is not fresh for longer', () => {
    const ahead = minutesBefore(-600);
    const world = aWorld({
      ...scanned(40),
      lastScan: { startedAt: minutesBefore(-599), finishedAt: ahead, observedAt: minutesBefore(40) },
    });
    expect([stateOf(world), told(world, 'Fresh')]).toEqual(['Silent', 'False Late']);
  });

  test('takes the time of the result where an earlier version noted no other, but none in the future', () => {
    const { lastScan: _, ...old } = scanned(30);
    expect(planNodeState(aWorld(old)).freshUntil).toBe(minutesBefore(-5));
    const { lastScan: __, ...future } = scanned(-60);
    expect([stateOf(aWorld(future)), told(aWorld(future), 'Fresh')]).toEqual(['Silent', 'False Late']);
    expect(planNodeState(aWorld(future)).freshUntil).toBeUndefined();
  });

  test('has a limit that goes by how long scans take as far as that counts, and not by what the node says', () => {
    const lastScan = {
      startedAt: '1970-01-01T00:00:00Z',
      finishedAt: NOW.toISOString(),
      observedAt: NOW.toISOString(),
    };
    const until = (scanSeconds?: number) =>
      planNodeState(
        aWorld({
          ...scanned(0),
          lastScan,
          ...(scanSeconds !== undefined && { freshness: { since: NOW.toISOString(), scanSeconds } }),
        }),
      ).freshUntil;
    expect(until(120)).toBe(minutesBefore(-39));
    expect(until(1e9)).toBe(minutesBefore(-(35 + 24 * 60)));
    // An earlier version noted the node's word only.
    expect(until()).toBe(minutesBefore(-(35 + 20)));
  });

  test('survives a spec that lacks what it needs', () => {
    const plan = planNodeState(aWorld(scanned(10), { spec: {} as NodeStateWorld['spec'] }));
    expect([plan.state, plan.freshUntil]).toEqual(['Succeeded', minutesBefore(-27)]);
  });

  test.each([1e15, Number.NaN, 'soon'])('survives the limit %s in a spec', (staleAfter) => {
    const spec = { ...anIntegrity().spec, staleAfter, holdLimit: staleAfter } as NodeStateWorld['spec'];
    expect(stateOf(aWorld({ ...scanned(10), ...hold('Annotation', 1) }, { spec }))).toBe('Held');
    expect(told(aWorld(scanned(10), { spec }), 'Fresh')).toBe('True Scanned');
  });
});

describe('a node whose first scan is to come', () => {
  const fresh = { baseline: undefined as never };
  const since = (ago: number): Partial<NodeStatusFields> => ({
    ...fresh,
    orders: { ...orders, baseline: { ...order, requestedAt: minutesBefore(ago) } },
  });
  const waiting = (ago: number, changes: Partial<NodeStateWorld> = {}) => aWorld(since(ago), changes);

  test('is Initializing, whether its daemon is there yet or not', () => {
    for (const daemon of [{ is: 'running' }, { is: 'missing' }, unscheduled] as const) {
      const world = waiting(10, { daemon });
      expect([stateOf(world), told(world, 'Fresh')]).toEqual(['Initializing', 'Unknown NotScanned']);
    }
    expect(told(waiting(10), 'IntegrityHeld')).toBe('Unknown NotScanned');
    expect(told(waiting(10), 'BaselineTrusted')).toBe('Unknown Pending');
  });

  test('is Silent once that is overdue, and is looked at then', () => {
    expect(planNodeState(waiting(10)).changesAt?.toISOString()).toBe(minutesBefore(-25));
    expect([stateOf(waiting(35)), told(waiting(35), 'Fresh')]).toEqual(['Silent', 'False Late']);
    expect(told(waiting(35, { daemon: unscheduled }), 'Fresh')).toBe('False DaemonNotScheduled');
  });

  test('has as long again from its baseline on', () => {
    const made = (ago: number, createdAt = minutesBefore(ago)) => aWorld({ baseline: aReceipt({ createdAt }) });
    expect([stateOf(made(30)), stateOf(made(36))]).toEqual(['Initializing', 'Silent']);
    expect(planNodeState(made(30)).changesAt?.toISOString()).toBe(minutesBefore(-5));
    // A clock that is ahead gives it no more than two limits and a holdLimit.
    const ahead = planNodeState(made(0, '2030-01-01T00:00:00Z')).changesAt;
    expect(ahead?.toISOString()).toBe(minutesBefore(-(2 * 35 + 240)));
  });

  test('after a new order is Fresh by the scan before it, and is Failed as long as that scan says so', () => {
    const demanded = { ...order, id: 'order-2', reason: 'Demand', requestedAt: minutesBefore(1) } as const;
    const pending = { orders: { ...orders, baseline: demanded } };
    const well = aWorld({ ...scanned(5), ...pending });
    expect([stateOf(well), told(well, 'Fresh'), told(well, 'BaselineTrusted')]).toEqual([
      'Succeeded',
      'True Scanned',
      'True Recorded',
    ]);
    expect(stateOf(aWorld({ ...scanned(5, { condition: 'Failed' }), ...pending }))).toBe('Failed');
  });

  test('is over with a scan that AIDE compared with this baseline, whatever the node’s clock said in between', () => {
    const baseline = aReceipt({ createdAt: minutesBefore(-30) });
    const back = { ...scanned(1), baseline };
    expect(planNodeState(aWorld(back)).changesAt?.toISOString()).toBe(minutesBefore(-36));
    const lastScan = { ...(back.lastScan as NonNullable<NodeStatusFields['lastScan']>), baselineDigest: DIGEST };
    const compared = later(aWorld({ ...back, lastScan }), 50);
    expect([stateOf(compared), told(compared, 'Fresh')]).toEqual(['Silent', 'False Late']);
    expect(stateOf(later(aWorld(back), 50))).toBe('Initializing');
  });
});

describe('a node that is held', () => {
  test('is Held, says by whom and since when, and is Fresh as long as its last scan counts', () => {
    const world = aWorld({ ...scanned(10), ...hold('Annotation', 9) });
    const plan = planNodeState(world);
    expect([plan.state, told(world, 'Ready'), told(world, 'Fresh')]).toEqual(['Held', 'False Held', 'True Scanned']);
    expect(say(plan, 'Ready')?.message).toBe(
      `No scan is started since ${minutesBefore(9)} by kubectl: No scan is wanted.`,
    );
    expect(told(later(world, 60), 'Fresh')).toBe('Unknown Held');
  });

  test('for longer than the limit is HeldTooLong, from that moment on', () => {
    const spec = anIntegrity({ holdLimit: 3600 }).spec;
    const world = aWorld({ ...scanned(10), ...hold('Annotation', 9) }, { spec });
    expect(planNodeState(later(world, 40)).changesAt?.toISOString()).toBe(minutesBefore(-51));
    expect(told(later(world, 50.9), 'Ready')).toBe('False Held');
    expect(told(later(world, 51), 'Ready')).toBe('False HeldTooLong');
    expect(told(later(world, 51), 'Fresh')).toBe('False HeldTooLong');
  });

  test.each(['MachineConfig', 'NodeUpdating'] as const)('by an update (%s) is Suspended, whatever else it is', (by) => {
    const world = aWorld({ ...scanned(10), ...hold(by, 9) }, { daemon: crashing, node: undefined });
    expect([stateOf(world), told(world, 'Ready')]).toEqual(['Held', 'False Suspended']);
    expect(told(later(world, 231), 'Ready')).toBe('False SuspendedTooLong');
  });

  test('with findings is Failed all the same', () => {
    expect(stateOf(aWorld({ ...scanned(10, { condition: 'Failed' }), ...hold('Annotation', 9) }))).toBe('Failed');
  });

  test('and released has until the limit for its next scan, and only once', () => {
    const held = aWorld({ ...scanned(120), ...hold('Annotation', 100) });
    const released = later(held, 1);
    released.fields.orders = orders;
    expect([stateOf(released), told(released, 'Fresh')]).toEqual(['Initializing', 'Unknown Released']);
    expect(planNodeState(released).changesAt?.toISOString()).toBe(minutesBefore(-38));
    const soon = later(released, 30);
    expect(told(soon, 'Fresh')).toBe('Unknown Released');
    const overdue = later(soon, 7);
    expect([stateOf(overdue), told(overdue, 'Fresh')]).toEqual(['Silent', 'False Late']);
    expect(told(later(overdue, 1), 'Fresh')).toBe('False Late');
  });

  test('and released again and again, with a new order each time, is not waited for without end', () => {
    const released = (ago: number): Partial<NodeStatusFields> => ({
      orders: { ...orders, baseline: { ...order, id: `update-${ago}`, requestedAt: minutesBefore(ago) } },
    });
    // Two limits of 37 minutes and a holdLimit of 240.
    const until = 2 * 37 + 240;
    expect(told(aWorld({ ...scanned(until - 1), ...released(2) }), 'Fresh')).toBe('Unknown NotScanned');
    expect(planNodeState(aWorld({ ...scanned(until - 1), ...released(2) })).changesAt?.toISOString()).toBe(
      minutesBefore(-1),
    );
    const overdue = aWorld({ ...scanned(until), ...released(2) });
    expect([stateOf(overdue), told(overdue, 'Fresh')]).toEqual(['Silent', 'False Late']);

    const never = aWorld({ baseline: undefined as never, ...released(0) });
    const again = later(never, 2 * 35 + 240 - 1);
    Object.assign(again.fields, released(-(2 * 35 + 240 - 2)));
    expect(told(again, 'Fresh')).toBe('Unknown NotScanned');
    expect(told(later(again, 1), 'Fresh')).toBe('False Late');
  });

  test('and released gains no time by a daemon that ends and starts', () => {
    const released = later(aWorld({ ...scanned(120), ...hold('Annotation', 100) }), 1);
    released.fields.orders = orders;
    const ended = later(released, 1, { daemon: crashing });
    expect(told(ended, 'Fresh')).toBe('False DaemonNotRunning');
    expect(told(later(ended, 1, { daemon: { is: 'running' } }), 'Fresh')).toBe('False Late');
  });
});

describe('a node that is not selected any more', () => {
  const unselected = (reason: Unselected['reason'], ago = 5): Partial<NodeStatusFields> => ({
    unselected: { reason, message: 'Why.', since: minutesBefore(ago) },
  });

  test.each(['Deselected', 'NotTolerated'] as const)(
    '(%s) is Unwatched, and not Fresh once its time is over',
    (reason) => {
      const world = aWorld({ ...scanned(10), ...unselected(reason) }, { daemon: { is: 'missing' } });
      expect(stateOf(world)).toBe('Unwatched');
      expect(say(planNodeState(world), 'Ready')).toMatchObject({
        status: 'False',
        reason,
        message: `Not watched since ${minutesBefore(5)}. Why.`,
      });
      expect(told(world, 'Fresh')).toBe('True Scanned');
      expect(told(later(world, 28), 'Fresh')).toBe(`False ${reason}`);
      expect(told(world, 'IntegrityHeld')).toBe('True NoChanges');
    },
  );

  test('is Failed while that is its last result, and says why it is not watched before all else', () => {
    const failed = scanned(10, { condition: 'Failed', filesChanged: 1 });
    const world = aWorld({ ...failed, ...hold('Annotation', 3000), ...unselected('Deselected') });
    expect([stateOf(world), told(world, 'Ready')]).toEqual(['Failed', 'False Deselected']);
    const errored = scanned(10, { condition: 'Errored' });
    expect(stateOf(aWorld({ ...errored, ...unselected('Deselected') }))).toBe('Unwatched');
  });

  test('because nobody asks for it is never late', () => {
    const world = aWorld({ ...scanned(10), ...unselected('SpecChanged') });
    expect(told(later(world, 500), 'Fresh')).toBe('Unknown SpecChanged');
  });
});

describe('what a scan found', () => {
  test.each<[BaselineFault, string]>([
    ['Replaced', 'BaselineReplaced'],
    ['Missing', 'BaselineMissing'],
    ['Damaged', 'BaselineDamaged'],
    ['Unordered', 'BaselineUnordered'],
  ])('with the fault %s makes the node Failed, and its baseline not trusted', (baselineFault, reason) => {
    const world = aWorld(scanned(10, { condition: 'Failed', baselineFault }));
    expect(stateOf(world)).toBe('Failed');
    expect(told(world, 'IntegrityHeld')).toBe(`False ${reason}`);
    expect(told(world, 'BaselineTrusted')).toBe(`False ${reason}`);
    expect(told(world, 'Fresh')).toBe('True Scanned');
  });

  test('stays in the condition of the baseline when the next scan could not be done', () => {
    const good = { condition: 'Succeeded', lastProbeTime: minutesBefore(30) } as const;
    const faulty = { condition: 'Failed', lastProbeTime: minutesBefore(20), baselineFault: 'Damaged' } as const;
    const lastResult = { condition: 'Errored', lastProbeTime: minutesBefore(10) } as const;
    const world = (...results: ScanResult[]) =>
      aWorld({ ...scanned(10), lastResult, results: [...results, lastResult] });
    expect(told(world(good, faulty), 'BaselineTrusted')).toBe('False BaselineDamaged');
    expect(told(world(faulty, { ...good, lastProbeTime: minutesBefore(15) }), 'BaselineTrusted')).toBe('True Recorded');
  });

  test('stays in the conditions until a scan without it, whatever receipt comes in between', () => {
    const faulty = scanned(10, { condition: 'Failed', baselineFault: 'Replaced' });
    const baseline = aReceipt({ createdAt: NOW.toISOString(), digest: 'e'.repeat(64) });
    expect(told(aWorld({ ...faulty, baseline }), 'BaselineTrusted')).toBe('False BaselineReplaced');
    expect(told(aWorld({ ...scanned(0), baseline }), 'BaselineTrusted')).toBe('True Recorded');
  });

  test('makes the node Failed with its counts, however old it is', () => {
    const world = aWorld(scanned(600, { condition: 'Failed', filesAdded: 1, filesChanged: 2 }));
    expect([stateOf(world), told(world, 'IntegrityHeld'), told(world, 'Fresh')]).toEqual([
      'Failed',
      'False Changed',
      'False Late',
    ]);
    expect(say(planNodeState(world), 'IntegrityHeld')?.message).toContain('1 added, 2 changed, 0 removed');
    expect(told(world, 'BaselineTrusted')).toBe('True Recorded');
  });

  test('with mounts that are otherwise makes the node Failed for them, and says of files what there is to say', () => {
    const world = aWorld(scanned(10, { condition: 'Failed', mountChanges: 2, filesAdded: 0, filesChanged: 1 }));
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Failed', 'False MountsChanged']);
    expect(say(planNodeState(world), 'IntegrityHeld')?.message).toBe(
      '2 mounts are otherwise than at the baseline: see lastResult. Files: 0 added, 1 changed, 0 removed.',
    );
  });

  test('that did not see what was not seen at the baseline either says so, and is none the worse', () => {
    const paths = [{ path: '/etc/a', what: 'Content' } as const];
    const unseen = { count: 7, sinceBaseline: 0, digest: DIGEST, paths };
    const world = aWorld(scanned(10, { unseen }));
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Succeeded', 'True NoChanges']);
    expect(say(planNodeState(world), 'IntegrityHeld')?.message).toBe(
      'The last scan found no difference from the baseline. ' +
        'AIDE could not read 7 paths, as at the baseline: /etc/a (content) and 6 more.',
    );
  });

  test('that did not see what was seen at the baseline proves nothing of that: the node is not Succeeded', () => {
    const unseen = { count: 1, sinceBaseline: 1, digest: DIGEST, paths: [{ path: '/etc/a', what: 'Path' } as const] };
    const world = aWorld(scanned(10, { unseen }));
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Errored', 'Unknown PartlyUnseen']);
    expect(told(world, 'Fresh')).toBe('True Scanned');
    expect(say(planNodeState(world), 'IntegrityHeld')?.message).toBe(
      'The last scan found no difference from the baseline in what it saw. ' +
        'AIDE could not read 1 path, new since the baseline as far as is known: /etc/a. Those may have changed.',
    );
    const failed = aWorld(scanned(10, { condition: 'Failed', filesChanged: 1, unseen }));
    expect([stateOf(failed), told(failed, 'IntegrityHeld')]).toEqual(['Failed', 'False Changed']);
    expect(say(planNodeState(failed), 'IntegrityHeld')?.message).toContain('AIDE could not read 1 path');
  });

  test('is Unknown where it could not be done, with the reason', () => {
    const world = aWorld(scanned(10, { condition: 'Errored', errorMessage: 'The disk is full.' }));
    expect(told(world, 'IntegrityHeld')).toBe('Unknown Errored');
    expect(say(planNodeState(world), 'IntegrityHeld')?.message).toContain('The disk is full.');
  });

  test('of an adopted baseline is known, but what the baseline left out is not', () => {
    expect(told(aWorld({ ...scanned(10), baseline: aReceipt({ adopted: true }) }), 'BaselineTrusted')).toBe(
      'Unknown Adopted',
    );
  });
});

describe('a failure that stands', () => {
  const failure = {
    since: minutesBefore(30),
    lastProbeTime: minutesBefore(31),
    baselineDigest: DIGEST,
    filesAdded: 1,
    filesChanged: 2,
    filesRemoved: 3,
  };
  const message = (world: NodeStateWorld) => say(planNodeState(world), 'IntegrityHeld')?.message;

  test('makes the node Failed though the last scan could not be done, and both are said', () => {
    const errored = scanned(10, { condition: 'Errored', errorMessage: 'AIDE was ended by signal 9.' });
    const world = aWorld({ ...errored, failure });
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Failed', 'False Changed']);
    expect(message(world)).toBe(
      'A scan found differences from the baseline: 1 added, 2 changed, 3 removed. ' +
        `That stands since ${minutesBefore(30)}. The last scan could not be done. AIDE was ended by signal 9.`,
    );
  });

  test('of the baseline counts in its condition, too', () => {
    const world = aWorld({
      ...scanned(10, { condition: 'Errored' }),
      failure: { ...failure, baselineFault: 'Missing' },
    });
    expect(told(world, 'IntegrityHeld')).toBe('False BaselineMissing');
    expect(told(world, 'BaselineTrusted')).toBe('False BaselineMissing');
  });

  test('is not ended by a word that proves nothing', () => {
    const world = aWorld({ ...scanned(10, { unproven: true }), failure });
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Failed', 'False Changed']);
  });

  test('is Failed while the node is held', () => {
    const world = aWorld({ ...scanned(10), ...hold('NodeUpdating', 5), failure });
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Failed', 'False Changed']);
  });

  test('and was accepted counts until the first scan against the new baseline', () => {
    const accepted = { ...failure, acceptedAt: minutesBefore(5), order: 'o', reason: 'Demand', who: 'alice' } as const;
    const failed = scanned(10, { condition: 'Failed', filesAdded: 1 });
    expect(stateOf(aWorld({ ...failed, accepted: [accepted] }))).toBe('Failed');
    const errored = scanned(1, { condition: 'Errored' });
    const world = aWorld({
      ...errored,
      results: [...(failed.results ?? []), ...(errored.results ?? [])],
      accepted: [accepted],
    });
    expect([stateOf(world), told(world, 'IntegrityHeld')]).toEqual(['Errored', 'Unknown Errored']);
  });
});

describe('a result that proves nothing', () => {
  const unproven = (ago: number) => {
    const { lastScan: _, ...fields } = scanned(ago, { unproven: true });
    return aWorld(fields);
  };

  test('says nothing of the node’s integrity, and makes it no fresher', () => {
    expect(told(unproven(10), 'IntegrityHeld')).toBe('Unknown Unproven');
    expect([stateOf(unproven(10)), told(unproven(10), 'Fresh')]).toEqual(['Silent', 'False Late']);
  });
});

describe('a node that is not ready', () => {
  const withReady = (ready: object): NodeStateWorld => {
    const node = aNode('a');
    return aWorld(scanned(10), {
      daemon: crashing,
      node: { ...node, status: { ...node.status, conditions: [{ type: 'Ready', status: 'True', ...ready }] } },
    });
  };
  const message = (world: NodeStateWorld) => say(planNodeState(world), 'Ready')?.message;

  test('says so in safe words, before what becomes of its daemon', () => {
    const world = withReady({ status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet\u001b[2J is gone.' });
    expect(told(world, 'Ready')).toBe('False NodeNotReady');
    expect(message(world)).toBe('The node is not ready (NodeStatusUnknown): Kubelet\\x1b[2J is gone.');
    expect(message(withReady({ status: 'False', message: 'x'.repeat(5000) }))?.length).toBeLessThan(600);
  });

  test('or ready tells of its daemon', () => {
    expect(message(withReady({}))).toBe("The daemon's pod p does not run: CrashLoopBackOff, it ended with status 1.");
  });
});

test('the time of a condition is that of its last change, and no other condition is taken over', () => {
  const world = aWorld(scanned(10));
  const other = { type: 'Audited', status: 'True', reason: 'x', message: '', lastTransitionTime: minutesBefore(500) };
  const next = later(world, 30, { daemon: crashing });
  next.fields.conditions?.push(other as never);
  const { conditions } = planNodeState(next);
  const since = Object.fromEntries(conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]));
  expect(since).toEqual({
    Ready: minutesBefore(-30),
    Fresh: minutesBefore(-30),
    IntegrityHeld: NOW.toISOString(),
    BaselineTrusted: NOW.toISOString(),
  });
});
