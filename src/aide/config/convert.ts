import { printable } from '../../lib/text.ts';
import { convertCondition } from './convert-conditions.ts';
import { convertOption, isOurs } from './convert-options.ts';
import { convertExpression, convertRule, readRuleContext } from './convert-rules.ts';
import type { Converted } from './converted.ts';
import { OUR_DEFINES, OUR_OPTIONS } from './ours.ts';
import { parse } from './parse.ts';
import type { Problem } from './problem.ts';
import { renderStatement } from './render.ts';
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
 * @throws FioError `CONFIG_TOO_LARGE` from `parse`.
 */
export function convert(text: string): Conversion {
  const configuration = parse(text);
  const problems: Problem[] = [];
  const drafts = fillBranches(convertLines(configuration, problems));
  const header = missingLines(drafts);
  const all = [...header, ...drafts];
  return {
    text: all.map((draft) => renderStatement(draft.statement) + draft.end).join(''),
    problems,
    lines: all.map((draft) => draft.from),
  };
}

function convertLines(configuration: Configuration, problems: Problem[]): Draft[] {
  const rules = readRuleContext(configuration);
  const placed = new Set<string>();
  const drafts: Draft[] = [];
  let depth = 0;
  configuration.lines.forEach((line, index) => {
    const from = index + 1;
    const { statement } = line;
    if (statement.kind === 'condition') depth += 1;
    if (statement.kind === 'endif') depth -= 1;
    const converted = convertStatement(statement, { rules, placed, inside: depth > 0 });
    for (const problem of converted.problems ?? []) problems.push({ line: from, ...problem });
    if (converted.statement === undefined) return;
    // AIDE since 0.17 takes no comment behind a rule or a group, and it wants the last line ended too.
    const { statement: kept, comment } = liftComment(converted.statement);
    const end = line.end === '' ? '\n' : line.end;
    if (comment !== undefined) drafts.push({ statement: { kind: 'comment', text: comment }, end, from });
    drafts.push({ statement: kept, end, from });
  });
  return drafts;
}

interface Context {
  readonly rules: ReturnType<typeof readRuleContext>;
  /** Our options that stand in the effective configuration already. */
  readonly placed: Set<string>;
  /** Inside of a condition. */
  readonly inside: boolean;
}

function convertStatement(statement: Statement, context: Context): Converted {
  switch (statement.kind) {
    case 'blank':
    case 'comment':
    case 'else':
    case 'endif':
      return { statement };
    case 'define': {
      const ours = OUR_DEFINES.get(statement.name);
      return { statement: ours === undefined ? statement : { ...statement, valueGap: ' ', value: ours } };
    }
    case 'undefine':
      return OUR_DEFINES.has(statement.name) ? {} : { statement };
    case 'condition':
      return convertCondition(statement);
    case 'option':
      return convertOption(statement, context);
    case 'group':
      return convertGroup(statement);
    case 'rule':
      return convertRule(statement, context.rules);
    case 'include':
      return { problems: [includeProblem(statement.keyword, statement.argument)] };
    case 'unknown':
      return convertUnknown(statement);
  }
}

function convertGroup(statement: Statement & { kind: 'group' }): Converted {
  const { expression, problems } = convertExpression(statement.expression);
  return { statement: { ...statement, expression }, problems };
}

/** What AIDE will refuse is left to it to explain, but for what old versions took. */
function convertUnknown(statement: Statement & { kind: 'unknown' }): Converted {
  if (!/^\s*@@(?:begin_config|end_config|begin_db|end_db|db_spec)\b/.test(statement.text)) return { statement };
  const sentence = `“${printable(statement.text.trim(), 80)}” is left out: AIDE no longer signs its configuration`;
  return { problems: [{ code: 'CONFIG_LINE_LEFT_OUT', severity: 'warning', sentence }] };
}

function includeProblem(keyword: string, argument: string): Omit<Problem, 'line'> {
  const what = printable(argument, 200);
  const sentence = `${keyword} ${what} cannot be carried over: the file is not in the config map. Put its lines here instead`;
  return { code: 'CONFIG_INCLUDE', severity: 'error', sentence };
}

function liftComment(statement: Statement): { statement: Statement; comment?: string } {
  if (!('tail' in statement)) return { statement };
  const comment = statement.tail.trim();
  if (!comment.startsWith('#')) return { statement };
  // After options and macros AIDE takes comments where they are.
  if (statement.kind === 'option' && !/_attrs$/.test(statement.name)) return { statement };
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

/** Our definitions and options that stand nowhere, or not before and whatever is defined. */
function missingLines(drafts: readonly Draft[]): Draft[] {
  const missing: Draft[] = [];
  const add = (text: string) => {
    const [line] = parse(`${text}\n`).lines;
    if (line !== undefined) missing.push({ statement: line.statement, end: '\n', from: 0 });
  };
  for (const [name, value] of OUR_DEFINES) {
    if (!isDefinedInTime(drafts, name)) add(`@@define ${name} ${value}`);
  }
  for (const [name, value] of OUR_OPTIONS) {
    if (!drafts.some(({ statement }) => isOurs(statement, name))) add(`${name}=${value}`);
  }
  return missing;
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
