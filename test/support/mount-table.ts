import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MountTable, parseMountTable } from '../../src/daemon/scans/mount-table.ts';

/** The mounts as this process sees them. */
export function ownMountTable(): MountTable {
  const reading = parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'));
  if (!reading.ok) throw new Error(reading.sentence);
  return reading.table;
}

/** A line of a table of mounts. */
export function mountLine({
  id,
  parent,
  point,
  device = '0:99',
  root = '/',
  type = 'tmpfs',
}: {
  id: number;
  parent: number;
  point: string;
  device?: string;
  root?: string;
  type?: string;
}): string {
  return `${id} ${parent} ${device} ${root} ${point} rw,relatime shared:1 - ${type} none rw\n`;
}

/**
 * Gives a folder that plays a node's root the table of mounts of a node: its root is what lies there. `more`: what else is
 * mounted on the node, as lines.
 */
export function placeMountTable(hostRoot: string, more = ''): void {
  const place = ownMountTable().find(hostRoot);
  if (place === undefined) throw new Error('never: a table has a root');
  const { device, type } = place.mount;
  mkdirSync(join(hostRoot, 'proc/1'), { recursive: true });
  const root = mountLine({ id: 1, parent: 0, point: '/', device, root: place.within, type });
  writeFileSync(join(hostRoot, 'proc/1/mountinfo'), root + more);
}
