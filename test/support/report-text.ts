import type { ReportCounts } from '../../src/aide/report-types.ts';

/** Where the summary stands at the latest, in characters: only notices about options can precede it. */
const HEAD_LIMIT = 64 * 1024;

/** What the text report’s summary says. */
export interface TextSummary {
  readonly counts: ReportCounts;
  readonly entries?: number;
}

/**
 * The counts in the summary of AIDE’s text report, for results of daemons that send no JSON. Undefined where the text has
 * no summary. AIDE’s JSON report is the source of truth where there is one.
 *
 * Only the first `Summary:` counts, before any separator line: the lists of files, where a crafted file name could play a
 * summary (AIDE before 0.19.2 wrote line breaks as they are), come after it.
 */
export function readTextSummary(report: string): TextSummary | undefined {
  const head = report.slice(0, HEAD_LIMIT).split(/^-{5,}\r?$/m, 1)[0] ?? '';
  const summary = /^Summary:\r?$/m.exec(head);
  if (summary === null) {
    const total = entriesIn(head);
    // Without differences there is no summary, only the total.
    if (!/^AIDE found NO differences/m.test(head) || total === undefined) return undefined;
    return { counts: { added: 0, removed: 0, changed: 0 }, entries: total };
  }
  const lines = head.slice(summary.index);
  const added = countIn(lines, 'Added');
  const removed = countIn(lines, 'Removed');
  const changed = countIn(lines, 'Changed');
  if (added === undefined || removed === undefined || changed === undefined) return undefined;
  const entries = entriesIn(lines);
  return { counts: { added, removed, changed }, ...(entries === undefined ? {} : { entries }) };
}

/** AIDE 0.16 says `Added files:`, 0.17 and later `Added entries:`. */
function countIn(text: string, kind: 'Added' | 'Removed' | 'Changed'): number | undefined {
  return decimal(new RegExp(`^ {0,4}${kind} (?:entries|files):[ \\t]*(\\d{1,15})[ \\t]*\\r?\\n`, 'm').exec(text)?.[1]);
}

function entriesIn(text: string): number | undefined {
  return decimal(/^ {0,4}(?:Total n|N)umber of (?:entries|files):[ \t]*(\d{1,15})[ \t]*\r?\n/m.exec(text)?.[1]);
}

function decimal(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
