import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HOSTILE_NAMES } from '../../test/support/aide-scene.ts';
import { decodeBytes } from './json-stream.ts';
import { showPath } from './path.ts';

describe('a file name is shown so that it can harm no one', () => {
  test.each([
    ['/etc/passwd', '/etc/passwd'],
    ['/etc/naïve \u{1f600}', '/etc/naïve \u{1f600}'],
    ['/etc/line\nbreak', '/etc/line\\x0abreak'],
    ['/etc/\u001b[31mred', '/etc/\\x1b[31mred'],
    ['/etc/back\\slash', '/etc/back\\\\slash'],
    ['/etc/ship\u202egpj.exe', '/etc/ship\\u202egpj.exe'],
    ['/etc/latin\udce9\udcff1', '/etc/latin\\xe9\\xff1'],
    // A character and a byte of the same number are told apart.
    ['/etc/\u0085 \u00ad', '/etc/\\xc2\\x85 \\xc2\\xad'],
    ['/etc/\udc85 \udcad', '/etc/\\x85 \\xad'],
    ['/etc/lone\ud83d', '/etc/lone\ufffd'],
  ])('%j', (path, shown) => {
    expect(showPath(path)).toBe(shown);
  });

  test('names of different bytes are shown differently, whatever the bytes', () => {
    const bytes = fc
      .array(fc.constantFrom(0xc2, 0x85, 0xad, 0x5c, 0x78, 0x38, 0x35, 0x0a), { maxLength: 5 })
      .map((all) => Uint8Array.from(all));
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const same = Buffer.from(one).equals(other);
        expect(showPath(decodeBytes(Buffer.from(one))) === showPath(decodeBytes(Buffer.from(other)))).toBe(same);
      }),
      { numRuns: 3000 },
    );
  });

  test('nothing but printable characters is left of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(showPath(decodeBytes(Buffer.from(bytes)))).toMatch(/^[^\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u);
      }),
      { numRuns: 1000 },
    );
  });

  test('a long one is cut, without cutting a character in two', () => {
    expect(showPath('/'.repeat(5000))).toHaveLength(4096);
    expect(showPath('abcdef', 4)).toBe('abc…');
    expect(showPath('ab\u{1f600}cd', 4)).toBe('ab\ufffd…');
    expect(showPath('a\udce9\udcff', 6).length).toBeLessThanOrEqual(6);
  });

  test.each(HOSTILE_NAMES.map((name) => [name.toString('latin1'), name] as const))('%j', (_label, name) => {
    expect(showPath(decodeBytes(name))).toMatch(/^[^\p{Cc}\p{Cs}\u202e]*$/u);
  });
});
