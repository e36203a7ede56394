import { nodeStatuses } from '../api/group.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import type { Client } from '../kube/client.ts';
import { observe } from '../kube/watcher.ts';
import type { NodeRecord } from './state.ts';

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
  return status;
}

function recordOf(status: FileIntegrityNodeStatus | undefined): NodeRecord {
  if (status === undefined) return {};
  const record: NodeRecord = {};
  if (status.orders !== undefined) record.orders = status.orders;
  if (status.baseline !== undefined) {
    record.baselineOrderId = status.baseline.orderId;
    record.baselineDigest = status.baseline.digest;
  }
  if (status.acknowledged !== undefined) record.acknowledged = status.acknowledged;
  return record;
}
