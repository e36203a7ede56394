/**
 * What can be said of a rule’s path without AIDE. It is a regular expression (PCRE2) that is matched at the start of a
 * file’s whole name.
 */

/** What AIDE’s reader of configurations makes of a path: it takes one backslash before `\`, `@` and a space. */
function readEscapes(path: string): string {
  return path.replace(/\\([\\@ ])/g, '$1');
}

/**
 * The folder where AIDE keeps the rule, as it works it out itself: up to the last slash before the first `(`, `^`, `$`, `?`,
 * `*` or `[`. The rule is tried only for what is in this folder or below.
 */
export function folderOf(path: string): string {
  let folder = '';
  let name = '';
  for (const [piece] of readEscapes(path).slice(1).matchAll(/\\?./gs)) {
    if ('(^$?*['.includes(piece)) break;
    if (piece === '/') {
      folder += `/${name}`;
      name = '';
    } else name += piece.replace(/^\\/, '');
  }
  return folder === '' ? '/' : folder;
}

/** The folders above a path, `/` left out. */
export function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(2).map((_part, index) => parts.slice(0, index + 2).join('/'));
}

/** The names that every match of the path begins with; empty when that cannot be said. */
export function startOf(path: string): string {
  const text = readEscapes(path);
  if (/\||@@\{|\\[a-zA-Z0-9]/.test(text)) return '';
  let start = '';
  for (const [piece] of text.matchAll(/\\?./gs)) {
    if ('*?{'.includes(piece)) return start.slice(0, -1);
    if ('.+()[]^$}'.includes(piece)) return start;
    start += piece.replace(/^\\/, '');
  }
  return start;
}

/**
 * Whether what follows a match can undo it, as with `$` or a look-ahead. Without it, a path that matches a folder matches
 * all below the folder too.
 */
export function looksAhead(path: string): boolean {
  return /\$|\(\?|\(\*|\[\[:[<>]:\]\]|\\[zZbBGK]/.test(readEscapes(path).replace(/\\[^a-zA-Z0-9]/g, ''));
}

/**
 * The path as JavaScript’s regular expression, where both mean the same and it cannot take long: no groups that are
 * repeated, and few repetitions.
 */
export function compilePath(path: string): RegExp | undefined {
  if (path.length > 1000 || path.includes('@@{')) return undefined;
  const text = readEscapes(path);
  if (UNLIKE.test(text.replaceAll('\\\\', '')) || (text.match(/[*+{]/g) ?? []).length > 3) return undefined;
  try {
    return new RegExp(`^(?:${text})`);
  } catch {
    return undefined;
  }
}

/**
 * Groups with a meaning of their own, repeated groups, possessive repetitions, classes with a name or an early bracket,
 * escapes but of punctuation and the simple classes, and characters of two code units.
 */
const UNLIKE = /\(\?|\(\*|\)[*+{?]|[*+?}]\+|\{,|\[[:.=\]]|\[\^\]|\\[^dwsDWS\W]|[\ud800-\udfff]/;
