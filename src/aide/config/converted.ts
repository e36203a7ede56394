import type { Problem } from './problem.ts';
import type { Statement } from './syntax.ts';

/** What a statement becomes: another, the same, or nothing; and what its author should know. */
export interface Converted {
  readonly statement?: Statement;
  readonly problems?: readonly Omit<Problem, 'line'>[];
}
