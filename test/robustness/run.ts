import { setTimeout as delay } from 'node:timers/promises';
import { startCluster } from '../../devcluster/cluster.ts';
import { type Broken, check } from './checkers/check.ts';
import { createRecorder, FAILED } from './history.ts';
import { createRandom } from './random.ts';
import type { Step } from './steps.ts';
import { STALE_AFTER, World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** Where the history is written; what the operators say goes beside it. */
  readonly file: string;
  /** Steps between two quiet points. */
  readonly quietEvery: number;
  /** Longest pause between two steps, in milliseconds. */
  readonly pauseMs: number;
  readonly tell: (line: string) => void;
}

export interface RunResult {
  readonly violations: readonly Broken[];
  /** How many of what the history has. */
  readonly counts: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Does the steps in a new cluster, writes down what happens, and checks it. */
export async function run({ seed, steps, file, quietEvery, pauseMs, tell }: RunOptions): Promise<RunResult> {
  const started = performance.now();
  const recorder = createRecorder(file);
  recorder.record({ type: 'begin', seed, steps: steps.length, staleAfter: STALE_AFTER });
  const cluster = await startCluster({ name: `history-${process.pid}`, ephemeral: true });
  try {
    const world = await World.create(cluster, recorder, seed, `${file}.operator.log`);
    const random = createRandom(seed ^ 0x9a05e);
    try {
      await world.quiet(false);
      for (const [index, step] of steps.entries()) {
        recorder.step = index + 1;
        // A step that goes wrong is a mistake of the simulation's, and told of at the end.
        const note = await world.act(step).catch((error: unknown) => `${FAILED}${String(error)}`);
        recorder.record({ type: 'step', done: step, ...(note !== undefined && { note }) });
        await delay(random.next() * pauseMs);
        if ((index + 1) % quietEvery !== 0) continue;
        await world.quiet(false);
        tell(`${index + 1} of ${steps.length} steps, ${Math.round((performance.now() - started) / 1000)} s`);
      }
      await world.heal();
      await world.quiet(true);
      // Where a node is not what is on record, a person must act; then all must be well.
      await world.act({ do: 'reinit', places: 'all' });
      await world.quiet(true);
    } finally {
      await world.close();
    }
  } finally {
    await recorder.close();
    await cluster.stop();
  }
  const { events } = recorder;
  const counts: Record<string, number> = {};
  for (const { type } of events) counts[type] = (counts[type] ?? 0) + 1;
  return { violations: check(events), counts, seconds: Math.round((performance.now() - started) / 1000) };
}
