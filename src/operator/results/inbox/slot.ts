import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { LOG_LABEL, NODE_LABEL, OWNER_LABEL, PART_LABEL } from '../../../api/keys.ts';
import { labelValue } from '../../../api/names.ts';
import { isKept } from '../../../evidence/kept.ts';
import { printable } from '../../../lib/text.ts';

/** Whose message is expected. */
export interface Sender {
  readonly integrity: string;
  readonly node: string;
}

/** Whether a config map is a daemon's message to the operator, or a part of one. */
export function isMessage(configMap: ConfigMap): boolean {
  const labels = configMap.metadata?.labels ?? {};
  return (LOG_LABEL in labels || PART_LABEL in labels) && !isKept(configMap);
}

/** Name of the config map that a message begins in, by one of its parts. */
export function firstName({ metadata }: ConfigMap): string {
  const { name = '', labels = {} } = metadata ?? {};
  const suffix = `-${labels[PART_LABEL]}`;
  return PART_LABEL in labels && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

/** Whether a config map's labels name this FileIntegrity and node. */
export function isLabelledAs({ metadata }: ConfigMap, { integrity, node }: Sender): boolean {
  const labels = metadata?.labels ?? {};
  return labels[OWNER_LABEL] === labelValue(integrity) && labels[NODE_LABEL] === labelValue(node);
}

/** Whose message a config map says it is, as its labels have it. */
export function senderSaid({ metadata }: ConfigMap): Sender {
  const { [OWNER_LABEL]: integrity = '', [NODE_LABEL]: node = '' } = metadata?.labels ?? {};
  return { integrity, node };
}

/** The same for a person. */
export function describeSender({ metadata }: ConfigMap): string {
  const { [OWNER_LABEL]: integrity = '(none)', [NODE_LABEL]: node = '(none)' } = metadata?.labels ?? {};
  return `FileIntegrity ${printable(integrity, 63)}, node ${printable(node, 63)}`;
}

/**
 * Whether a config map is that part of a message. Names can meet (part 2 of `node-1` is called like the message of a node
 * `node-1-2`), so the labels must say whose part it is.
 */
export function isPartOf(configMap: ConfigMap, number: number, sender: Sender): boolean {
  return configMap.metadata?.labels?.[PART_LABEL] === String(number) && isLabelledAs(configMap, sender);
}
