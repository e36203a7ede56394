import type { MemoryParts } from '../lib/cgroup.ts';
import { spread } from '../lib/statistics.ts';
import { besideLimit, megabytes, type Row, renderTable } from '../lib/table.ts';
import type { ImageSize } from './image-size.ts';
import type { Figures } from './watch.ts';

/** Targets, in MB of 10⁶ bytes. */
const LIMITS = { daemon: 16, operator: 40, image: 250 };

const MEMORY_HEAD = ['memory', 'node', 'median', 'min', 'max', 'of', 'target'];

/** Memory between and in scans, and the operator's, beside the targets. */
export function memoryTable({ daemons, operator }: Figures, nodes: number): string {
  const row = (what: string, where: string, values: readonly number[], limit?: number): Row => {
    const { median, min, max, count } = spread(values);
    const target = limit === undefined ? '' : besideLimit(median / 1e6, limit);
    return [what, where, megabytes(median), megabytes(min), megabytes(max), String(count), target];
  };
  return renderTable(MEMORY_HEAD, [
    ...daemons.map(({ node, pauses }) => row('daemon between scans', node, pauses, LIMITS.daemon)),
    ...daemons.map(({ node, scanPeaks }) => row('daemon and AIDE, peak in a scan', node, scanPeaks)),
    ...daemons
      .filter(({ kernelPeaks }) => kernelPeaks.length > 0)
      .map(({ node, kernelPeaks }) => row('the same with all page cache, by the kernel', node, kernelPeaks)),
    row('operator', `${nodes} nodes`, operator, LIMITS.operator),
  ]);
}

const IMAGE_HEAD = ['image', 'size', 'target'];

/** The image's sizes. */
export function imageTable({ unpacked, archive }: ImageSize): string {
  return renderTable(IMAGE_HEAD, [
    ['unpacked: the files of its layers', megabytes(unpacked), besideLimit(unpacked / 1e6, LIMITS.image)],
    ['as an archive, not compressed', megabytes(archive)],
  ]);
}

const PARTS_HEAD = ['memory', 'node', 'working set', 'processes', 'page cache', 'kernel'];

/** What the memory is made of. */
export function partsTable({ daemons, operatorParts }: Figures): string {
  const row = (what: string, where: string, { workingSet, anonymous, file, kernel }: MemoryParts): Row => [
    what,
    where,
    ...[workingSet, anonymous, file, kernel].map(megabytes),
  ];
  const rows = [...daemons.map(({ node, parts }) => row('daemon', node, parts)), row('operator', '', operatorParts)];
  return renderTable(PARTS_HEAD, rows);
}
