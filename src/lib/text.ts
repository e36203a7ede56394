/**
 * Text that came from a node, made safe to print on a terminal, in a log line, an event or a page: control characters,
 * line breaks, invisible and bidirectional marks become visible `\x..` or `\u....` escapes, and the length is
 * bounded (in UTF-16 code units, `…` added where something was cut). A lone surrogate becomes U+FFFD.
 */
export function printable(text: string, limit = 1024): string {
  return cut(text.toWellFormed().replace(UNSAFE, escapeCharacter), limit);
}

/**
 * The same for text that its own author reads again, such as a line of a configuration: a backslash stays one, because two
 * would be another pattern.
 */
export function legible(text: string, limit = 1024): string {
  const escaped = text.toWellFormed().replace(UNSAFE, (found) => (found === '\\' ? found : escapeCharacter(found)));
  return cut(escaped, limit);
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).toWellFormed()}…`;
}

// Control and format characters (bidirectional marks among them), what is not shown at all, line and paragraph separators,
// and the backslash, so that an escape cannot be forged.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\\]/gu;

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\\') return '\\\\';
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\u{${code.toString(16)}}`;
}
