import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap, Node, NodeCondition, NodeSystemInfo } from 'kubernetes-types/core/v1.d.ts';
import {
  AIDE_CONF_LABEL,
  CLOSING_LABEL,
  HISTORY_LABEL,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  RECORD_LABEL,
} from '../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import {
  DIGEST_ANNOTATION,
  isKept,
  MESSAGE_ANNOTATION,
  PAGES_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from '../evidence/kept.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../kube/types.ts';
import { onlyManagersOf, onlyTimeOf } from './managers.ts';
import { tellsOfUpdate } from './nodes/update.ts';
import { REASON_LABEL } from './records/record.ts';

// What of each object stays in memory. Nodes and users write them, and can make each as large as the API server takes:
// 256 KiB of annotations, labels without end, a daemon set of a megabyte. What is kept of one has a bound.

/** Labels of config maps by which the operator acts. */
const LABELS: ReadonlySet<string> = new Set([
  OWNER_LABEL,
  NODE_LABEL,
  LOG_LABEL,
  PART_LABEL,
  AIDE_CONF_LABEL,
  CLOSING_LABEL,
  HISTORY_LABEL,
  RECORD_LABEL,
  CLOSING_LABEL,
  REASON_LABEL,
]);
const ANNOTATIONS: ReadonlySet<string> = new Set([
  PARTS_ANNOTATION,
  MESSAGE_ANNOTATION,
  SEQUENCE_ANNOTATION,
  DIGEST_ANNOTATION,
  PREVIOUS_ANNOTATION,
  PAGES_ANNOTATION,
]);
/** Longer is none that the operator wrote: ids of messages and digests have 128 characters at most. */
const ANNOTATION_LIMIT = 256;

/**
 * A config map that is a message or a part of one, an effective configuration, a record, or an earlier failure; nothing of
 * others, and of these the metadata that tells what they are. What is in them is fetched when it is needed.
 */
export function sketchConfigMap({ metadata = {} }: ConfigMap): ConfigMap | undefined {
  const labels = only(metadata.labels, LABELS);
  const isPart = PART_LABEL in labels;
  const is = [LOG_LABEL, PART_LABEL, AIDE_CONF_LABEL, HISTORY_LABEL, RECORD_LABEL].some((label) => label in labels);
  // The parts of what is kept are found by its first config map.
  if (!is || (isPart && isKept({ metadata }))) return undefined;
  return {
    metadata: { ...identityOf(metadata as ObjectMeta), labels, annotations: only(metadata.annotations, ANNOTATIONS) },
  } as ConfigMap;
}

/** A daemon's own heartbeats stay below that, in characters. A longer one is cut off, and can be read by nobody. */
const HEARTBEAT_LIMIT = 8192;

export function sketchLease({ metadata = {} }: Lease): Lease {
  const { [OUTCOME_ANNOTATION]: outcome } = metadata.annotations ?? {};
  return {
    metadata: {
      ...identityOf(metadata as ObjectMeta),
      labels: only(metadata.labels, LABELS),
      annotations: outcome === undefined ? {} : { [OUTCOME_ANNOTATION]: outcome.slice(0, HEARTBEAT_LIMIT) },
      managedFields: onlyTimeOf(metadata as ObjectMeta),
    },
  } as Lease;
}

/** The operator's own has some 8 KiB. */
const DAEMON_SET_LIMIT = 128 * 1024;

/** A daemon set that may be the operator's. One that is too large for that is known to be there, and to be another. */
export function sketchDaemonSet(daemonSet: DaemonSet): DaemonSet | undefined {
  if (!daemonSet.metadata?.name?.startsWith('aide-')) return undefined;
  withoutManagers(daemonSet as KubeObject);
  if (JSON.stringify(daemonSet).length <= DAEMON_SET_LIMIT) return daemonSet;
  return { metadata: identityOf(daemonSet.metadata as ObjectMeta) } as DaemonSet;
}

/** Of labels and annotations those of this project: they are all that is read of a status beside its fields. */
export function sketchStatus(status: FileIntegrityNodeStatus): FileIntegrityNodeStatus {
  withoutManagers(status);
  const { metadata } = status;
  if (metadata.annotations) metadata.annotations = ours(metadata.annotations);
  if (metadata.labels) metadata.labels = ours(metadata.labels);
  return status;
}

export function sketchName<T extends KubeObject>({ metadata }: T): T {
  return { metadata: identityOf(metadata) } as T;
}

/** All labels of a node together, in characters: by far more than one has that nobody fills on purpose. */
const NODE_LABELS_LIMIT = 64 * 1024;
const WORDS_LIMIT = 1024;

/** A node has some 10 KB of images and conditions, of which little is read. */
export function sketchNode({ metadata = {}, spec, status }: Node): Node {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => tellsOfUpdate(key));
  const managedFields = onlyManagersOf(metadata as ObjectMeta, tellsOfUpdate);
  return {
    metadata: {
      ...identityOf(metadata as ObjectMeta),
      labels: withinLimit(metadata.labels),
      annotations: Object.fromEntries(annotations.map(([key, value]) => [key, value.slice(0, WORDS_LIMIT)])),
      managedFields,
    } as Node['metadata'] & {},
    spec: { ...(spec?.taints && { taints: spec.taints }) },
    status: {
      ...(status?.nodeInfo && { nodeInfo: sketchInfo(status.nodeInfo) }),
      conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Ready').map(sketchCondition),
    },
  };
}

/** Those that a kubelet may not make up first. */
function withinLimit(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries(labels);
  const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size <= NODE_LABELS_LIMIT) return { ...labels };
  const rank = ([key]: [string, string]) => (/^([^/]*\.)?(kubernetes|k8s)\.io\//.test(key) ? 0 : 1);
  let room = NODE_LABELS_LIMIT;
  const kept = entries
    .sort((one, other) => rank(one) - rank(other) || (one[0] < other[0] ? -1 : 1))
    .filter(([key, value]) => {
      room -= key.length + value.length;
      return room >= 0;
    });
  return Object.fromEntries(kept);
}

function sketchInfo(info: NodeSystemInfo): NodeSystemInfo {
  const texts = Object.entries(info).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(
    texts.map(([key, value]) => [key, String(value).slice(0, WORDS_LIMIT)]),
  ) as unknown as NodeSystemInfo;
}

/** Without the time of the heartbeat, which a kubelet writes again and again. */
function sketchCondition({ type, status, reason, message }: NodeCondition): NodeCondition {
  if (status === 'True') return { type, status };
  return {
    type,
    status,
    ...(reason !== undefined && { reason: reason.slice(0, WORDS_LIMIT) }),
    ...(message !== undefined && { message: message.slice(0, WORDS_LIMIT) }),
  };
}

/** Owners beyond these are none of the operator's making. */
const OWNERS_LIMIT = 4;

function identityOf(metadata: ObjectMeta = {}): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, ownerReferences } = metadata;
  return {
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(ownerReferences && { ownerReferences: ownerReferences.filter(isUsual).slice(0, OWNERS_LIMIT) }),
  };
}

/** The API server takes texts of any length there. */
function isUsual(owner: OwnerReference): boolean {
  return JSON.stringify(owner).length <= 1024;
}

function only(values: Readonly<Record<string, string>> = {}, keys: ReadonlySet<string>): Record<string, string> {
  const entries = Object.entries(values).filter(([key]) => keys.has(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, value.slice(0, ANNOTATION_LIMIT)]));
}

function ours(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('file-integrity.openshift.io/')));
}

function withoutManagers(object: KubeObject): void {
  if (object.metadata) delete object.metadata.managedFields;
}
