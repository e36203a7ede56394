import { printable } from '../../lib/text.ts';
import { convertExpression } from './convert-rules.ts';
import type { Converted } from './converted.ts';
import { OUR_OPTIONS } from './ours.ts';
import type { Problem } from './problem.ts';
import type { Option, Statement } from './syntax.ts';

/** Whether the statement is our value of an option. */
export function isOurs(statement: Statement, name: string): boolean {
  return statement.kind === 'option' && statement.name === name && statement.value === OUR_OPTIONS.get(name);
}

/** Names that AIDE dropped (0.17: verbose, ignore_list, report_attributes; 0.19: the others), and their successors. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['database', 'database_in'],
  ['grouped', 'report_grouped'],
  ['summarize_changes', 'report_summarize_changes'],
  ['ignore_list', 'report_ignore_changed_attrs'],
  ['report_attributes', 'report_force_attrs'],
]);

/** Options that cannot be carried over, and why. */
const DROPPED: ReadonlyMap<string, readonly [severity: Problem['severity'], why: string]> = new Map([
  ['database_new', ['info', 'nothing compares two databases']],
  ['root_prefix', ['warning', 'the node’s root is at /hostroot, and each path is converted to it']],
  ['recstop', ['warning', 'AIDE no longer has it; leave paths out with ! rules']],
  ['umask', ['info', 'AIDE no longer has it']],
  ['report_format', ['info', 'the daemon has AIDE write both a text and a JSON report']],
  ['report_append', ['info', 'each report holds one scan']],
]);

/** Converts `NAME=VALUE`. */
export function convertOption(option: Option, context: { placed: Set<string>; inside: boolean }): Converted {
  const dropped = DROPPED.get(option.name);
  if (dropped !== undefined) return { problems: [problem('CONFIG_OPTION_LEFT_OUT', dropped[0], option, dropped[1])] };
  if (option.name === 'verbose') return convertVerbose(option);
  const name = RENAMED.get(option.name) ?? option.name;
  if (OUR_OPTIONS.has(name)) return placeOurs(option, name, context);
  if (/_attrs$/.test(name)) {
    const { expression, problems } = convertExpression(option.value);
    return { statement: { ...option, name, value: expression }, problems };
  }
  return { statement: { ...option, name } };
}

/** Ours goes where the user’s first stands, but not inside of a condition, and only once. */
function placeOurs(option: Option, name: string, context: { placed: Set<string>; inside: boolean }): Converted {
  const value = OUR_OPTIONS.get(name) ?? '';
  const same = option.value === value;
  if (!context.placed.has(name) && !context.inside) {
    context.placed.add(name);
    // A database or report elsewhere is what everyone’s configuration names; it is no news that ours is used instead.
    return { statement: { ...option, name, value } };
  }
  const why = name === 'report_url' ? 'reports go to the cluster' : 'the operator’s own place is used';
  return same ? {} : { problems: [problem('CONFIG_OPTION_LEFT_OUT', 'info', option, why)] };
}

/** AIDE 0.16’s levels 0 to 255; 5 was the default. */
function convertVerbose(option: Option): Converted {
  const level = Number(option.value);
  if (!/^\d{1,3}$/.test(option.value)) {
    return { problems: [problem('CONFIG_OPTION_LEFT_OUT', 'warning', option, 'its value is no number')] };
  }
  const value = level === 0 ? 'minimal' : level === 1 ? 'summary' : level < 5 ? 'list_entries' : 'changed_attributes';
  return { statement: { ...option, name: 'report_level', value } };
}

function problem(code: string, severity: Problem['severity'], option: Option, why: string): Omit<Problem, 'line'> {
  return { code, severity, sentence: `${option.name}=${printable(option.value, 100)} is left out: ${why}` };
}
