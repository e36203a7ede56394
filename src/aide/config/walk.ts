import { HOST_ROOT } from './host-path.ts';
import { compilePath, folderOf, looksAhead, type PathPattern, type Patience, parentsOf, startOf } from './rule-path.ts';
import type { Rule } from './syntax.ts';

/**
 * Where old AIDEs stop to walk. Until 0.18 a folder that a `!` rule matches is left out with all that is below; but 0.16 walks
 * it all the same when a rule names a folder there, or when a rule could still match something below and does not take
 * the folder itself (`check_node_for_match` in `gen_list.c`). 0.17 and 0.18 always stop.
 */

/** A rule that takes files, with its path as the daemon sees it. */
interface TakingRule {
  /** Names that it takes begin so; undefined where that cannot be told. */
  readonly start: string | undefined;
  readonly folder: string;
  /** It takes each folder whose name begins with a match: it has no other types, no condition, and nothing looks ahead. */
  readonly takesFolders: PathPattern | undefined;
  /** It is a path and no pattern, so that it takes all of a folder or nothing. */
  readonly isPath: boolean;
  readonly isEquals: boolean;
}

/** What the rules of a configuration take, as far as the walk depends on it. */
export interface Walk {
  readonly taking: readonly TakingRule[];
  /** Folders that any rule names, with all above them. */
  readonly named: ReadonlySet<string>;
  readonly patience: Patience;
}

const PATH = /^(?:\\[^a-zA-Z0-9]|[^\\^$.|?*+()[\]{}@])*$/;

/** Comparisons of a rule with a `!` rule; what a configuration of a sane size needs is far below. */
const MAX_COMPARISONS = 1_000_000;

/**
 * @param rules with their paths as the daemon sees them
 * @returns undefined where there are too many to be compared
 */
export function readWalk(
  rules: readonly { readonly rule: Rule; readonly conditional: boolean }[],
  patience: Patience,
): Walk | undefined {
  const named = new Set<string>();
  const taking: TakingRule[] = [];
  let exclusions = 0;
  for (const { rule, conditional } of rules) {
    const { path, prefix, restriction } = rule;
    const folder = folderOf(path);
    for (const each of [...parentsOf(folder), folder]) named.add(each);
    if (prefix === '!') exclusions += 1;
    if (prefix === '!' || prefix === '-') continue;
    const admits = restriction === '' || restriction === '0' || /^[a-zA-Z, ]*\bd\b[a-zA-Z, ]*$/.test(restriction);
    const isPlain = prefix === '' && admits && !conditional && !looksAhead(path);
    const takesFolders = isPlain ? compilePath(path, patience) : undefined;
    taking.push({ start: startOfAll(path), folder, takesFolders, isPath: PATH.test(path), isEquals: prefix === '=' });
  }
  return exclusions * (named.size + taking.length) > MAX_COMPARISONS ? undefined : { taking, named, patience };
}

/** Whether a `!` rule of this path matches the node’s root, below which everything is. */
export function matchesRoot(path: string, patience: Patience): boolean {
  const start = startOfAll(path);
  if (start !== undefined && !HOST_ROOT.startsWith(start)) return false;
  return compilePath(path, patience)?.test(HOST_ROOT) !== false;
}

/** Whether AIDE 0.16 surely walks no folder that a `!` rule of this path matches, or finds nothing there. */
export function stopsThere(path: string, { taking, named, patience }: Walk): boolean {
  const start = startOfAll(path);
  if (start === undefined) return false;
  const pattern = compilePath(path, patience);
  for (const each of named) if (each.startsWith(start) && pattern?.test(each) !== false) return false;
  const near = taking.filter((rule) => rule.start === undefined || meets(rule.start, start));
  // The first that is asked, from the innermost folder outwards, decides whether the folder itself is taken.
  const takers = near.filter((rule) => rule.takesFolders?.test(start) === true);
  const innermost = Math.max(...takers.map(({ folder }) => folder.length));
  return near.every(
    (rule) =>
      takers.includes(rule) ||
      (!rule.isEquals && rule.folder.length <= innermost) ||
      (rule.isPath && rule.takesFolders !== undefined && !beginsRule(pattern, rule)),
  );
}

/** Whether the pattern may match a folder whose name is the beginning of a path that the rule takes. */
function beginsRule(pattern: PathPattern | undefined, { start = '', folder }: TakingRule): boolean {
  const shortest = folder === '/' ? 2 : folder.length + 2;
  for (let length = shortest; length < start.length; length += 1) {
    if (pattern?.test(start.slice(0, length)) !== false) return true;
  }
  return false;
}

/** Whether something can begin with both. */
export function meets(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** The names that every match begins with, also where alternatives or escapes with a meaning follow; undefined where none is known. */
export function startOfAll(path: string): string | undefined {
  const [before = ''] = /^(?:\\[^a-zA-Z0-9]|[^\\(|])*/s.exec(path) ?? [];
  if (path.at(before.length) === '|') return undefined;
  return startOf(before) || undefined;
}
