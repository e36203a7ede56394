import type { ScanResult } from '../../../src/api/nodestatus.ts';
import type { Happened, QuietNode } from '../history.ts';
import { type Cover, coverOf, forgeries, isAccused, isOf, lastScan } from './cover.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * What a node status shows is what the newest scan found: no planted change is shown as Succeeded later than one scan after
 * it, unless a baseline that was ordered has it, or an update covers it.
 */
export function checkShown(history: readonly Happened[]): Violation[] {
  return [...checkVersions(history), ...checkQuiet(history)];
}

/** As `SKEW_MS` in src/operator/results/verdict/plan.ts, and what a scan takes to be told. */
const FORGED_AHEAD_COUNTS_MS = 65_000;

/** Every version: Succeeded is what a scan said that found nothing, and results never go back in time. */
function checkVersions(history: readonly Happened[]): Violation[] {
  const scans = group(ofType(history, 'scan'), ({ node, finishedAt }) => `${node} ${finishedAt}`);
  const forged = new Set(forgeries(history, 'scan').map(({ node, detail = '' }) => `${node} ${detail.split(' ')[1]}`));
  /** By a forged scan that is to have ended at a time that has not come: its result has the time of its coming. */
  const isAhead = ({ status: { nodeName, lastScan } }: Of<'status'>) =>
    lastScan !== undefined && forged.has(`${nodeName} ${lastScan.finishedAt}`);
  /** Somebody had the place of the node's messages. */
  const wasTaken = ({ n, status: { nodeName } }: Of<'status'>) =>
    ofType(history, 'squat').some((squat) => squat.taken && squat.node === nodeName && squat.n < n);
  const violations: Violation[] = [];
  const last = new Map<string, Of<'status'>>();
  for (const version of ofType(history, 'status')) {
    const before = last.get(version.uid);
    if (version.change === 'deleted') continue;
    last.set(version.uid, version);
    const { nodeName, lastResult } = version.status;
    if (lastResult === undefined || before?.status.lastResult?.lastProbeTime === lastResult.lastProbeTime) continue;
    const key = `${nodeName} ${lastResult.lastProbeTime}`;
    const isForged = forged.has(key) || isAhead(version);
    const earlier = before?.status.lastResult;
    if (earlier && Date.parse(earlier.lastProbeTime) > Date.parse(lastResult.lastProbeTime)) {
      // What an intruder says comes at any time: before what the daemon has found and not sent yet.
      const isOfIntruder = (result: ScanResult) =>
        result.baselineFault === 'Unordered' || forged.has(`${nodeName} ${result.lastProbeTime}`);
      // A heartbeat has told the newest finding, and those before it come later, each with its report: none looks better.
      const isReport = lastResult.condition === 'Failed' && wasTaken(version);
      if (!isReport && !isOfIntruder(earlier) && !isOfIntruder(lastResult) && !(before && isAhead(before))) {
        violations.push(violation(`${nodeName} shows an older result after a newer one`, before, version));
      }
    }
    if (lastResult.condition !== 'Succeeded' || isForged) continue;
    const [scan] = scans.get(`${nodeName} ${endOf(version.status)}`) ?? [];
    if (scan === undefined) {
      violations.push(violation(`${nodeName} shows Succeeded, which no scan said`, version));
    } else if (scan.verdict !== 'Succeeded' || (scan.differences ?? 0) > 0 || scan.fault) {
      violations.push(violation(`${nodeName} shows Succeeded by a scan that found changes`, scan, version));
    }
  }
  return violations;
}

/** When the scan of the last result ended: a result is of no later time than the operator's, which may have looked just before. */
function endOf({ lastResult, lastScan }: Of<'status'>['status']): string {
  const [shown = '', ended = ''] = [lastResult?.lastProbeTime, lastScan?.finishedAt];
  return Date.parse(ended) > Date.parse(shown) ? ended : shown;
}

/** At a quiet point all that was found has been taken in. */
function checkQuiet(history: readonly Happened[]): Violation[] {
  const cover = coverOf(history);
  return ofType(history, 'quiet').flatMap((quiet) => {
    return quiet.nodes.flatMap((node) => checkNode(history.slice(0, quiet.n), quiet, node, cover));
  });
}

function checkNode(history: readonly Happened[], quiet: Of<'quiet'>, node: QuietNode, cover: Cover): Violation[] {
  const status = quiet.statuses.find(({ nodeName }) => nodeName === node.node);
  if (node.daemon !== 'runs' || !node.selected || !status?.lastResult || quiet.unsettled !== undefined) return [];
  const scan = lastScan(history, node, quiet.n);
  if (scan === undefined) return [];
  const { lastResult, baseline } = status;
  // What the daemon said later, without a scan: that it could not be done, or that an intruder made a receipt.
  const isOvertaken =
    lastResult.condition !== 'Succeeded' && Date.parse(lastResult.lastProbeTime) > Date.parse(scan.finishedAt);
  // After a time that is ahead, what comes by heartbeat with another verdict looks older for a while.
  const isForged = forgeries(history, 'scan').some(
    (event) => isOf(event, node) && event.time > scan.time - (event.how === 'forge-ahead' ? FORGED_AHEAD_COUNTS_MS : 0),
  );
  const hasBaseline = baseline !== undefined && Date.parse(baseline.createdAt) > Date.parse(scan.startedAt);
  if (isOvertaken || isForged || hasBaseline) return [];
  if (scan.verdict === 'Failed') {
    if (!scan.fault && cover.covers(node.machine, scan.time, quiet.time)) return [];
    if (lastResult.condition === 'Failed') return checkMounts(quiet, scan, lastResult);
    return [violation(`${node.node} was scanned and found changed, and is ${lastResult.condition}`, scan, quiet)];
  }
  // A machine that carried out an order of the one before of its name: its receipt is refused, and so is what was compared by it.
  const isFaulty = /^(Unordered|Replaced)$/.test(lastResult.baselineFault ?? '') && isAccused(history, node);
  if (lastResult.condition === 'Succeeded' || isFaulty) return [];
  return [violation(`${node.node} was scanned and found unchanged, and is ${lastResult.condition}`, scan, quiet)];
}

/** What is mounted otherwise is told as such. */
function checkMounts(quiet: Of<'quiet'>, scan: Of<'scan'>, { mountChanges, baselineFault }: ScanResult): Violation[] {
  if (scan.mounts === mountChanges || baselineFault !== undefined) return [];
  const message = `${scan.node} has ${scan.mounts ?? 0} mounts that are otherwise, and ${mountChanges ?? 0} are told`;
  return [violation(message, scan, quiet)];
}
