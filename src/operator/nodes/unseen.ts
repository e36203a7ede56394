import type { ResultUnseen, ScanResult } from '../../api/nodestatus.ts';

/** Whether a result proves less of a node than its baseline holds: it found nothing, and did not look everywhere. */
export function isPartlyUnseen(result: Pick<ScanResult, 'condition' | 'unseen'> | undefined): boolean {
  return result?.condition === 'Succeeded' && (result.unseen?.sinceBaseline ?? 0) > 0;
}

const WHAT = { Path: '', Content: ' (content)', Attributes: ' (attributes)', Other: '' } as const;

/** `AIDE could not read 3 paths, at least 2 of them new since the baseline: /a, /b (content), /c.` */
export function unseenInWords({ count, sinceBaseline, paths }: ResultUnseen): string {
  const which =
    sinceBaseline === 0
      ? ', as at the baseline'
      : sinceBaseline >= count
        ? ', new since the baseline as far as is known'
        : `, at least ${sinceBaseline} of them new since the baseline`;
  const named = paths.map(({ path, what }) => `${path}${WHAT[what]}`).join(', ');
  const more = count > paths.length ? ` and ${count - paths.length} more` : '';
  return `AIDE could not read ${count === 1 ? '1 path' : `${count} paths`}${which}: ${named}${more}.`;
}
