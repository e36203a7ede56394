import { keyOf } from '../../../aide/unseen.ts';
import type { ResultUnseen } from '../../../api/nodestatus.ts';
import type { BaselineReceipt, UnseenPath, UnseenRecord } from '../../../api/protocol.ts';

/** Paths that a result names. */
const NAMED = 5;

/**
 * What of a node a scan did not see, held against what was not seen when its baseline was made: AIDE compares nothing of it,
 * and says all the same that nothing differs.
 */
export function unseenOf(
  now: UnseenRecord | undefined,
  baseline: BaselineReceipt | undefined,
): ResultUnseen | undefined {
  if (!now) return undefined;
  const { digest } = now;
  const count = Math.max(now.count, now.paths.length); // the node's word
  if (count === 0) return undefined;
  const { least, named } = sinceBaseline({ ...now, count }, baseline?.unseen);
  const first = new Set(named);
  const others = now.paths.filter((each) => !first.has(each));
  return { count, sinceBaseline: least, digest, paths: [...named, ...others].slice(0, NAMED) };
}

/** How much is not seen that was seen at the baseline, or may have been, and what of it has a name. */
function sinceBaseline(
  now: UnseenRecord,
  before: UnseenRecord | undefined,
): { least: number; named: readonly UnseenPath[] } {
  // Of one that was made before receipts said it, or was adopted, nobody knows.
  if (!before) return { least: now.count, named: now.paths };
  if (before.digest === now.digest && before.count === now.count) return { least: 0, named: [] };
  const known = new Set(before.paths.map(keyOf));
  const isWhole = before.paths.length >= before.count;
  const last = before.paths.at(-1);
  // What comes behind the last that is listed may be one of those that are not.
  const named = now.paths.filter(
    (each) => !known.has(keyOf(each)) && (isWhole || (last !== undefined && keyOf(each) < keyOf(last))),
  );
  const isAllNamed = isWhole && now.paths.length >= now.count;
  return { least: Math.max(named.length, now.count - before.count, isAllNamed ? 0 : 1), named };
}

/** Whether more is not seen that was seen at the baseline than by the result before. */
export function isUnseenNews(before: ResultUnseen | undefined, after: ResultUnseen | undefined): boolean {
  return (after?.sinceBaseline ?? 0) > (before?.sinceBaseline ?? 0);
}
