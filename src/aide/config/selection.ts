import type { Rule } from './syntax.ts';

/** A rule and the line it stands in, from 1. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly line: number;
}

/**
 * The rule that would select a regular file of this path, if one surely does. An estimate for warnings: AIDE decides on the
 * node. A rule whose regular expression cannot be judged here selects nothing, and as a `!` rule leaves everything out: so
 * there is a false silence now and then, but no false warning.
 */
export function selectionOf(rules: readonly PlacedRule[], path: string): PlacedRule | undefined {
  const parents = path
    .split('/')
    .map((_part, index, parts) => parts.slice(0, index).join('/'))
    .slice(2);
  for (const { rule } of rules) {
    if (rule.prefix === '!' && applies(rule, path, true)) return undefined;
    if (rule.prefix === '-' && [...parents, path].some((each) => applies(rule, each, true))) return undefined;
  }
  return rules.find(({ rule }) => rule.prefix === '' && applies(rule, path, false));
}

function applies(rule: Rule, path: string, whenUnknown: boolean): boolean {
  // Restricted to other types than regular files.
  const types = rule.restriction.split('=')[0]?.replace(/\s+/g, '') ?? '';
  if (types !== '' && types !== '0' && !types.split(',').includes('f')) return false;
  const pattern = compile(rule.path);
  return pattern === undefined ? whenUnknown : pattern.test(path);
}

/**
 * AIDE’s regular expressions (PCRE) as JavaScript’s, where both mean the same and none can take long: no groups that are
 * repeated, and few repetitions.
 */
function compile(path: string): RegExp | undefined {
  if (path.length > 1000 || /@@\{|\(\?|\)[*+{?]|\\[^\w\s]?[^.\\/$^*+?()[\]{}|dwsDWS-]/.test(path)) return undefined;
  if ((path.match(/[*+{]/g) ?? []).length > 3) return undefined;
  try {
    return new RegExp(`^(?:${path})`, 'u');
  } catch {
    return undefined;
  }
}
