import { describe, expect, test } from 'vitest';
import { NOW } from '../../../test/support/operator-worlds.ts';
import type { Condition } from '../../api/condition.ts';
import { NODE_STATES, type NodeState, type Unselected } from '../../api/nodestatus.ts';
import { countStates, type SummaryWorld, summarize } from './summary.ts';

/** A node whose conditions say this, such as `{ Fresh: 'False Late' }`. */
function aNode(
  nodeName: string,
  said: Record<string, string> = {},
  state?: NodeState,
): SummaryWorld['statuses'][number] {
  const conditions = Object.entries(said).map(([type, text]): Condition => {
    const [status, reason = ''] = text.split(' ');
    return { type, status: status as Condition['status'], reason, message: '', lastTransitionTime: NOW.toISOString() };
  });
  return { nodeName, status: { conditions }, ...(state && { state }) };
}

const well = { IntegrityHeld: 'True NoChanges', Fresh: 'True Scanned', BaselineTrusted: 'True Recorded' };

/** With what is not said left empty. */
const aSummary = (world: Partial<SummaryWorld>): SummaryWorld => ({
  statuses: [],
  kept: [],
  taken: [],
  notTolerated: [],
  ...world,
});

const since = NOW.toISOString();
/** The record of a node that is not selected any more. */
const unselected = (status: SummaryWorld['kept'][number], reason: Unselected['reason'] = 'Deselected') => ({
  ...status,
  unselected: { reason, message: '', since },
});

function told(
  statuses: SummaryWorld['statuses'],
  type: string,
  taken: readonly string[] = [],
  kept: SummaryWorld['kept'] = [],
): string {
  const { status, reason, message } =
    summarize(aSummary({ statuses, taken, kept })).find((each) => each.type === type) ?? {};
  return `${status} ${reason}: ${message}`;
}

describe('the counts', () => {
  test('add up to the nodes that are selected and those that are not any more', () => {
    const statuses = NODE_STATES.filter((state) => state !== 'Unwatched').flatMap((state, place) =>
      Array.from({ length: place + 1 }, (_, index) => aNode(`${state}-${index}`, {}, state)),
    );
    const kept = [aNode('k', {}, 'Failed'), aNode('l', {}, 'Unwatched'), aNode('m', {}, 'Succeeded')].map((status) =>
      unselected(status),
    );
    const { selected, watched, deselected, notTolerated, ...states } = countStates({
      statuses: [...statuses, aNode('new')],
      kept,
      taken: ['x', 'y'],
      notTolerated: ['z'],
    });
    expect(states).toEqual({
      failed: 2,
      errored: 2,
      held: 3,
      initializing: 5,
      silent: 5,
      succeeded: 6,
      unwatched: 4,
    });
    expect([selected, deselected, notTolerated]).toEqual([24, 3, 1]);
    expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(selected + (deselected ?? 0));
    expect(watched).toBe(0);
  });

  test('of watched nodes are those whose daemon runs and that nobody holds', () => {
    const statuses = [aNode('a', { Ready: 'True Watched' }), aNode('b', { Ready: 'False Held' }), aNode('c')];
    expect(countStates(aSummary({ statuses }))).toMatchObject({ selected: 3, watched: 1 });
  });
});

describe.each(['IntegrityHeld', 'Fresh', 'BaselineTrusted'])('the condition %s', (type) => {
  test('goes by a node that dropped out of sight as by any other', () => {
    const kept = [unselected(aNode('b', { ...well, [type]: 'False Why' }))];
    expect(told([aNode('a', well)], type, [], kept)).toBe('False Why: 1 of 2 nodes: Why (b).');
  });

  test('goes by a node that is not asked for any more only in what was found on it', () => {
    const kept = [unselected(aNode('b', { ...well, [type]: 'False Why' }), 'SpecChanged')];
    expect(told([aNode('a', well)], type, [], kept)).toMatch(type === 'IntegrityHeld' ? /^False Why: / : /^True /);
    const silent = [unselected(aNode('b', { ...well, [type]: 'Unknown Why' }), 'SpecChanged')];
    expect(told([aNode('a', well)], type, [], silent)).toMatch(/^True /);
  });

  test('is True when every node’s is', () => {
    expect(told([aNode('a', well), aNode('b', well)], type)).toMatch(/^True (NoChanges|Scanned|Recorded): 2 nodes: /);
  });

  test('is Unknown when one node’s is, or when nothing is said of one', () => {
    expect(told([aNode('a', well), aNode('b', { [type]: 'Unknown Why' })], type)).toBe(
      'Unknown Why: 1 of 2 nodes: Why (b).',
    );
    expect(told([aNode('a', well), aNode('b')], type)).toMatch(/^Unknown (NotScanned|Pending): 1 of 2 nodes: /);
  });

  test('is False when one node’s is, whatever the others are, and names them', () => {
    const bad = ['n7', 'n6', 'n5', 'n4', 'n3', 'n2', 'n1'].map((name) => aNode(name, { [type]: 'False Bad' }));
    expect(told([aNode('a', { [type]: 'Unknown Why' }), ...bad], type)).toBe(
      'False Bad: 7 of 8 nodes: Bad (n1, n2, n3, n4, n5 and 2 more).',
    );
  });

  test('is Unknown when no node is watched', () => {
    expect(told([], type)).toBe('Unknown NoNodes: No node is watched.');
  });

  test('is never True while a node cannot be watched', () => {
    const status = type === 'Fresh' ? 'False' : 'Unknown';
    expect(told([aNode('a', well)], type, ['x'])).toBe(`${status} NameTaken: 1 of 2 nodes: NameTaken (x).`);
  });
});

test('what was not seen at the baseline either is named where all is well but for that', () => {
  const unseen = { count: 1, sinceBaseline: 0, digest: 'd'.repeat(64), paths: [] };
  const lastResult = { condition: 'Succeeded', lastProbeTime: since, unseen } as const;
  const blind = { ...aNode('b', well), lastResult };
  expect(told([aNode('a', well), blind], 'IntegrityHeld')).toBe(
    'True NoChanges: 2 nodes: no difference from the baseline was found. Not all could be read, as at the baseline, on 1 node: b.',
  );
  expect(told([aNode('a', well), blind], 'Fresh')).not.toContain('could be read');
  const partly = { ...aNode('b', { ...well, IntegrityHeld: 'Unknown PartlyUnseen' }), lastResult };
  expect(told([aNode('a', well), partly], 'IntegrityHeld')).toBe(
    'Unknown PartlyUnseen: 1 of 2 nodes: PartlyUnseen (b).',
  );
});

test('of several reasons the gravest comes first', () => {
  const found = [
    aNode('a', { IntegrityHeld: 'False Changed' }),
    aNode('b', { IntegrityHeld: 'False BaselineReplaced' }),
  ];
  expect(told(found, 'IntegrityHeld')).toBe('False BaselineReplaced: 2 of 2 nodes: BaselineReplaced (b), Changed (a).');
  const silent = ['Held', 'Late', 'DaemonMissing'].map((reason) => aNode(reason, { Fresh: `False ${reason}` }));
  expect(told(silent, 'Fresh')).toMatch(/^False DaemonMissing: .*DaemonMissing .*Late .*Held /);
});
