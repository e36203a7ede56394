import { legible } from '../../lib/text.ts';
import { type Context, doubleBackslashes, readContext } from './context.ts';
import { convertCondition } from './convert-conditions.ts';
import { convertOption, isOurs, type OptionPlace } from './convert-options.ts';
import { convertExpression, convertRule } from './convert-rules.ts';
import type { Converted } from './converted.ts';
import { toHostPath, toNodePath } from './host-path.ts';
import { isTextOption } from './options.ts';
import { OUR_DEFINES, OUR_OPTIONS } from './ours.ts';
import { leavesOutOwnFiles, mayReachOwnFiles, OWN_FILES, watchesOwnFiles } from './own-files.ts';
import { checkLength, parse, parseStatement } from './parse.ts';
import type { Problem } from './problem.ts';
import { renderStatement } from './render.ts';
import { rulesOf } from './selection.ts';
import type { Configuration, Line, Statement } from './syntax.ts';

/** What a user’s configuration became. */
export interface Conversion {
  /** The effective configuration: for the image’s AIDE (0.19), with the node’s root at `/hostroot`. */
  readonly text: string;
  /** What could not be carried over, or only in other words; in the order of the lines. */
  readonly problems: readonly Problem[];
  /** For each line of `text` the user’s line that it comes from, from 1; 0 for a line that was added. */
  readonly lines: readonly number[];
}

/** A line to be, and where it comes from. */
interface Draft {
  readonly statement: Statement;
  readonly end: Line['end'];
  readonly from: number;
}

/**
 * Converts a user’s configuration, written for the node’s own paths and any AIDE from 0.16 on, to the effective one.
 * Converting what has been converted changes nothing.
 * @throws FioError `CONFIG_TOO_LARGE`: the one or the other is too large; see `parse`.
 */
export function convert(text: string): Conversion {
  // A byte order mark is no part of the first line.
  const configuration = parse(text.replace(/^\ufeff/, ''));
  const problems: Problem[] = [];
  const drafts = fillBranches(convertLines(configuration, problems));
  // First of all: behind them it could be in a condition that nothing ends.
  drafts.unshift(...leaveOutOwnFiles(drafts, problems));
  const missing = missingLines(drafts);
  const all = [...missing.before, ...drafts, ...missing.after];
  const rendered = all.map((draft) => renderStatement(draft.statement) + draft.end);
  checkLength(rendered.reduce((length, line) => length + line.length, 0));
  return {
    text: rendered.join(''),
    problems,
    lines: all.map((draft) => draft.from),
  };
}

function convertLines(configuration: Configuration, problems: Problem[]): Draft[] {
  const context = readContext(configuration);
  const placed = new Set<string>();
  const drafts: Draft[] = [];
  let depth = 0;
  configuration.lines.forEach((line, index) => {
    const from = index + 1;
    const { statement } = line;
    if (statement.kind === 'condition') depth += 1;
    if (statement.kind === 'endif') depth -= 1;
    const converted = convertStatement(statement, context, { index, placed, inside: depth > 0 });
    for (const problem of converted.problems ?? []) problems.push({ line: from, ...problem });
    if (converted.statement === undefined) return;
    // AIDE since 0.17 takes no comment behind a rule, a group and some macros, and it wants the last line ended too.
    const { statement: kept, comment } = liftComment(converted.statement);
    const end = line.end === '' ? '\n' : line.end;
    if (comment !== undefined) drafts.push({ statement: { kind: 'comment', text: comment }, end, from });
    drafts.push({ statement: kept, end, from });
    if (converted.second !== undefined) drafts.push({ statement: liftComment(converted.second).statement, end, from });
  });
  return drafts;
}

/**
 * The rule that leaves out the operator’s own files, where none of the user’s does: nearly every configuration watches `/etc`,
 * and without it no scan could succeed. Added wherever it is not sure to be needless, told where they would be watched.
 */
function leaveOutOwnFiles(drafts: readonly Draft[], problems: Problem[]): Draft[] {
  const rules = rulesOf({ lines: drafts.map(({ statement, end }) => ({ statement, end })) });
  if (!mayReachOwnFiles(rules) || leavesOutOwnFiles(rules)) return [];
  const watching = watchesOwnFiles(rules);
  if (watching !== undefined) {
    const { from = 0 } = drafts[watching.line - 1] ?? {};
    const path = legible(watching.rule.prefix + toNodePath(watching.rule.path), 200);
    const sentence = `“!${OWN_FILES}” was added: ${path} also watches what the operator itself writes there`;
    problems.push({ line: from, code: 'CONFIG_DATABASE_LEFT_OUT', severity: 'info', sentence });
    problems.sort((one, other) => one.line - other.line);
  }
  const statement = parseStatement(`!${toHostPath(OWN_FILES)}`);
  return [{ statement, end: '\n', from: 0 }];
}

