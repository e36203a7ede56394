import type { ScanOutcome } from '../api/outcome.ts';

/**
 * Text that is equal for two scans that tell the operator the same but for ids and times. `fingerprint` is the digest of
 * the report but for its times: without it, a file put back while another is changed would look the same by the counts.
 */
export function sameness(outcome: ScanOutcome, fingerprint: string | undefined): string {
  if (outcome.verdict === 'Succeeded') return 'Succeeded';
  const { id: _, node: __, startedAt: ___, finishedAt: ____, ...rest } = outcome;
  return JSON.stringify([rest, fingerprint]);
}
