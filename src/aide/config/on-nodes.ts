import { legible } from '../../lib/text.ts';
import { HOST_ROOT, toNodePath } from './host-path.ts';
import { parse } from './parse.ts';
import type { PreparedConfiguration } from './prepare.ts';
import type { Problem } from './problem.ts';
import { isSelecting, type PlacedRule, rulesOf, selectionOf } from './selection.ts';

/** What nodes say of a configuration’s rules, by the lines of its effective text. */
export interface RulesOnNodes {
  /** Of those that have nothing on any node. */
  readonly idle: readonly number[];
  /** Of those that lead to a link on a node, and where what they go for is. */
  readonly links: readonly { readonly line: number; readonly target: string }[];
}

/**
 * What that comes to for the user. A link is no matter where another rule watches what is behind it; and what a default has, too,
 * is made for all kinds of nodes.
 * @param usual effective texts of the defaults
 */
export function problemsOnNodes(
  { text, lines }: Pick<PreparedConfiguration, 'text' | 'lines'>,
  { idle, links }: RulesOnNodes,
  usual: readonly string[],
): Problem[] {
  const rules = rulesOf(parse(text));
  const byLine = new Map(rules.map((each) => [each.line, each]));
  const common = new Set(usual.flatMap((each) => each.split('\n')));
  const texts = text.split('\n');
  const told = (line: number, tell: (rule: PlacedRule) => Problem | undefined) => {
    const rule = byLine.get(line);
    const user = lines[line - 1] ?? 0;
    const problem = rule && user > 0 ? tell(rule) : undefined;
    return problem ? [{ ...problem, line: user }] : [];
  };
  return [
    ...links.flatMap(({ line, target }) =>
      told(line, (rule) => {
        if (isWatched(rules, target)) return undefined;
        const sentence = `${shown(rule)} leads to a link, which AIDE does not follow: watch ${legible(target, 200)} as well`;
        return { line, code: 'CONFIG_RULE_LINK', severity: 'warning', sentence };
      }),
    ),
    ...idle.flatMap((line) =>
      told(line, (rule) => {
        if (common.has(texts[line - 1] ?? '')) return undefined;
        const sentence = `${shown(rule)} ${isSelecting(rule) ? 'selects' : 'leaves out'} nothing`;
        return { line, code: 'CONFIG_RULE_IDLE', severity: 'info', sentence };
      }),
    ),
  ];
}

/** Whether a rule surely takes files there. */
function isWatched(rules: readonly PlacedRule[], target: string): boolean {
  const path = `${HOST_ROOT}${target}`;
  return selectionOf(rules, path.endsWith('/') ? `${path}x` : path) !== undefined;
}

function shown({ rule }: PlacedRule): string {
  return legible(toNodePath(rule.path), 200);
}
