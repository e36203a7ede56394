import { OUTCOME_ANNOTATION } from '../../api/keys.ts';
import { resultName } from '../../api/names.ts';
import type { Outcome } from '../../api/protocol.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { leases } from '../../kube/resources.ts';
import { explain } from '../../lib/errors.ts';
import type { MessageRoute } from './send.ts';

export type BeatResult = { type: 'beaten' } | { type: 'unbeaten'; message: string; missing: boolean };

/** Says by the heartbeat lease that a scan came to what the operator knows already. Never throws. */
export async function beat(
  { client, namespace, integrity, node }: MessageRoute,
  outcome: Outcome,
  now: Date,
  signal: AbortSignal,
): Promise<BeatResult> {
  // MicroTime: the API server refuses a renewTime with other than six digits behind the point.
  const renewTime = now.toISOString().replace('Z', '000Z');
  const patch = {
    metadata: { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) } },
    spec: { renewTime },
  };
  try {
    await client.patch(leases, { namespace, name: resultName(integrity, node) }, patch, { type: 'merge', signal });
    return { type: 'beaten' };
  } catch (error) {
    return { type: 'unbeaten', message: explain(error), missing: isNotFound(error) || isForbidden(error) };
  }
}
