import type { Happened, QuietNode } from '../history.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * A node that was watched never drops out of sight: what is on record of a machine stays while that is in the cluster,
 * whatever labels it has; and while it is not watched, its status and the FileIntegrity say so.
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
    return [violation(`${nodeName}: its status went, and it is still there`, first, deleted)];
  });
  const shown = ofType(history, 'quiet').flatMap((quiet) =>
    quiet.unsettled === undefined ? quiet.nodes.flatMap((node) => checkNode(quiet, node)) : [],
  );
  return [...gone, ...shown];
}

function checkNode(quiet: Of<'quiet'>, { node, selected, integrity }: QuietNode): Violation[] {
  const status = quiet.statuses.find(({ nodeName }) => nodeName === node);
  if (selected || status === undefined) return [];
  const ready = status.status?.conditions?.find(({ type }) => type === 'Ready');
  const whole = quiet.integrities
    .find(({ metadata }) => metadata.name === integrity)
    ?.status?.conditions?.find(({ type }) => type === 'Ready');
  return [
    ...(ready?.status === 'False' && ready.reason === 'Deselected'
      ? []
      : [violation(`${node} is not selected any more, and is shown as Ready ${ready?.reason}`, quiet)]),
    ...(whole?.status === 'False'
      ? []
      : [violation(`${node} is not watched any more, and ${integrity} is Ready`, quiet)]),
  ];
}
