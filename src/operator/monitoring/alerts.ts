import { LABELS } from './objects.ts';
import type { MonitoringObject } from './resources.ts';

/** A rule of Prometheus that alerts. */
interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  /** How the annotation `summary` begins. */
  readonly summary: string;
  readonly description: string;
}

/**
 * The alerts. Their labels are `node`, `fileintegrity`, `namespace` and `severity` (and what is the matter, where that can be
 * several things) and not those of the pod, and they look back over the time that a restart takes, so that a restart of the
 * operator neither ends an alert nor begins another.
 */
export function desiredPrometheusRule(namespace: string): MonitoringObject {
  return {
    metadata: { name: 'file-integrity', namespace, labels: LABELS },
    spec: {
      groups: [
        { name: 'node-failed', rules: [ruleOf(nodeFailed(namespace), namespace)] },
        { name: 'file-integrity', rules: others(namespace).map((alert) => ruleOf(alert, namespace)) },
      ],
    },
  };
}

function ruleOf({ alert, expr, for: time, summary, description }: Alert, namespace: string): object {
  const labels = { severity: 'warning', namespace };
  return { alert, expr, for: time, labels, annotations: { summary, description } };
}

const metric = (name: string) => `file_integrity_operator_${name}`;
/** What was last known of something, however many pods of the operator have said it in the last five minutes. */
const recent = (by: string, name: string, matchers: string) =>
  `max by (${by}) (last_over_time(${metric(name)}{${matchers}}[5m]))`;
const ofNode = (name: string, by = '') => recent(`node, fileintegrity${by}`, name, 'node=~".+"');

const NODE = 'Node {{ $labels.node }}';
const BY = 'FileIntegrity {{ $labels.fileintegrity }}';

function nodeFailed(namespace: string): Alert {
  return {
    alert: 'NodeHasIntegrityFailure',
    expr: `${ofNode('node_failed')} > 0`,
    for: '1s',
    summary: `${NODE} has a file integrity failure`,
    description:
      `${NODE} has an integrity check status of Failed for more than 1 second: files differ ` +
      `from the baseline of ${BY}. Its FileIntegrityNodeStatus in ` +
      `namespace ${namespace} names the config map with the report.`,
  };
}

