import { FioError } from '../../lib/errors.ts';
import { legible } from '../../lib/text.ts';
import { type ConfigCheckOptions, configCheck } from './config-check.ts';
import { type Conversion, convert } from './convert.ts';
import { lint } from './lint.ts';
import { parse } from './parse.ts';
import type { Problem } from './problem.ts';
import type { Configuration } from './syntax.ts';

/** A user’s configuration, converted and checked. */
export interface PreparedConfiguration {
  /** The effective configuration; empty when the user’s is too large to be read. */
  readonly text: string;
  /** For each line of it, from 1, the user’s line that it comes from; 0 for ours. */
  readonly lines: readonly number[];
  /** All that the user should know, with the user’s line numbers, errors first. */
  readonly problems: readonly Problem[];
  /** No problem is an error: it may go to the nodes. */
  readonly usable: boolean;
}

/** Converts a user’s configuration and applies our rules. Pure; never throws. */
export function prepareConfiguration(userText: string): PreparedConfiguration {
  return prepare(userText).prepared;
}

/**
 * The same, and asks AIDE too (`configCheck`). When AIDE cannot be asked, a warning says so and the configuration counts as
 * usable: on the node AIDE will check it again.
 */
export async function checkConfiguration(
  userText: string,
  options: ConfigCheckOptions = {},
): Promise<PreparedConfiguration> {
  const { prepared, converted } = prepare(userText);
  if (converted === undefined) return prepared;
  const { conversion, effective } = converted;
  const checked = await configCheck(conversion.text, options);
  const asked = checked.verdict !== 'unknown';
  const explained = checked.problems.map((problem) => explainRefusal(problem, effective));
  const said = toUserLines(explained, conversion).map(
    (problem): Problem => (asked ? problem : { ...problem, severity: 'warning' }),
  );
  // Where our rules name an error of a line already, in words that help more, AIDE’s are left out.
  const known = new Set(prepared.problems.filter(isError).map((problem) => problem.line));
  const news = said.filter((problem) => !(isError(problem) && problem.line !== 0 && known.has(problem.line)));
  return finish(conversion, [...prepared.problems, ...news]);
}

/** `converted`: absent when the user’s text could not be read. */
interface Prepared {
  readonly prepared: PreparedConfiguration;
  readonly converted?: { readonly conversion: Conversion; readonly effective: Configuration };
}

function prepare(userText: string): Prepared {
  try {
    const conversion = convert(userText);
    const effective = parse(conversion.text);
    const found = toUserLines(lint(effective), conversion);
    const prepared = finish(conversion, [...conversion.problems, ...found]);
    return { prepared, converted: { conversion, effective } };
  } catch (error) {
    if (!(error instanceof FioError)) throw error;
    const problem: Problem = { line: 0, code: error.code, sentence: error.message, severity: 'error' };
    return { prepared: finish({ text: '', lines: [] }, [problem]) };
  }
}

/** AIDE names the character at which it gave up, or the end of the text: what was expected is said here, and where. */
function explainRefusal(problem: Problem, { lines }: Configuration): Problem {
  if (!isError(problem)) return problem;
  if (problem.sentence.includes('unexpected end of file')) {
    const line = lastOpenCondition(lines);
    return line === undefined ? problem : { ...problem, line, sentence: `It has no @@endif. ${problem.sentence}` };
  }
  const statement = lines[problem.line - 1]?.statement;
  if (statement?.kind !== 'unknown') return problem;
  const text = statement.text.trim();
  const [, prefix = '', path = ''] = /^([!=-]?)([\w.]+\/.*)$/.exec(text) ?? [];
  const expected =
    path === ''
      ? 'a line is a rule, which begins with a path from the slash on (“!”, “=” or “-” before it), a group or an option'
      : `a path begins with a slash: “${prefix}/${legible(path, 80)}”`;
  return { ...problem, sentence: `“${legible(text, 80)}”: ${expected}. ${problem.sentence}` };
}

/** The line of the last condition that nothing ends. */
function lastOpenCondition(lines: Configuration['lines']): number | undefined {
  const open: number[] = [];
  lines.forEach(({ statement }, index) => {
    if (statement.kind === 'condition') open.push(index + 1);
    else if (statement.kind === 'endif') open.pop();
  });
  return open.at(-1);
}

/** Problems of the effective configuration as problems of the user’s text. */
function toUserLines(problems: readonly Problem[], conversion: Conversion): Problem[] {
  return problems.map((problem) => ({ ...problem, line: conversion.lines[problem.line - 1] ?? 0 }));
}

const LOUDNESS: Readonly<Record<Problem['severity'], number>> = { error: 0, warning: 1, info: 2 };

function finish(
  { text, lines }: Pick<Conversion, 'text' | 'lines'>,
  problems: readonly Problem[],
): PreparedConfiguration {
  const sorted = [...problems].sort((a, b) => LOUDNESS[a.severity] - LOUDNESS[b.severity] || a.line - b.line);
  return { text, lines, problems: sorted, usable: !sorted.some(isError) };
}

function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}
