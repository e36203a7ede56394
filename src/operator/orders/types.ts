import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity, FileIntegritySpec } from '../../api/fileintegrity.ts';
import type { NodeList } from '../../api/nodelist.ts';
import type { Departed, FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Orders } from '../../api/protocol.ts';
import type { Profile } from '../nodes/profile.ts';
import type { ReinitRequest } from '../requests/reinit.ts';

/** Everything that the orders of one node depend on. */
export interface OrdersWorld {
  readonly integrity: FileIntegrity;
  readonly spec: FileIntegritySpec;
  readonly node: Node;
  /** The node's status as it is, if it has one. */
  readonly current: FileIntegrityNodeStatus | undefined;
  readonly configuration: Orders['configuration'];
  /** Who made the configuration what it is, as far as that is known. */
  readonly configuredBy: string | undefined;
  /** The default configuration that suits the node. */
  readonly profile: Profile;
  /** The newest re-init request that speaks of the node. */
  readonly request: ReinitRequest | undefined;
  /** There is a Machine Config Operator. */
  readonly hasMachineConfigs: boolean;
  /** How the names of the node's database and log begin. */
  readonly files: string;
  /** The nodes that are held by annotation, if any are. */
  readonly holdoff: NodeList | undefined;
  /** What is on record of the node of this name, whose status went. */
  readonly predecessor: Departed | undefined;
  /** Id of the order whose closing is on record from now on. */
  readonly accepted?: string | undefined;
  readonly now: Date;
}
