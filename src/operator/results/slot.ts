import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { LOG_LABEL, NODE_LABEL, OWNER_LABEL, PART_LABEL, RESULT_LOG_LABEL } from '../../api/keys.ts';
import { labelValue, partName } from '../../api/names.ts';
import type { Sender } from './message.ts';

/** Annotation on each config map of a kept failure: id of the message that it was made of. */
export const MESSAGE_ANNOTATION = 'file-integrity.openshift.io/message';

/** Config maps that one report may have. At 1 MiB each it is more than any node's list of files. */
export const PARTS_LIMIT = 999;

/** Whether a config map is a daemon's message to the operator, or a part of one. */
export function isMessage(configMap: ConfigMap): boolean {
  const labels = configMap.metadata?.labels ?? {};
  return (LOG_LABEL in labels || PART_LABEL in labels) && !isKept(configMap);
}

/** Whether a config map is what the operator has kept of a message, or a part of that. */
export function isKept({ metadata }: ConfigMap): boolean {
  return RESULT_LOG_LABEL in (metadata?.labels ?? {}) || metadata?.annotations?.[MESSAGE_ANNOTATION] !== undefined;
}

/** Name of the config map that a message begins in, by one of its parts. */
export function firstName({ metadata }: ConfigMap): string {
  const { name = '', labels = {} } = metadata ?? {};
  const suffix = `-${labels[PART_LABEL]}`;
  return PART_LABEL in labels && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

/**
 * The numbers of the second and later parts of a message that are there. Names can meet (part 2 of `node-1` is called like
 * the message of a node `node-1-2`), so the labels must say whose part it is.
 */
export function partsThere(
  first: string,
  { integrity, node }: Sender,
  get: (name: string) => ConfigMap | undefined,
): number[] {
  const numbers: number[] = [];
  for (let number = 2; number <= PARTS_LIMIT; number++) {
    const labels = get(partName(first, number))?.metadata?.labels;
    if (
      labels?.[PART_LABEL] === String(number) &&
      labels[NODE_LABEL] === labelValue(node) &&
      labels[OWNER_LABEL] === labelValue(integrity)
    ) {
      numbers.push(number);
    }
  }
  return numbers;
}
