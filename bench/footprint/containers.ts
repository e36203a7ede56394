import { NAMESPACE } from '../../demo/stage.ts';
import { POD_LABEL } from '../../src/api/keys.ts';
import type { Client } from '../../src/kube/client.ts';
import { pods } from '../../src/kube/resources.ts';
import { FioError } from '../../src/lib/errors.ts';
import { findContainerGroup, type MemoryGroup, type MemoryHierarchy } from '../lib/cgroup.ts';

/** A running container of the product. */
export interface Container {
  readonly node: string;
  readonly pod: string;
  /** Digest of the image's configuration, without its algorithm. */
  readonly image: string;
  readonly group: MemoryGroup;
}

/**
 * The product's running containers: each daemon, and the operator.
 * @throws FioError `BENCH_NOTHING_RUNS`, `BENCH_NO_CGROUP`
 */
export async function findContainers(
  client: Client,
  hierarchy: MemoryHierarchy,
  signal: AbortSignal,
): Promise<{ daemons: Container[]; operator: Container }> {
  const find = async (labelSelector: string, container: string) => {
    const { items } = await client.list(pods, { namespace: NAMESPACE, labelSelector, signal });
    return items.flatMap(({ metadata, spec, status }) => {
      const found = status?.containerStatuses?.find(({ name, state }) => name === container && state?.running);
      const id = found?.containerID?.split('//')[1];
      if (found === undefined || id === undefined) return [];
      const group = findContainerGroup(hierarchy, id);
      const pod = metadata?.name ?? '';
      if (group === undefined) {
        throw new FioError('BENCH_NO_CGROUP', `The control group of the container of ${pod} is not on this machine.`);
      }
      const image = /([0-9a-f]{64})$/.exec(found.imageID)?.[1] ?? '';
      return [{ node: spec?.nodeName ?? '', pod, image, group }];
    });
  };
  const daemons = await find(POD_LABEL, 'daemon');
  const [operator] = await find('name=file-integrity-operator', 'file-integrity-operator');
  if (daemons.length === 0 || operator === undefined) {
    throw new FioError('BENCH_NOTHING_RUNS', `In the namespace ${NAMESPACE} no operator or no daemon runs.`);
  }
  return { daemons: daemons.sort((a, b) => a.node.localeCompare(b.node)), operator };
}
