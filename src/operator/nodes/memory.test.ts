import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatMemory, type NodeMemory, parseMemory } from './memory.ts';

const memory: NodeMemory = {
  node: 'uid',
  profile: 'openshift',
  configuration: 'rendered-1',
  update: { source: 'MachineConfig', from: 'a', to: 'b', since: '2026-11-24T12:00:00.000Z' },
  updated: { from: 'a', to: 'b' },
  requestedAt: '2026-11-24T12:00:00.000Z',
  orders: ['update-2', 'initial-1'],
  selected: { labels: { pool: 'x' }, taints: ['a=b:NoSchedule'] },
};

test('what the operator remembers of a node is read as it was written', () => {
  expect(parseMemory(formatMemory(memory))).toEqual(memory);
});

test('nothing to remember is no annotation', () => {
  expect(formatMemory({})).toBeUndefined();
  expect(parseMemory(undefined)).toEqual({});
});

test.each([
  '',
  '{',
  'null',
  '[]',
  '7',
  '{"update":{"source":"Foe"},"configuration":7,"profile":"windows","updated":"x","requestedAt":"soon","orders":[7],"selected":7}',
])('the annotation %j counts as nothing', (text) => {
  expect(parseMemory(text)).toEqual({});
});

test('any text is read without an error', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseMemory(text)));
});

test('what is beside the fields that are known is not remembered', () => {
  const transition = { from: 'a', to: 'b' };
  expect(parseMemory(JSON.stringify({ updated: { ...transition, more: [1e300] } }))).toEqual({ updated: transition });
});
