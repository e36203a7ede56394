import type { Problem } from './problem.ts';
import type { Statement } from './syntax.ts';

/** What a statement becomes: another, the same, or nothing; and what its author should know. */
export interface Converted {
  readonly statement?: Statement;
  /** A second one that goes with it. */
  readonly second?: Statement;
  readonly problems?: readonly Omit<Problem, 'line'>[];
}
