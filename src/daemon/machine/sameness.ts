import type { ScanOutcome } from '../../api/protocol.ts';

/**
 * Text that is equal for two scans that tell the operator the same but for ids and times. `fingerprint` is the digest of
 * the report but for its times: without it, a file put back while another is changed would look the same by the counts.
 * What AIDE could not see counts for a `Succeeded` only: nothing differs in what was seen, and that is less. Beside findings it
 * does not count, and the heartbeat carries it.
 */
export function sameness(outcome: ScanOutcome, fingerprint: string | undefined): string {
  const { id: _, node: __, startedAt: ___, finishedAt: ____, unseen, ...rest } = outcome;
  if (outcome.verdict === 'Succeeded') {
    return unseen === undefined ? 'Succeeded' : JSON.stringify(['Succeeded', unseen.count, unseen.digest]);
  }
  return JSON.stringify([rest, fingerprint]);
}
