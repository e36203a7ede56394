import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory } from '../../devcluster/paths.ts';
import { explain } from '../../src/lib/errors.ts';
import { type Broken, check, describeBroken } from './checkers/check.ts';
import { readHistory } from './history.ts';
import { run } from './run.ts';
import { makeSteps, type Step } from './steps.ts';

const HELP = `npm run history [-- OPTIONS]

Does random steps to a fleet of simulated nodes on a real API server with the real operator, writes down all that happens,
and checks it. Exits 1 when what was seen breaks a promise. See test/robustness/README.md.

  --seed N         which steps; default: a random one, which is printed
  --steps N        how many (10000)
  --replay FILE    the steps of a history that was written before, instead of a seed's
  --check FILE     only checks a history that was written before
  --quiet-every N  steps between two quiet points (300)
  --pause MS       longest pause between two steps (40)
  --file FILE      where the history goes; default: a new file in the cache folder
  --help
`;

/** Of each checker, violations that are shown. */
const SHOWN = 20;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`The history could not be made: ${explain(error)}`);
  if (error instanceof Error) console.error(error.stack);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;
  const { values } = parseArgs({
    options: {
      seed: text(String(Math.floor(Math.random() * 2 ** 31))),
      steps: text('10000'),
      replay: { type: 'string' },
      check: { type: 'string' },
      'quiet-every': text('300'),
      pause: text('40'),
      file: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.check !== undefined) return report(check(readHistory(values.check)));
  const replayed = values.replay === undefined ? undefined : stepsOf(values.replay);
  const seed = replayed?.seed ?? number(values.seed);
  const steps = replayed?.steps ?? makeSteps(seed, number(values.steps));
  const file = values.file ?? join(cacheDirectory(), 'history', `${seed}-${process.pid}.jsonl`);
  console.log(`Seed ${seed}, ${steps.length} steps; the history goes to ${file}`);
  const quietEvery = number(values['quiet-every']);
  const result = await run({ seed, steps, file, quietEvery, pauseMs: number(values.pause), tell: console.log });
  console.log(`Seed ${seed}, ${steps.length} steps in ${result.seconds} s: ${JSON.stringify(result.counts)}`);
  return report(result.violations);
}

function stepsOf(file: string): { seed: number; steps: Step[] } {
  const events = readHistory(file);
  const begin = events.find((event) => event.type === 'begin');
  return { seed: begin?.seed ?? 0, steps: events.flatMap((event) => (event.type === 'step' ? [event.done] : [])) };
}

function number(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${text} is no number`);
}

function report(violations: readonly Broken[]): number {
  for (const [checker, mine] of Map.groupBy(violations, (each) => each.checker)) {
    for (const each of mine.slice(0, SHOWN)) console.log(describeBroken(each));
    if (mine.length > SHOWN) console.log(`${checker}: and ${mine.length - SHOWN} more`);
  }
  console.log(violations.length === 0 ? 'Every promise was kept.' : `${violations.length} times a promise was broken.`);
  return violations.length === 0 ? 0 : 1;
}
