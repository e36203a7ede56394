import type { Happened } from '../history.ts';
import { isOf, lastScan } from './cover.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

const DATABASE: Readonly<Record<string, string>> = {
  'replace-database': 'Replaced',
  'damage-database': 'Damaged',
  'remove-database': 'Missing',
};

/** A database that an intruder replaced, damaged or removed is Failed with its fault by the next scan. */
export function checkFaults(history: readonly Happened[]): Violation[] {
  return [...checkScans(history), ...checkQuiet(history)];
}

/** The scan sees it, unless a baseline was made in between. */
function checkScans(history: readonly Happened[]): Violation[] {
  const violations: Violation[] = [];
  for (const intrusion of ofType(history, 'intrusion')) {
    const fault = DATABASE[intrusion.how];
    if (fault === undefined) continue;
    const isKnown = history.some(
      (event) => event.type === 'baseline' && isOf(event, intrusion) && event.n < intrusion.n,
    );
    const after = history.find(
      (event) =>
        event.n > intrusion.n &&
        ((event.type === 'intrusion' && event.how in DATABASE && isOf(event, intrusion)) ||
          (event.type === 'baseline' && isOf(event, intrusion)) ||
          (event.type === 'scan' && isOf(event, intrusion) && Date.parse(event.startedAt) > intrusion.time)),
    );
    if (!isKnown || after?.type !== 'scan' || after.fault === fault) continue;
    violations.push(
      violation(`${intrusion.node}: ${intrusion.how}, and the next scan did not see it`, intrusion, after),
    );
  }
  return violations;
}

/** The status shows it. */
function checkQuiet(history: readonly Happened[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) =>
    quiet.nodes.flatMap((node) => {
      if (node.daemon !== 'runs' || !node.selected || quiet.unsettled !== undefined) return [];
      const scan = lastScan(history, node, quiet.n);
      const status = quiet.statuses.find(({ nodeName }) => nodeName === node.node);
      if (scan?.fault === undefined || status === undefined) return [];
      const isReplaced = status.baseline && Date.parse(status.baseline.createdAt) > Date.parse(scan.startedAt);
      if (isReplaced || status.lastResult?.baselineFault !== undefined) return [];
      // The scan after it could not be done, which proves nothing.
      const trusted = status.status?.conditions?.find(({ type }) => type === 'BaselineTrusted');
      if (status.lastResult?.condition === 'Errored' && trusted?.status === 'False') return [];
      if (isForgedSince(history, scan, quiet) || isGoneSince(history, scan, quiet)) return [];
      return [violation(`${node.node}: the baseline is ${scan.fault}, and the status does not say so`, scan, quiet)];
    }),
  );
}

/** The status that was told of it went with an earlier machine of the name. */
function isGoneSince(history: readonly Happened[], scan: Of<'scan'>, quiet: Of<'quiet'>): boolean {
  return ofType(history, 'status').some(
    ({ change, status, n }) => change === 'deleted' && status.nodeName === scan.node && n > scan.n && n < quiet.n,
  );
}

function isForgedSince(history: readonly Happened[], scan: Of<'scan'>, quiet: Of<'quiet'>): boolean {
  return history.some(
    (event) =>
      event.type === 'intrusion' &&
      event.n > scan.n &&
      event.n < quiet.n &&
      isOf(event, scan) &&
      event.how.startsWith('forge'),
  );
}
