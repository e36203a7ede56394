import { isDeepStrictEqual } from 'node:util';
import type { Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../api/fileintegrity.ts';
import { OWNER_LABEL } from '../api/keys.ts';
import { labelValue, resultName } from '../api/names.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import { isKept } from '../evidence/kept.ts';
import { type Change, keyOf } from '../kube/informer.ts';
import type { KubeObject } from '../kube/types.ts';
import { daemonOf, podKey, podKeyOf } from './nodes/daemon.ts';
import { integrityNameOf } from './owner.ts';
import { firstName } from './results/inbox/slot.ts';
import { HEARTBEAT_ANNOTATION } from './results/verdict/plan.ts';
import type { Stores } from './stores.ts';

/** Where keys go. */
export interface Queues {
  /** `namespace/name` of a FileIntegrity. */
  integrity(key: string): void;
  /** `namespace/name` of a node status. */
  results(key: string): void;
}

/**
 * Has each change in the cluster looked at by those whom it concerns, and by nobody else: a heartbeat of a node does not
 * plan its FileIntegrity anew, nor does a kubelet's report of how its node is.
 */
export function wire(stores: Stores, queues: Queues): void {
  /** `namespace/name` of a node's temporary config map and lease → key of its status. */
  const statusOfMessage = new Map<string, string>();
  /** `podKey` of the daemon's pods → key of the node's status. */
  const statusOfPod = new Map<string, string>();
  /** Node → keys of its statuses, one for each FileIntegrity that watches it. */
  const statusesOfNode = new Map<string, Set<string>>();
  const everyIntegrity = () => {
    for (const integrity of stores.integrities.list()) queues.integrity(keyOf(integrity));
  };
  const owner = (object: KubeObject) => {
    for (const key of ownersOf(object, stores)) queues.integrity(key);
  };

  stores.integrities.onChange((change) => {
    const { object } = change;
    queues.integrity(keyOf(object));
    // Two that watch a node have to do with each other.
    if (concerns(change, selectionFacts)) everyIntegrity();
    // How old a result may be, and which generation the conditions speak of.
    if (!concerns(change, ({ metadata }) => [metadata.uid, metadata.generation])) return;
    for (const status of stores.statuses.list()) {
      if (integrityKeyOf(status) === keyOf(object)) queues.results(keyOf(status));
    }
  });
  stores.nodes.onChange((change) => {
    if (concerns(change, nodeFacts)) everyIntegrity();
    if (!concerns(change, ({ status }) => status?.conditions)) return;
    for (const key of statusesOfNode.get(change.object.metadata?.name ?? '') ?? []) queues.results(key);
  });
  stores.statuses.onChange((change) => {
    const { type, object } = change;
    const key = keyOf(object);
    const ofNode = statusesOfNode.get(object.nodeName) ?? new Set();
    if (type === 'deleted') {
      statusOfMessage.delete(messageKeyOf(object));
      statusOfPod.delete(podKeyOf(object));
      ofNode.delete(key);
    } else {
      statusOfMessage.set(messageKeyOf(object), key);
      statusOfPod.set(podKeyOf(object), key);
      ofNode.add(key);
    }
    if (ofNode.size > 0) statusesOfNode.set(object.nodeName, ofNode);
    else statusesOfNode.delete(object.nodeName);
    queues.results(key);
    if (concerns(change, statusFacts) || countsShorter(change)) queues.integrity(integrityKeyOf(object));
  });
  stores.configMaps.onChange(({ object }) => {
    if (isKept(object)) return; // the user's to read and to delete
    const status = statusOfMessage.get(`${object.metadata?.namespace}/${firstName(object)}`);
    if (status === undefined) owner(object);
    else queues.results(status);
  });
  stores.leases.onChange((change) => {
    const status = statusOfMessage.get(keyOf(change.object));
    if (change.type === 'deleted') owner(change.object);
    else if (status !== undefined) queues.results(status);
  });
  stores.pods.onChange((change) => {
    const status = statusOfPod.get(podKey(change.object) ?? '');
    if (status !== undefined && concerns(change, podFacts)) queues.results(status);
  });
  stores.daemonSets.onChange(({ object }) => owner(object));
  stores.priorityClasses.onChange(everyIntegrity);
}

/** Whether something that counts has changed. */
function concerns<T>(change: Change<T>, facts: (object: T) => unknown): boolean {
  if (change.type === 'deleted' || change.previous === undefined) return true;
  return !isDeepStrictEqual(facts(change.previous), facts(change.object));
}

function selectionFacts({ metadata, spec }: FileIntegrity): unknown {
  return [metadata.uid, metadata.deletionTimestamp, spec.nodeSelector, spec.tolerations];
}

function nodeFacts({ metadata, spec, status }: Node): unknown {
  return [metadata?.uid, metadata?.labels, metadata?.annotations, spec?.taints, status?.nodeInfo];
}

/** What is longer is looked at in time: see `nextFreshUntil`. */
function countsShorter(change: Change<FileIntegrityNodeStatus>): boolean {
  if (change.type === 'deleted' || change.previous === undefined) return false;
  const [before, after] = [change.previous.freshUntil, change.object.freshUntil];
  return (before === undefined) !== (after === undefined) || Date.parse(after ?? '') < Date.parse(before ?? '');
}

function statusFacts(status: FileIntegrityNodeStatus): unknown {
  const { metadata, lastResult, baseline, orders, unselected, nodeName, state } = status;
  const { conditions = [] } = status.status ?? {};
  const { uid, labels, annotations = {}, ownerReferences } = metadata;
  const { [HEARTBEAT_ANNOTATION]: _, ...others } = annotations;
  const facts = [
    uid,
    nodeName,
    labels,
    others,
    ownerReferences,
    lastResult?.condition,
    baseline?.orderId,
    orders,
    unselected,
  ];
  return [...facts, state, conditions.map(({ type, status, reason }) => [type, status, reason])];
}

/** What of a pod its node's status may be told by. */
function podFacts(pod: Pod): unknown {
  return [pod.metadata?.uid, podKey(pod), daemonOf([pod])];
}

function integrityKeyOf(status: FileIntegrityNodeStatus): string {
  return `${status.metadata.namespace}/${integrityNameOf(status)}`;
}

function messageKeyOf(status: FileIntegrityNodeStatus): string {
  return `${status.metadata.namespace}/${resultName(integrityNameOf(status) ?? '', status.nodeName)}`;
}

/**
 * The FileIntegrities that an object belongs to, by reference or, where that was taken away, by label. One that is gone
 * counts too: somebody has to clear up after it.
 */
function ownersOf({ metadata }: KubeObject, stores: Stores): string[] {
  const label = metadata?.labels?.[OWNER_LABEL];
  const keys = (metadata?.ownerReferences ?? [])
    .filter(({ kind }) => kind === 'FileIntegrity')
    .map(({ name }) => `${metadata?.namespace}/${name}`);
  if (keys.length > 0 || label === undefined) return keys;
  const named = [...stores.integrities.list()].filter(({ metadata: { name = '' } }) => labelValue(name) === label);
  return named.length > 0 ? named.map(keyOf) : [`${metadata?.namespace}/${label}`];
}
