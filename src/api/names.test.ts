import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { daemonSetName, failedName, labelValue, nodeStatusName, partName, resultName } from './names.ts';

describe('names of ordinary length are those of the contract', () => {
  test('daemon set', () => expect(daemonSetName('worker')).toBe('aide-worker'));
  test('temporary result', () => expect(resultName('worker', 'node-1.example')).toBe('aide-worker-node-1.example'));
  test('kept failure', () => expect(failedName('worker', 'node-1')).toBe('aide-worker-node-1-failed'));
  test('node status', () => expect(nodeStatusName('worker', 'node-1')).toBe('worker-node-1'));
  test('the parts of a report are numbered from 2', () => {
    expect([1, 2, 3].map((number) => partName('aide-w-n', number))).toEqual(['aide-w-n', 'aide-w-n-2', 'aide-w-n-3']);
  });
});

describe('names that would grow too long', () => {
  const long = `${'n'.repeat(200)}.example`;

  test('are shortened to what Kubernetes takes, parts included', () => {
    expect(partName(resultName(long, long), 9999).length).toBeLessThanOrEqual(253);
    expect(partName(failedName(long, long), 9999).length).toBeLessThanOrEqual(253);
    expect(nodeStatusName(long, long).length).toBeLessThanOrEqual(253);
    expect(daemonSetName(long).length).toBeLessThanOrEqual(63);
  });

  test('stay different when they differ only at their end', () => {
    expect(labelValue(`${long}1`)).not.toBe(labelValue(`${long}2`));
  });

  test('stay valid: they begin and end with a letter or a digit', () => {
    const name = fc.stringMatching(/^[a-z0-9]([-.a-z0-9]{0,250}[a-z0-9])?$/);
    fc.assert(
      fc.property(name, (node) => {
        expect(labelValue(node)).toMatch(/^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$/);
      }),
    );
  });
});
