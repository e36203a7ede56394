import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutBytes } from './events.ts';

test('a short text stays as it is', () => {
  expect(cutBytes('a:0,c:1,r:0', 1024)).toBe('a:0,c:1,r:0');
});

test('a long text is cut before the limit, never within a character, and says so', () => {
  expect(cutBytes('abcdefgh', 7)).toBe('abcd…');
  expect(cutBytes('ab日本語', 8)).toBe('ab日…');
  expect(cutBytes('ab😀😀', 9)).toBe('ab😀…');
});

test('no text is longer than the limit in bytes, or ill-formed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 3, max: 60 }), (text, limit) => {
      const cut = cutBytes(text, limit);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
      expect(Buffer.from(cut).toString('utf8')).toBe(cut);
    }),
  );
});
