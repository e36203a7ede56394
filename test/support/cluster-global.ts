import type { TestProject } from 'vitest/node';
import { attachCluster, type Cluster, startCluster } from '../../devcluster/cluster.ts';
import { explain } from '../../src/lib/errors.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The administrator's kubeconfig of the shared cluster. */
    kubeconfig: string;
    /** The folder of the shared cluster, for `attachCluster`; in the project `e2e` empty where there are no nodes. */
    cluster: string;
    /** The product's image that is loaded on the shared nodes, as an archive; empty where there are no nodes. */
    image: string;
  }
}

/**
 * The control plane that all tests of the project `cluster` share, each in namespaces of its own.
 * `FIO_TEST_CLUSTER=<name>` uses one that runs already (`node devcluster/cli.ts up --name <name>`) and leaves it running.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = process.env.FIO_TEST_CLUSTER;
  const cluster = shared ? await attachCluster(shared) : await startShared(`test-${process.pid}`);
  project.provide('kubeconfig', cluster.kubeconfigPath);
  project.provide('cluster', cluster.directory);
  return async () => {
    if (!shared) await cluster.stop();
  };
}

/** Starts a cluster that ends with this process, with its progress on the terminal. */
export async function startShared(name: string): Promise<Cluster> {
  try {
    return await startCluster({ name, ephemeral: true, onProgress: (line) => console.log(`devcluster: ${line}`) });
  } catch (error) {
    // A stack trace of the set-up would bury the sentence that says what to do.
    throw new Error(`The shared cluster could not be started: ${explain(error)}`);
  }
}
