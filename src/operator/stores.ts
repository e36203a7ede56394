import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap, Node, NodeCondition, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.d.ts';
import type { FileIntegrity } from '../api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../api/group.ts';
import { FINDINGS_LABEL, OWNER_LABEL, POD_LABEL } from '../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import type { Client } from '../kube/client.ts';
import { createInformer, type Informer } from '../kube/informer.ts';
import { configMaps, daemonSets, leases, nodes, pods, priorityClasses } from '../kube/resources.ts';
import type { KubeObject, ObjectMeta } from '../kube/types.ts';
import { SOURCE_ANNOTATION } from './fileintegrity/configuration.ts';
import { onlyManagersOf, onlyTimeOf } from './managers.ts';
import { sketchPod } from './nodes/daemon.ts';
import { tellsOfUpdate } from './nodes/update.ts';

/** What the operator keeps in memory of the cluster. Of large objects, only what it reads. */
export interface Stores {
  readonly integrities: Informer<FileIntegrity>;
  readonly statuses: Informer<FileIntegrityNodeStatus>;
  readonly nodes: Informer<Node>;
  /** Effective configurations whole; results without their reports; no findings. */
  readonly configMaps: Informer<ConfigMap>;
  readonly leases: Informer<Lease>;
  readonly daemonSets: Informer<DaemonSet>;
  /** The daemons' pods. */
  readonly pods: Informer<Pod>;
  readonly priorityClasses: Informer<PriorityClass>;
}

export function createStores(client: Client, namespace: string, onError: (error: unknown) => void): Stores {
  const owned = { namespace, labelSelector: OWNER_LABEL, onError };
  return {
    integrities: createInformer(client, fileIntegrities, { namespace, onError }),
    statuses: createInformer(client, nodeStatuses, { namespace, onError, transform: withoutManagers }),
    nodes: createInformer(client, nodes, { onError, transform: sketchNode }),
    configMaps: createInformer(client, configMaps, {
      ...owned,
      // Nothing looks at the findings again, and each would come back once it is written.
      labelSelector: `${OWNER_LABEL},!${FINDINGS_LABEL}`,
      transform: sketchConfigMap,
    }),
    leases: createInformer(client, leases, { ...owned, transform: sketchLease }),
    daemonSets: createInformer(client, daemonSets, { ...owned, transform: withoutManagers }),
    pods: createInformer(client, pods, {
      namespace,
      labelSelector: `${OWNER_LABEL},${POD_LABEL}`,
      onError,
      transform: sketchPod,
    }),
    priorityClasses: createInformer(client, priorityClasses, { onError, transform: withoutManagers }),
  };
}

export function storesOf(stores: Stores): Informer<KubeObject>[] {
  return Object.values(stores);
}

function withoutManagers<T extends KubeObject>(object: T): T {
  if (object.metadata) delete object.metadata.managedFields;
  return object;
}

function sketchLease(lease: Lease): Lease {
  const managedFields = onlyTimeOf((lease.metadata ?? {}) as ObjectMeta);
  return { ...lease, metadata: { ...lease.metadata, managedFields } as Lease['metadata'] & {} };
}

/** A node has some 10 KB of images and conditions, of which little is read. */
function sketchNode(node: Node): Node {
  const { metadata = {}, spec, status } = node;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => tellsOfUpdate(key));
  const managedFields = onlyManagersOf(metadata as ObjectMeta, tellsOfUpdate);
  return {
    ...node,
    metadata: { ...metadata, managedFields, annotations: Object.fromEntries(annotations) } as Node['metadata'] & {},
    spec: { ...(spec?.taints && { taints: spec.taints }) },
    status: {
      ...(status?.nodeInfo && { nodeInfo: status.nodeInfo }),
      conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Ready').map(sketchCondition),
    },
  };
}

/** Without the time of the heartbeat, which a kubelet writes again and again. */
function sketchCondition({ type, status, reason, message }: NodeCondition): NodeCondition {
  if (status === 'True') return { type, status };
  return { type, status, ...(reason !== undefined && { reason }), ...(message !== undefined && { message }) };
}

/** A report has up to 1 MiB: of thousands of nodes that fail at once, none may stay in memory. */
function sketchConfigMap(configMap: ConfigMap): ConfigMap {
  withoutManagers(configMap as KubeObject);
  if (configMap.metadata?.annotations?.[SOURCE_ANNOTATION] !== undefined) return configMap;
  const { binaryData: _, data, ...rest } = configMap;
  return { ...rest, data: Object.fromEntries(Object.keys(data ?? {}).map((key) => [key, ''])) };
}
