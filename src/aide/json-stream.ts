import { isUtf8 } from 'node:buffer';
import { FioError } from '../lib/errors.ts';

/** Told what a JSON text contains, in its order. */
export interface JsonHandler {
  open(bracket: '{' | '['): void;
  close(): void;
  key(name: string): void;
  /** A string, or a number or word (`true`, `null`) as it is written. */
  value(text: string): void;
}

export interface JsonLimits {
  /** Objects and arrays inside each other. */
  readonly depth: number;
  /** Bytes kept of one string; the rest of a longer one is dropped and `…` put in its place. */
  readonly stringBytes: number;
}

type State =
  | 'value'
  | 'first-value'
  | 'first-key'
  | 'key'
  | 'colon'
  | 'after'
  | 'string'
  | 'escape'
  | 'unicode'
  | 'word'
  | 'done';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  '"': 0x22,
  '\\': 0x5c,
  '/': 0x2f,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
};

/**
 * Reads JSON as it streams by, with memory bounded by `limits`, where `JSON.parse` would need the text and all its values
 * at once. Strict in structure, lenient in strings, because AIDE writes a file name’s bytes there: the control character
 * 0x1f comes raw (AIDE up to 0.19.3), and so did any byte above 0x7f in older ones. Bytes that are not UTF-8 become lone
 * surrogates, as `decodeBytes` describes.
 * @throws FioError `JSON_MALFORMED` from `push`.
 */
export class JsonStream {
  readonly #handler: JsonHandler;
  readonly #limits: JsonLimits;
  readonly #stack: ('{' | '[')[] = [];
  #state: State = 'value';
  #isKey = false;
  #pieces: Buffer[] = [];
  #length = 0;
  #cut = false;
  #word = '';
  #highSurrogate: number | undefined;

  constructor(handler: JsonHandler, limits: JsonLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  push(chunk: Buffer): void {
    for (let index = 0; index < chunk.length; ) {
      index = this.#state === 'string' ? this.#takeString(chunk, index) : this.#takeByte(chunk, index);
    }
  }

  /** Whether the text has come to its end. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Takes as much of a string as the chunk holds in one piece. */
  #takeString(chunk: Buffer, start: number): number {
    let end = start;
    while (end < chunk.length && chunk[end] !== QUOTE && chunk[end] !== BACKSLASH) end += 1;
    if (end > start) this.#keep(chunk.subarray(start, end));
    if (end === chunk.length) return end;
    if (chunk[end] === BACKSLASH) this.#state = 'escape';
    else this.#endString();
    return end + 1;
  }

  #takeByte(chunk: Buffer, index: number): number {
    const character = String.fromCharCode(chunk[index] ?? 0);
    if (this.#state === 'escape') this.#takeEscape(character);
    else if (this.#state === 'unicode') this.#takeUnicode(character);
    else if (this.#state === 'word' && /[\w+.-]/.test(character)) this.#takeWord(character);
    else if (this.#state === 'word') {
      this.#endWord();
      return index;
    } else if (!/[ \t\r\n]/.test(character)) this.#takeStructure(character);
    return index + 1;
  }

  #takeStructure(character: string): void {
    const state = this.#state;
    const wantsValue = state === 'value' || state === 'first-value';
    const inside = this.#stack.at(-1);
    if (character === '"' && (wantsValue || state === 'key' || state === 'first-key')) {
      this.#isKey = !wantsValue;
      this.#state = 'string';
    } else if ((character === '{' || character === '[') && wantsValue) this.#open(character);
    else if (character === '}' && inside === '{' && (state === 'first-key' || state === 'after')) this.#close();
    else if (character === ']' && inside === '[' && (state === 'first-value' || state === 'after')) this.#close();
    else if (character === ':' && state === 'colon') this.#state = 'value';
    else if (character === ',' && state === 'after') this.#state = inside === '{' ? 'key' : 'value';
    else if (/[\w-]/.test(character) && wantsValue) this.#takeWord(character);
    else throw malformed('a character stands where it cannot');
  }

  #open(bracket: '{' | '['): void {
    if (this.#stack.length >= this.#limits.depth) throw malformed('it is nested too deep');
    this.#stack.push(bracket);
    this.#state = bracket === '{' ? 'first-key' : 'first-value';
    this.#handler.open(bracket);
  }

  #close(): void {
    this.#stack.pop();
    this.#handler.close();
    this.#endValue();
  }

