import type { TestProject } from 'vitest/node';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';
import { buildImage } from '../../image/build.ts';
import { explain } from '../../src/lib/errors.ts';
import { startShared } from './cluster-global.ts';
import { canHaveNodes } from './nodes.ts';

/** The nodes that the tests share: `e2e` tests may add more, and leave these as they found them. */
const NODES = [{ name: 'control-plane', controlPlane: true }, { name: 'worker-1' }, { name: 'worker-2' }] as const;

/**
 * The cluster with one control plane node and two workers that all tests of the project `e2e` share, the product's image
 * loaded on each. `FIO_TEST_CLUSTER_NODES=<name>` uses one that runs already and leaves it running.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!canHaveNodes()) {
    console.log('The tests on real nodes are skipped: they need Linux and root.');
    for (const key of ['kubeconfig', 'cluster', 'image'] as const) project.provide(key, '');
    return undefined;
  }
  const shared = process.env.FIO_TEST_CLUSTER_NODES;
  const cluster = shared ? await attachCluster(shared) : await startShared(`e2e-${process.pid}`);
  try {
    if (!shared) await addNodes(cluster);
    project.provide('image', await loadProduct(cluster));
  } catch (error) {
    if (!shared) await cluster.stop();
    throw error;
  }
  project.provide('kubeconfig', cluster.kubeconfigPath);
  project.provide('cluster', cluster.directory);
  return async () => {
    if (!shared) await cluster.stop();
  };
}

// All have ended, well or not, before a failure is told: what is still starting could not be cleaned up.
async function addNodes(cluster: Cluster): Promise<void> {
  console.log('devcluster: Adding three nodes');
  const outcomes = await Promise.allSettled(NODES.map((node) => cluster.addNode(node)));
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw new Error(`A shared node could not be added: ${explain(outcome.reason)}`);
  }
}

async function loadProduct(cluster: Cluster): Promise<string> {
  const { archive } = await buildImage({ onProgress: (line) => console.log(`image: ${line}`) });
  await cluster.loadImage(archive);
  return archive;
}
