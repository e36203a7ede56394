import { printable } from '../lib/text.ts';

/**
 * A file name, as it comes from a `Report`, made safe to print (see `printable`): control characters, bidirectional marks
 * and bytes that are not UTF-8 (lone surrogates U+DC80 to U+DCFF in a report) show as `\x..` escapes.
 */
export function showPath(path: string, limit = 4096): string {
  // A pair of surrogates is one character and is left alone; only a lone low one stands for a byte.
  const parts = path.split(/(?<![\ud800-\udbff])([\udc80-\udcff])/);
  const shown = parts.map((part, index) =>
    index % 2 === 0 ? printable(part, limit) : `\\x${(part.charCodeAt(0) - 0xdc00).toString(16)}`,
  );
  const text = shown.join('');
  return text.length <= limit ? text : `${text.slice(0, limit - 1).toWellFormed()}…`;
}
