import type { Cluster } from '../../devcluster/cluster.ts';
import type { Client } from '../../src/kube/client.ts';
import type { Fleet, Place } from './fleet.ts';
import type { Recorder } from './history.ts';
import type { Operators } from './operators.ts';
import type { Policies } from './policies.ts';
import type { SimDaemon } from './sim-daemon.ts';

/** What whoever acts in the world has at hand. */
export interface Scene {
  readonly cluster: Cluster;
  readonly admin: Client;
  /** Somebody with ordinary rights in the namespace. */
  readonly user: Client;
  readonly policies: Policies;
  readonly namespace: string;
  readonly fleet: Fleet;
  readonly operators: Operators;
  readonly recorder: Recorder;
  readonly hasAide: boolean;
  readonly signal: AbortSignal;
  /** Starts what takes its time; returns why it was not, such as that it is under way already. */
  background(what: string, work: () => Promise<void>): string | undefined;
  daemonOf(place: Place): SimDaemon | undefined;
}
