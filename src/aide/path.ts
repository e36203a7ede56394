import { printable } from '../lib/text.ts';

/**
 * A file name, as it comes from a `Report`, made safe to print (see `printable`): control characters, bidirectional marks
 * and bytes that are not UTF-8 (lone surrogates U+DC80 to U+DCFF in a report) show as escapes. Different names are shown
 * differently, but for what is cut.
 */
export function showPath(path: string, limit = 4096): string {
  // A pair of surrogates is one character and is left alone; only a lone low one stands for a byte. What `printable` would
  // show as one byte, and is two, is shown as two.
  const parts = path.split(/((?<![\ud800-\udbff])[\udc80-\udcff]|[\u0080-\u009f\u00ad])/);
  const shown = parts.map((part, index) => (index % 2 === 0 ? printable(part, limit) : showBytes(part)));
  const text = shown.join('');
  return text.length <= limit ? text : `${text.slice(0, limit - 1).toWellFormed()}…`;
}

function showBytes(character: string): string {
  const code = character.charCodeAt(0);
  return code >= 0xdc00 ? `\\x${(code - 0xdc00).toString(16)}` : `\\xc2\\x${code.toString(16)}`;
}

/** The bytes that a file name, as it comes from a `Report`, was on the node: the other way than `decodeBytes`. */
export function pathBytes(path: string): Buffer {
  const parts = path.split(/((?<![\ud800-\udbff])[\udc80-\udcff])/);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - 0xdc00))),
  );
}
