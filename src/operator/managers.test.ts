import { expect, test } from 'vitest';
import { lastManagerOf, managerOf, onlyManagersOf, onlyTimeOf, writtenAt } from './managers.ts';

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

test('an object was last written when the last of its managers wrote', () => {
  const times = ['2026-11-24T12:00:00Z', '2026-11-24T12:00:09Z', '2026-11-24T12:00:01Z'];
  const written = { managedFields: [...times.map((time) => ({ manager: 'x', time })), null, {}, { time: 7 }] };
  expect(writtenAt(written)).toBe('2026-11-24T12:00:09Z');
  expect(writtenAt({ managedFields: onlyTimeOf(written) })).toBe('2026-11-24T12:00:09Z');
  expect([writtenAt(undefined), writtenAt({}), onlyTimeOf({})]).toEqual([undefined, undefined, []]);
});

test('the last manager of some fields is the one that wrote last of those that have one of them', () => {
  const entry = (manager: string, time: string | undefined, data: object) => ({
    manager,
    ...(time && { time }),
    fieldsV1: { 'f:data': data },
  });
  const managedFields = [
    entry('second', '2026-11-24T12:00:09Z', { 'f:aide.conf': {} }),
    entry('first', '2026-11-24T12:00:00Z', { 'f:aide.conf': {} }),
    entry('other', '2026-11-24T12:00:11Z', { 'f:other': {} }),
    entry('timeless', undefined, { 'f:aide.conf': {} }),
    { manager: 'odd', time: '2026-11-24T12:00:12Z', fieldsV1: { 'f:data': 'no' } },
    { manager: 'odd', time: '2026-11-24T12:00:12Z' },
  ];
  expect(lastManagerOf({ managedFields }, ['data'], ['aide.conf'])).toBe('second');
  expect(lastManagerOf({ managedFields }, ['data'], ['no'])).toBeUndefined();
  expect(lastManagerOf({}, ['data'], ['aide.conf'])).toBeUndefined();
});
