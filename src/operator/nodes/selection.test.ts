import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { aNode } from '../../../test/support/operator-worlds.ts';
import { type FileIntegritySpecInput, fileIntegritySpecSchema } from '../../api/fileintegrity.ts';
import { selectNodes } from './selection.ts';

type Tolerations = NonNullable<FileIntegritySpecInput['tolerations']>;

/** Whether a FileIntegrity with these tolerations (default: its own) watches a node with this taint. */
function watches(taint: Taint, tolerations?: Tolerations, watched = false): boolean {
  const spec = fileIntegritySpecSchema.parse({ config: {}, ...(tolerations && { tolerations }) });
  return selectNodes(spec, [aNode('a', {}, [taint])], new Set(watched ? ['a'] : [])).length === 1;
}

describe('nodes are selected by', () => {
  const select = (nodeSelector: Record<string, string> | undefined) => {
    const nodes = [aNode('a', { pool: 'x', zone: '1' }), aNode('b', { pool: 'x' }), aNode('c')];
    const spec = fileIntegritySpecSchema.parse({ config: {}, ...(nodeSelector && { nodeSelector }) });
    return selectNodes(spec, nodes, new Set()).map(({ metadata }) => metadata?.name);
  };

  test('all labels of the selector; none selects every node', () => {
    expect(select({ pool: 'x' })).toEqual(['a', 'b']);
    expect(select({ pool: 'x', zone: '1' })).toEqual(['a']);
    expect(select({ pool: '' })).toEqual([]);
    expect(select({})).toEqual(['a', 'b', 'c']);
    expect(select(undefined)).toEqual(['a', 'b', 'c']);
  });

  test('their system: not Windows', () => {
    const spec = fileIntegritySpecSchema.parse({ config: {} });
    expect(selectNodes(spec, [aNode('w', { 'kubernetes.io/os': 'windows' })], new Set())).toEqual([]);
  });
});

describe('a taint', () => {
  const taint = (key: string, effect: string, value?: string): Taint => ({ key, effect, ...(value && { value }) });

  test('of the control plane and of infra nodes is tolerated unless the spec says otherwise', () => {
    expect(watches(taint('node-role.kubernetes.io/control-plane', 'NoSchedule'))).toBe(true);
    expect(watches(taint('node-role.kubernetes.io/master', 'NoSchedule'))).toBe(true);
    expect(watches(taint('node-role.kubernetes.io/infra', 'NoSchedule'))).toBe(true);
    expect(watches(taint('node-role.kubernetes.io/master', 'NoSchedule'), [])).toBe(false);
    expect(watches(taint('node-role.kubernetes.io/master', 'NoExecute'))).toBe(false);
    expect(watches(taint('other', 'NoSchedule'))).toBe(false);
  });

  test('that says how the node is at the moment does not matter, nor does one that only prefers', () => {
    expect(watches(taint('node.kubernetes.io/not-ready', 'NoExecute'))).toBe(true);
    expect(watches(taint('node.kubernetes.io/unreachable', 'NoExecute'))).toBe(true);
    expect(watches(taint('node.kubernetes.io/unschedulable', 'NoSchedule'))).toBe(true);
    expect(watches(taint('other', 'PreferNoSchedule'))).toBe(true);
  });

  test('against new pods does not end the watch of a node, one against running pods does', () => {
    expect(watches(taint('other', 'NoSchedule'), undefined, true)).toBe(true);
    expect(watches(taint('other', 'NoExecute'), undefined, true)).toBe(false);
  });

  test.each<[string, Tolerations, boolean]>([
    ['its key', [{ key: 'k', operator: 'Exists' }], true],
    ['another key', [{ key: 'x', operator: 'Exists' }], false],
    ['every key', [{ operator: 'Exists' }], true],
    ['its value', [{ key: 'k', operator: 'Equal', value: '5' }], true],
    ['its value, without an operator', [{ key: 'k', value: '5' }], true],
    ['another value', [{ key: 'k', value: '6' }], false],
    ['no key and its value', [{ value: '5' }], false],
    ['another effect', [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }], false],
    ['less than', [{ key: 'k', operator: 'Lt', value: '6' }], true],
    ['less than itself', [{ key: 'k', operator: 'Lt', value: '5' }], false],
    ['greater than', [{ key: 'k', operator: 'Gt', value: '4' }], true],
    ['greater than no number', [{ key: 'k', operator: 'Gt', value: 'x' }], false],
  ])('with a value is tolerated by %s: %#', (_, tolerations, expected) => {
    expect(watches(taint('k', 'NoSchedule', '5'), tolerations)).toBe(expected);
  });
});
