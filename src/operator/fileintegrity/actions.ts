import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityStatus } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { BaselineReason } from '../../api/protocol.ts';
import type { ClosingRecord } from '../records/closing.ts';
import type { DepartedNode } from '../records/departed.ts';
import type { ReinitRecord } from '../records/record.ts';

/** What a reconcile of a FileIntegrity wants done, as data, in the order in which it is to be done. */
export type Action =
  | { readonly do: 'apply-configuration'; readonly object: ConfigMap }
  /** Removes them from the FileIntegrity where they still have these values. */
  | { readonly do: 'remove-annotations'; readonly values: Readonly<Record<string, string>> }
  | { readonly do: 'clear-priority-class'; readonly name: string }
  | { readonly do: 'apply-daemon-set'; readonly object: DaemonSet }
  /** One that an earlier operator made. Ours is made when it is gone. */
  | { readonly do: 'remove-daemon-set'; readonly name: string; readonly uid: string }
  /** What new orders erase, before they go out. */
  | { readonly do: 'write-record'; readonly record: ReinitRecord }
  /** What is on record of nodes, before their statuses go, or as soon as somebody has seen that they went. */
  | { readonly do: 'write-departed'; readonly nodes: readonly DepartedNode[] }
  /** What new baselines accepted. */
  | { readonly do: 'write-closing-record'; readonly record: ClosingRecord }
  | { readonly do: 'apply-node-status'; readonly object: FileIntegrityNodeStatus; readonly news: OrderNews }
  | { readonly do: 'apply-lease'; readonly object: Lease }
  | { readonly do: 'remove-node-status'; readonly name: string; readonly nodeName: string; readonly uid: string }
  /** A lease of an earlier node or status. */
  | { readonly do: 'remove-lease'; readonly name: string; readonly uid: string }
  /** A message, or a part of one, that nobody waits for. */
  | { readonly do: 'remove-message'; readonly name: string; readonly uid: string }
  | { readonly do: 'write-status'; readonly status: FileIntegrityStatus }
  | { readonly do: 'event'; readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string };

/** What is new in a node's orders, for the metrics. */
export interface OrderNews {
  readonly ordered?: BaselineReason;
  readonly hold?: 'begins' | 'ends';
  /** It is not selected any more, or again. */
  readonly unselected?: 'begins' | 'ends';
}

/** A node's new orders, and what is new in them. */
export interface NodeChange {
  readonly status: FileIntegrityNodeStatus;
  readonly news: OrderNews;
  /** It has findings that nobody has accepted. */
  readonly isFailing: boolean;
}
