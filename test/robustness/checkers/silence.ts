import type { FileIntegrityNodeStatus } from '../../../src/api/nodestatus.ts';
import type { Happened, QuietNode } from '../history.ts';
import { forgeries, lastScan } from './cover.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

/** What the operator may take to say that a time has come, in milliseconds. */
const SLACK_MS = 4000;

/** Silence never stays green: a node of which no scan is known that is recent enough is neither Fresh nor Succeeded. */
export function checkSilence(history: readonly Happened[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) => {
    if (quiet.unsettled !== undefined) return [];
    const before = history.slice(0, quiet.n);
    return quiet.nodes.flatMap((node) => {
      const status = quiet.statuses.find(({ nodeName }) => nodeName === node.node);
      if (!node.selected) return [];
      if (status === undefined) return [violation(`${node.node} is to be watched and has no status`, quiet)];
      return [
        ...checkFresh(before, quiet, node, status),
        ...checkHeld(quiet, node, status),
        ...checkPod(quiet, node, status),
      ];
    });
  });
}

function checkFresh(
  history: readonly Happened[],
  quiet: Of<'quiet'>,
  node: QuietNode,
  status: FileIntegrityNodeStatus,
): Violation[] {
  const staleAfter = quiet.integrities.find(({ metadata }) => metadata.name === node.integrity)?.spec.staleAfter;
  if (staleAfter === undefined) return [];
  const last = lastScan(history, node, quiet.n);
  // Whoever has a node's root can say that it was scanned; that is not what is promised here.
  const forged = forgeries(history, 'scan').findLast((event) => event.node === node.node);
  // A report that waited on the node is taken in later than it was made.
  const taken = Date.parse(status.lastScan?.observedAt ?? '1970-01-01T00:00:00Z');
  const since = Math.max(last?.time ?? 0, forged?.time ?? 0, taken);
  if (quiet.now - since <= staleAfter * 1000 + SLACK_MS) return [];
  const isFresh = conditionOf(status, 'Fresh')?.status === 'True';
  if (!isFresh && status.state !== 'Succeeded' && status.state !== undefined) return [];
  const age = Math.round((quiet.now - since) / 1000);
  const shown = `${status.state ?? 'nothing'}${isFresh ? ' and Fresh' : ''}`;
  return [violation(`${node.node} was last scanned ${age} s ago, and is shown as ${shown}`, last, quiet)];
}

/** A node that is held is shown so, with the reason. */
function checkHeld(quiet: Of<'quiet'>, node: QuietNode, status: FileIntegrityNodeStatus): Violation[] {
  const { hold } = status.orders ?? {};
  const ready = conditionOf(status, 'Ready');
  if (hold === undefined) {
    const isShown = status.state === 'Held' || /^(Held|Suspended)/.test(ready?.reason ?? '');
    return isShown ? [violation(`${node.node} is not held, and is shown as held`, quiet)] : [];
  }
  const isRight = ready?.status === 'False' && /^(Held|Suspended)(TooLong)?$/.test(ready.reason);
  const states = ['Held', 'Failed', 'Errored'];
  if (isRight && states.includes(status.state ?? '')) return [];
  return [violation(`${node.node} is held, and is shown as ${status.state}, Ready ${ready?.reason}`, quiet)];
}

/** A node whose daemon's container does not run is shown so. */
function checkPod(quiet: Of<'quiet'>, node: QuietNode, status: FileIntegrityNodeStatus): Violation[] {
  const ready = conditionOf(status, 'Ready');
  if (node.daemon !== 'down' || status.orders?.hold || ready?.status === 'False') return [];
  return [violation(`The daemon of ${node.node} does not run, and it is shown as Ready ${ready?.reason}`, quiet)];
}

function conditionOf({ status }: FileIntegrityNodeStatus, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}
