import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { departedName, labelValue } from '../../api/names.ts';
import { type Departed, departedSchema, type FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { ObjectMeta } from '../../kube/types.ts';
import { standingFailure } from '../nodes/failure.ts';
import { MEMORY_ANNOTATION, parseMemory } from '../nodes/memory.ts';
import { DEPARTED, REASON_LABEL } from './record.ts';

/** What is on record of a node whose status went. */
export interface DepartedNode extends Departed {
  readonly node: string;
}

/** What is on record of a node whose status goes; nothing where it never had a baseline. */
export function departedOf(
  status: FileIntegrityNodeStatus,
  why: Departed['why'],
  now: Date,
  who?: string,
): DepartedNode[] {
  const { nodeName, metadata, baseline, lastResult, results = [], predecessor } = status;
  // A failure stands whatever came after it.
  const found = standingFailure(status) ? results.find(({ condition }) => condition === 'Failed') : undefined;
  const failed = found ?? (lastResult?.condition === 'Failed' ? lastResult : undefined);
  // One that went again before its daemon said anything has what was known before.
  if (!baseline) return predecessor ? [{ node: nodeName, ...predecessor }] : [];
  const uid = parseMemory(metadata.annotations?.[MEMORY_ANNOTATION]).node;
  const [newest] = status.failures ?? [];
  return [
    {
      node: nodeName,
      at: now.toISOString(),
      why,
      ...(who !== undefined && { who }),
      ...(uid !== undefined && { uid }),
      baseline,
      ...(failed && { lastResult: failed }),
      ...(newest && { kept: { sequence: newest.sequence, digest: newest.digest } }),
    },
  ];
}

export function predecessorOf(departed: DepartedNode | undefined): Departed | undefined {
  if (!departed) return undefined;
  const { node: _, ...rest } = departed;
  return rest;
}

/** Bytes of the record at most. */
const RECORD_BYTES = 900 * 1024;

/** The config map of what was on record of departed nodes. It has no owner reference: it outlives the FileIntegrity. */
export function departedMap({ name = '', namespace = '' }: ObjectMeta, nodes: readonly DepartedNode[]): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: departedName(name),
      namespace,
      labels: { [OWNER_LABEL]: labelValue(name), [RECORD_LABEL]: '', [REASON_LABEL]: DEPARTED },
    },
    data: { [RECORD_KEY]: textOf(name, nodes) },
  };
}

/** Nodes with findings are the last to be left out, then those that went last. */
function textOf(integrity: string, nodes: readonly DepartedNode[]): string {
  const head = { apiVersion: 'records.fileintegrity.openshift.io/v1', kind: 'DepartedNodes', fileIntegrity: integrity };
  const inOrder = [...nodes].sort(
    (one, other) =>
      Number(other.lastResult !== undefined) - Number(one.lastResult !== undefined) ||
      other.at.localeCompare(one.at) ||
      (one.node < other.node ? -1 : 1),
  );
  let room = RECORD_BYTES - Buffer.byteLength(JSON.stringify(head)) - 128;
  const fits = (text: string) => {
    room -= Buffer.byteLength(text) + 2;
    return room >= 0;
  };
  const told = inOrder.map((node) => JSON.stringify(node)).filter(fits);
  const leftOut = nodes.length - told.length;
  return `${JSON.stringify(head).slice(0, -1)},"nodes":[\n${told.join(',\n')}\n],"leftOut":${leftOut}}\n`;
}

/** Reads such a record; what is not one, and each node that is none, is left out. */
export function readDeparted(configMap: ConfigMap | undefined, integrity: string): DepartedNode[] {
  if (configMap?.metadata?.labels?.[REASON_LABEL] !== DEPARTED) return [];
  try {
    const { fileIntegrity, nodes } = JSON.parse(configMap.data?.[RECORD_KEY] ?? '') as Record<string, unknown>;
    if (fileIntegrity !== integrity || !Array.isArray(nodes)) return [];
    return nodes.flatMap((value: unknown) => {
      const node: unknown = (value as Record<string, unknown> | null)?.node;
      const parsed = departedSchema.safeParse(value);
      return typeof node === 'string' && parsed.success ? [{ node, ...parsed.data }] : [];
    });
  } catch {
    return [];
  }
}

/** The removal of one status is seen several times: by who plans it, and by who sees it gone. */
const AT_ONCE_MS = 600_000;

/** What was there before with what is new: of one removal the first word stays. What is too old goes. */
export function mergeDeparted(
  before: readonly DepartedNode[],
  more: readonly DepartedNode[],
  keepMs: number,
  now: Date,
): Map<string, DepartedNode> {
  const merged = new Map<string, DepartedNode>();
  for (const each of [...before, ...more]) {
    if (!(now.getTime() - Date.parse(each.at) < keepMs)) continue;
    const known = merged.get(each.node);
    if (!known || !isSame(known, each)) merged.set(each.node, each);
  }
  return merged;
}

function isSame(known: DepartedNode, again: DepartedNode): boolean {
  return (
    known.uid === again.uid &&
    known.baseline.digest === again.baseline.digest &&
    known.lastResult?.lastProbeTime === again.lastResult?.lastProbeTime &&
    Date.parse(again.at) - Date.parse(known.at) < AT_ONCE_MS
  );
}
