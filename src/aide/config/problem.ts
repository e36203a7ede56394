/** Something about a configuration that its author should know. */
export interface Problem {
  /** Line in the author’s text, from 1; 0: the whole. */
  readonly line: number;
  /** Stable, upper snake case, `CONFIG_…`. */
  readonly code: string;
  /** For a person, one sentence. What comes from the text is in it as `legible` shows it. */
  readonly sentence: string;
  /**
   * `error`: it cannot be used. `warning`: it can, but does not do all that it says, or does what hardly is meant. `info`:
   * it was carried over in other words.
   */
  readonly severity: 'error' | 'warning' | 'info';
}

/** How many problems, and lines of one, are told at most. */
const TOLD = 10;
const LINES = 5;

/**
 * Problems of one severity for a condition or an event: what is said of several lines once, with the lines; ours before
 * AIDE’s, which comes once for each rule.
 * @param word what is said of one; default: its code and its sentence
 */
export function describeProblems(
  problems: readonly Problem[],
  word: (problem: Problem) => string = ({ code, sentence }) => `${code}: ${sentence}`,
): string[] {
  const merged = Map.groupBy(problems, (problem) => `${problem.code} ${word(problem)}`);
  const isAides = ([first]: readonly Problem[]) => (first?.code === 'CONFIG_WARNED_BY_AIDE' ? 1 : 0);
  const groups = [...merged.values()].sort((one, other) => isAides(one) - isAides(other));
  const told = groups.slice(0, TOLD).flatMap(([first, ...rest]) => {
    return first ? [`${describeLines([first, ...rest].map(({ line }) => line))}${word(first)}`] : [];
  });
  return groups.length <= TOLD ? told : [...told, `and ${groups.length - TOLD} more`];
}

/** `line 12: `, `lines 3, 12: `; nothing for the whole. */
function describeLines(all: readonly number[]): string {
  const lines = [...new Set(all)].filter((line) => line > 0).sort((one, other) => one - other);
  if (lines.length === 0) return '';
  if (lines.length === 1) return `line ${lines[0]}: `;
  const rest = lines.length > LINES ? ` and ${lines.length - LINES} more` : '';
  return `lines ${lines.slice(0, LINES).join(', ')}${rest}: `;
}
