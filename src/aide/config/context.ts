import { isBuiltInGroup, isDroppedChecksum } from './groups.ts';
import { HOST_ROOT, isHostPath, toHostPath } from './host-path.ts';
import { isKnownOption } from './options.ts';
import { OUR_DEFINES } from './ours.ts';
import { OWN_FILES } from './own-files.ts';
import { Patience } from './rule-path.ts';
import type { Configuration, Option, Rule, Statement } from './syntax.ts';
import { readWalk, type Walk } from './walk.ts';

/** What of the whole configuration the conversion of one statement needs. */
export interface Context {
  /** Every value that a macro variable is given somewhere. */
  readonly variables: ReadonlyMap<string, ReadonlySet<string>>;
  /** It uses what came with AIDE 0.19, or was converted already: its `!` rules mean what they mean there. */
  readonly isRecent: boolean;
  /** It uses what went with AIDE 0.17, so its options hold for all reports, and `\\` is one escaped backslash. */
  readonly isOld: boolean;
  /** Groups with names that AIDE 0.19 takes for an option’s, and their new names. */
  readonly groups: ReadonlyMap<string, string>;
  /** It defines a group `S` of its own, and does not mean the attribute. */
  readonly hasOwnS: boolean;
  /** Number of the `report_url` line that ours replaces, from 0; -1: ours comes at the end. */
  readonly reportUrlAt: number;
  /** It uses what came with AIDE 0.17, and nothing that went with it: where a `!` rule matches, it was walked no further. */
  readonly isNewer: boolean;
  /** What the walk of AIDE 0.16 depends on; undefined: too much to look at. */
  readonly walk: Walk | undefined;
  /** For comparing names with rules. */
  readonly patience: Patience;
}

/** Reads the context of a user’s configuration. */
export function readContext(configuration: Configuration): Context {
  const statements = configuration.lines.map(({ statement }) => statement);
  const isOld = statements.some(hasWentWith017);
  const variables = readVariables(statements, isOld);
  const patience = new Patience();
  return {
    variables,
    isRecent: statements.some(hasCameWith019) || statements.some(isOurExclusion),
    isOld,
    groups: readGroups(statements, variables),
    hasOwnS: statements.some((statement) => statement.kind === 'group' && statement.name === 'S'),
    reportUrlAt: isOld ? -1 : findReportUrl(statements),
    // What was converted before has options of ours, and its `!` rules are what they were meant to be.
    isNewer: !isOld && statements.some(hasCameWith017) && !statements.some(isForDaemon),
    walk: readWalk(placeRules(statements, variables), patience),
    patience,
  };
}

/**
 * The path of a rule, beginning with a slash as AIDE wants it since 0.17, where it began with a variable. Undefined where
 * the variable has no value, or values that differ in whether they begin with the node’s root.
 */
export function expandStart(path: string, variables: Context['variables']): string | undefined {
  let expanded = path;
  // Bounded: a variable’s value may begin with a variable.
  for (let round = 0; round < 8 && !expanded.startsWith('/'); round += 1) {
    const name = /^@@\{([^}]*)\}/.exec(expanded)?.[1] ?? '';
    const values = [...(variables.get(name) ?? [])];
    const [value] = values;
    if (value === undefined) return undefined;
    // AIDE itself puts in the one that is in force.
    if (values.length > 1) return values.every(isNodePath) ? HOST_ROOT + expanded : undefined;
    expanded = value + expanded.slice(name.length + 4);
    if (expanded.length > MAX_EXPANDED) return undefined;
  }
  return expanded.startsWith('/') ? expanded : undefined;
}

/** AIDE 0.16 gave a rule’s path to the regular expression as it was; later ones take away one backslash of two. */
export function doubleBackslashes(text: string): string {
  return text.replace(/\\(.)/gs, (pair, character: string) => (character === '\\' ? '\\\\\\\\' : pair));
}

/**
 * A text with its variables’ values, and those of variables in them, where each has one only. As it was where that makes it
 * too long, or has no end.
 */
export function expandVariables(text: string, variables: Context['variables']): string {
  let expanded = text;
  for (let round = 0; round < 8; round += 1) {
    let room = MAX_EXPANDED;
    const next = expanded.replace(/@@\{([^@}]*)\}/g, (variable, name: string) => {
      const [value, ...others] = variables.get(name) ?? [];
      if (value === undefined || others.length > 0) return variable;
      room -= value.length;
      return room < 0 ? variable : value;
    });
    if (room < 0) return text;
    if (next === expanded) return expanded;
    expanded = next;
  }
  return text;
}

/** Characters that values of variables may add to one text, and values of one variable that are looked at. */
const MAX_EXPANDED = 4096;
const MAX_VALUES = 64;

function isNodePath(value: string): boolean {
  return value.startsWith('/') && toHostPath(value) !== value;
}

