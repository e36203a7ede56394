import { explain, FioError } from '../../src/lib/errors.ts';
import { sleep } from '../../src/lib/signal.ts';
import type { MemoryParts, PeakCounter } from '../lib/cgroup.ts';
import type { Container } from './containers.ts';
import { Phases } from './phases.ts';

/** Milliseconds between two looks at each container. */
export const SAMPLE_MS = 50;
/** Milliseconds without the end of a scan or a pause after which nothing more is expected: more than the default pause. */
const PATIENCE_MS = 20 * 60 * 1000;

/** What was seen of one daemon, in bytes; one number for each pause or scan. */
interface DaemonFigures {
  readonly node: string;
  readonly pauses: number[];
  /** What the memory was made of at the end of the last pause. */
  parts: MemoryParts;
  /** Highest working set of each scan, sampled. */
  readonly scanPeaks: number[];
  /** The kernel's peak of each scan, page cache included; empty where the kernel cannot tell. */
  readonly kernelPeaks: number[];
  readonly scanMs: number[];
}

/** What was seen in all. */
export interface Figures {
  readonly daemons: readonly DaemonFigures[];
  /** Working set of the operator, once a second, in bytes. */
  readonly operator: number[];
  readonly operatorParts: MemoryParts;
}

/**
 * Looks at the containers until each daemon has been through so many pauses and scans.
 * @throws FioError `BENCH_NO_SCANS`, `BENCH_CONTAINER_ENDED`
 */
export async function watchContainers(
  { daemons, operator }: { daemons: readonly Container[]; operator: Container },
  scans: number,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<Figures> {
  const watched = daemons.map((container) => startWatch(container));
  const operatorSamples: number[] = [];
  let progress = performance.now();
  let operatorAt = 0;
  while (!watched.every(({ figures }) => figures.scanPeaks.length >= scans && figures.pauses.length >= scans)) {
    signal.throwIfAborted();
    const at = performance.now();
    if (at - progress > PATIENCE_MS) {
      const minutes = PATIENCE_MS / 60_000;
      throw new FioError('BENCH_NO_SCANS', `For ${minutes} minutes no daemon began or ended a scan.`);
    }
    try {
      for (const watch of watched) {
        const line = look(watch, at, scans);
        if (line === undefined) continue;
        progress = at;
        if (line !== '') tell(line);
      }
      if (at - operatorAt >= 1000) {
        operatorAt = at;
        operatorSamples.push(operator.group.parts().workingSet);
      }
    } catch (error) {
      throw new FioError('BENCH_CONTAINER_ENDED', `A container ended while it was measured: ${explain(error)}`);
    }
    await sleep(Math.max(1, SAMPLE_MS - (performance.now() - at)), signal);
  }
  return {
    daemons: watched.map(({ figures }) => figures),
    operator: operatorSamples,
    operatorParts: operator.group.parts(),
  };
}

interface Watch {
  readonly container: Container;
  readonly phases: Phases;
  readonly figures: DaemonFigures;
  scanning: boolean;
  /** The kernel's counter of the scan that is under way. */
  peak: PeakCounter | undefined;
  /** As of the last look. */
  parts: MemoryParts;
}

function startWatch(container: Container): Watch {
  const parts = container.group.parts();
  const { node } = container;
  const figures = { node, pauses: [], scanPeaks: [], kernelPeaks: [], scanMs: [], parts };
  return { container, phases: new Phases(), figures, scanning: false, peak: undefined, parts };
}

/** One look. A line for a person when a scan has ended, an empty one when a pause has. */
function look(watch: Watch, at: number, scans: number): string | undefined {
  const { container, phases, figures, parts: before } = watch;
  const scanning = container.group.programs().includes('aide');
  watch.parts = container.group.parts();
  const kernelPeak = followPeak(watch, scanning);
  const ended = phases.add({ at, scanning, workingSet: watch.parts.workingSet });
  if (ended === undefined) return undefined;
  if (ended.kind === 'pause') {
    figures.pauses.push(ended.workingSet);
    figures.parts = before;
    return '';
  }
  figures.scanPeaks.push(ended.workingSet);
  figures.scanMs.push(ended.durationMs);
  if (kernelPeak !== undefined) figures.kernelPeaks.push(kernelPeak);
  const seen = Math.min(figures.scanPeaks.length, scans);
  return `${figures.node}: scan ${seen} of ${scans}, ${(ended.durationMs / 1000).toFixed(1)} s, ${ended.samples} samples`;
}

/** Has the kernel note the peak while a scan runs; returns it when the scan has ended. */
function followPeak(watch: Watch, scanning: boolean): number | undefined {
  if (scanning === watch.scanning) return undefined;
  watch.scanning = scanning;
  if (scanning) {
    watch.peak = watch.container.group.startPeak();
    return undefined;
  }
  using counter = watch.peak;
  watch.peak = undefined;
  return counter?.read();
}
