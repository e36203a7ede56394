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

/** Longer ones are not judged. */
const MAX_PATH = 1000;

/** The folders above a path, `/` left out; none of a path that is too long to be judged. */
export function parentsOf(path: string): string[] {
  if (path.length > MAX_PATH) return [];
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

/** What all matching for one configuration may cost: whoever writes one must not keep the operator busy. */
export class Patience {
  #steps: number;

  constructor(steps = 20_000_000) {
    this.#steps = steps;
  }

  /** False once there is none left. */
  take(steps: number): boolean {
    this.#steps -= steps;
    return this.#steps >= 0;
  }
}

/** A rule’s path, to be compared with names. */
export interface PathPattern {
  /** Whether the name is matched; undefined when it would take too long to tell. */
  test(name: string): boolean | undefined;
}

/**
 * The path as JavaScript’s regular expression, where both mean the same: no groups that are repeated, and few repetitions.
 * Undefined where it cannot be judged.
 */
export function compilePath(path: string, patience: Patience): PathPattern | undefined {
  if (path.length > MAX_PATH || path.includes('@@{')) return undefined;
  const text = readEscapes(path);
  const repetitions = (text.match(/[*+{]/g) ?? []).length;
  if (UNLIKE.test(text.replaceAll('\\\\', '')) || repetitions > 3) return undefined;
  const expression = compile(`^(?:${text})`);
  if (expression === undefined) return undefined;
  const start = startOf(path);
  const ways = waysThrough(text);
  return {
    test(name) {
      if (!name.startsWith(start)) return false;
      // In the worst case each repetition begins and ends anywhere, for each way through the rest.
      return patience.take(ways * name.length ** repetitions) ? expression.test(name) : undefined;
    },
  };
}

function compile(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}

/** In how many ways a regular expression without repetitions can be gone through: by its alternatives and options. */
function waysThrough(text: string): number {
  let ways = 1;
  const alternatives = [1];
  for (const [piece] of text.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]?|[()|?]/gs)) {
    const last = alternatives.length - 1;
    if (piece === '?') ways *= 2;
    else if (piece === '(') alternatives.push(1);
    else if (piece === '|') alternatives[last] = (alternatives[last] ?? 1) + 1;
    else if (piece === ')') ways *= alternatives.pop() ?? 1;
  }
  return alternatives.reduce((product, count) => product * count, ways);
}

/**
 * Groups with a meaning of their own, repeated groups, possessive repetitions, classes with a name or an early bracket,
 * escapes but of punctuation and the simple classes, and characters of two code units.
 */
const UNLIKE = /\(\?|\(\*|\)[*+{?]|[*+?}]\+|\{,|\[[:.=\]]|\[\^\]|\\[^dwsDWS\W]|[\ud800-\udfff]/;
