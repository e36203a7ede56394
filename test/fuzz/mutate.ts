import type { Random } from './random.ts';

/** What mutations work with. */
export interface Material {
  /** Inputs that pieces are taken from. */
  readonly others: readonly Buffer[];
  /** Words of the target's language. */
  readonly words: readonly string[];
  readonly maxBytes: number;
}

/** The bytes with a few things changed in them, never more of them than `maxBytes`. */
export function mutate(bytes: Buffer, random: Random, material: Material): Buffer {
  let changed = bytes;
  do {
    changed = random.pick(MUTATIONS)(changed, random, material).subarray(0, material.maxBytes);
  } while (!random.oneIn(3));
  return changed;
}

type Mutation = (bytes: Buffer, random: Random, material: Material) => Buffer;

/** What readers of bytes are known to stumble over. */
const ODD_TEXTS = [
  ...['\0', '\n', '\r\n', '\r', '\t', '\v', '\f', '\x1b[31m', '\x7f', '\u0085', '\u00a0', '\u00ad', '\u2028', '\ufeff'],
  ...['\u202e', '\u2066', '\u200b', '\u{e0041}', '\u{1f480}', 'é', 'ﬁ', '\\', '\\\\', '\\x0a', '\\u202e', '\\ud800'],
  ...[
    '"',
    "'",
    '`',
    '$',
    '%',
    '#',
    '@@',
    '<',
    '&',
    '/',
    '..',
    '/../',
    '|',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    '*',
    '+',
    '?',
  ],
  ...['null', 'true', '[]', '{}', '""', '__proto__', 'constructor', 'toString', 'NaN', '-0', '1e999', '0x10'],
] as const;
const ODD_NUMBERS = [
  ...['0', '-1', '1', '255', '256', '65536', '2147483648', '4294967296', '9007199254740993', '18446744073709551616'],
  ...['1e308', '1e309', '-1e309', '0.1', '99999999999999999999999999999999999999999999', '00', '1e-400'],
] as const;
/** Bytes that are not UTF-8: a lone continuation, a cut character, one too long, a surrogate, one beyond Unicode. */
const ODD_BYTES = [[0x80], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x92], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5], [0xff]];
const BRACKETS = ['[', '{', '(', '{"a":', '[[', '@@if defined X\n', '"', '\\'] as const;

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  function flipBit(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = random.below(copy.length);
    if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    return copy;
  },
  function setByte(bytes, random) {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random.below(copy.length)] = random.next() & 0xff;
    return copy;
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function remove(bytes, random) {
    const [from, to] = range(bytes, random);
    return replaced(bytes, from, to);
  },
  function putIn(bytes, random) {
    return inserted(bytes, random, random.bytes(1 + random.below(8)));
  },
  function putOddTextIn(bytes, random) {
    return inserted(bytes, random, Buffer.from(random.pick(ODD_TEXTS)));
  },
  function putOddBytesIn(bytes, random) {
    return inserted(bytes, random, Buffer.from(random.pick(ODD_BYTES) ?? []));
  },
  function putWordIn(bytes, random, { words }) {
    return inserted(bytes, random, Buffer.from(random.pick(words) ?? ''));
  },
  function repeat(bytes, random, { maxBytes }) {
    const [from, to] = range(bytes, random);
    const piece = bytes.subarray(from, to);
    const times = random.oneIn(8) ? Math.ceil(maxBytes / Math.max(1, piece.length)) : 1 + random.below(8);
    return replaced(bytes, to, to, ...Array.from({ length: Math.min(times, maxBytes) }, () => piece));
  },
  function nest(bytes, random, { maxBytes }) {
    const bracket = random.pick(BRACKETS);
    return inserted(bytes, random, Buffer.from(bracket.repeat(1 + random.below(random.oneIn(4) ? maxBytes : 40))));
  },
  function lengthen(bytes, random, { maxBytes }) {
    const length = random.oneIn(4) ? maxBytes : 1 + random.below(600);
    return inserted(bytes, random, Buffer.alloc(length, random.pick(['a', ' ', '\0', 'é', '0', '\\', '/', '*'])));
  },
  function changeNumber(bytes, random) {
    const numbers = [...bytes.toString('latin1').matchAll(/-?\d+/g)];
    const number = random.pick(numbers);
    if (number === undefined) return bytes;
    const from = number.index;
    return replaced(bytes, from, from + number[0].length, Buffer.from(random.pick(ODD_NUMBERS)));
  },
  function splice(bytes, random, { others }) {
    const other = random.pick(others) ?? bytes;
    const [from, to] = range(other, random);
    const [start, end] = random.oneIn(2) ? range(bytes, random) : [random.below(bytes.length + 1)];
    return replaced(bytes, start, end ?? start, other.subarray(from, to));
  },
  function exchange(bytes, random) {
    const [from, to] = range(bytes, random);
    const [start, end] = range(bytes, random);
    return replaced(bytes, start, end, bytes.subarray(from, to));
  },
];

function range(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  // Mostly short: a long piece taken away leaves little to look at.
  const most = random.oneIn(4) ? bytes.length - from : Math.min(bytes.length - from, 32);
  return [from, from + random.below(most + 1)];
}

function inserted(bytes: Buffer, random: Random, piece: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  return replaced(bytes, at, at, piece);
}

function replaced(bytes: Buffer, from: number, to: number, ...pieces: readonly Buffer[]): Buffer {
  return Buffer.concat([bytes.subarray(0, from), ...pieces, bytes.subarray(to)]);
}
