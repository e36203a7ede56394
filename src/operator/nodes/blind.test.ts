import { expect, test } from 'vitest';
import { NOW } from '../../../test/support/operator-worlds.ts';
import type { Condition } from '../../api/condition.ts';
import { type BlindWorld, withoutSight } from './blind.ts';
import type { NodeStatePlan } from './state.ts';

const condition = (type: string, status: Condition['status'], reason = 'Good'): Condition => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: NOW.toISOString(),
});
const GOOD: NodeStatePlan = {
  state: 'Succeeded',
  conditions: [condition('Ready', 'True'), condition('IntegrityHeld', 'True'), condition('Fresh', 'True')],
};
const see = (plan: NodeStatePlan, world: Partial<BlindWorld>) => {
  const { state, conditions } = withoutSight(plan, {
    now: NOW,
    standing: [],
    blind: {},
    slotTaken: undefined,
    ...world,
  });
  return [state, ...conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`)];
};

test('what is well is unknown where its messages cannot be read', () => {
  expect(see(GOOD, { blind: { results: 'no' } })).toEqual([
    'Silent',
    'Ready True Good',
    'IntegrityHeld Unknown OperatorCannotRead',
    'Fresh True Good',
  ]);
});

test('a daemon is neither running nor missing where pods and nodes cannot be read', () => {
  const blind = { daemon: 'no' };
  expect(see(GOOD, { blind })).toEqual([
    'Succeeded',
    'Ready Unknown OperatorCannotRead',
    'IntegrityHeld True Good',
    'Fresh True Good',
  ]);
  const gone = { ...GOOD, conditions: [condition('Ready', 'False', 'NodeNotReady')] };
  expect(see(gone, { blind })).toEqual(['Succeeded', 'Ready Unknown OperatorCannotRead']);
});

test('a node in the place of whose messages something stays is neither ready nor held', () => {
  expect(see(GOOD, { slotTaken: 'taken' })).toEqual([
    'Silent',
    'Ready False SlotTaken',
    'IntegrityHeld Unknown SlotTaken',
    'Fresh True Good',
  ]);
});

test('what is bad stays so, whatever cannot be read', () => {
  const conditions = [condition('Ready', 'False', 'Held'), condition('IntegrityHeld', 'False', 'Changed')];
  const bad: NodeStatePlan = { state: 'Failed', conditions };
  expect(withoutSight(bad, { now: NOW, standing: [], blind: { results: 'a', daemon: 'b' }, slotTaken: 'c' })).toBe(bad);
});

test('where all can be read nothing is changed', () => {
  expect(withoutSight(GOOD, { now: NOW, standing: [], blind: {}, slotTaken: undefined })).toBe(GOOD);
});