  #endValue(): void {
    this.#state = this.#stack.length === 0 ? 'done' : 'after';
  }

  #keep(bytes: Buffer): void {
    this.#dropHighSurrogate();
    const room = this.#limits.stringBytes - this.#length;
    if (bytes.length > room) this.#cut = true;
    if (room <= 0) return;
    // Copied, because a piece must not keep its whole chunk alive.
    this.#pieces.push(Buffer.from(bytes.subarray(0, room)));
    this.#length += Math.min(bytes.length, room);
  }

  #takeEscape(character: string): void {
    if (character === 'u') {
      this.#state = 'unicode';
      return;
    }
    const code = SIMPLE_ESCAPES[character];
    if (code === undefined) throw malformed('it has an escape that does not exist');
    this.#state = 'string';
    this.#keep(Buffer.of(code));
  }

  #takeUnicode(character: string): void {
    if (!/[0-9a-fA-F]/.test(character)) throw malformed('it has an escape that does not exist');
    this.#word += character;
    if (this.#word.length < 4) return;
    const unit = Number.parseInt(this.#word, 16);
    this.#word = '';
    this.#state = 'string';
    const high = this.#highSurrogate;
    this.#highSurrogate = undefined;
    if (high !== undefined && unit >= 0xdc00 && unit <= 0xdfff) {
      this.#keep(Buffer.from(String.fromCharCode(high, unit)));
      return;
    }
    if (high !== undefined) this.#keep(Buffer.from('\ufffd'));
    if (unit >= 0xd800 && unit <= 0xdbff) this.#highSurrogate = unit;
    else this.#keep(Buffer.from(String.fromCharCode(unit)));
  }

  /** A high surrogate that no low one follows. */
  #dropHighSurrogate(): void {
    if (this.#highSurrogate === undefined) return;
    this.#highSurrogate = undefined;
    this.#keep(Buffer.from('\ufffd'));
  }

  #endString(): void {
    this.#dropHighSurrogate();
    const text = decodeBytes(Buffer.concat(this.#pieces)) + (this.#cut ? '…' : '');
    this.#pieces = [];
    this.#length = 0;
    this.#cut = false;
    if (this.#isKey) {
      this.#state = 'colon';
      this.#handler.key(text);
    } else {
      this.#endValue();
      this.#handler.value(text);
    }
  }

  #takeWord(character: string): void {
    if (this.#word.length >= 40) throw malformed('a number is too long');
    this.#word += character;
    this.#state = 'word';
  }

  #endWord(): void {
    const word = this.#word;
    if (!/^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(word)) throw malformed('a value is no number');
    this.#word = '';
    this.#endValue();
    this.#handler.value(word);
  }
}

/**
 * Text of bytes that should be UTF-8. When they are not, each byte above 0x7f that is part of no character becomes the lone
 * surrogate U+DC00 + byte (Python’s `surrogateescape`): different names stay different, and `showPath` can show them.
 */
export function decodeBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let index = 0; index < bytes.length; ) {
    const length = characterLength(bytes, index);
    if (length === 0) text += String.fromCharCode(0xdc00 + (bytes[index] ?? 0));
    else text += bytes.toString('utf8', index, index + length);
    index += Math.max(1, length);
  }
  return text;
}

/** Bytes of the UTF-8 character at `index`; 0 when there is none. */
function characterLength(bytes: Buffer, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return isUtf8(bytes.subarray(index, index + length)) && index + length <= bytes.length ? length : 0;
}

function malformed(why: string): FioError {
  return new FioError('JSON_MALFORMED', `The JSON cannot be read: ${why}`);
}
