import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap, Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.d.ts';
import type { FileIntegrity } from '../api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../api/group.ts';
import { FINDINGS_LABEL, NODE_LABEL, OWNER_LABEL, POD_LABEL, RESULT_LOG_LABEL, SET_ASIDE_LABEL } from '../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import type { Client } from '../kube/client.ts';
import { createInformer, type Informer } from '../kube/informer.ts';
import { configMaps, daemonSets, leases, nodes, pods, priorityClasses } from '../kube/resources.ts';
import type { KubeObject } from '../kube/types.ts';
import { sketchPod } from './nodes/daemon.ts';
import { sketchConfigMap, sketchDaemonSet, sketchLease, sketchName, sketchNode, sketchStatus } from './sketches.ts';

/** What the operator keeps in memory of the cluster: of each object only what it reads, and of all not more than so many. */
export interface Stores {
  readonly integrities: Informer<FileIntegrity>;
  readonly statuses: Informer<FileIntegrityNodeStatus>;
  readonly nodes: Informer<Node>;
  /** Metadata only, of those that `sketchConfigMap` keeps. */
  readonly configMaps: Informer<ConfigMap>;
  readonly leases: Informer<Lease>;
  readonly daemonSets: Informer<DaemonSet>;
  /** The daemons' pods. */
  readonly pods: Informer<Pod>;
  /** Their names only. */
  readonly priorityClasses: Informer<PriorityClass>;
}

/**
 * Objects that are kept at most, where users of the namespace or nodes can make many: what 5,000 nodes need, several times.
 * Of a config map some 0.7 KB are kept.
 */
const CAPACITY = { configMaps: 60_000, leases: 10_000, pods: 20_000, daemonSets: 1_000 };

export function createStores(client: Client, namespace: string, onError: (error: unknown) => void): Stores {
  const owned = { namespace, labelSelector: OWNER_LABEL, onError };
  return {
    integrities: createInformer(client, fileIntegrities, { namespace, onError }),
    statuses: createInformer(client, nodeStatuses, { namespace, onError, transform: sketchStatus }),
    nodes: createInformer(client, nodes, { onError, transform: sketchNode }),
    configMaps: createInformer(client, configMaps, {
      ...owned,
      // A report has up to 1 MiB: none leaves the API server until it is asked for. Nothing looks again at what is kept for
      // the user, and each would come back once it is written.
      metadata: true,
      labelSelector: `${OWNER_LABEL},!${FINDINGS_LABEL},!${RESULT_LOG_LABEL},!${SET_ASIDE_LABEL}`,
      transform: sketchConfigMap,
      capacity: CAPACITY.configMaps,
    }),
    leases: createInformer(client, leases, {
      ...owned,
      labelSelector: `${OWNER_LABEL},${NODE_LABEL}`,
      metadata: true,
      transform: sketchLease,
      capacity: CAPACITY.leases,
    }),
    daemonSets: createInformer(client, daemonSets, {
      ...owned,
      transform: sketchDaemonSet,
      capacity: CAPACITY.daemonSets,
    }),
    pods: createInformer(client, pods, {
      namespace,
      labelSelector: `${OWNER_LABEL},${POD_LABEL}`,
      onError,
      transform: sketchPod,
      capacity: CAPACITY.pods,
    }),
    priorityClasses: createInformer(client, priorityClasses, {
      onError,
      metadata: true,
      transform: sketchName<PriorityClass>,
    }),
  };
}

export function storesOf(stores: Stores): Informer<KubeObject>[] {
  return Object.values(stores);
}
