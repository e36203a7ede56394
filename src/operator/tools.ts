import type { Logger } from 'pino';
import type { Client } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Meters } from './metrics/meters.ts';
import type { RuntimeMeters } from './metrics/runtime.ts';
import type { MachineConfigs } from './nodes/machine-configs.ts';
import type { Unread } from './reads.ts';
import type { Stores } from './stores.ts';

/** What every controller works with. */
export interface Tools {
  readonly client: Client;
  readonly stores: Stores;
  readonly machineConfigs: Pick<MachineConfigs, 'areServed'>;
  /** What of the stores is not as the cluster is, now. */
  readonly unread: () => readonly Unread[];
  readonly recorder: EventRecorder;
  /** What is counted of nodes and FileIntegrities, and of the operator itself. */
  readonly meters: Meters;
  readonly runtime: RuntimeMeters;
  readonly log: Logger;
  /** The longest pause between scans that is allowed, in seconds: see `bounded`. */
  readonly longestPause: number;
}
