import { expect, inject, test } from 'vitest';
import { attachCluster } from '../../devcluster/cluster.ts';

test('the shared control plane answers', async () => {
  const cluster = await attachCluster(inject('cluster'));
  const { stdout } = await cluster.kubectl(['get', 'namespaces', '--output=name']);
  expect(stdout).toContain('namespace/kube-system');
});
