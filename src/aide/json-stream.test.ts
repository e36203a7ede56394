import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBytes, type JsonHandler, JsonStream } from './json-stream.ts';

/** Builds the value that `JSON.parse` would, numbers and words as text. */
class Builder implements JsonHandler {
  root: unknown;
  readonly #stack: (unknown[] | Map<string, unknown>)[] = [];
  #key = '';

  open(bracket: '{' | '['): void {
    const value = bracket === '{' ? new Map<string, unknown>() : [];
    this.#put(value);
    this.#stack.push(value);
  }

  close(): void {
    this.#stack.pop();
    const parent = this.#stack.at(-1);
    if (parent instanceof Map) this.#key = '';
  }

  key(name: string): void {
    this.#key = name;
  }

  value(text: string): void {
    this.#put(text);
  }

  #put(value: unknown): void {
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.root = value;
    else if (parent instanceof Map) parent.set(this.#key, value);
    else parent.push(value);
  }
}

function read(bytes: Buffer, cuts: readonly number[] = [], limits = { depth: 32, stringBytes: 10_000 }): unknown {
  const builder = new Builder();
  const stream = new JsonStream(builder, limits);
  let start = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    stream.push(bytes.subarray(start, cut));
    start = cut;
  }
  if (!stream.done) throw new Error('it ends early');
  return builder.root;
}

/** What `Builder` makes of a value that `JSON.parse` made. */
function asBuilt(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asBuilt);
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value);
  return new Map(Object.entries(value).map(([key, each]) => [key, asBuilt(each)]));
}

describe('JSON that streams by', () => {
  test('is read as JSON.parse reads it, wherever it is cut into pieces', () => {
    const json = fc.anything({
      maxDepth: 4,
      values: [fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null)],
      withNullPrototype: false,
    });
    const cuts = fc.array(fc.nat(400), { maxLength: 6 });
    fc.assert(
      fc.property(json, cuts, fc.constantFrom(0, 2), (value, at, indent) => {
        const text = JSON.stringify([value], null, indent);
        const bytes = Buffer.from(text);
        expect(
          read(
            bytes,
            at.map((cut) => Math.min(cut, bytes.length)),
          ),
        ).toEqual(asBuilt(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['escapes', '["\\"\\\\\\/\\b\\f\\n\\r\\t"]', '"\\/\b\f\n\r\t'],
    ['a code unit', '["\\u00e9\\u20ac"]', 'é€'],
    ['a pair of surrogates', '["\\ud83d\\ude00"]', '\u{1f600}'],
    ['a high surrogate alone', '["\\ud83dx"]', '\ufffdx'],
    ['a high surrogate before an escape', '["\\ud83d\\n"]', '\ufffd\n'],
    ['a high surrogate at the end', '["\\ud83d"]', '\ufffd'],
    ['two high surrogates', '["\\ud83d\\ud83d\\ude00"]', '\ufffd\u{1f600}'],
    ['a low surrogate alone', '["\\ude00"]', '\ufffd'],
    ['a raw control character', '["a\u001fb"]', 'a\u001fb'],
  ])('reads %s in a string', (_name, text, expected) => {
    expect(read(Buffer.from(text))).toEqual([expected]);
  });

  test('keeps bytes that are not UTF-8 apart', () => {
    expect(read(Buffer.concat([Buffer.from('["'), Buffer.of(0xe9, 0xff, 0x41), Buffer.from('"]')]))).toEqual([
      '\udce9\udcffA',
    ]);
  });

  test.each([
    'x ',
    '{]',
    '[}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '[1,]',
    '[,1]',
    '[1 2]',
    '["a" "b"]',
    '{"a" 1}',
    '{1:2}',
    '{"a"::1}',
    '["\\x"]',
    '["\\u12g4"]',
    '[01e]',
    '[1.]',
    '[.5]',
    '[--1]',
    '[1e]',
    '[nul]',
    '[truefalse]',
    '[Infinity]',
    '[NaN]',
    `[${'1'.repeat(41)}]`,
    '{}{}',
    '[]]',
    '"a" "b"',
    `${'['.repeat(33)}`,
  ])('refuses %s', (text) => {
    expect(() => read(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'JSON_MALFORMED' }));
  });

  test.each(['', '[', '{', '{"a', '{"a"', '{"a":', '{"a":1', '["\\', '["\\u12', '[1', '[tru', '   '])(
    'knows that %j is not all',
    (text) => {
      const stream = new JsonStream(new Builder(), { depth: 4, stringBytes: 100 });
      stream.push(Buffer.from(text));
      expect(stream.done).toBe(false);
    },
  );

  test('never does but refuse, whatever the bytes', () => {
    const piece = fc.constantFrom(...'{}[],:"\\u0123abtfn-+. \n', 'true', 'null', '\\u', '\\ud83d', '\u00e9', '"a"');
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ unit: piece, maxLength: 40 })), (input) => {
        const stream = new JsonStream(new Builder(), { depth: 8, stringBytes: 16 });
        try {
          stream.push(Buffer.from(input as string));
        } catch (error) {
          expect(error).toMatchObject({ code: 'JSON_MALFORMED' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('of a string longer than its bound keeps the beginning, and says that it was cut', () => {
    const limits = { depth: 4, stringBytes: 10 };
    expect(read(Buffer.from(JSON.stringify(['x'.repeat(11)])), [], limits)).toEqual([`${'x'.repeat(10)}…`]);
    expect(read(Buffer.from(JSON.stringify(['x'.repeat(10)])), [5], limits)).toEqual(['x'.repeat(10)]);
    expect(read(Buffer.from(JSON.stringify(['x'.repeat(11), 'y'])), [], limits)).toEqual([`${'x'.repeat(10)}…`, 'y']);
    expect(read(Buffer.from(`["${'\\n'.repeat(11)}"]`), [], limits)).toEqual([`${'\n'.repeat(10)}…`]);
  });
});

describe('bytes as text', () => {
  test('are decoded without loss', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(encode(decodeBytes(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('that are UTF-8 are their characters', () => {
    expect(decodeBytes(Buffer.from('naïve \u{1f600}'))).toBe('naïve \u{1f600}');
  });

  test.each([
    ['an encoded surrogate', [0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    ['an overlong slash', [0xc0, 0xaf], '\udcc0\udcaf'],
    ['a character cut short', [0x61, 0xf0, 0x9f, 0x98], 'a\udcf0\udc9f\udc98'],
  ])('keep %s as single bytes', (_name, bytes, text) => {
    expect(decodeBytes(Buffer.from(bytes))).toBe(text);
  });
});

function encode(text: string): Buffer {
  const parts = text.split(/((?<![\ud800-\udbff])[\udc80-\udcff])/);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - 0xdc00))),
  );
}
