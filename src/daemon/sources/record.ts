import { nodeStatuses } from '../../api/group.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Client } from '../../kube/client.ts';
import { observe } from '../../kube/watcher.ts';
import { printable } from '../../lib/text.ts';
import { isFilesName } from '../disk/paths.ts';
import type { NodeRecord } from '../machine/state.ts';

/** Watches this node's own FileIntegrityNodeStatus, for as long as the signal lasts. */
export async function watchRecord(
  client: Client,
  ref: { namespace: string; name: string },
  tell: (record: NodeRecord) => void,
  options: { onError: (error: unknown) => void; signal: AbortSignal },
): Promise<void> {
  const events = observe(client, nodeStatuses, { ...ref, ...options, transform: lighten });
  for await (const event of events) {
    switch (event.type) {
      case 'restarted':
        tell(recordOf(event.objects[0]));
        break;
      case 'applied':
        tell(recordOf(event.object));
        break;
      case 'deleted':
        tell({});
        break;
    }
  }
}

/** Only what the daemon reads stays in memory. */
function lighten(status: FileIntegrityNodeStatus): FileIntegrityNodeStatus {
  delete status.metadata.managedFields;
  delete status.results;
  delete status.lastResult;
  delete status.baselines;
  delete status.failures;
  return status;
}

/** What a daemon needs of a node status; of one that is not there, nothing. */
export function recordOf(status: FileIntegrityNodeStatus | undefined): NodeRecord {
  if (status === undefined) return {};
  const record: NodeRecord = {};
  const { orders, baseline } = status;
  if (orders?.files !== undefined && !isFilesName(orders.files)) {
    record.refused = `the orders name files that a daemon does not write, and are not carried out: ${printable(orders.files, 100)}`;
  } else if (orders !== undefined) record.orders = orders;
  if (baseline !== undefined) {
    const { orderId, digest, entries, configurationDigest, bootId, mounts } = baseline;
    record.baseline = {
      orderId,
      digest,
      entries,
      configurationDigest,
      bootId,
      ...(mounts !== undefined && { mounts }),
    };
  }
  if (status.acknowledged !== undefined) record.acknowledged = status.acknowledged;
  return record;
}
