import type { FileIntegrity } from '../../../src/api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../../src/api/nodestatus.ts';
import type { Happened, Happening, QuietHappening, QuietNode, ScanHappening } from '../history.ts';

/** The node that made-up histories speak of. */
export const SUBJECT = { integrity: 'fleet', node: 'node-1', machine: 'm1' } as const;

const START = Date.parse('2026-01-01T00:00:00Z');

/** RFC 3339, so many seconds after the beginning. */
export function at(second: number): string {
  return new Date(START + second * 1000).toISOString();
}

/** A history of entries, one a second. */
export function madeUp(...happenings: readonly Happening[]): Happened[] {
  return happenings.map((happening, n) => ({ n, step: n, time: START + n * 1000, ...happening }) as Happened);
}

/** A scan that began and ended at that second. */
export function scanAt(second: number, more: Partial<ScanHappening> = {}): ScanHappening {
  const times = { startedAt: at(second), finishedAt: at(second) };
  return {
    type: 'scan',
    ...SUBJECT,
    run: 'r',
    id: `r-${second}`,
    ...times,
    verdict: 'Succeeded',
    differences: 0,
    ...more,
  };
}

/** A scan, and its message, which came as far as the node's disk. */
export function heard(scan: ScanHappening): [Happening, Happening] {
  const { id, verdict } = scan;
  return [scan, { type: 'message', ...SUBJECT, run: 'r', id, kind: 'scan', verdict, what: 'spooled' }];
}

export function statusOf(more: Partial<FileIntegrityNodeStatus> = {}): FileIntegrityNodeStatus {
  const ownerReferences = [{ apiVersion: 'v', kind: 'FileIntegrity', name: 'fleet', uid: 'u' }];
  return { metadata: { name: 'fleet-node-1', ownerReferences }, nodeName: 'node-1', ...more };
}

/** A version of the status; those of one test have rising `rv`. */
export function version(rv: number, more: Partial<FileIntegrityNodeStatus>): Happening {
  return { type: 'status', change: 'applied', rv, uid: 's1', status: statusOf(more) };
}

/** A quiet point at that second, with one node. */
export function quietAt(
  second: number,
  status: Partial<FileIntegrityNodeStatus>,
  more: Partial<QuietHappening> = {},
  node: Partial<QuietNode> = {},
): QuietHappening {
  return {
    type: 'quiet',
    healed: false,
    now: START + second * 1000,
    nodes: [{ ...SUBJECT, daemon: 'runs', selected: true, differences: 0, digest: 'd1', ...node }],
    statuses: [statusOf(status)],
    integrities: [integrityOf({})],
    configMaps: [],
    ...more,
  };
}

export function integrityOf(status: FileIntegrity['status'] & object, staleAfter = 15): FileIntegrity {
  return {
    metadata: { name: 'fleet' },
    spec: { config: { gracePeriod: 10 }, staleAfter },
    status,
  } as unknown as FileIntegrity;
}

/** `lastResult` of a scan that ended at that second. */
export function resultAt(second: number, condition: 'Succeeded' | 'Failed' | 'Errored' = 'Succeeded') {
  return { condition, lastProbeTime: at(second) };
}

/** A condition of a node. */
export function condition(type: string, status: 'True' | 'False' | 'Unknown', reason: string) {
  return { type, status, reason, message: '', lastTransitionTime: at(0) };
}
