/** Something about a configuration that its author should know. */
export interface Problem {
  /** Line in the author’s text, from 1; 0: the whole. */
  readonly line: number;
  /** Stable, upper snake case, `CONFIG_…`. */
  readonly code: string;
  /** For a person, one sentence. What comes from the text is in it as `printable` shows it. */
  readonly sentence: string;
  /**
   * `error`: it cannot be used. `warning`: it can, but does not do all that it says, or does what hardly is meant. `info`:
   * it was carried over in other words.
   */
  readonly severity: 'error' | 'warning' | 'info';
}

/** A problem as one line: `line 12: …`. */
export function describeProblem(problem: Problem): string {
  return problem.line === 0 ? problem.sentence : `line ${problem.line}: ${problem.sentence}`;
}
