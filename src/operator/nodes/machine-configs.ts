import type { Client } from '../../kube/client.ts';
import { createInformer, type Informer } from '../../kube/informer.ts';
import { serves, sketch } from '../monitoring/presence.ts';
import { type CustomResourceDefinition, customResourceDefinitions } from '../monitoring/resources.ts';

/** The kind without which there is no Machine Config Operator. */
const POOLS = 'machineconfigpools.machineconfiguration.openshift.io';

export interface MachineConfigsOptions {
  readonly client: Client;
  /** They appeared or went. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
  /** Name of the CRD that is looked for. */
  readonly definition?: string;
}

/** Whether the cluster has a Machine Config Operator, now or later: one quiet watch where it has none. */
export interface MachineConfigs {
  /** False also while it is not known: wait for `synced` before anything is made of it. */
  areServed(): boolean;
  synced(signal: AbortSignal): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export function createMachineConfigs({
  client,
  onChange,
  onError,
  definition = POOLS,
}: MachineConfigsOptions): MachineConfigs {
  const informer: Informer<CustomResourceDefinition> = createInformer(client, customResourceDefinitions, {
    name: definition,
    transform: sketch,
    onError,
  });
  let served = false;
  informer.onChange((change) => {
    const now = change.type === 'applied' && serves(change.object);
    if (now === served) return;
    served = now;
    onChange();
  });
  return {
    areServed: () => served,
    synced: (signal) => informer.synced(signal),
    run: (signal) => informer.run(signal),
  };
}