function readVariables(statements: readonly Statement[], isOld: boolean): Map<string, Set<string>> {
  const variables = new Map<string, Set<string>>();
  for (const statement of statements) {
    if (statement.kind !== 'define') continue;
    const values = variables.get(statement.name) ?? new Set();
    const value = isOld ? doubleBackslashes(statement.value) : statement.value;
    if (values.size < MAX_VALUES) values.add(OUR_DEFINES.get(statement.name) ?? value);
    variables.set(statement.name, values);
  }
  for (const [name, value] of OUR_DEFINES) if (!variables.has(name)) variables.set(name, new Set([value]));
  return variables;
}

function hasCameWith019(statement: Statement): boolean {
  switch (statement.kind) {
    case 'rule':
      return (
        statement.prefix === '-' || statement.restriction.includes('=') || NEW_ATTRIBUTES.test(statement.attributes)
      );
    case 'group':
      return NEW_ATTRIBUTES.test(statement.expression);
    case 'condition':
      return /\bversion_ge\b/.test(statement.expression);
    default:
      return false;
  }
}

const NEW_ATTRIBUTES = /(?:^|[\s+-])(?:fstype|sha512_256|sha3_256|sha3_512)(?![\w%>])/;
const CAME_WITH_017 = new Set(
  [
    'database_in log_level report_level report_append report_format num_workers config_check_warn_unrestricted_rules',
    'report_grouped report_summarize_changes report_ignore_added_attrs report_ignore_removed_attrs',
    'report_ignore_changed_attrs report_force_attrs',
  ].flatMap((names) => names.split(' ')),
);
const WENT_WITH_017 = new Set(['verbose', 'ignore_list', 'report_attributes', 'recstop']);

function hasWentWith017(statement: Statement): boolean {
  if (statement.kind === 'rule') return statement.path.startsWith('@@{');
  return statement.kind === 'option' && WENT_WITH_017.has(statement.name);
}

function hasCameWith017(statement: Statement): boolean {
  if (statement.kind === 'option') return CAME_WITH_017.has(statement.name);
  return statement.kind === 'condition' && statement.keyword === '@@if';
}

/** The rule that conversion adds. */
function isOurExclusion(statement: Statement): boolean {
  return statement.kind === 'rule' && statement.prefix === '!' && statement.path === HOST_ROOT + OWN_FILES;
}

function isForDaemon(statement: Statement): boolean {
  return statement.kind === 'rule' && isHostPath(statement.path);
}

/** A group with such a name is one whose value is made of groups and attributes; else it is an option that AIDE lacks. */
function readGroups(statements: readonly Statement[], variables: Context['variables']): Map<string, string> {
  const options = statements.filter((statement) => statement.kind === 'option' && !isKnownOption(statement.name));
  const taken = new Set(statements.flatMap((statement) => (statement.kind === 'group' ? [statement.name] : [])));
  const groups = new Map<string, string>();
  const isGroup = (name: string) =>
    isBuiltInGroup(name) || isDroppedChecksum(name) || taken.has(name) || groups.has(name);
  if (taken.has('>')) groups.set('>', freeName('growingLog', isGroup));
  for (const { name, value } of options as Option[]) {
    if (
      groups.has(name) ||
      !expandVariables(value, variables)
        .split(/[+-]/)
        .every((name) => isGroup(name.trim()))
    )
      continue;
    const renamed = freeName(
      name.replace(/_(.)/g, (_all, letter: string) => letter.toUpperCase()),
      isGroup,
    );
    groups.set(name, renamed);
    taken.add(renamed);
  }
  return groups;
}

function freeName(name: string, isTaken: (name: string) => boolean): string {
  return isTaken(name) ? freeName(`${name}X`, isTaken) : name;
}

/** The one whose report the existing operator would have read: a file, whatever else is reported to. */
function findReportUrl(statements: readonly Statement[]): number {
  let depth = 0;
  for (const [index, statement] of statements.entries()) {
    if (statement.kind === 'condition') depth += 1;
    else if (statement.kind === 'endif') depth -= 1;
    else if (statement.kind === 'option' && statement.name === 'report_url' && depth === 0) {
      if (statement.value.startsWith('file:')) return index;
    }
  }
  return -1;
}

/** The rules as the daemon sees their paths, but for those that cannot be carried over. */
function placeRules(
  statements: readonly Statement[],
  variables: Context['variables'],
): { rule: Rule; conditional: boolean }[] {
  const rules: { rule: Rule; conditional: boolean }[] = [];
  let depth = 0;
  for (const statement of statements) {
    if (statement.kind === 'condition') depth += 1;
    else if (statement.kind === 'endif') depth -= 1;
    if (statement.kind !== 'rule') continue;
    const path = expandStart(statement.path, variables);
    if (path === undefined) continue;
    const seen = expandVariables(toHostPath(path), variables);
    rules.push({ rule: { ...statement, path: seen }, conditional: depth > 0 });
  }
  return rules;
}
