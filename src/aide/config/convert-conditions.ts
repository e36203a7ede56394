import { type Context, expandStart } from './context.ts';
import type { Converted } from './converted.ts';
import { toHostPath } from './host-path.ts';
import type { Condition } from './syntax.ts';

/** The forms that AIDE 0.19 warns of at each run, and what it wants instead. */
const SUCCESSORS: Readonly<Record<Exclude<Condition['keyword'], '@@if'>, string>> = {
  '@@ifdef': 'defined',
  '@@ifndef': 'not defined',
  '@@ifhost': 'hostname',
  '@@ifnhost': 'not hostname',
};

/** Converts a condition: its older forms to `@@if`, and a node’s path in `exists` to where the daemon sees it. */
export function convertCondition(condition: Condition, { variables }: Context): Converted {
  const words =
    condition.keyword === '@@if' ? condition.expression : `${SUCCESSORS[condition.keyword]} ${condition.expression}`;
  const expression = words.replace(/^((?:not[ \t]+)*exists[ \t]+)(.+)$/, (all, start: string, path: string) => {
    const expanded = expandStart(path, variables);
    return expanded === undefined ? all : start + toHostPath(expanded);
  });
  const statement: Condition = { ...condition, keyword: '@@if', gap: ' ', expression };
  if (!/^(?:not[ \t]+)*hostname\b/.test(expression)) return { statement };
  const sentence = 'AIDE compares the host name with that of the daemon’s pod, which is not the node’s name';
  return { statement, problems: [{ code: 'CONFIG_HOST_NAME', severity: 'warning', sentence }] };
}
