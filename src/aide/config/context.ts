import { isBuiltInGroup, isDroppedChecksum } from './groups.ts';
import { HOST_ROOT, toHostPath } from './host-path.ts';
import { isKnownOption } from './options.ts';
import { OUR_DEFINES } from './ours.ts';
import { compilePath, folderOf, Patience, parentsOf } from './rule-path.ts';
import type { Configuration, Option, Statement } from './syntax.ts';

/** What of the whole configuration the conversion of one statement needs. */
export interface Context {
  /** Every value that a macro variable is given somewhere. */
  readonly variables: ReadonlyMap<string, ReadonlySet<string>>;
  /** It uses what came with AIDE 0.19, so its `!` rules mean what they mean there. */
  readonly isRecent: boolean;
  /** It uses what went with AIDE 0.17, so its options hold for all reports, and `\\` is one escaped backslash. */
  readonly isOld: boolean;
  /** Groups with names that AIDE 0.19 takes for an option’s, and their new names. */
  readonly groups: ReadonlyMap<string, string>;
  /** Number of the `report_url` line that ours replaces, from 0; -1: ours comes at the end. */
  readonly reportUrlAt: number;
  /** Folders that a selecting rule names, with all above them, as the daemon sees them; undefined: too many to look at. */
  readonly selectedFolders: ReadonlySet<string> | undefined;
  /** For comparing them with rules. */
  readonly patience: Patience;
}

/** Reads the context of a user’s configuration. */
export function readContext(configuration: Configuration): Context {
  const statements = configuration.lines.map(({ statement }) => statement);
  const isOld = statements.some(hasWentWith017);
  const variables = readVariables(statements, isOld);
  return {
    variables,
    isRecent: statements.some(hasCameWith019),
    isOld,
    groups: readGroups(statements, variables),
    reportUrlAt: isOld ? -1 : findReportUrl(statements),
    selectedFolders: readFolders(statements, variables),
    patience: new Patience(),
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
const WENT_WITH_017 = new Set(['verbose', 'ignore_list', 'report_attributes', 'recstop']);

function hasWentWith017(statement: Statement): boolean {
  if (statement.kind === 'rule') return statement.path.startsWith('@@{');
  return statement.kind === 'option' && WENT_WITH_017.has(statement.name);
}

/** A group with such a name is one whose value is made of groups and attributes; else it is an option that AIDE lacks. */
function readGroups(statements: readonly Statement[], variables: Context['variables']): Map<string, string> {
  const options = statements.filter((statement) => statement.kind === 'option' && !isKnownOption(statement.name));
  const taken = new Set(statements.flatMap((statement) => (statement.kind === 'group' ? [statement.name] : [])));
  const groups = new Map<string, string>();
  if (taken.has('>')) groups.set('>', freeName('growingLog', taken));
  const isGroup = (name: string) =>
    isBuiltInGroup(name) || isDroppedChecksum(name) || taken.has(name) || groups.has(name);
  for (const { name, value } of options as Option[]) {
    if (
      groups.has(name) ||
      !expandVariables(value, variables)
        .split(/[+-]/)
        .every((name) => isGroup(name.trim()))
    )
      continue;
    let renamed = name.replace(/_(.)/g, (_all, letter: string) => letter.toUpperCase());
    while (isGroup(renamed)) renamed += 'X';
    groups.set(name, renamed);
    taken.add(renamed);
  }
  return groups;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  return taken.has(name) ? freeName(`${name}X`, taken) : name;
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

/** Comparisons of a folder with a `!` rule; what a configuration of a sane size needs is far below. */
const MAX_COMPARISONS = 1_000_000;

function readFolders(statements: readonly Statement[], variables: Context['variables']): Set<string> | undefined {
  const folders = new Set<string>();
  let exclusions = 0;
  for (const statement of statements) {
    if (statement.kind !== 'rule' || statement.prefix === '-') continue;
    if (statement.prefix === '!') {
      exclusions += 1;
      continue;
    }
    const path = expandStart(statement.path, variables);
    if (path === undefined) continue;
    const folder = folderOf(toHostPath(path));
    for (const each of [...parentsOf(folder), folder]) folders.add(each);
  }
  return folders.size * exclusions > MAX_COMPARISONS ? undefined : folders;
}

/** Whether a path for the daemon’s view matches a folder that a selecting rule names, or cannot be told not to. */
export function matchesSelectedFolder(path: string, { selectedFolders, patience }: Context): boolean {
  if (selectedFolders === undefined) return true;
  const pattern = compilePath(path, patience);
  const folder = folderOf(path);
  for (const each of selectedFolders) {
    if (pattern === undefined ? each.startsWith(`${folder}/`) : pattern.test(each) !== false) return true;
  }
  return false;
}
