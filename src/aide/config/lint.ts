import { printable } from '../../lib/text.ts';
import { isBuiltInGroup } from './groups.ts';
import { isHostPath } from './host-path.ts';
import type { Problem } from './problem.ts';
import { type PlacedRule, selectionOf } from './selection.ts';
import type { Configuration, Rule, Statement } from './syntax.ts';

type Report = (line: number, severity: Problem['severity'], code: string, sentence: string) => void;

/**
 * What our rules say of an effective configuration: that it selects nothing, names an unknown group, watches its own
 * database or what changes all the time, says something twice. Lines are those of the text that `configuration` is of.
 *
 * Conditions are not evaluated: what stands in either branch counts as there.
 */
export function lint(configuration: Configuration): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (line, severity, code, sentence) => problems.push({ line, code, sentence, severity });
  lintSelection(configuration, report);
  lintGroups(configuration, report);
  lintRepetitions(configuration, report);
  lintWatched(configuration, report);
  return problems.sort((a, b) => a.line - b.line);
}

function lintSelection(configuration: Configuration, report: Report): void {
  const rules = rulesOf(configuration).filter(({ rule }) => isSelecting(rule));
  if (rules.length === 0) {
    report(
      0,
      'error',
      'CONFIG_SELECTS_NOTHING',
      'No rule selects a file, so nothing would be watched. Add one, such as “/etc R”',
    );
  }
  for (const { rule, line } of rules) {
    if (hasOpenAlternation(rule.path)) {
      const sentence = `${shown(rule)} does not select what it seems to: AIDE takes the folder before the last slash for all alternatives. Put them in parentheses`;
      report(line, 'warning', 'CONFIG_ALTERNATION', sentence);
    }
  }
}

function lintGroups(configuration: Configuration, report: Report): void {
  const defined = new Set<string>();
  configuration.lines.forEach(({ statement }, index) => {
    for (const name of groupsUsed(statement)) {
      if (defined.has(name) || isBuiltInGroup(name)) continue;
      const sentence = `The group ${printable(name, 80)} is not defined before it is used`;
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

function lintRepetitions(configuration: Configuration, report: Report): void {
  const seen = new Map<string, number>();
  let depth = 0;
  configuration.lines.forEach(({ statement }, index) => {
    if (statement.kind === 'condition') depth += 1;
    if (statement.kind === 'endif') depth -= 1;
    // In conditions the same thing said twice is usual.
    if (statement.kind !== 'rule' || depth > 0) return;
    const key = `${statement.prefix} ${statement.path} ${statement.restriction.replace(/\s+/g, '')}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index + 1);
    else {
      const sentence = `${shown(statement)} stands in an earlier line too, which is the one that counts`;
      report(index + 1, 'warning', 'CONFIG_DUPLICATE_RULE', sentence);
    }
  });
}

const DATABASE = '/hostroot/etc/kubernetes/aide.db.gz';
/** Folders of the node’s kernel and of running programs, whose contents are never at rest. */
const VOLATILE = ['/hostroot/proc/1/stat', '/hostroot/sys/kernel/x', '/hostroot/dev/x', '/hostroot/run/x'];

function lintWatched(configuration: Configuration, report: Report): void {
  const rules = rulesOf(configuration);
  const selecting = selectionOf(rules, DATABASE);
  if (selecting !== undefined) {
    const sentence = `${shown(selecting.rule)} also watches the databases and logs in /etc/kubernetes, so every re-initialisation is a change. Add “!/etc/kubernetes/aide\\..*”`;
    report(selecting.line, 'warning', 'CONFIG_WATCHES_DATABASE', sentence);
  }
  for (const path of VOLATILE) {
    const found = selectionOf(rules, path);
    if (found === undefined) continue;
    const folder = path.split('/')[2];
    const sentence = `${shown(found.rule)} also watches /${folder}, which changes all the time. Add “!/${folder}”`;
    report(found.line, 'warning', 'CONFIG_WATCHES_VOLATILE', sentence);
  }
  for (const { rule, line } of rules) {
    if (isSelecting(rule) && !isHostPath(rule.path)) {
      const sentence = `${shown(rule)} watches the daemon’s container and not the node`;
      report(line, 'warning', 'CONFIG_OUTSIDE_NODE', sentence);
    }
  }
}

function rulesOf(configuration: Configuration): PlacedRule[] {
  return configuration.lines.flatMap(({ statement }, index) =>
    statement.kind === 'rule' ? [{ rule: statement, line: index + 1 }] : [],
  );
}

function isSelecting(rule: Rule): boolean {
  return rule.prefix === '' || rule.prefix === '=';
}

/** Whether a `|` stands outside of parentheses and brackets. */
function hasOpenAlternation(path: string): boolean {
  let depth = 0;
  for (const [piece] of path.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[()|]/gs)) {
    if (piece === '(') depth += 1;
    else if (piece === ')') depth -= 1;
    else if (piece === '|' && depth === 0) return true;
  }
  return false;
}

function shown(rule: Rule): string {
  return printable(rule.prefix + rule.path, 200);
}
