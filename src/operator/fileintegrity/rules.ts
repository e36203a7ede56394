import { problemsOnNodes, type RulesOnNodes } from '../../aide/config/on-nodes.ts';
import { describeProblems, type Problem } from '../../aide/config/problem.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { JudgedConfiguration } from './configuration.ts';

type RuledNode = Pick<FileIntegrityNodeStatus, 'orders' | 'baseline'>;

/** What the nodes' baselines say of the rules of a user's configuration, in words. */
export interface RuleWords {
  /** What is not watched though it seems to be. */
  readonly notes: readonly string[];
  /** What has nothing on any node. */
  readonly idle: readonly string[];
}

/**
 * What a rule of the user's comes to on the nodes. That it has nothing is told when all of them have a baseline by this
 * configuration, and say so. Of a configuration in another namespace the codes alone are told.
 */
export function tellRules(
  judged: JudgedConfiguration,
  nodes: readonly RuledNode[],
  defaults: readonly string[],
): RuleWords {
  if (judged.kind !== 'user' || !judged.lines) return { notes: [], idle: [] };
  const { text, lines, isForeign } = judged;
  const said = rulesOnNodes(nodes);
  if (said.idle.length + said.links.length === 0) return { notes: [], idle: [] };
  const problems = knownProblems({ text, lines }, said, defaults);
  const say = (severity: Problem['severity']) =>
    describeProblems(
      problems.filter((problem) => problem.severity === severity),
      isForeign ? ({ code }) => code : undefined,
    );
  return { notes: say('warning'), idle: say('info') };
}

/** What was asked last: a plan is made each second while nodes report, and a text may have a megabyte. */
let last: { readonly key: string; readonly problems: readonly Problem[] } | undefined;

function knownProblems(...asked: Parameters<typeof problemsOnNodes>): readonly Problem[] {
  const key = JSON.stringify(asked);
  if (last?.key !== key) last = { key, problems: problemsOnNodes(...asked) };
  return last.problems;
}

/** Links that are looked at, whatever nodes say. */
const LINKS = 100;

function rulesOnNodes(nodes: readonly RuledNode[]): RulesOnNodes {
  const current = nodes.flatMap(({ orders, baseline }) =>
    baseline && baseline.configurationDigest === orders?.configuration.digest ? [baseline.rules] : [],
  );
  const known = current.filter((rules) => rules !== undefined);
  const links = new Map(known.flatMap((rules) => rules.links).map((link) => [`${link.line} ${link.target}`, link]));
  const [first, ...others] = known.map((rules) => new Set(rules.idle));
  const isWhole = nodes.length > 0 && known.length === nodes.length;
  const idle = isWhole ? [...(first ?? [])].filter((line) => others.every((each) => each.has(line))) : [];
  const inOrder = [...links.values()].sort(
    (one, other) => one.line - other.line || (one.target < other.target ? -1 : 1),
  );
  return { idle, links: inOrder.slice(0, LINKS) };
}
