import { describe, expect, test } from 'vitest';
import { boundedLabel } from './label.ts';

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
    const label = boundedLabel(3);
    const codes = Array.from({ length: 1000 }, (_, number) => label(`CODE_${number}`));
    expect(new Set(codes)).toEqual(new Set(['CODE_0', 'CODE_1', 'CODE_2', 'OTHER']));
    expect(label('CODE_1')).toBe('CODE_1');
  });
});