function others(namespace: string): Alert[] {
  const statusOf = `Its FileIntegrityNodeStatus in namespace ${namespace}`;
  const trusted = `${ofNode('node_baseline_trusted')} == 0`;
  const here = `namespace="${namespace}"`;
  return [
    {
      alert: 'NodeIntegrityFailureStands',
      // While the last result is Failed, NodeHasIntegrityFailure says it.
      expr: `${ofNode('node_failure_stands')} > 0 unless on (node, fileintegrity) ${ofNode('node_failed')} > 0`,
      for: '1s',
      summary: `${NODE} had a file integrity failure that nobody has dealt with`,
      description:
        `Files differed from the baseline of ${BY}, and no scan has found since that they do not: the last one could not be ` +
        `done. ${statusOf} names the config map with the report, in failure.`,
    },
    {
      alert: 'NodeIntegrityScanStale',
      expr: `${ofNode('node_fresh')} == 0`,
      for: '1m',
      summary: `${NODE} has not been scanned for too long`,
      description:
        `No scan of ${BY} on the node was done and taken in within the limit (spec.staleAfter). ` +
        `${statusOf} says why, in the conditions Fresh and Ready.`,
    },
    {
      alert: 'NodePartlyUnseen',
      expr: `${recent('node, fileintegrity', 'node_unseen_paths', 'node=~".+",since="baseline"')} > 0`,
      for: '1m',
      summary: `${NODE} has files that scans cannot read any more`,
      description:
        `The last scan of ${BY} could not read {{ $value }} paths on the node that it read at the baseline, as far as is ` +
        `known: they may have changed, and no scan would tell. ${statusOf} names the first of them, in lastResult.unseen.`,
    },
    {
      alert: 'NodeNotWatched',
      expr: `${ofNode('node_unwatched')} > 0`,
      for: '1m',
      summary: `${NODE} was watched and is not any more`,
      description:
        `Labels or taints of the node are others than when ${BY} began to watch it, and ${BY} did not ask for that: root on ` +
        `a node can hide it so. ${statusOf} says what has changed. Put it right; or, if it is meant to be so, annotate ` +
        `${BY} with file-integrity.openshift.io/forget={{ $labels.node }}.`,
    },
    {
      alert: 'NodeHeldTooLong',
      expr:
        `time() - ${ofNode('node_held_since_timestamp_seconds', ', reason, owner')} ` +
        `> on (fileintegrity) group_left () ${recent('fileintegrity', 'hold_limit_seconds', 'fileintegrity=~".+"')}`,
      for: '1m',
      summary: `${NODE} is held for longer than is allowed`,
      description:
        `{{ $labels.owner }} holds the node ({{ $labels.reason }}) for longer than spec.holdLimit of ${BY} allows: ` +
        `it is not scanned. ${statusOf} says more, in orders.hold.`,
    },
    {
      alert: 'NodeBaselineUntrusted',
      // Once the baseline is trusted again there is no fault any more, whatever was one in the last five minutes.
      expr: `${ofNode('node_baseline_fault', ', fault')} > 0 and on (node, fileintegrity) ${trusted}`,
      for: '1s',
      summary: `The baseline of node {{ $labels.node }} is not the one on record ({{ $labels.fault }})`,
      description:
        `The database on the node is not the one whose receipt the operator has, so nothing that ${BY} compares there is ` +
        `verified. Find out why, since this can be an attack; then re-initialise the node. ${statusOf} says more.`,
    },
    {
      alert: 'NodeUnorderedReinit',
      expr:
        'sum by (node, fileintegrity) ' +
        `(increase(${metric('notice_total')}{node=~".+",reason="UnorderedReinit"}[1h])) > 0`,
      for: '0s',
      summary: `Somebody on node {{ $labels.node }} asked for a new baseline past the operator`,
      description:
        'A trigger file that has the existing operator make a new baseline was found on the node in the last hour. It was ' +
        `not carried out. Whoever put it there can write as root. ${statusOf} says when, in notices.`,
    },
    {
      alert: 'FileIntegrityOperatorDown',
      // One that serves metrics and does not lead knows no node.
      expr:
        `absent(${metric('phase_total')}{${here}}) or ` +
        `max by (namespace) (leader_election_master_status{name="file-integrity-operator",${here}}) == 0 or ` +
        // One that leads and cannot read knows no more.
        `min by (namespace) (${metric('reads')}{${here}}) == 0`,
      for: '10m',
      summary: 'The File Integrity Operator does not answer, does not lead, or cannot read',
      description:
        `No result of a scan is taken in while no operator leads in namespace ${namespace}: what the statuses say gets old, ` +
        'and no other alert of file integrity can fire.',
    },
    {
      alert: 'FileIntegrityAdmissionNotEnforced',
      expr: `max by (namespace) (last_over_time(${metric('admission_enforced')}{${here}}[5m])) == 0`,
      for: '1m',
      summary: 'The admission policies of the File Integrity Operator are not in force',
      description:
        `Policies or bindings that belong to the operator in namespace ${namespace} are missing or changed, or it cannot read ` +
        'them: what they refuse is possible. The condition AdmissionEnforced of each FileIntegrity says which, the config map ' +
        'file-integrity-admission since when. Apply deploy/ again, and ask the audit log who it was.',
    },
    {
      alert: 'FileIntegrityOperatorCannotRead',
      expr: `${recent('resource', 'reads', `resource=~".+",${here}`)} == 0`,
      for: '2m',
      summary: 'The File Integrity Operator cannot read all {{ $labels.resource }}',
      description:
        `It leads in namespace ${namespace} and does not have all objects of {{ $labels.resource }}: what they say of nodes ` +
        'is not known. The condition Ready of each FileIntegrity says why.',
    },
    {
      alert: 'FileIntegrityConfigurationInvalid',
      expr:
        `${recent('fileintegrity', 'fileintegrity_condition', 'condition="ConfigurationValid",status="False"')} > 0 ` +
        `unless on (fileintegrity) max by (fileintegrity) ` +
        `(${metric('fileintegrity_condition')}{condition="ConfigurationValid",status!="False"}) > 0`,
      for: '1m',
      summary: `The configuration of ${BY} cannot be used`,
      description:
        `Its nodes are scanned with another configuration than it asks for, or not at all. The condition ConfigurationValid ` +
        `of ${BY} in namespace ${namespace} says what is wrong.`,
    },
  ];
}
