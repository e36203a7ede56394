import { MEMORY_ANNOTATION, parseMemory } from '../../../src/operator/nodes/memory.ts';
import type { Happened } from '../history.ts';
import { group, type Of, ofType, type Violation, violation } from './violation.ts';

/**
 * A failure is never ended but by a scan that found no difference from the same baseline, or by a baseline that was ordered
 * and accepts it; and while it stands, its node is shown as Failed.
 */
export function checkStanding(history: readonly Happened[]): Violation[] {
  const byStatus = group(
    ofType(history, 'status').filter(({ change }) => change !== 'deleted'),
    ({ uid }) => uid,
  );
  return [...byStatus.values()].flatMap((versions) => {
    const given = new Set<string>();
    return versions.flatMap((version, index) => {
      const { orders, metadata } = version.status;
      if (orders) given.add(orders.baseline.id);
      for (const id of parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).orders ?? []) given.add(id);
      const before = versions[index - 1];
      return [...checkVersion(version), ...(before ? checkEnd(before, version, given) : [])];
    });
  });
}

function checkVersion(version: Of<'status'>): Violation[] {
  const { nodeName, failure, state, lastResult, accepted = [] } = version.status;
  if (failure && state !== undefined && state !== 'Failed') {
    return [violation(`${nodeName}: a failure stands, and it is shown as ${state}`, version)];
  }
  const isAccepted = accepted.some(({ lastProbeTime }) => lastProbeTime === lastResult?.lastProbeTime);
  if (lastResult?.condition !== 'Failed' || failure || isAccepted) return [];
  return [violation(`${nodeName}: the last result is Failed, and no failure stands`, version)];
}

function checkEnd(before: Of<'status'>, version: Of<'status'>, given: ReadonlySet<string>): Violation[] {
  const { nodeName, failure, lastResult, lastScan, accepted = [] } = version.status;
  const ended = before.status.failure;
  if (!ended || failure?.since === ended.since) return [];
  const acceptance = accepted.find(({ since }) => since === ended.since);
  if (acceptance) {
    if (given.has(acceptance.order)) return [];
    return [violation(`${nodeName}: a failure was accepted by what nobody ordered`, before, version)];
  }
  if (lastResult?.condition === 'Succeeded' && lastScan?.baselineDigest === ended.baselineDigest) return [];
  return [
    violation(`${nodeName}: a failure ended without a scan of the same baseline, or an acceptance`, before, version),
  ];
}
