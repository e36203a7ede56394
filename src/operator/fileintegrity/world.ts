import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity, FileIntegritySpec } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Standing } from '../admission/standing.ts';
import type { Profile } from '../nodes/profile.ts';
import type { DepartedNode } from '../records/departed.ts';
import type { GoodConfiguration, JudgedConfiguration } from './configuration.ts';
import type { Other } from './overlap.ts';

/** All that a reconcile of one FileIntegrity looks at. */
export interface World {
  readonly now: Date;
  readonly integrity: FileIntegrity;
  /** Its spec as it counts: with all defaults, also where the stored object lacks them, and within bounds. */
  readonly spec: FileIntegritySpec;
  /** What of the stored spec is beyond these bounds, each in a sentence. */
  readonly exceeded: readonly string[];
  /** Every node of the cluster. */
  readonly nodes: readonly Node[];
  /** The node statuses that this FileIntegrity owns, by node. */
  readonly statuses: ReadonlyMap<string, FileIntegrityNodeStatus>;
  /** The other FileIntegrities of the namespace. */
  readonly others: readonly Other[];
  /** Names of node statuses that are not this FileIntegrity's, and the name of the one whose they are; empty: nobody's. */
  readonly foreignStatuses: ReadonlyMap<string, string>;
  /** What is on record of nodes whose statuses went, by node; it is not too old. */
  readonly departed: ReadonlyMap<string, DepartedNode>;
  /** Those of them that are written nowhere yet. */
  readonly unwritten: readonly DepartedNode[];
  /** The daemons' messages and their parts, without their reports. */
  readonly messages: readonly ConfigMap[];
  /** The heartbeat leases of this FileIntegrity, by name. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly daemonSet: DaemonSet | undefined;
  /** What was asked of the daemon set as it is now. If that is still wanted, a field that the API server keeps in its own way is no reason to ask again. */
  readonly settledDaemonSet: string | undefined;
  readonly effective: ConfigMap | undefined;
  readonly judged: JudgedConfiguration;
  /** The user's configuration that was good last, where the effective one does not tell. */
  readonly lastGood?: GoodConfiguration;
  /** There is a Machine Config Operator. */
  readonly hasMachineConfigs: boolean;
  /** What the operator leads without having read it, in a sentence. */
  readonly unread?: string;
  readonly priorityClass: 'unnamed' | 'known' | 'unknown';
  /** The daemons' image. */
  readonly image: string;
  readonly defaults: Readonly<Record<Profile, string>>;
  /** How the admission policies are; undefined where nobody looks. */
  readonly admission?: Standing;
}