function convertStatement(statement: Statement, context: Context, place: OptionPlace): Converted {
  switch (statement.kind) {
    case 'blank':
    case 'comment':
    case 'else':
    case 'endif':
      return { statement };
    case 'define':
      return { statement: convertDefine(statement, context) };
    case 'undefine':
      return OUR_DEFINES.has(statement.name) ? {} : { statement };
    case 'condition':
      return convertCondition(statement, context);
    case 'option':
      return convertOption(statement, context, place);
    case 'group':
      return convertGroup(statement, context);
    case 'rule':
      return convertRule(statement, context);
    case 'include':
      return { problems: [includeProblem(statement.keyword, statement.argument)] };
    case 'unknown':
      return convertUnknown(statement);
  }
}

function convertDefine(statement: Statement & { kind: 'define' }, { isOld }: Context): Statement {
  const ours = OUR_DEFINES.get(statement.name);
  if (ours !== undefined) return { ...statement, valueGap: ' ', value: ours };
  return isOld ? { ...statement, value: doubleBackslashes(statement.value) } : statement;
}

function convertGroup(statement: Statement & { kind: 'group' }, context: Context): Converted {
  const { expression, problems } = convertExpression(statement.expression, context);
  // AIDE since 0.17 takes blanks around the sign and no tabs, and does not let its own groups be defined anew.
  const equals = statement.equals.replaceAll('\t', ' ');
  const name = context.groups.get(statement.name) ?? statement.name;
  if (name === statement.name) return { statement: { ...statement, equals, expression }, problems };
  const sentence = `The group ${statement.name} became ${name}: AIDE does not let its own be defined anew`;
  return {
    statement: { ...statement, name, equals, expression },
    problems: [...problems, { code: 'CONFIG_GROUP_RENAMED', severity: 'info', sentence }],
  };
}

/** What AIDE will refuse is left to it to explain, but for what old versions took. */
function convertUnknown(statement: Statement & { kind: 'unknown' }): Converted {
  if (!/^\s*@@(?:begin_config|end_config|begin_db|end_db|db_spec)\b/.test(statement.text)) return { statement };
  const sentence = `“${legible(statement.text.trim(), 80)}” is left out: AIDE no longer signs its configuration`;
  return { problems: [{ code: 'CONFIG_LINE_LEFT_OUT', severity: 'warning', sentence }] };
}

function includeProblem(keyword: string, argument: string): Omit<Problem, 'line'> {
  const what = legible(argument, 200);
  const sentence = `${keyword} ${what} cannot be carried over: the file is not in the config map. Put its lines here instead`;
  return { code: 'CONFIG_INCLUDE', severity: 'error', sentence };
}

function liftComment(statement: Statement): { statement: Statement; comment?: string } {
  if (!('tail' in statement)) return { statement };
  const comment = statement.tail.trim();
  if (!comment.startsWith('#')) return { statement };
  // After an option AIDE takes a comment where it is.
  if (statement.kind === 'option' && isTextOption(statement.name)) return { statement };
  return { statement: { ...statement, tail: '' }, comment: statement.indent + comment };
}

/** Between a condition and its end AIDE since 0.17 wants a statement; old versions did not. */
function fillBranches(drafts: readonly Draft[]): Draft[] {
  const filled: Draft[] = [];
  let empty = false;
  for (const draft of drafts) {
    const { kind } = draft.statement;
    const closes = kind === 'else' || kind === 'endif';
    if (closes && empty) {
      const statement: Statement = { kind: 'undefine', indent: '', gap: ' ', name: 'NOTHING', tail: '' };
      filled.push({ statement, end: draft.end, from: 0 });
    }
    filled.push(draft);
    if (kind === 'condition' || kind === 'else') empty = true;
    else if (kind !== 'blank' && kind !== 'comment') empty = false;
  }
  return filled;
}

/**
 * Our definitions and options that stand nowhere, or too late. A report has the options that come before its URL, so ours
 * comes at the end.
 */
function missingLines(drafts: readonly Draft[]): { before: Draft[]; after: Draft[] } {
  const toDrafts = (text: string) =>
    parse(`${text}\n`).lines.map(({ statement }): Draft => ({ statement, end: '\n', from: 0 }));
  const options = [...OUR_OPTIONS].filter(([name]) => !drafts.some(({ statement }) => isOurs(statement, name)));
  const isLate = ([name]: readonly [string, string]) => name === 'report_url';
  const before = options.filter((each) => !isLate(each)).flatMap((each) => toDrafts(each.join('=')));
  const after = options.filter(isLate).flatMap((each) => toDrafts(each.join('=')));
  const all = [...before, ...drafts, ...after];
  const defines = [...OUR_DEFINES].filter(([name]) => !isDefinedInTime(all, name));
  return { before: [...defines.flatMap(([name, value]) => toDrafts(`@@define ${name} ${value}`)), ...before], after };
}

/** Whether the definition stands outside of conditions and before all that uses it. */
function isDefinedInTime(drafts: readonly Draft[], name: string): boolean {
  let depth = 0;
  for (const { statement } of drafts) {
    if (statement.kind === 'condition') depth += 1;
    else if (statement.kind === 'endif') depth -= 1;
    else if (statement.kind === 'define' && statement.name === name && depth === 0) return true;
    else if (renderStatement(statement).includes(`@@{${name}}`)) return false;
  }
  return false;
}
