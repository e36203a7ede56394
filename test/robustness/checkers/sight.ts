import type { Happened, QuietNode } from '../history.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * A node that was watched never drops out of sight: what is on record of a machine stays while that is in the cluster,
 * whatever labels and taints it has, until somebody says that it is right; while it is not watched, its status and the
 * FileIntegrity say so; and when one that was forgotten returns, it is compared with what was on record.
 */
export function checkSight(history: readonly Happened[]): Violation[] {
  const machines = ofType(history, 'machine');
  const byStatus = group(ofType(history, 'status'), ({ uid }) => uid);
  const gone = [...byStatus.values()].flatMap((versions) => {
    const [first] = versions;
    const deleted = versions.find(({ change }) => change === 'deleted');
    if (first === undefined || deleted === undefined) return [];
    const { nodeName } = deleted.status;
    const last = machines.findLast(({ node, n }) => node === nodeName && n < deleted.n);
    if (last?.what !== 'joined' || last.n > first.n) return [];
    if (isForgotten(history, deleted)) return checkReturn(history, byStatus, deleted);
    return [violation(`${nodeName}: its status went, and it is still there`, first, deleted)];
  });
  const shown = ofType(history, 'quiet').flatMap((quiet) =>
    quiet.unsettled === undefined ? quiet.nodes.flatMap((node) => checkNode(quiet, node)) : [],
  );
  return [...gone, ...shown];
}

/** It was not watched, and somebody had said that it is right. */
function isForgotten(history: readonly Happened[], { n, status }: Of<'status'>): boolean {
  const isNamed = ({ nodes }: Of<'forget'>) => nodes === 'all' || nodes.includes(status.nodeName);
  return status.unselected !== undefined && ofType(history, 'forget').some((event) => event.n < n && isNamed(event));
}

/** The next status of the same machine begins with the baseline on record, and with what was found. */
function checkReturn(
  history: readonly Happened[],
  byStatus: ReadonlyMap<string, readonly Of<'status'>[]>,
  deleted: Of<'status'>,
): Violation[] {
  const { nodeName, baseline, failure, lastResult } = deleted.status;
  const next = [...byStatus.values()].find(
    ([first]) => first && first.n > deleted.n && first.status.nodeName === nodeName,
  );
  const back = next?.find(({ change, status }) => change !== 'deleted' && status.baseline !== undefined);
  if (!baseline || !back || back.change === 'listed') return [];
  const isAnother = history.some(
    (event) =>
      event.n > deleted.n &&
      event.n < back.n &&
      ((event.type === 'machine' && event.node === nodeName) || (event.type === 'baseline' && event.node === nodeName)),
  );
  if (isAnother) return [];
  const isSame = back.status.baseline?.digest === baseline.digest;
  const stands = back.status.failure ?? back.status.lastResult?.condition === 'Failed';
  const isFailing = failure !== undefined || lastResult?.condition === 'Failed';
  return [
    ...(isSame ? [] : [violation(`${nodeName} came back, and is compared with another baseline`, deleted, back)]),
    ...(isFailing && !stands ? [violation(`${nodeName} came back, and what was found is gone`, deleted, back)] : []),
  ];
}

function checkNode(quiet: Of<'quiet'>, { node, selected, integrity, away = 'Deselected' }: QuietNode): Violation[] {
  const status = quiet.statuses.find(({ nodeName }) => nodeName === node);
  if (selected || status === undefined) return [];
  const ready = status.status?.conditions?.find(({ type }) => type === 'Ready');
  const whole = quiet.integrities
    .find(({ metadata }) => metadata.name === integrity)
    ?.status?.conditions?.find(({ type }) => type === 'Ready');
  return [
    ...(ready?.status === 'False' && ready.reason === away
      ? []
      : [violation(`${node} is not selected any more, and is shown as Ready ${ready?.reason}`, quiet)]),
    ...(whole?.status === 'False'
      ? []
      : [violation(`${node} is not watched any more, and ${integrity} is Ready`, quiet)]),
  ];
}
