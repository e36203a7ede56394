import type { NodeStatusFields } from '../../api/nodestatus.ts';

/** Scans that take longer are given up by the daemon. */
const LONGEST_SCAN_S = 12 * 60 * 60;
/** What a scan may take, and twice that, though no longer one is known of the node. */
const USUAL_SCAN_S = 300;

type Known = Pick<NodeStatusFields, 'freshness' | 'lastScan'>;

/**
 * From when a scan that was done counts, and how long scans of the node take. Both decide how long the node is fresh, and the
 * node says how long its scan took: that counts up to the time since its message before, and up to twice what was usual. One
 * that lies has to do so again and again, for as long as it wants to win.
 * @param observedAt when it came, by the clock of the API server or the operator
 */
export function freshnessAfter(
  { freshness, lastScan }: Known,
  { startedAt, finishedAt }: { readonly startedAt: string; readonly finishedAt: string },
  observedAt: string,
): NonNullable<NodeStatusFields['freshness']> {
  const said = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  const before = Math.max(...[freshness?.since, lastScan?.observedAt].map((time) => timeOf(time)));
  const between = (Date.parse(observedAt) - before) / 1000;
  const usual = 2 * Math.max(freshness?.scanSeconds ?? 0, USUAL_SCAN_S);
  return { since: observedAt, scanSeconds: Math.ceil(within(Math.min(said, between, usual), LONGEST_SCAN_S)) };
}

/** How long scans of a node take, in seconds, as far as that counts. */
export function usualScanSeconds({ freshness, lastScan }: Known): number {
  if (freshness) return within(freshness.scanSeconds, LONGEST_SCAN_S);
  // Of a status that an earlier version wrote there is the node's word only.
  const said = lastScan ? (Date.parse(lastScan.finishedAt) - Date.parse(lastScan.startedAt)) / 1000 : 0;
  return within(said, 2 * USUAL_SCAN_S);
}

function timeOf(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}

function within(value: number, most: number): number {
  return Number.isNaN(value) ? 0 : Math.min(Math.max(value, 0), most);
}
