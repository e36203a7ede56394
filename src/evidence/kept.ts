import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { RECORD_LABEL, RESULT_LOG_LABEL } from '../api/keys.ts';

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

/** Whether a config map is what the operator has kept for the user: of a message, a part of that, or a record. */
export function isKept({ metadata }: ConfigMap): boolean {
  const { labels = {}, annotations = {} } = metadata ?? {};
  return RESULT_LOG_LABEL in labels || RECORD_LABEL in labels || MESSAGE_ANNOTATION in annotations;
}
