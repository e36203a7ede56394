import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { firstName, isMessage, MESSAGE_ANNOTATION, partsThere } from './slot.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const map = (name: string, labels: Record<string, string>, annotations: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, labels: { [key('owner')]: 'w', [key('node')]: 'n', ...labels }, annotations },
});
const part = (number: number, labels: Record<string, string> = {}) =>
  map(`aide-w-n-${number}`, { [key('part')]: String(number), ...labels });
const there = (...maps: ConfigMap[]) => {
  const byName = new Map(maps.map((each) => [each.metadata?.name, each]));
  return partsThere('aide-w-n', { integrity: 'w', node: 'n' }, (name) => byName.get(name));
};

describe('the parts of a message', () => {
  test('are found, with gaps', () => {
    expect(there(part(2), part(4), part(999))).toEqual([2, 4, 999]);
    expect(there()).toEqual([]);
  });

  test('are not the message of another node whose name is like that of a part', () => {
    expect(there(map('aide-w-n-2', { [key('node')]: 'n-2', [key('log')]: '' }))).toEqual([]);
    expect(there(part(2, { [key('node')]: 'n-2' }), part(3, { [key('owner')]: 'other' }))).toEqual([]);
  });

  test('lead back to its beginning', () => {
    expect(firstName(part(12))).toBe('aide-w-n');
    expect(firstName(map('aide-w-n-2', { [key('log')]: '' }))).toBe('aide-w-n-2');
    expect(firstName(map('odd', { [key('part')]: '2' }))).toBe('odd');
  });
});

test('a message is what a daemon sent, and not what the operator has kept of it or the effective configuration', () => {
  expect(isMessage(map('m', { [key('log')]: '' }))).toBe(true);
  expect(isMessage(part(2))).toBe(true);
  expect(isMessage(map('k', { [key('result-log')]: '' }))).toBe(false);
  expect(isMessage(map('k', { [key('part')]: '2' }, { [MESSAGE_ANNOTATION]: 'id' }))).toBe(false);
  expect(isMessage(map('c', { [key('aide-conf')]: '' }))).toBe(false);
});
