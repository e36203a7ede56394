import { parentPort, workerData } from 'node:worker_threads';
import { Coverage } from './coverage.ts';
import type { Order, Report } from './run.ts';
import { Series, shrink } from './series.ts';
import { attempt, type Target } from './target.ts';

// One thread runs the targets: whoever started it can end it when one never comes back, or takes all memory.

const { table, names, seed, msEach, guided, corpus, desk, input } = workerData as Order;
const { targets } = (await import(table)) as { targets: readonly Target[] };
const lengths = new Int32Array(desk);
const shared = Buffer.from(input);
const coverage = guided ? new Coverage() : undefined;

const BATCH = 256;

const report = (message: Report) => parentPort?.postMessage(message);

for (const name of names) {
  const target = targets.find((each) => each.name === name);
  if (target === undefined) throw new Error(`There is no target ${name}`);
  report({ type: 'begins', target: name });
  report({ type: 'ends', target: name, ...(await fuzz(target)) });
}

async function fuzz(target: Target): Promise<{ inputs: number; problem?: string; input?: Uint8Array }> {
  const series = new Series(
    target,
    seed,
    (corpus[target.name] ?? []).map((bytes) => Buffer.from(bytes)),
  );
  const until = performance.now() + msEach;
  let inputs = 0;
  let batch: Buffer[] = [];
  while (!series.isPastSeeds || performance.now() < until) {
    const next = series.next();
    inputs += 1;
    const problem = await tryOut(target, next);
    if (problem !== undefined) {
      const smallest = await shrink(next, async (smaller) => (await tryOut(target, smaller)) !== undefined);
      return { inputs, problem: (await tryOut(target, smallest)) ?? problem, input: smallest };
    }
    if (batch.push(next) < BATCH) continue;
    for (const each of (await coverage?.pioneers(batch, (each) => tryOut(target, each))) ?? []) series.remember(each);
    batch = [];
  }
  return { inputs };
}

/** The input lies where it can be found should this thread not come back. */
function tryOut(target: Target, bytes: Buffer): Promise<string | undefined> {
  shared.set(bytes.subarray(0, shared.length));
  Atomics.store(lengths, 0, bytes.length);
  Atomics.add(lengths, 1, 1);
  return attempt(target, bytes);
}
