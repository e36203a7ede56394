/**
 * Labels and annotations that operator, daemons and users agree on. The names are those of the OpenShift File Integrity
 * Operator; the ones under "Ours" are additions.
 */
const key = <const Name extends string>(name: Name) => `file-integrity.openshift.io/${name}` as const;

// On a FileIntegrity, set by users ---------------------------------------------------------------

/** Re-initialise the database: empty value, every selected node; else a comma-separated node list. Removed when taken up. */
export const REINIT_ANNOTATION = key('re-init');
/** The same, for the nodes whose last result is Failed. */
export const REINIT_ON_FAILED_ANNOTATION = key('re-init-on-failed');
/**
 * Ours, for what is applied again and again: the same, done once for each value. A text of the user's means every selected
 * node, `text=node,node` the named ones. It stays where it is.
 */
export const REINIT_ONCE_ANNOTATION = key('re-init-once');
/**
 * Ours, for what is applied again and again: the operator changes nothing of the spec. A priority class that does not exist
 * is told of, and stays.
 */
export const KEEP_SPEC_ANNOTATION = key('keep-spec');
/** Daemons of these nodes (comma-separated; empty value: all) start no scan. */
export const HOLDOFF_ANNOTATION = key('holdoff');

/**
 * Ours: nodes that were watched and are not selected any more (comma-separated; empty value: all of these) are right to be
 * so: what is on record of them need not be shown any longer. Removed when taken up.
 */
export const FORGET_ANNOTATION = key('forget');

// On the effective configuration -----------------------------------------------------------------

/** Label: this config map is the effective AIDE configuration of the FileIntegrity in its owner label. */
export const AIDE_CONF_LABEL = key('aide-conf');
/** Annotation: re-init in progress: empty for all nodes, or the node list still to do. */
export const UPDATED_ANNOTATION = key('updated');

// On what belongs to a FileIntegrity -------------------------------------------------------------

/** Label: name of the FileIntegrity. */
export const OWNER_LABEL = key('owner');
/** Label: marks a daemon's pod. */
export const POD_LABEL = key('pod');

// On results -------------------------------------------------------------------------------------

/** Label with empty value on the temporary config map: a scan's result, to be processed. */
export const LOG_LABEL = key('log');
/** Label: the node that a temporary or failed config map speaks of. */
export const NODE_LABEL = key('node');
/** Label with empty value on the failed config map: a kept result. */
export const RESULT_LOG_LABEL = key('result-log');
/** Annotation: the scan could not be done, and why. */
export const LOG_ERROR_ANNOTATION = key('log-errormsg');
/** Annotation with empty value: `data.integritylog` is gzip, then base64. */
export const COMPRESSED_ANNOTATION = key('compressed');
export const FILES_ADDED_ANNOTATION = key('files-added');
export const FILES_CHANGED_ANNOTATION = key('files-changed');
export const FILES_REMOVED_ANNOTATION = key('files-removed');
/** The key of AIDE's text report in temporary and failed config maps. */
export const INTEGRITY_LOG_KEY = 'integritylog';

// Ours -------------------------------------------------------------------------------------------

/** Annotation on a temporary config map or a heartbeat lease: the daemon's message, JSON (see `protocol.ts`). */
export const OUTCOME_ANNOTATION = key('outcome');
/** Label with empty value on a temporary config map that carries a baseline's receipt and no scan. */
export const BASELINE_LABEL = key('baseline');
/** Annotation on the first config map of a large report: how many config maps carry it in all, decimal. */
export const PARTS_ANNOTATION = key('parts');
/** Label on the second and later config maps of a large report: its number, decimal, from 2. */
export const PART_LABEL = key('part');
/** Annotation on a kept report that lacks its end: of how many config maps it was to be, decimal. */
export const INCOMPLETE_ANNOTATION = key('incomplete');
/** Label with empty value on a kept report of what was found while its node was updated, which counts as no failure. */
export const SET_ASIDE_LABEL = key('set-aside');
/** Label with empty value on the first config map of a Failed result that is kept beside the newest. */
export const HISTORY_LABEL = key('history');
/** Label with empty value on each page of structured findings. */
export const FINDINGS_LABEL = key('findings');
/** The key of a page of structured findings. */
export const FINDINGS_KEY = 'findings.json';
/** Label with empty value on the record of a re-initialisation. */
export const RECORD_LABEL = key('reinit-record');
/** Label with empty value on such a record, too, that tells what new baselines accepted beyond what their order's record says. */
export const CLOSING_LABEL = key('accepted');
/** Label with empty value on the record of the times at which the admission policies were not in force. */
export const ADMISSION_RECORD_LABEL = key('admission-record');
/** The key of such a record. */
export const RECORD_KEY = 'record.json';
/** Annotation on a FileIntegrity: the user that set the re-init annotation, written by the admission policy for it. */
export const REQUESTED_BY_ANNOTATION = key('requested-by');
/**
 * Label on a user's config map with a configuration: the admission policy for it writes who changes it; where its key is
 * `aide.conf` it does so without the label.
 */
export const CONFIGURATION_LABEL = key('configuration');
/**
 * Annotation on a user's config map with a configuration: who changed it last; on a FileIntegrity: who said last which one it
 * is. Written by that admission policy.
 */
export const CHANGED_BY_ANNOTATION = key('changed-by');
/** Annotation on the effective configuration: who made it what it is, as far as the API server tells. */
export const CONFIGURED_BY_ANNOTATION = key('configured-by');
/** The key of AIDE's JSON report in temporary and failed config maps; compressed whenever the text report is. */
export const REPORT_JSON_KEY = 'report.json';
/** Annotation on the effective configuration: the re-init request in progress, JSON (see `reinit.ts` of the operator). */
export const REINIT_REQUEST_ANNOTATION = key('re-init-request');
/** Field manager of every server-side apply of the operator. */
export const FIELD_MANAGER = 'file-integrity-operator';
