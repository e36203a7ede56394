import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printable } from './text.ts';

describe('printable', () => {
  test('leaves ordinary text of any language as it is', () => {
    expect(printable('/etc/ναι-é-日本.conf')).toBe('/etc/ναι-é-日本.conf');
  });

  test('shows control characters, line breaks and terminal escapes as escapes', () => {
    expect(printable('a\nb\u001b[31mred\u0007')).toBe('a\\x0ab\\x1b[31mred\\x07');
  });

  test('shows bidirectional and invisible marks as escapes', () => {
    expect(printable('exe.\u202egpj\u200b')).toBe('exe.\\u202egpj\\u200b');
    expect(printable('a\u0604b\u3164c\ufe0fd\u{1d177}')).toBe('a\\u0604b\\u3164c\\ufe0fd\\u{1d177}');
  });

  test('escapes a backslash, so that a file name cannot pretend to be an escape', () => {
    expect(printable('\\x0a')).toBe('\\\\x0a');
  });

  test('cuts at the limit and says so', () => {
    expect(printable('abcdef', 4)).toBe('abc…');
  });

  test('never lets through a control character or a lone surrogate, and never exceeds its limit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (text, limit) => {
        const shown = printable(text, limit);
        expect(shown.length).toBeLessThanOrEqual(limit);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(shown.isWellFormed()).toBe(true);
      }),
    );
  });
});
