import { legible } from '../../lib/text.ts';
import { isBuiltInGroup } from './groups.ts';
import { isHostPath, toNodePath } from './host-path.ts';
import { isCurrentOption } from './options.ts';
import type { Problem } from './problem.ts';
import { looksAhead, parentsOf, startOf } from './rule-path.ts';
import { isSelecting, isUnrestricted, type PlacedRule, rulesOf, selectionOf } from './selection.ts';
import type { Configuration, Rule, Statement } from './syntax.ts';

type Report = (line: number, severity: Problem['severity'], code: string, sentence: string) => void;

/**
 * What our rules say of an effective configuration: that it selects nothing, names an unknown group or option, watches
 * what changes all the time, says something twice. Lines are those of the text that `configuration` is of.
 *
 * Conditions are not evaluated: what stands in either branch counts as there.
 */
export function lint(configuration: Configuration): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (line, severity, code, sentence) => problems.push({ line, code, sentence, severity });
  const rules = rulesOf(configuration);
  lintSelection(rules, report);
  lintNames(configuration, report);
  lintRepetitions(rules, report);
  lintWatched(rules, report);
  return problems.sort((a, b) => a.line - b.line);
}

function lintSelection(rules: readonly PlacedRule[], report: Report): void {
  const selecting = rules.filter(isSelecting);
  const exclusions = exclusionsOf(rules, selecting);
  if (selecting.every((each) => exclusions.has(each))) {
    const [first] = selecting;
    const sentence =
      first === undefined
        ? 'No rule selects a file, so nothing would be watched. Add one, such as “/etc R”'
        : 'What the rules select is left out again by others, so nothing would be watched';
    report(first?.line ?? 0, 'error', 'CONFIG_SELECTS_NOTHING', sentence);
    return;
  }
  for (const [{ rule, line }, exclusion] of exclusions) {
    const sentence = `${shown(rule)} selects nothing: ${shown(exclusion.rule)} leaves all of it out`;
    report(line, 'warning', 'CONFIG_RULE_WITHOUT_EFFECT', sentence);
  }
  for (const { rule, line } of selecting) {
    if (hasOpenAlternation(rule.path)) {
      const sentence = `${shown(rule)} does not select what it seems to: AIDE takes the folder before the last slash for all alternatives. Put them in parentheses`;
      report(line, 'warning', 'CONFIG_ALTERNATION', sentence);
    }
  }
}

/** Comparisons of one rule with another; what a configuration of a sane size needs is far below. */
const MAX_COMPARISONS = 1_000_000;

/** The rules all of whose files another rule surely leaves out, and which. */
function exclusionsOf(
  rules: readonly PlacedRule[],
  selecting: readonly PlacedRule[],
): ReadonlyMap<PlacedRule, PlacedRule> {
  const found = new Map<PlacedRule, PlacedRule>();
  const excluding = rules.filter((each) => !isSelecting(each) && !each.conditional && isUnrestricted(each));
  if (excluding.length * selecting.length > MAX_COMPARISONS) return found;
  for (const each of selecting) {
    const start = startOf(each.rule.path);
    // A folder that all matches are in: not the last name of the start, which may go on.
    const folders = parentsOf(start);
    const exclusion = excluding.find(({ rule, pattern }) => {
      if (pattern === undefined) return false;
      if (!looksAhead(rule.path) && pattern.test(start) === true) return true;
      return rule.prefix === '-' && folders.some((folder) => pattern.test(folder) === true);
    });
    if (exclusion !== undefined) found.set(each, exclusion);
  }
  return found;
}

function lintNames(configuration: Configuration, report: Report): void {
  const defined = new Set<string>();
  configuration.lines.forEach(({ statement }, index) => {
    if (statement.kind === 'option' && !isCurrentOption(statement.name)) {
      const sentence = `AIDE has no option ${legible(statement.name, 80)}`;
      report(index + 1, 'error', 'CONFIG_UNKNOWN_OPTION', sentence);
    }
    for (const name of groupsUsed(statement)) {
      if (defined.has(name) || isBuiltInGroup(name)) continue;
      const missing = `The group ${legible(name, 80)} is not defined before it is used`;
      const isValue = statement.kind === 'group' && /^\d+$|^(yes|no|true|false)$/.test(statement.expression);
      const sentence = isValue ? `AIDE has no option ${legible(statement.name, 80)}` : missing;
      report(index + 1, 'error', 'CONFIG_UNKNOWN_GROUP', sentence);
      // Once is enough.
      defined.add(name);
    }
    if (statement.kind === 'group') defined.add(statement.name);
  });
}

function groupsUsed(statement: Statement): readonly string[] {
  if (statement.kind === 'group') return namesIn(statement.expression);
  if (statement.kind === 'rule') return namesIn(statement.attributes);
  if (statement.kind === 'option' && /_attrs$/.test(statement.name)) return namesIn(statement.value);
  return [];
}

function namesIn(expression: string): readonly string[] {
  return expression.match(/[^\s+,=-]+/g) ?? [];
}

function lintRepetitions(rules: readonly PlacedRule[], report: Report): void {
  const seen = new Set<string>();
  for (const { rule, line, conditional } of rules) {
    // In conditions the same thing said twice is usual.
    if (conditional) continue;
    const key = `${rule.prefix} ${rule.path} ${rule.restriction.replace(/\s+/g, '')}`;
    if (seen.has(key)) {
      const sentence = `${shown(rule)} stands in an earlier line too, which is the one that counts`;
      report(line, 'warning', 'CONFIG_DUPLICATE_RULE', sentence);
    }
    seen.add(key);
  }
}

/** Folders of the node’s kernel and of running programs, whose contents are never at rest. */
const VOLATILE = ['/hostroot/proc/1/stat', '/hostroot/sys/kernel/x', '/hostroot/dev/x', '/hostroot/run/x'];

function lintWatched(rules: readonly PlacedRule[], report: Report): void {
  for (const path of VOLATILE) {
    const found = selectionOf(rules, path);
    if (found === undefined) continue;
    const folder = path.split('/')[2];
    const sentence = `${shown(found.rule)} also watches /${folder}, which changes all the time. Add “!/${folder}”`;
    report(found.line, 'warning', 'CONFIG_WATCHES_VOLATILE', sentence);
  }
  for (const each of rules) {
    if (isSelecting(each) && !isHostPath(each.rule.path)) {
      const sentence = `${shown(each.rule)} watches the daemon’s container and not the node`;
      report(each.line, 'warning', 'CONFIG_OUTSIDE_NODE', sentence);
    }
  }
}

/** Whether a `|` stands outside of parentheses and brackets. */
function hasOpenAlternation(path: string): boolean {
  let depth = 0;
  for (const [piece] of path.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]?|[()|]/gs)) {
    if (piece === '(') depth += 1;
    else if (piece === ')') depth -= 1;
    else if (piece === '|' && depth === 0) return true;
  }
  return false;
}

function shown(rule: Rule): string {
  return legible(rule.prefix + toNodePath(rule.path), 200);
}
