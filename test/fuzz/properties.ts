import assert from 'node:assert/strict';

/** Control and format characters (bidirectional marks among them), line and paragraph separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** A text that is shown to a person has nothing in it that could play with a terminal or a page. */
export function checkSafe(text: string, limit = Number.POSITIVE_INFINITY): void {
  const found = UNSAFE.exec(text)?.[0].codePointAt(0)?.toString(16);
  assert.equal(found, undefined, `U+${found} comes out`);
  assert.ok(text.length <= limit, `${text.length} characters come out, more than ${limit}`);
}

/** The same for every text in a value, the names of its fields included. */
export function checkAllSafe(value: unknown, limit?: number): void {
  if (typeof value === 'string') checkSafe(value, limit);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    checkSafe(key, limit);
    checkAllSafe(each, limit);
  }
}

/** What `printable` was given, as long as nothing was cut. */
export function unprintable(shown: string): string {
  return shown.replace(/\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]+)\})/g, (all, x, u, point) =>
    all === '\\\\' ? '\\' : String.fromCodePoint(Number.parseInt(x ?? u ?? point, 16)),
  );
}

/** The bytes of the file name that `showPath` was given, as long as nothing was cut. */
export function bytesShown(shown: string): Buffer {
  const pieces = shown.split(/(\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\u\{[0-9a-f]+\})/);
  return Buffer.concat(
    pieces.map((piece, index) => {
      if (index % 2 === 0) return Buffer.from(piece);
      return piece.startsWith('\\x') ? Buffer.from(piece.slice(2), 'hex') : Buffer.from(unprintable(piece));
    }),
  );
}

/** The bytes in pieces, whose lengths follow from the bytes themselves. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const length = 1 + ((bytes[start] ?? 0) % 61);
    chunks.push(bytes.subarray(start, start + length));
    start += length;
  }
  return chunks;
}

/** The value of a JSON text; undefined when it is none. */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** For what is said never to throw, not even an error with a code. */
export function orFault<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new Error(`it throws: ${cause instanceof Error ? cause.stack : cause}`, { cause });
  }
}
