import { expect, test } from 'vitest';
import { managerOf, onlyManagersOf } from './managers.ts';

const managedFields = [
  { manager: 'kubelet', fieldsV1: { 'f:status': { 'f:conditions': {} } } },
  { manager: 'kubectl-annotate', fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:a/one': {}, 'f:b/two': {} } } } },
  { manager: 'other', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:a/one': {} } } } },
];

test('the manager of an annotation or a label is the one recorded for it', () => {
  expect(managerOf({ managedFields }, 'annotations', 'a/one')).toBe('kubectl-annotate');
  expect(managerOf({ managedFields }, 'labels', 'a/one')).toBe('other');
  expect(managerOf({ managedFields }, 'labels', 'b/two')).toBeUndefined();
  expect(managerOf({}, 'labels', 'b/two')).toBeUndefined();
});

test.each([
  [[null]],
  [[{}]],
  [[{ manager: 7 }]],
  [[{ manager: 'x', fieldsV1: { 'f:metadata': { 'f:labels': 'no' } } }]],
])('what is recorded oddly names nobody: %j', (odd) => {
  expect(managerOf({ managedFields: odd.filter((entry) => entry !== null) }, 'labels', 'a/one')).toBeUndefined();
});

test('only what is wanted is kept', () => {
  const kept = onlyManagersOf({ managedFields }, (key) => key.startsWith('a/'));
  expect(kept).toEqual([
    { manager: 'kubectl-annotate', fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:a/one': {} } } } },
    { manager: 'other', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:a/one': {} } } } },
  ]);
  expect(managerOf({ managedFields: kept }, 'annotations', 'a/one')).toBe('kubectl-annotate');
});
