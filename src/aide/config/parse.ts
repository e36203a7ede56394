import { FioError } from '../../lib/errors.ts';
import { isOptionName, isTextOption } from './options.ts';
import { Scanner } from './scanner.ts';
import type { Configuration, Include, Line, Rule, RulePrefix, Statement } from './syntax.ts';

/** Bounds of a configuration: a config map holds 1 MiB. */
const MAX_LENGTH = 1024 * 1024;
const MAX_LINES = 50_000;

/**
 * Reads a configuration. Total but for its bounds: what it does not know is a statement of kind `unknown`.
 * @throws FioError `CONFIG_TOO_LARGE`: more than 1 MiB (in UTF-16 code units) or 50,000 lines.
 */
export function parse(text: string): Configuration {
  checkLength(text.length);
  const lines: Line[] = [];
  for (let start = 0; start < text.length; ) {
    if (lines.length >= MAX_LINES)
      throw new FioError('CONFIG_TOO_LARGE', 'The AIDE configuration has more than 50,000 lines');
    const newline = text.indexOf('\n', start);
    const stop = newline === -1 ? text.length : newline;
    const crlf = newline !== -1 && stop > start && text[stop - 1] === '\r';
    const statement = parseStatement(text.slice(start, crlf ? stop - 1 : stop));
    lines.push({ statement, end: newline === -1 ? '' : crlf ? '\r\n' : '\n' });
    start = stop + 1;
  }
  return { lines };
}

/** @throws FioError `CONFIG_TOO_LARGE` */
export function checkLength(length: number): void {
  if (length > MAX_LENGTH) throw new FioError('CONFIG_TOO_LARGE', 'The AIDE configuration is larger than 1 MiB');
}

/** Reads one line, without what ends it. */
export function parseStatement(text: string): Statement {
  const scanner = new Scanner(text);
  const indent = scanner.take(SPACE);
  if (scanner.atEnd) return { kind: 'blank', text };
  const first = scanner.peek();
  if (first === '#') return { kind: 'comment', text };
  const statement = parseMacro(scanner, indent) ?? parseRule(scanner, indent) ?? parseAssignment(scanner, indent);
  return statement ?? { kind: 'unknown', text };
}

const SPACE = /[ \t]*/y;
/** What AIDE takes for a name; `%`, letters beyond ASCII and a new `>` are accepted by old versions. */
const NAME = /[\w%\u0080-\uffff]+|>(?=[ \t]*=)/y;
/** Up to white space, where `\ ` is no white space and `\\` no escape of what follows. */
const WORD = /(?:\\[\\@ ]|[^ \t])+/y;
/** Up to a comment or the white space that ends the line. */
const BODY = /[^#]*/y;
const KEYWORDS = [
  '@@define',
  '@@undef',
  '@@ifnhost',
  '@@ifhost',
  '@@ifndef',
  '@@ifdef',
  '@@if',
  '@@else',
  '@@endif',
  '@@include',
  '@@x_include_setenv',
  '@@x_include',
] as const;

function parseMacro(scanner: Scanner, indent: string): Statement | undefined {
  if (scanner.peek(2) !== '@@' || scanner.peek(3) === '@@{') return undefined;
  const keyword = scanner.takeWord(KEYWORDS);
  if (keyword === undefined) return undefined;
  const gap = scanner.take(SPACE);
  switch (keyword) {
    case '@@define': {
      const name = scanner.take(NAME);
      const valueGap = scanner.take(SPACE);
      const value = scanner.take(WORD);
      return { kind: 'define', indent, gap, name, valueGap, value, tail: scanner.rest() };
    }
    case '@@undef':
      return { kind: 'undefine', indent, gap, name: scanner.take(NAME), tail: scanner.rest() };
    case '@@else':
    case '@@endif':
      return { kind: keyword === '@@else' ? 'else' : 'endif', indent, tail: gap + scanner.rest() };
    case '@@include':
    case '@@x_include':
    case '@@x_include_setenv':
      return parseInclude(scanner, indent, keyword, gap);
    default: {
      const [expression, tail] = splitTail(scanner.take(BODY), scanner.rest());
      return { kind: 'condition', indent, keyword, gap, expression, tail };
    }
  }
}

function parseInclude(scanner: Scanner, indent: string, keyword: Include['keyword'], gap: string): Include {
  const [argument, tail] = splitTail(scanner.rest(), '');
  return { kind: 'include', indent, keyword, gap, argument, tail };
}

const PREFIXES: readonly RulePrefix[] = ['=', '!', '-'];

/** A path begins with `/`, or, before AIDE 0.17, with a variable. */
function parseRule(scanner: Scanner, indent: string): Statement | undefined {
  const prefixed = PREFIXES.find((candidate) => candidate === scanner.peek());
  const start = scanner.peek(4).slice(prefixed === undefined ? 0 : 1);
  if (!start.startsWith('/') && !start.startsWith('@@{')) return undefined;
  const prefix = scanner.takeWord(PREFIXES) ?? '';
  const path = scanner.take(WORD);
  const gap = scanner.take(SPACE);
  const [body, tail] = splitTail(scanner.take(BODY), scanner.rest());
  return { kind: 'rule', indent, prefix, path, gap, ...splitRestriction(prefix, body), tail };
}

/** Between restriction and attributes stands white space with no operator on either side. */
function splitRestriction(
  prefix: RulePrefix,
  body: string,
): Pick<Rule, 'restriction' | 'attributesGap' | 'attributes'> {
  if (prefix === '!' || prefix === '-') return { restriction: body, attributesGap: '', attributes: '' };
  const scanner = new Scanner(body);
  let restriction = '';
  let wasWord = false;
  while (!scanner.atEnd) {
    const space = scanner.take(SPACE);
    const word = scanner.take(/[^ \t+,=-]+/y);
    if (word !== '' && wasWord) return { restriction, attributesGap: space, attributes: word + scanner.rest() };
    const operator = scanner.take(/[+,=-]/y);
    restriction += space + word + operator;
    wasWord = word !== '' && operator === '';
  }
  return { restriction: '', attributesGap: '', attributes: body };
}

function parseAssignment(scanner: Scanner, indent: string): Statement | undefined {
  const name = scanner.take(NAME);
  const equals = scanner.take(/[ \t]*=[ \t]*/y);
  if (name === '' || equals === '') return undefined;
  if (isTextOption(name)) {
    return { kind: 'option', indent, name, equals, value: scanner.take(WORD), tail: scanner.rest() };
  }
  const [expression, tail] = splitTail(scanner.take(BODY), scanner.rest());
  if (isOptionName(name)) return { kind: 'option', indent, name, equals, value: expression, tail };
  return { kind: 'group', indent, name, equals, expression, tail };
}

/** Moves the white space at the end of `body` to what follows it. */
function splitTail(body: string, tail: string): [body: string, tail: string] {
  const kept = body.trimEnd();
  return [kept, body.slice(kept.length) + tail];
}
