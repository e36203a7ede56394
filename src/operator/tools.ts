import type { Logger } from 'pino';
import type { Client } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Meters } from './metrics/meters.ts';
import type { Stores } from './stores.ts';

/** What every controller works with. */
export interface Tools {
  readonly client: Client;
  readonly stores: Stores;
  readonly recorder: EventRecorder;
  readonly meters: Meters;
  readonly log: Logger;
}
