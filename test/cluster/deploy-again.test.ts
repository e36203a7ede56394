import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../devcluster/cluster.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));

// In a cluster of its own: its policies would hold for the other tests as well.
describe('deploy/', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ name: `deploy-${process.pid}`, ephemeral: true });
    await cluster.kubectl(['apply', '-k', DEPLOY]);
  });
  afterAll(() => cluster?.stop());

  test('applied again changes nothing, and does not differ from what is there', async () => {
    const { stdout } = await cluster.kubectl(['apply', '-k', DEPLOY]);
    const lines = stdout.trim().split('\n');
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.filter((line) => !line.endsWith(' unchanged'))).toEqual([]);
    expect((await cluster.kubectl(['diff', '-k', DEPLOY])).stdout).toBe('');
  });

  test('is removed as the README says', async () => {
    const { stdout } = await cluster.kubectl(['delete', '-k', DEPLOY, '--ignore-not-found', '--wait=false']);
    expect(stdout).toContain('deleted');
  });
});
