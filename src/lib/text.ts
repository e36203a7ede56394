/**
 * Text that came from a node, made safe to print on a terminal, in a log line, an event or a page: control characters,
 * line breaks, lone surrogates and bidirectional marks become visible `\x..` or `\u....` escapes, and the length is
 * bounded (in UTF-16 code units, `…` added where something was cut).
 */
export function printable(text: string, limit = 1024): string {
  const escaped = text.toWellFormed().replace(UNSAFE, escapeCharacter);
  return escaped.length <= limit ? escaped : `${escaped.slice(0, limit - 1).toWellFormed()}…`;
}

// C0 and C1 controls, DEL, backslash (so that an escape cannot be forged), zero-width and bidirectional marks, line and
// paragraph separators, byte order mark, interlinear annotations and the tag characters.
const UNSAFE =
  /[\u0000-\u001f\\\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\\') return '\\\\';
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\u{${code.toString(16)}}`;
}
