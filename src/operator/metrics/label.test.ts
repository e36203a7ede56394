import { describe, expect, test } from 'vitest';
import { boundedLabel, OWNER } from './label.ts';

describe('a label value made of a code', () => {
  test('is the code', () => {
    expect(boundedLabel()('AIDE_IO_ERROR')).toBe('AIDE_IO_ERROR');
  });

  test('is UNKNOWN where nobody said one', () => {
    expect(boundedLabel()(undefined)).toBe('UNKNOWN');
  });

  test('is OTHER for what is no code: sentences, empty text, line breaks, names as long as a sentence', () => {
    const label = boundedLabel();
    for (const text of ['', 'AIDE error: 18', 'A\nB', 'A"} 1', 'É', 'A'.repeat(65)]) expect(label(text)).toBe('OTHER');
  });

  test('is OTHER for every new code once there are too many, and the known ones stay', () => {
    const label = boundedLabel({ limit: 3 });
    const codes = Array.from({ length: 1000 }, (_, number) => label(`CODE_${number}`));
    expect(new Set(codes)).toEqual(new Set(['CODE_0', 'CODE_1', 'CODE_2', 'OTHER']));
    expect(label('CODE_1')).toBe('CODE_1');
  });

  test('is the name of a client where it is to be one, and OTHER for what plays with a page', () => {
    const label = boundedLabel({ pattern: OWNER });
    expect(['kubectl-annotate', 'machine-config-daemon', 'a@b', 'x\n', 'a"b', ''].map(label)).toEqual([
      ...['kubectl-annotate', 'machine-config-daemon', 'a@b', 'OTHER', 'OTHER', 'OTHER'],
    ]);
  });
});
