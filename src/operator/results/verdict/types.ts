import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import type { Condition } from '../../../api/condition.ts';
import type { FileIntegrityNodeStatus, KeptFailure, NodeStatusFields, ScanResult } from '../../../api/nodestatus.ts';
import type { KeepReport } from '../evidence/types.ts';

/** All that taking in the results of one node looks at. */
export interface ResultsWorld {
  readonly now: Date;
  /** Name of the FileIntegrity. */
  readonly integrity: string;
  readonly status: FileIntegrityNodeStatus;
  /** The node itself; undefined when it is gone. */
  readonly node: Node | undefined;
  /** The node's temporary config map; of its data, the keys are enough. */
  readonly slot: ConfigMap | undefined;
  /** Numbers of the second and later config maps of the message that are there. */
  readonly parts: readonly number[];
  readonly lease: Lease | undefined;
  /** There is a Machine Config Operator. */
  readonly hasMachineConfigs: boolean;
  /** What is kept of the node of this name whose status went, where that is to be taken up. */
  readonly kept?: readonly KeptFailure[];
}

/** What is to be done, in this order; every part may be repeated after a crash. */
export interface ResultsPlan {
  /** Copy the report to where it is kept, before anything says that it is there. */
  readonly keep?: KeepReport;
  /** The node status's new fields. */
  readonly fields?: ResultFields;
  readonly events: readonly ResultEvent[];
  /** Remove the message, which is in the status now. */
  readonly remove?: { readonly name: string; readonly uid: string; readonly parts: readonly number[] };
  /** The place of the node's messages is taken, and stays so: a sentence that says by what. */
  readonly slotTaken?: string;
}

/** The part of a node status that is made of the daemon's messages. */
export interface ResultFields
  extends Pick<
    NodeStatusFields,
    | 'state'
    | 'freshUntil'
    | 'observedGeneration'
    | 'lastResult'
    | 'results'
    | 'lastScan'
    | 'baseline'
    | 'baselines'
    | 'closing'
    | 'failures'
    | 'failure'
    | 'accepted'
    | 'freshness'
    | 'notices'
    | 'unkept'
    | 'acknowledged'
  > {
  /** What holds of the node: `status.conditions`. */
  conditions?: Condition[];
  /** Id of the heartbeat that was taken in last. */
  heartbeat?: string;
}

/** What is told of a result. */
export interface ResultEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** For the metrics: the transition that it tells. */
  readonly result?: ScanResult;
  /** For the metrics: which of the errors it is, for a scan that could not be done. */
  readonly errorCode?: string;
}
