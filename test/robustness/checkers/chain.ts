import type { KeptFailure } from '../../../src/api/nodestatus.ts';
import { referencesIn } from '../../../src/operator/records/recorded.ts';
import type { Happened, KeptHappening } from '../history.ts';
import { type Violation, violation } from './violation.ts';

/** The failures of a node that are kept are a chain without a hole: each has the digest of the one before. */
export function checkChain(history: readonly Happened[]): Violation[] {
  const violations: Violation[] = [];
  const digests = new Map<string, string>();
  const newest = new Map<string, number>();
  const maps = new Map<string, KeptHappening>();
  /** By node, the numbers that records refer to: these stay, and those between them may go. */
  const recorded = new Map<string, Set<number>>();
  for (const event of history) {
    if (event.type === 'record') {
      for (const [node, numbers] of referencesIn(event.text)) {
        recorded.set(node, new Set([...(recorded.get(node) ?? []), ...numbers]));
      }
    }
    if (event.type === 'kept') {
      if (event.change === 'deleted') maps.delete(event.name);
      else maps.set(event.name, event);
    }
    if (event.type === 'status' && event.change !== 'deleted') {
      const { nodeName, failures = [] } = event.status;
      for (const { sequence, digest } of failures) {
        const key = `${event.uid} ${sequence}`;
        if ((digests.get(key) ?? digest) !== digest) {
          violations.push(violation(`${nodeName}: failure ${sequence} has another digest than before`, event));
        }
        digests.set(key, digest);
      }
      const top = failures[0]?.sequence ?? 0;
      if (top < (newest.get(event.uid) ?? 0)) {
        violations.push(violation(`${nodeName}: failure ${newest.get(event.uid)} is on record no more`, event));
      }
      newest.set(event.uid, Math.max(top, newest.get(event.uid) ?? 0));
    }
    if (event.type !== 'quiet') continue;
    const there = new Set(event.configMaps);
    for (const status of event.statuses) {
      const { nodeName, failures = [], accepted = [], baselines = [] } = status;
      const kept = [...accepted, ...baselines.flatMap(({ closing }) => closing?.kept ?? [])];
      const stay = new Set([...(recorded.get(nodeName) ?? []), ...kept.map(({ sequence }) => sequence)]);
      for (const [index, failure] of failures.entries()) {
        const before = failures[index + 1];
        const isHole = before?.sequence !== failure.sequence - 1 && !stay.has(before?.sequence);
        const fault = faultOf(failure, before, isHole, maps.get(failure.configMapName), there);
        if (fault !== undefined) violations.push(violation(`${nodeName}: failure ${failure.sequence} ${fault}`, event));
      }
    }
  }
  return violations;
}

function faultOf(
  { sequence, digest, configMapName }: KeptFailure,
  before: KeptFailure | undefined,
  isHole: boolean,
  map: KeptHappening | undefined,
  there: ReadonlySet<string>,
): string | undefined {
  if (!there.has(configMapName)) return 'is on record, and its report is gone';
  if (before && isHole) return `comes behind failure ${before.sequence}`;
  if (map?.link === undefined) return undefined; // the watch has not shown it
  if (map.link.digest !== digest) return 'has another digest on record than its report says';
  if (before?.sequence === sequence - 1 && map.link.previous !== before.digest)
    return 'is not linked to the one before';
  return undefined;
}
