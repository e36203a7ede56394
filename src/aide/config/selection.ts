import { compilePath, folderOf, type PathPattern, Patience, parentsOf } from './rule-path.ts';
import type { Configuration, Rule } from './syntax.ts';

/** A rule, the line it stands in, from 1, and what there is to say of its path. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly line: number;
  /** Whether it stands inside of a condition, so that it holds on some nodes only. */
  readonly conditional: boolean;
  readonly folder: string;
  /** Undefined where it cannot be judged. */
  readonly pattern: PathPattern | undefined;
}

/** The rules of a configuration. */
export function rulesOf(configuration: Configuration): PlacedRule[] {
  const rules: PlacedRule[] = [];
  const patience = new Patience();
  let depth = 0;
  configuration.lines.forEach(({ statement }, index) => {
    if (statement.kind === 'condition') depth += 1;
    if (statement.kind === 'endif') depth -= 1;
    if (statement.kind !== 'rule') return;
    const { path } = statement;
    const conditional = depth > 0;
    const pattern = compilePath(path, patience);
    rules.push({ rule: statement, line: index + 1, conditional, folder: folderOf(path), pattern });
  });
  return rules;
}

/** Whether it is a rule that selects, and not one that leaves out. */
export function isSelecting({ rule }: PlacedRule): boolean {
  return rule.prefix === '' || rule.prefix === '=';
}

/** Whether the rule has no restriction to types of files or file systems. */
export function isUnrestricted({ rule }: PlacedRule): boolean {
  return rule.restriction === '' || rule.restriction === '0';
}

/**
 * The rule that would select a regular file of this path, if one surely does. An estimate: AIDE decides on the node. A rule
 * whose regular expression cannot be judged here selects nothing, and as a `!` rule leaves everything out: so there is a
 * false silence now and then, but no false alarm.
 */
export function selectionOf(rules: readonly PlacedRule[], path: string): PlacedRule | undefined {
  const selecting = rules.find((rule) => isSelecting(rule) && selects(rule, path));
  if (selecting === undefined) return undefined;
  const parents = parentsOf(path);
  const leavesOut = (each: PlacedRule) => {
    const matches = (name: string) => each.pattern?.test(name) ?? true;
    if (isSelecting(each)) return false;
    return (
      (isFor(each, 'f') && matches(path)) || (each.rule.prefix === '-' && isFor(each, 'd') && parents.some(matches))
    );
  };
  return rules.some(leavesOut) ? undefined : selecting;
}

function selects(each: PlacedRule, path: string): boolean {
  if (!isFor(each, 'f') || each.rule.restriction.includes('=') || each.pattern?.test(path) !== true) return false;
  const folder = path.slice(0, path.lastIndexOf('/')) || '/';
  if (each.rule.prefix === '=') return folder === each.folder;
  return each.folder === '/' || folder === each.folder || folder.startsWith(`${each.folder}/`);
}

/** Whether a rule’s restriction admits regular files, or folders. */
function isFor({ rule }: PlacedRule, type: 'f' | 'd'): boolean {
  const types = rule.restriction.split('=')[0]?.replace(/\s+/g, '') ?? '';
  return types === '' || types === '0' || types.split(',').includes(type);
}
