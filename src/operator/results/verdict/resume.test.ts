import { describe, expect, test } from 'vitest';
import { minutesBefore } from '../../../../test/support/operator-worlds.ts';
import {
  afterResults,
  aReceipt,
  aResultsWorld,
  aScan,
  aSlot,
  aStatus,
  DIGEST,
} from '../../../../test/support/result-worlds.ts';
import type { Departed } from '../../../api/nodestatus.ts';
import { planResults } from './plan.ts';
import type { ResultsWorld } from './types.ts';

const MEMORY = 'file-integrity.openshift.io/node-memory';
const OTHER = 'e'.repeat(64);
const before = aReceipt({ orderId: 'order-0', createdAt: minutesBefore(600) });
const lastResult = { condition: 'Failed', lastProbeTime: minutesBefore(100), filesChanged: 1 } as const;

/** A node whose status was made anew, and of which something was on record. */
function aWorld(predecessor: Partial<Departed> = {}): ResultsWorld {
  const { baseline: _, ...status } = aStatus({ metadata: { annotations: { [MEMORY]: '{"node":"uid"}' } } });
  const departed = { at: minutesBefore(90), why: 'removed' as const, uid: 'uid', baseline: before, ...predecessor };
  return aResultsWorld({ status: { ...status, predecessor: departed } });
}

/** After the receipt of its first order. */
function receive(world: ResultsWorld, receipt: Parameters<typeof aReceipt>[0]) {
  const outcome = { kind: 'baseline', id: 'r', node: 'a', receipt: aReceipt(receipt) } as const;
  return planResults({ ...afterResults(world), slot: aSlot(outcome) });
}

describe('a node of whose name something was on record', () => {
  test('has that on record again, before its daemon says anything', () => {
    expect(planResults(aWorld()).fields).toMatchObject({ baseline: before, baselines: [before] });
    expect(planResults(afterResults(aWorld())).fields).toBeUndefined();
  });

  test('and that is the same machine has its finding again; another machine has not', () => {
    expect(planResults(aWorld({ lastResult })).fields).toMatchObject({ lastResult, results: [lastResult] });
    expect(planResults(aWorld({ lastResult, uid: 'other' })).fields).not.toHaveProperty('lastResult');
    // It stands, also where the receipt on record is the younger one, as of a database that was recognised.
    for (const baseline of [before, { ...before, createdAt: minutesBefore(95) }]) {
      const { fields } = planResults(aWorld({ lastResult, baseline }));
      expect(fields?.failure).toMatchObject({
        since: lastResult.lastProbeTime,
        baselineDigest: DIGEST,
        filesChanged: 1,
      });
    }
  });

  test('and whose database is that one, has it recognised: it was not made before the operator', () => {
    const { fields, events } = receive(aWorld(), { adopted: true });
    expect(fields?.baseline).toEqual(aReceipt());
    expect(fields?.baseline).not.toHaveProperty('adopted');
    expect(events).toEqual([
      {
        type: 'Normal',
        reason: 'DatabaseRecognised',
        message: `node a: the database on the node is the one on record since ${minutesBefore(600)}`,
      },
    ]);
    const adopted = receive(aWorld({ baseline: { ...before, adopted: true } }), { adopted: true });
    expect(adopted.fields?.baseline?.adopted).toBe(true);
  });

  test('and whose database is recognised, has the mounts on record, not those that it comes back with', () => {
    const mounts = (path: string) => ({
      count: 1,
      digest: DIGEST,
      mounts: [{ path, type: 'tmpfs', root: '/', device: '0:9' }],
    });
    const known = { ...before, bootId: 'earlier', mounts: mounts('/data') };
    const own = { adopted: true, mounts: mounts('/etc/passwd') };
    expect(receive(aWorld({ baseline: known }), own).fields?.baseline).toMatchObject({
      bootId: 'earlier',
      mounts: mounts('/data'),
    });
    // One of a daemon that did not look says nothing: then what is there now is all that is known.
    expect(receive(aWorld(), own).fields?.baseline).toMatchObject({ bootId: 'boot', mounts: mounts('/etc/passwd') });
  });

  test('and whose database is another, is Failed, and so is each scan against it', () => {
    const plan = receive(aWorld(), { adopted: true, digest: OTHER });
    expect(plan.fields?.baseline).toEqual(before);
    expect(plan.fields?.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Replaced' });
    expect(plan.events.map(({ type, reason }) => `${type} ${reason}`)).toContain('Warning BaselineUntrusted');
    const world = afterResults({ ...afterResults(aWorld()), slot: undefined }, plan);
    const scan = planResults({ ...world, slot: aSlot(aScan({ id: 's', baselineDigest: OTHER })) });
    expect(scan.fields?.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Replaced' });
  });

  test('and that begins with a new database, is told of', () => {
    const { fields, events } = receive(aWorld(), { digest: OTHER, refused: 'It cannot be read.' });
    expect(fields?.baseline?.digest).toBe(OTHER);
    expect(fields?.baselines).toHaveLength(2);
    expect(events).toEqual([
      {
        type: 'Warning',
        reason: 'BaselineBeganAnew',
        message:
          `node a: a baseline was on record for a node of this name (${DIGEST.slice(0, 16)}…, of ${minutesBefore(600)}), ` +
          'and it began with a new one. It cannot be read.',
      },
    ]);
  });
});

test('a node of whose name nothing was on record has its database adopted as before', () => {
  const { baseline: _, ...status } = aStatus();
  const { fields, events } = receive(aResultsWorld({ status }), { adopted: true });
  expect(fields?.baseline?.adopted).toBe(true);
  expect(events.map(({ reason }) => reason)).toEqual(['DatabaseAdopted']);
});
