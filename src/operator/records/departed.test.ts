import { describe, expect, test } from 'vitest';
import { minutesBefore, NOW } from '../../../test/support/operator-worlds.ts';
import { aReceipt, aStatus } from '../../../test/support/result-worlds.ts';
import type { Departed } from '../../api/nodestatus.ts';
import { type DepartedNode, departedMap, departedOf, mergeDeparted, readDeparted } from './departed.ts';

const WEEK_MS = 7 * 24 * 3600 * 1000;
const owner = { name: 'worker', namespace: 'fio' };
const gone = (node: string, more: Partial<Departed> = {}): DepartedNode => ({
  node,
  at: NOW.toISOString(),
  why: 'gone',
  baseline: aReceipt(),
  ...more,
});
const failed = { condition: 'Failed', lastProbeTime: minutesBefore(5), filesChanged: 1 } as const;

describe('what is on record of a node whose status goes', () => {
  test('is its receipt, its machine, and what was found last', () => {
    const metadata = { annotations: { 'file-integrity.openshift.io/node-memory': '{"node":"uid"}' } };
    expect(departedOf(aStatus({ metadata, lastResult: failed }), 'forgotten', NOW, 'kubectl')).toEqual([
      {
        node: 'a',
        at: NOW.toISOString(),
        why: 'forgotten',
        who: 'kubectl',
        uid: 'uid',
        baseline: aReceipt(),
        lastResult: failed,
      },
    ]);
    const quiet = { ...failed, condition: 'Succeeded' } as const;
    expect(departedOf(aStatus({ lastResult: quiet }), 'gone', NOW)[0]).not.toHaveProperty('lastResult');
  });

  test('is the failure that stands, whatever came after it', () => {
    const lastResult = { condition: 'Errored', lastProbeTime: minutesBefore(1), errorMessage: 'no.' } as const;
    const failure = { since: failed.lastProbeTime, lastProbeTime: failed.lastProbeTime };
    const status = aStatus({ lastResult, results: [failed, lastResult], failure });
    expect(departedOf(status, 'gone', NOW)[0]?.lastResult).toEqual(failed);
  });

  test('is nothing without a receipt, unless it had one of before', () => {
    const { baseline: _, ...bare } = aStatus();
    expect(departedOf(bare, 'gone', NOW)).toEqual([]);
    const { node: __, ...predecessor } = gone('a', { why: 'over' });
    expect(departedOf({ ...bare, predecessor }, 'gone', NOW)).toEqual([gone('a', { why: 'over' })]);
  });

  test('is read as it was written, and nothing else is', () => {
    const nodes = [gone('a', { lastResult: failed, who: 'me' }), gone('b')];
    const map = departedMap(owner, nodes);
    expect(readDeparted(map, 'worker')).toEqual(nodes);
    expect(readDeparted(map, 'other')).toEqual([]);
    expect(readDeparted(undefined, 'worker')).toEqual([]);
    expect(readDeparted({ ...map, metadata: { labels: {} } }, 'worker')).toEqual([]);
    for (const text of ['', '{', '[]', '7', '{"fileIntegrity":"worker","nodes":[7,null,{"node":"x"},{"node":7}]}']) {
      expect(readDeparted({ ...map, data: { 'record.json': text } }, 'worker')).toEqual([]);
    }
  });

  test('fits into one config map: those with findings and those that went last are in it', () => {
    const many = Array.from({ length: 5000 }, (_, index) =>
      gone(`n${index}`, {
        at: new Date(NOW.getTime() - index).toISOString(),
        ...(index === 4999 && { lastResult: failed }),
      }),
    );
    const map = departedMap(owner, many);
    expect(Buffer.byteLength(map.data?.['record.json'] ?? '')).toBeLessThan(900 * 1024);
    const read = readDeparted(map, 'worker');
    expect(read.slice(0, 2).map(({ node }) => node)).toEqual(['n4999', 'n0']);
    expect(JSON.parse(map.data?.['record.json'] ?? '').leftOut).toBe(5000 - read.length);
    expect(read.length).toBeGreaterThan(1500);
  });
});

describe('what is new', () => {
  const merged = (before: DepartedNode[], more: DepartedNode[]) => [
    ...mergeDeparted(before, more, WEEK_MS, NOW).values(),
  ];

  test('of one removal is said once, by whoever said it first', () => {
    const first = gone('a', { why: 'forgotten', at: minutesBefore(1) });
    expect(merged([first], [gone('a', { why: 'removed' })])).toEqual([first]);
  });

  test('of another removal, another baseline or another finding takes the place of what was there', () => {
    for (const earlier of [
      gone('a', { at: minutesBefore(60) }),
      gone('a', { baseline: aReceipt({ digest: 'e'.repeat(64) }) }),
      gone('a', { uid: 'other' }),
    ]) {
      expect(merged([earlier], [gone('a')])).toEqual([gone('a')]);
    }
    expect(merged([gone('a')], [gone('a', { lastResult: failed })])).toEqual([gone('a', { lastResult: failed })]);
  });

  test('is kept for as long as is asked for', () => {
    const old = gone('a', { at: new Date(NOW.getTime() - WEEK_MS).toISOString() });
    expect(merged([old], [gone('b')])).toEqual([gone('b')]);
    expect([...mergeDeparted([], [gone('b')], 0, NOW)]).toEqual([]);
  });
});
