import { parse } from './parse.ts';
import { looksAhead, startOf } from './rule-path.ts';

/** Where a rule’s files are, as far as its path says it. */
export interface RulePlace {
  /** In the configuration, from 1. */
  readonly line: number;
  /** The names that all that it matches begins with. */
  readonly start: string;
  readonly isSelecting: boolean;
  /** Its path is `start` and no pattern, and it takes what is below as well. */
  readonly takesBelow: boolean;
}

const PLAIN = /^(?:\\[^a-zA-Z0-9]|[^\\^$.|?*+()[\]{}@])*$/;

/** Those of an effective configuration’s rules whose paths begin with a name, and that hold on every node. */
export function rulePlaces(text: string): RulePlace[] {
  const places: RulePlace[] = [];
  let depth = 0;
  parse(text).lines.forEach(({ statement }, index) => {
    if (statement.kind === 'condition') depth += 1;
    if (statement.kind === 'endif') depth -= 1;
    if (statement.kind !== 'rule' || depth > 0) return;
    const { path, prefix, restriction } = statement;
    const start = startOf(path);
    if (start === '') return;
    const isSelecting = prefix === '' || prefix === '=';
    const takesFiles = restriction === '' || restriction === '0' || /\b[fd]\b/.test(restriction);
    const takesBelow = prefix === '' && takesFiles && PLAIN.test(path) && !looksAhead(path);
    places.push({ line: index + 1, start, isSelecting, takesBelow });
  });
  return places;
}
