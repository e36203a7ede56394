import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains } from './contains.ts';

describe('an object contains what is wanted of it', () => {
  test.each([
    ['the same', { a: 1, b: { c: 'x' } }, { a: 1, b: { c: 'x' } }],
    ['fields that others added', { a: 1, b: { c: 'x', more: 1 }, more: {} }, { b: { c: 'x' } }],
    ['what is wanted to be undefined', { a: 1 }, { a: 1, b: undefined }],
    ['lists that are equal, whose items have more', { a: [{ x: 1, y: 2 }] }, { a: [{ x: 1 }] }],
  ])('%s', (_, actual, desired) => {
    expect(contains(actual, desired)).toBe(true);
  });

  test.each([
    ['another value', { a: 1 }, { a: 2 }],
    ['a missing field', {}, { a: {} }],
    ['a longer list', { a: [1, 2] }, { a: [1] }],
    ['a shorter list', { a: [] }, { a: [1] }],
    ['another order', { a: [2, 1] }, { a: [1, 2] }],
    ['a list for an object', { a: [] }, { a: {} }],
    ['text for a number', { a: '1' }, { a: 1 }],
    ['null', { a: null }, { a: {} }],
    ['nothing at all', undefined, { a: 1 }],
  ])('but not with %s', (_, actual, desired) => {
    expect(contains(actual, desired)).toBe(false);
  });

  test('where it counts: paths may be left out', () => {
    const actual = { spec: { resources: { cpu: '1' }, list: [{ image: 'a' }] } };
    const desired = { spec: { resources: { cpu: 1 }, list: [{ image: 'b' }] } };
    expect(contains(actual, desired, (path) => path === '.spec.resources' || path === '.spec.list.0.image')).toBe(true);
    expect(contains(actual, desired, (path) => path === '.spec.resources')).toBe(false);
  });

  test('whatever it is: everything contains itself', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => contains(structuredClone(value), value)));
  });
});
