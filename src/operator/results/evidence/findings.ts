import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { PAGES } from '../../../aide/findings.ts';
import { FINDINGS_VERSION, type FindingsHead } from '../../../api/findings.ts';
import { COMPRESSED_ANNOTATION, FINDINGS_KEY, FINDINGS_LABEL, REPORT_JSON_KEY } from '../../../api/keys.ts';
import { findingsName, partName } from '../../../api/names.ts';
import { NO_PAGES_ANNOTATION, PAGES_ANNOTATION } from '../../../evidence/kept.ts';
import { isRefusal } from '../../../kube/errors.ts';
import { printable } from '../../../lib/text.ts';
import { apply, find, type Place, range, removeNumbered } from '../inbox/place.ts';

import { sketchOf } from './archive.ts';
import { configMapOf, sourceOf } from './copy.ts';
import { makePages } from './pages.ts';
import type { KeepReport } from './types.ts';

/**
 * Writes the structured findings of a report, where they can be made; what a report is like holds up no result.
 * @param first the first config map of the message, `withJson` the numbers of those that carry the JSON report
 * @param before what is kept under its name until now
 * @returns the annotations that say what came of it
 */
export async function writePages(
  keep: KeepReport,
  first: ConfigMap | undefined,
  withJson: readonly number[],
  before: ConfigMap | undefined,
  place: Place,
): Promise<Record<string, string>> {
  const to = findingsName(keep.to);
  const isCompressed = first?.metadata?.annotations?.[COMPRESSED_ANNOTATION] !== undefined;
  async function* texts(): AsyncGenerator<string> {
    for (const number of withJson) {
      const part = number === 1 ? first : await sourceOf(keep, number, place);
      yield part?.data?.[REPORT_JSON_KEY] ?? '';
    }
  }
  const made =
    withJson.length === 0
      ? { problem: 'REPORT_MISSING: The daemon sent no JSON report' }
      : await makePages(
          texts,
          { compressed: isCompressed, isSmall: keep.parts === 1 && !isCompressed },
          headOf(keep, place),
          place.signal,
        );
  const { pages = [] } = made;
  let { problem } = made;
  try {
    for (const [index, page] of pages.entries()) {
      const name = partName(to, index + 1);
      const parts = { labels: { [FINDINGS_LABEL]: '' }, annotations: {}, data: { [FINDINGS_KEY]: page } };
      await apply(configMapOf(name, keep.scan.id, place, parts), place);
    }
  } catch (error) {
    if (!isRefusal(error)) throw error;
    problem = `${error.code}: The API server refused the findings`;
  }
  const count = problem === undefined ? pages.length : 0;
  const known = before ? sketchOf(before).pages : await pagesLeft(to, count, place);
  await removeNumbered(to, range(count + 1, Math.max(pages.length, known)), place);
  return problem === undefined ? { [PAGES_ANNOTATION]: String(count) } : { [NO_PAGES_ANNOTATION]: problem };
}

/** Somebody removed a report, and left its pages: the number of the last that is there. */
export async function pagesLeft(to: string, from: number, place: Place): Promise<number> {
  let last = from;
  while (last < PAGES && (await find(partName(to, last + 1), place))) last += 1;
  return last;
}

function headOf({ scan }: KeepReport, { sender }: Place): FindingsHead {
  const { startedAt, baselineDigest } = scan.facts ?? {};
  return {
    apiVersion: FINDINGS_VERSION,
    kind: 'Findings',
    fileIntegrity: sender.integrity,
    node: sender.node,
    message: printable(scan.id),
    scan: { ...(startedAt !== undefined && { startedAt }), finishedAt: scan.finishedAt },
    baseline: {
      ...(baselineDigest !== undefined && { digest: baselineDigest }),
      ...(scan.baselineFault !== undefined && { fault: scan.baselineFault }),
    },
    unverified: scan.baselineFault !== undefined,
  };
}
