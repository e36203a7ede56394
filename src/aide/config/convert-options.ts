import { legible } from '../../lib/text.ts';
import type { Context } from './context.ts';
import { convertExpression } from './convert-rules.ts';
import type { Converted } from './converted.ts';
import { isTextOption } from './options.ts';
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
  ['syslog_format', ['info', 'only Red Hat’s AIDE has it, and reports go to the cluster']],
  ['report_format', ['info', 'the daemon has AIDE write both a text and a JSON report']],
  ['report_append', ['info', 'each report holds one scan']],
]);

/** Where an option stands, and what of ours stands already. */
export interface OptionPlace {
  /** Number of its line, from 0. */
  readonly index: number;
  /** Inside of a condition. */
  readonly inside: boolean;
  /** Our options, and others of which the first counts, that are in the effective configuration already. */
  readonly placed: Set<string>;
}

/** Converts `NAME=VALUE`. */
export function convertOption(option: Option, context: Context, place: OptionPlace): Converted {
  const dropped = DROPPED.get(option.name);
  if (dropped !== undefined) return { problems: [problem('CONFIG_OPTION_LEFT_OUT', dropped[0], option, dropped[1])] };
  if (option.name === 'verbose') return convertVerbose(option, place);
  const group = context.groups.get(option.name);
  if (group !== undefined) return convertToGroup(option, group, context);
  const name = RENAMED.get(option.name) ?? option.name;
  if (OUR_OPTIONS.has(name)) return placeOurs(option, name, context, place);
  if (isTextOption(name)) return { statement: { ...option, name } };
  const { expression, problems } = convertExpression(option.value, context);
  return { statement: { ...option, name, value: expression }, problems };
}

function convertToGroup(option: Option, name: string, context: Context): Converted {
  const { indent, equals, value, tail } = option;
  const { expression, problems } = convertExpression(value, context);
  const sentence = `The group ${legible(option.name, 80)} became ${name}: AIDE takes a name like the former for an option’s`;
  return {
    statement: { kind: 'group', indent, name, equals, expression, tail },
    problems: [...problems, { code: 'CONFIG_GROUP_RENAMED', severity: 'info', sentence }],
  };
}

/** Ours goes where the user’s first stands, but not inside of a condition, and only once. */
function placeOurs(option: Option, name: string, context: Context, { index, inside, placed }: OptionPlace): Converted {
  const value = OUR_OPTIONS.get(name) ?? '';
  const why = name === 'report_url' ? 'reports go to the cluster' : 'the operator’s own place is used';
  const isFile = option.value.startsWith('file:');
  // Nobody sees what AIDE writes to its standard output in a pod; elsewhere, somebody may miss it.
  const severity = isFile || /^std(?:out|err)$/.test(option.value) ? 'info' : 'warning';
  const leftOut = problem('CONFIG_OPTION_LEFT_OUT', severity, option, why);
  // A file elsewhere is what everyone’s configuration names; it is no news that ours is used instead.
  const problems = option.value === value || isFile ? [] : [leftOut];
  const isHere = name === 'report_url' ? index === context.reportUrlAt : !inside && !placed.has(name);
  if (!isHere) return option.value === value ? {} : { problems: [leftOut] };
  placed.add(name);
  return { statement: { ...option, name, value }, problems };
}

/** AIDE 0.16’s levels 0 to 255; 5 was the default. The first counted. */
function convertVerbose(option: Option, { placed }: OptionPlace): Converted {
  const level = Number(option.value);
  if (!/^\d{1,3}$/.test(option.value) || level > 255) {
    return { problems: [problem('CONFIG_OPTION_LEFT_OUT', 'warning', option, 'its value is no number from 0 to 255')] };
  }
  if (placed.has(option.name)) {
    return { problems: [problem('CONFIG_OPTION_LEFT_OUT', 'info', option, 'the first one counts')] };
  }
  placed.add(option.name);
  const value = REPORT_LEVELS[Math.min(level, REPORT_LEVELS.length - 1)] ?? '';
  return { statement: { ...option, name: 'report_level', value } };
}

/** The level of a report that shows what AIDE 0.16 showed, by its `verbose`. */
const REPORT_LEVELS = [
  'minimal',
  'summary',
  'database_attributes',
  'list_entries',
  'list_entries',
  'changed_attributes',
  'added_removed_attributes',
  'added_removed_entries',
];

function problem(code: string, severity: Problem['severity'], option: Option, why: string): Omit<Problem, 'line'> {
  return { code, severity, sentence: `${option.name}=${legible(option.value, 100)} is left out: ${why}` };
}
