import { FAILED, type Happened } from '../history.ts';
import { isAccused } from './cover.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * When nothing disturbs any more, all that is under way comes to its end. With every fault mended, each node is what its
 * files say; after new baselines of all nodes, every one is Succeeded.
 */
export function checkSettled(history: readonly Happened[]): Violation[] {
  const quiet = ofType(history, 'quiet');
  const healed = quiet.filter((each) => each.healed);
  const last = healed.at(-1);
  return [
    ...ofType(history, 'step').flatMap((step) =>
      step.note?.startsWith(FAILED) ? [violation(`A step went wrong: ${step.note}`, step)] : [],
    ),
    ...quiet.flatMap((each) =>
      each.unsettled === undefined ? [] : [violation(`Not settled: ${each.unsettled}`, each)],
    ),
    ...healed.flatMap((each) => checkFiles(history, each)),
    ...(last ? checkAllGood(last) : []),
  ];
}

function checkFiles(history: readonly Happened[], quiet: Of<'quiet'>): Violation[] {
  return quiet.nodes.flatMap((node) => {
    const status = quiet.statuses.find(({ nodeName }) => nodeName === node.node);
    if (status === undefined) return [violation(`${node.node} has no status`, quiet)];
    const isRecorded = node.digest !== undefined && node.digest === status.baseline?.digest;
    const expected = isRecorded && node.differences === 0 ? 'Succeeded' : 'Failed';
    if (status.state === expected) return [];
    const isUnordered = status.state === 'Failed' && status.lastResult?.baselineFault === 'Unordered';
    if (isUnordered && isAccused(history.slice(0, quiet.n), node)) return [];
    return [violation(`${node.node} is ${status.state}; by its files it is ${expected}`, quiet)];
  });
}

function checkAllGood(quiet: Of<'quiet'>): Violation[] {
  return quiet.statuses.flatMap(({ nodeName, state }) =>
    state === 'Succeeded' ? [] : [violation(`${nodeName} is ${state} after a new baseline of every node`, quiet)],
  );
}
