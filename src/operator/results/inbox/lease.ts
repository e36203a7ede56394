import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { FileIntegrity } from '../../../api/fileintegrity.ts';
import { NODE_LABEL, OWNER_LABEL } from '../../../api/keys.ts';
import { labelValue, resultName } from '../../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../../api/nodestatus.ts';
import { isOwnedBy, ownerReference } from '../../owner.ts';

/** The heartbeat lease of a node, which its daemon patches at each quiet scan. It goes with the node's status. */
export function desiredLease(integrity: FileIntegrity, status: FileIntegrityNodeStatus): Lease {
  const name = integrity.metadata.name ?? '';
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: resultName(name, status.nodeName),
      namespace: integrity.metadata.namespace ?? '',
      labels: { [OWNER_LABEL]: labelValue(name), [NODE_LABEL]: labelValue(status.nodeName) },
      ownerReferences: [ownerReference({ ...status, kind: 'FileIntegrityNodeStatus' })],
    },
    spec: { holderIdentity: status.nodeName },
  };
}

export function isLeaseOf(lease: Lease, status: FileIntegrityNodeStatus): boolean {
  return isOwnedBy(lease, status) && lease.metadata?.labels?.[NODE_LABEL] === labelValue(status.nodeName);
}
