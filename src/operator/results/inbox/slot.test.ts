import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { MESSAGE_ANNOTATION } from '../../../evidence/kept.ts';
import { firstName, isMessage, isPartOf } from './slot.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const map = (name: string, labels: Record<string, string>, annotations: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, labels: { [key('owner')]: 'w', [key('node')]: 'n', ...labels }, annotations },
});
const part = (number: number, labels: Record<string, string> = {}) =>
  map(`aide-w-n-${number}`, { [key('part')]: String(number), ...labels });
describe('the parts of a message', () => {
  const sender = { integrity: 'w', node: 'n' };
  test('are told by their number', () => {
    expect(isPartOf(part(2), 2, sender)).toBe(true);
    expect(isPartOf(part(2), 3, sender)).toBe(false);
  });

  test('are not the message of another node whose name is like that of a part', () => {
    expect(isPartOf(map('aide-w-n-2', { [key('node')]: 'n-2', [key('log')]: '' }), 2, sender)).toBe(false);
    expect(isPartOf(part(2, { [key('node')]: 'n-2' }), 2, sender)).toBe(false);
    expect(isPartOf(part(3, { [key('owner')]: 'other' }), 3, sender)).toBe(false);
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
