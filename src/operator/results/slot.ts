import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { LOG_LABEL, NODE_LABEL, OWNER_LABEL, PART_LABEL, RECORD_LABEL, RESULT_LOG_LABEL } from '../../api/keys.ts';
import { labelValue } from '../../api/names.ts';
import type { Sender } from './message.ts';

/** Annotation on each config map of a kept failure: id of the message that it was made of. */
export const MESSAGE_ANNOTATION = 'file-integrity.openshift.io/message';

// On the first config map of a kept failure ------------------------------------------------------

/** Annotation: its number among the Failed results of its node. */
export const SEQUENCE_ANNOTATION = 'file-integrity.openshift.io/sequence';
/** Annotation: SHA-256, hex; see `linkDigest`. */
export const DIGEST_ANNOTATION = 'file-integrity.openshift.io/digest';
/** Annotation: the digest of the kept failure before it; empty for the first. */
export const PREVIOUS_ANNOTATION = 'file-integrity.openshift.io/previous';
/** Annotation: SHA-256, hex, of what was found; see `findingOf`. */
export const FINDING_ANNOTATION = 'file-integrity.openshift.io/finding';
/** Annotation: how many pages of structured findings it has, decimal. */
export const PAGES_ANNOTATION = 'file-integrity.openshift.io/findings-pages';
/** Annotation: why it has none. */
export const NO_PAGES_ANNOTATION = 'file-integrity.openshift.io/findings-problem';

/** Whether a config map is a daemon's message to the operator, or a part of one. */
export function isMessage(configMap: ConfigMap): boolean {
  const labels = configMap.metadata?.labels ?? {};
  return (LOG_LABEL in labels || PART_LABEL in labels) && !isKept(configMap);
}

/** Whether a config map is what the operator has kept for the user: of a message, a part of that, or a record. */
export function isKept({ metadata }: ConfigMap): boolean {
  const { labels = {}, annotations = {} } = metadata ?? {};
  return RESULT_LOG_LABEL in labels || RECORD_LABEL in labels || MESSAGE_ANNOTATION in annotations;
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

/**
 * Whether a config map is that part of a message. Names can meet (part 2 of `node-1` is called like the message of a node
 * `node-1-2`), so the labels must say whose part it is.
 */
export function isPartOf(configMap: ConfigMap, number: number, sender: Sender): boolean {
  return configMap.metadata?.labels?.[PART_LABEL] === String(number) && isLabelledAs(configMap, sender);
}
