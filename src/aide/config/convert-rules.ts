import { legible } from '../../lib/text.ts';
import { type Context, doubleBackslashes, expandStart, expandVariables } from './context.ts';
import type { Converted } from './converted.ts';
import { isDroppedChecksum } from './groups.ts';
import { HOST_ROOT, toHostPath } from './host-path.ts';
import type { Problem } from './problem.ts';
import { looksAhead } from './rule-path.ts';
import type { Rule } from './syntax.ts';
import { matchesRoot, stopsThere } from './walk.ts';

/** Converts a rule: its path to `/hostroot`, its prefix and attributes to what AIDE 0.19 means by them. */
export function convertRule(rule: Rule, context: Context): Converted {
  const path = expandStart(context.isOld ? doubleBackslashes(rule.path) : rule.path, context.variables);
  if (path === undefined) {
    const sentence = `The rule ${shown(rule)} cannot be carried over: it begins with a variable that has no value beginning with /`;
    return { problems: [{ code: 'CONFIG_RULE_VARIABLE', severity: 'error', sentence }] };
  }
  const { expression, problems } = convertExpression(rule.attributes, context);
  const converted: Rule = { ...rule, path: toHostPath(path), attributes: expression };
  // `=/` takes the root and what is in it. Seen from the daemon these have different parents, which no one rule can take.
  if (rule.prefix === '=' && path === '/') {
    return { statement: converted, second: { ...converted, path: `${HOST_ROOT}/` }, problems };
  }
  const { prefix, problem } = convertPrefix(rule, converted.path, context);
  return { statement: { ...converted, prefix }, problems: problem === undefined ? problems : [...problems, problem] };
}

/**
 * Until AIDE 0.18 a folder that an unrestricted `!` rule matched was as a rule left out with all below it; since 0.19 its
 * contents are walked, and each file below is left out only if it matches too. `-` does what `!` did. Where both select the
 * same, `-` saves the walk; where it cannot be told that the old AIDE stopped there, `!` loses nothing.
 */
function convertPrefix(
  rule: Rule,
  path: string,
  context: Context,
): { readonly prefix: Rule['prefix']; readonly problem?: Omit<Problem, 'line'> } {
  const unrestricted = rule.restriction === '' || rule.restriction === '0';
  if (rule.prefix !== '!' || !unrestricted || context.isRecent) return { prefix: rule.prefix };
  if (!canLookAhead(path, context)) return { prefix: '-' };
  const code = 'CONFIG_NEGATIVE_RULE';
  if (!leavesOutAllBelow(path, context)) {
    const sentence = `${shown(rule)} leaves out only what matches it, and not all that is below: AIDE up to 0.16 may have gone on there. Write it with - instead of ! to leave out all`;
    return { prefix: '!', problem: { code, severity: 'warning', sentence } };
  }
  const sentence = `${shown(rule)} became ${shown({ ...rule, prefix: '-', path })}: since AIDE 0.19 only the latter also leaves out what is below a folder that matches`;
  return { prefix: '-', problem: { code, severity: 'info', sentence } };
}

function leavesOutAllBelow(path: string, { variables, isNewer, walk, patience }: Context): boolean {
  const expanded = expandVariables(path, variables);
  if (matchesRoot(expanded, patience)) return false;
  return isNewer || (walk !== undefined && stopsThere(expanded, walk));
}

function canLookAhead(path: string, { variables }: Context): boolean {
  const used = [...path.matchAll(/@@\{([^@}]*)\}/g)].flatMap(([, name = '']) => [...(variables.get(name) ?? [])]);
  return [path, ...used].some(looksAhead);
}

/**
 * Converts an attribute expression: dropped checksums become sha512, so that contents stay watched; renamed groups get their
 * new names; a variable, which AIDE takes here no longer, its value.
 */
export function convertExpression(
  expression: string,
  { variables, groups, hasOwnS }: Context,
): { expression: string; problems: Omit<Problem, 'line'>[] } {
  const problems: Omit<Problem, 'line'>[] = [];
  const expanded = expandVariables(expression, variables);
  const converted = expanded.replace(/(^|[+-]\s*)([\w%>]+)/g, (all, operator: string, name: string) => {
    if (groups.has(name)) return operator + groups.get(name);
    if (name === 'S' && !hasOwnS) {
      problems.push({ code: 'CONFIG_ATTRIBUTE', severity: 'info', sentence: 'The attribute S became growing+s' });
      // Without `growing` any change of the size counts, as it did without `S`.
      return operator.startsWith('-') ? `${operator}growing` : `${operator}growing+s`;
    }
    if (!isDroppedChecksum(name)) return all;
    const sentence = `The checksum ${name} became sha512: AIDE no longer has it`;
    problems.push({ code: 'CONFIG_CHECKSUM', severity: 'info', sentence });
    // Taking away a checksum that is not there is nothing; taking away sha512 would be something.
    return operator.startsWith('-') ? '' : `${operator}sha512`;
  });
  return { expression: converted, problems };
}

function shown(rule: Pick<Rule, 'prefix' | 'path'>): string {
  return legible(rule.prefix + rule.path, 200);
}
