import { printable } from '../../lib/text.ts';
import type { Converted } from './converted.ts';
import { toHostPath } from './host-path.ts';
import { OUR_DEFINES } from './ours.ts';
import type { Problem } from './problem.ts';
import type { Configuration, Rule } from './syntax.ts';

/** What of the whole configuration the conversion of one rule needs. */
export interface RuleContext {
  /** Values of macro variables, the first definition of each. */
  readonly variables: ReadonlyMap<string, string>;
  /** It uses what only AIDE 0.19 has, so its `!` rules mean what they mean there. */
  readonly isRecent: boolean;
}

/** Reads what the conversion of rules needs. */
export function readRuleContext(configuration: Configuration): RuleContext {
  const variables = new Map<string, string>();
  let isRecent = false;
  for (const { statement } of configuration.lines) {
    if (statement.kind === 'define' && !variables.has(statement.name)) {
      variables.set(statement.name, OUR_DEFINES.get(statement.name) ?? statement.value);
    }
    if (statement.kind === 'rule' && (statement.prefix === '-' || statement.restriction.includes('='))) isRecent = true;
    if (statement.kind === 'condition' && /\bversion_ge\b/.test(statement.expression)) isRecent = true;
  }
  return { variables, isRecent };
}

/** Converts a rule: its path to `/hostroot`, its prefix and attributes to what AIDE 0.19 means by them. */
export function convertRule(rule: Rule, context: RuleContext): Converted {
  const path = expandStart(rule.path, context.variables);
  if (path === undefined) {
    const sentence = `The rule ${shown(rule)} cannot be carried over: it begins with a variable that has no value beginning with /`;
    return { problems: [{ code: 'CONFIG_RULE_VARIABLE', severity: 'error', sentence }] };
  }
  const { expression, problems } = convertExpression(rule.attributes);
  const converted: Rule = { ...rule, path: toHostPath(path), attributes: expression };
  if (!changedMeaning(converted, context)) return { statement: converted, problems };
  const statement: Rule = { ...converted, prefix: '-' };
  const sentence = `${shown(rule)} became ${shown(statement)}: since AIDE 0.19 only the latter also leaves out what is below a folder that matches`;
  return { statement, problems: [...problems, { code: 'CONFIG_NEGATIVE_RULE', severity: 'info', sentence }] };
}

/** AIDE since 0.17 wants a rule to begin with a slash as it is written. */
function expandStart(path: string, variables: ReadonlyMap<string, string>): string | undefined {
  let expanded = path;
  // Bounded: a variable’s value may begin with a variable.
  for (let round = 0; round < 8 && !expanded.startsWith('/'); round += 1) {
    const name = /^@@\{([^}]*)\}/.exec(expanded)?.[1];
    const value = name === undefined ? undefined : variables.get(name);
    if (name === undefined || value === undefined) return undefined;
    expanded = value + expanded.slice(name.length + 4);
  }
  return expanded.startsWith('/') ? expanded : undefined;
}

/**
 * Whether an unrestricted `!` rule could leave out less than it did before AIDE 0.19. Then, a folder that matched was left
 * out with all below it; now, what is below is left out only if it matches too. Without anything that looks at what follows
 * (`$`, look-ahead, …) a name that matches still does so with something appended, and both are the same.
 */
function changedMeaning(rule: Rule, { isRecent, variables }: RuleContext): boolean {
  if (rule.prefix !== '!' || rule.restriction !== '' || isRecent) return false;
  const path = rule.path.replace(/@@\{([^}]*)\}/g, (_all, name: string) => variables.get(name) ?? '');
  return LOOKS_AHEAD.test(path.replace(/\\\\/g, ''));
}

const LOOKS_AHEAD = /(?<!\\)\$|\(\?|\(\*|\\[zZbBGK]/;

/** Checksums that the image’s AIDE does not have (dropped in 0.17 and 0.19). */
const DROPPED_CHECKSUMS = new Set(['tiger', 'haval', 'crc32', 'crc32b', 'whirlpool', 'md2', 'md4']);

/** Converts an attribute expression: dropped checksums become sha512, so that contents stay watched. */
export function convertExpression(expression: string): { expression: string; problems: Omit<Problem, 'line'>[] } {
  const problems: Omit<Problem, 'line'>[] = [];
  const converted = expression.replace(/(^|[+-]\s*)([a-z]+\d*b?)(?![\w%>])/g, (all, operator: string, name: string) => {
    if (!DROPPED_CHECKSUMS.has(name)) return all;
    const sentence = `The checksum ${name} became sha512: AIDE no longer has it`;
    problems.push({ code: 'CONFIG_CHECKSUM', severity: 'info', sentence });
    // Taking away a checksum that is not there is nothing; taking away sha512 would be something.
    return operator.startsWith('-') ? '' : `${operator}sha512`;
  });
  return { expression: converted, problems };
}

function shown(rule: Rule): string {
  return printable(rule.prefix + rule.path, 200);
}
