import { pairedRatios, type Spread, spread } from '../lib/statistics.ts';
import { besideLimit, megabytes, renderTable } from '../lib/table.ts';
import type { Comparison } from './compare.ts';
import { METHODS, type Method, type RunFigures } from './messages.ts';

/** The daemon's scan may take so many times what AIDE takes alone with as many workers. */
const RATIO_LIMIT = 1.05;

const LABELS: Readonly<Record<Method, string>> = {
  'aide-1': 'aide --check, 1 worker',
  'aide-all': 'aide --check, all workers',
  daemon: "the daemon's scan",
};

/** Times and memory of a scan by each method. */
export function scanTable({ figures, peaks }: Comparison): string {
  const head = ['one scan', 'wall s', 'min', 'max', 'CPU s', 'min', 'max', 'of it not AIDE', 'AIDE peak MB', 'own'];
  const rows = METHODS.map((method) => {
    const runs = figures[method];
    const own = spread(runs.map(({ ownCpuMs }) => ownCpuMs / 1000));
    const { aide, runner } = peaks[method];
    return [
      LABELS[method],
      ...seconds(spread(runs.map(wall))),
      ...seconds(spread(runs.map(processor))),
      own.median.toFixed(3),
      megabytes(aide),
      method === 'daemon' ? megabytes(runner) : '',
    ];
  });
  return renderTable(head, rows);
}

/** The daemon's scan against AIDE alone with all workers, round by round. */
export function ratioTable({ figures }: Comparison): string {
  const ratio = (what: string, measure: (run: RunFigures) => number) => {
    const ratios = spread(pairedRatios(figures.daemon.map(measure), figures['aide-all'].map(measure)));
    const numbers = [ratios.median, ratios.min, ratios.max].map((value) => value.toFixed(3));
    return [what, ...numbers, besideLimit(ratios.median, RATIO_LIMIT)];
  };
  // What does not grow with the tree: a ratio of scans that take 50 ms is one of this above all.
  const more = spread(figures.daemon.map((run, round) => run.wallMs - (figures['aide-all'][round]?.wallMs ?? 0)));
  const difference = ['daemon − aide, wall ms', ...[more.median, more.min, more.max].map((value) => value.toFixed(1))];
  const head = ['daemon / aide, all workers', 'median', 'min', 'max', 'target'];
  return renderTable(head, [ratio('wall', wall), ratio('CPU', processor), difference]);
}

function wall({ wallMs }: RunFigures): number {
  return wallMs / 1000;
}

function processor({ ownCpuMs, aideCpuMs }: RunFigures): number {
  return (ownCpuMs + aideCpuMs) / 1000;
}

function seconds({ median, min, max }: Spread): string[] {
  return [median, min, max].map((value) => value.toFixed(3));
}
