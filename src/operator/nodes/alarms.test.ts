import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { anIntegrity, minutesBefore, NOW } from '../../../test/support/operator-worlds.ts';
import type { Condition } from '../../api/condition.ts';
import { Alarms, alarmsOf, lastsLong } from './alarms.ts';

function conditions(said: Record<string, string>): Condition[] {
  return Object.entries(said).map(([type, text]) => {
    const [status, reason = ''] = text.split(' ');
    return { type, status: status as Condition['status'], reason, message: '', lastTransitionTime: NOW.toISOString() };
  });
}

const well = conditions({ Ready: 'True Watched', Fresh: 'True Scanned' });
const hold = { reason: 'Annotation', message: '', owner: 'kubectl', since: NOW.toISOString() } as const;
const alarms = (before: Condition[] | undefined, said: Record<string, string>) =>
  alarmsOf(before, conditions(said), hold).map(({ reason, why }) => `${reason}: ${why}`);

describe('a node is told of', () => {
  test('once it is not fresh, not again for another reason, and again after it was well', () => {
    expect(alarms(well, { Fresh: 'False Late' })).toEqual(['NodeNotFresh: Late']);
    expect(alarms(conditions({ Fresh: 'False Late' }), { Fresh: 'False DaemonMissing' })).toEqual([]);
    expect(alarms(conditions({ Fresh: 'Unknown Released' }), { Fresh: 'False Late' })).toEqual(['NodeNotFresh: Late']);
    expect(alarms(undefined, { Fresh: 'False Late' })).toEqual(['NodeNotFresh: Late']);
  });

  test('once it is held for too long, with who holds it, and not when it is held', () => {
    expect(alarms(well, { Ready: 'False Held' })).toEqual([]);
    expect(alarms(conditions({ Ready: 'False Held' }), { Ready: 'False HeldTooLong' })).toEqual([
      'NodeHeldTooLong: HeldTooLong, by kubectl',
    ]);
    expect(alarms(conditions({ Ready: 'False HeldTooLong' }), { Ready: 'False HeldTooLong' })).toEqual([]);
  });

  test('not because its daemon was restarted', () => {
    expect(alarms(well, { Ready: 'False DaemonNotRunning', Fresh: 'True Scanned' })).toEqual([]);
  });
});

describe('that a scan counts for longer than a day', () => {
  const lasting = (hours: number) => ({
    freshness: { since: NOW.toISOString(), scanSeconds: 60 },
    freshUntil: minutesBefore(-60 * hours),
  });
  const told = (before: number | undefined, after: number) =>
    lastsLong(before === undefined ? {} : lasting(before), lasting(after)).map(
      ({ reason, why }) => `${reason}: ${why}`,
    );

  test('is told when it comes about, with the time', () => {
    expect(told(1, 24)).toEqual([]);
    expect(told(1, 48.5)).toEqual(['FreshForLong: until 2026-11-26T13:00Z']);
    expect(told(undefined, 48.5)).toEqual(['FreshForLong: until 2026-11-26T13:00Z']);
  });

  test('is told again when it grows, and not with each scan', () => {
    expect([told(48, 48.1), told(48, 40), told(48, 72)]).toEqual([[], [], ['FreshForLong: until 2026-11-27T12:00Z']]);
  });
});

describe('alarms', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('of a thousand nodes are told as one for each reason, with some of their names', () => {
    const told: string[] = [];
    const all = new Alarms((_, reason, message) => told.push(`${reason}: ${message}`), 2000);
    for (let node = 100; node < 1100; node++)
      all.add(anIntegrity(), `n${node}`, [{ reason: 'NodeNotFresh', why: 'Late' }]);
    all.add(anIntegrity(), 'x', [{ reason: 'NodeNotFresh', why: 'DaemonMissing' }]);
    vi.advanceTimersByTime(1999);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([
      'NodeNotFresh: No scan is recent enough (Late), on 1000 nodes: n100, n1000, n1001, n1002, n1003 and 995 more.',
      'NodeNotFresh: No scan is recent enough (DaemonMissing), on 1 node: x.',
    ]);
    vi.advanceTimersByTime(10_000);
    expect(told).toHaveLength(2);
  });

  test('of two FileIntegrities are told of each', () => {
    const told: string[] = [];
    const all = new Alarms(({ metadata }) => told.push(metadata.name ?? ''), 2000);
    const one = anIntegrity();
    const other = { ...one, metadata: { ...one.metadata, name: 'other', uid: 'uid-of-other' } };
    for (const integrity of [one, other]) all.add(integrity, 'a', [{ reason: 'NodeNotFresh', why: 'Late' }]);
    all.flush();
    expect(told).toEqual(['worker', 'other']);
  });
});
