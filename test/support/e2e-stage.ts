import { inject } from 'vitest';
import type { Stage } from '../../demo/stage.ts';
import { installOperator } from '../../demo/story.ts';
import { attachCluster, type Cluster, type ClusterNode } from '../../devcluster/cluster.ts';
import { createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';

/** The shared nodes, and the product installed on them as a user would. */
export interface E2eStage extends Stage, AsyncDisposable {
  readonly cluster: Cluster;
  /** @throws Error when the cluster has no such node. */
  node(name: string): ClusterNode;
}

/** Attaches to the shared nodes and installs the operator, which costs seconds when it runs already. */
export async function openStage(): Promise<E2eStage> {
  const cluster = await attachCluster(inject('cluster'));
  const client = createClient(await connectKubeconfig(cluster.kubeconfigPath));
  const stage: E2eStage = {
    cluster,
    client,
    kubectl: (args, options) => cluster.kubectl(args, options),
    tell: SILENT,
    signal: new AbortController().signal,
    node(name) {
      const node = cluster.nodes.get(name);
      if (node === undefined) throw new Error(`The cluster has no node ${name}`);
      return node;
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
  await installOperator(stage);
  return stage;
}

const SILENT = { step: () => {}, note: () => {}, show: () => {} };
