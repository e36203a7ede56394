import { FioError } from '../../src/lib/errors.ts';
import { processorTime, shareOfOthers } from '../lib/machine.ts';
import { METHODS, type Method, type RunFigures } from './messages.ts';
import { type Peaks, peaksDuring } from './peak.ts';
import type { Runner } from './runners.ts';

/** How often to scan. */
export interface Rounds {
  readonly rounds: number;
  /** Scans of each method in a round, of which the mean counts: short ones would drown in the steps of the kernel's clock. */
  readonly scans: number;
}

export interface Comparison {
  /** One for each round, in its order. */
  readonly figures: Readonly<Record<Method, readonly RunFigures[]>>;
  readonly peaks: Readonly<Record<Method, Peaks>>;
  /** What others used of the machine meanwhile, from 0 to 1. */
  readonly others: number;
}

/**
 * Scans in turn, A B C A B C …, so that what slows the machine for a while slows all alike. The first round warms
 * everything up, and is the one in which memory is looked at, because looking takes time.
 */
export async function compare(
  runners: Readonly<Record<Method, Runner>>,
  { rounds, scans }: Rounds,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<Comparison> {
  const figures: Record<Method, RunFigures[]> = { 'aide-1': [], 'aide-all': [], daemon: [] };
  const none = { runner: 0, aide: 0 };
  const peaks: Record<Method, Peaks> = { 'aide-1': none, 'aide-all': none, daemon: none };
  for (const method of METHODS) {
    peaks[method] = await peaksDuring(runners[method].pid, runners[method].run(scans));
    signal.throwIfAborted();
  }
  tell('warmed up');
  const before = processorTime();
  let oursMs = 0;
  for (let round = 1; round <= rounds; round += 1) {
    for (const method of METHODS) {
      const run = await runners[method].run(scans);
      signal.throwIfAborted();
      figures[method].push(run);
      oursMs += (run.ownCpuMs + run.aideCpuMs) * scans;
    }
    const latest = METHODS.map((method) => `${method} ${((figures[method].at(-1)?.wallMs ?? 0) / 1000).toFixed(3)} s`);
    tell(`round ${round} of ${rounds}: ${latest.join(', ')}`);
  }
  if (rounds < 1) throw new FioError('BENCH_USAGE', 'At least one round is needed');
  return { figures, peaks, others: shareOfOthers(before, processorTime(), oursMs / 1000) };
}
