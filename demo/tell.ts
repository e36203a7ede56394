import { lineTeller } from '../devcluster/lib/tell-line.ts';

/** Tells a person what is being done, and how long it has taken so far. */
export interface Teller {
  /** A step begins. */
  step(sentence: string): void;
  /** Something within the step. */
  note(line: string): void;
  /** What was seen, several lines as they are. */
  show(text: string): void;
}

/** Tells on standard output, each step with the seconds since the start. */
export function tellOnTerminal(clock: () => number = () => performance.now()): Teller {
  const start = clock();
  const elapsed = () => `${Math.round((clock() - start) / 1000)} s`.padStart(6);
  const tell = lineTeller(process.stdout);
  return {
    step: (sentence) => tell(`\n${elapsed()}  ${sentence}`),
    note: (line) => tell(`        ${line}`),
    show: (text) => tell(text.trimEnd().replace(/^/gm, '        | ')),
  };
}
