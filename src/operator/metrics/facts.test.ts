import { describe, expect, test } from 'vitest';
import { aNode, anIntegrity } from '../../../test/support/operator-worlds.ts';
import type { Condition } from '../../api/condition.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { planNodeState } from '../nodes/state.ts';
import { integrityFactsOf, nodeFactsOf } from './facts.ts';

const NOW = new Date('2026-11-25T10:00:00Z');

function condition(type: string, status: Condition['status']): Condition {
  return { type, status, reason: 'Because', message: '', lastTransitionTime: '2026-11-25T09:00:00Z' };
}

const STATUS: FileIntegrityNodeStatus = {
  metadata: { name: 'example-one', namespace: 'here' },
  nodeName: 'one',
  state: 'Succeeded',
  freshUntil: '2026-11-25T10:00:01Z',
  status: { conditions: [condition('Fresh', 'True'), condition('BaselineTrusted', 'True')] },
  lastResult: { condition: 'Succeeded', lastProbeTime: '2026-11-25T09:50:00Z' },
};
const factsOf = (more: Partial<FileIntegrityNodeStatus>) => nodeFactsOf({ ...STATUS, ...more }, 'example', NOW);

describe('the facts of a node', () => {
  test('are what its status says', () => {
    expect(factsOf({})).toEqual({
      integrity: 'example',
      node: 'one',
      failed: false,
      stands: false,
      scannedAt: new Date('2026-11-25T09:50:00Z'),
      state: 'Succeeded',
      fresh: true,
      trusted: true,
      unwatched: false,
      fault: undefined,
      unseen: { count: 0, sinceBaseline: 0 },
      hold: undefined,
    });
  });

  test('are how much the last scan did not see, and nothing of one that could not be done', () => {
    const time = '2026-11-25T09:50:00Z';
    const unseen = { count: 3, sinceBaseline: 1, digest: 'd'.repeat(64), paths: [] };
    const lastResult = { condition: 'Succeeded', lastProbeTime: time, unseen } as const;
    expect(factsOf({ lastResult })).toMatchObject({ unseen: { count: 3, sinceBaseline: 1 } });
    expect(factsOf({ lastResult: { condition: 'Errored', lastProbeTime: time } }).unseen).toBeUndefined();
  });

  test('are that a failure stands, and of which kind, though the last scan could not be done', () => {
    const time = '2026-11-25T09:40:00Z';
    const lastResult = { condition: 'Errored', lastProbeTime: '2026-11-25T09:50:00Z' } as const;
    const failure = { since: time, lastProbeTime: time, baselineFault: 'Replaced' } as const;
    expect(factsOf({ lastResult, failure })).toMatchObject({ failed: false, stands: true, fault: 'Replaced' });
  });

  test('are a fault of the baseline as long as the condition says so: a scan that could not be done ends neither', () => {
    const [earlier, later] = ['2026-11-25T09:40:00Z', '2026-11-25T09:50:00Z'];
    const found = { condition: 'Failed', lastProbeTime: earlier, baselineFault: 'Replaced' } as const;
    const lastResult = { condition: 'Errored', lastProbeTime: later } as const;
    // Somebody has accepted what stood, and no scan has looked since.
    const status = { ...STATUS, lastResult, results: [found, lastResult], accepted: [] };
    const world = { now: NOW, fields: status, daemon: { is: 'running' }, node: aNode('one'), generation: 1 } as const;
    const { conditions } = planNodeState({ ...world, spec: anIntegrity().spec });
    expect(conditions.find(({ type }) => type === 'BaselineTrusted')?.reason).toBe('BaselineReplaced');
    expect(factsOf(status)).toMatchObject({ fault: 'Replaced' });
  });

  test('are not fresh once its time is over, though nobody came to say so', () => {
    expect(factsOf({ freshUntil: '2026-11-25T10:00:00Z' }).fresh).toBe(false);
  });

  test.each([
    ['False', false],
    ['Unknown', undefined],
  ] as const)('are what the condition Fresh says: %s', (status, fresh) => {
    expect(factsOf({ status: { conditions: [condition('Fresh', status)] } }).fresh).toBe(fresh);
  });

  test('of a status of which nothing is said yet are those of a node that begins', () => {
    const { metadata, nodeName } = STATUS;
    const bare = nodeFactsOf({ metadata, nodeName }, 'example', NOW);
    expect(bare).toMatchObject({ state: 'Initializing', fresh: undefined, trusted: false, failed: false });
  });

  test('have a hold with its owner; one of which the time cannot be read has lasted for ever', () => {
    const orders = (since: string) =>
      ({ hold: { reason: 'Annotation', message: '', owner: 'kubectl', since } }) as NonNullable<
        FileIntegrityNodeStatus['orders']
      >;
    const since = new Date('2026-11-25T08:00:00Z');
    expect(factsOf({ orders: orders(since.toISOString()) }).hold).toEqual({
      reason: 'Annotation',
      owner: 'kubectl',
      since,
    });
    expect(factsOf({ orders: orders('long ago') }).hold?.since).toEqual(new Date(0));
  });

  test('name what is the matter with its baseline', () => {
    const lastResult = { condition: 'Failed', lastProbeTime: NOW.toISOString(), baselineFault: 'Missing' } as const;
    expect(factsOf({ lastResult })).toMatchObject({ failed: true, fault: 'Missing' });
  });
});

describe('the facts of a FileIntegrity', () => {
  const factsOfIntegrity = (more: Partial<FileIntegrity>) =>
    integrityFactsOf({ metadata: { name: 'example' }, spec: {}, ...more } as FileIntegrity, 86_400);

  test('have a limit within what an administrator allows', () => {
    const spec = { holdLimit: 1e12 } as FileIntegrity['spec'];
    expect(factsOfIntegrity({ spec }).holdLimitSeconds).toBe(3 * 86_400);
  });

  test('are its counts of nodes, its conditions and its limit; conditions of others are left out', () => {
    const nodes = { selected: 4, watched: 2, succeeded: 1, failed: 1, errored: 0, initializing: 0, held: 1, silent: 0 };
    const conditions = [condition('Ready', 'True'), condition('Foreign', 'True')];
    const facts = factsOfIntegrity({ status: { nodes: { ...nodes, unwatched: 1 }, conditions } });
    expect(facts.conditions).toEqual([['Ready', 'True']]);
    expect(facts.holdLimitSeconds).toBe(14_400);
    expect(Object.fromEntries(facts.nodes)).toEqual({
      Selected: 4,
      Watched: 2,
      Deselected: 0,
      NotTolerated: 0,
      Succeeded: 1,
      Failed: 1,
      Errored: 0,
      Initializing: 0,
      Held: 1,
      Silent: 0,
      Unwatched: 1,
    });
  });

  test('of one that nobody has looked at yet are none', () => {
    expect(factsOfIntegrity({})).toMatchObject({ conditions: [], nodes: [] });
  });
});
