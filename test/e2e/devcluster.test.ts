import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, inject, test } from 'vitest';
import { attachCluster } from '../../devcluster/cluster.ts';
import { makeProgramImage } from '../../devcluster/images/archive.ts';
import { cgroupLayout } from '../../devcluster/node/cgroups.ts';
import { mustReadState } from '../../devcluster/state.ts';
import { expectNothingLeft, startElsewhere } from '../support/elsewhere.ts';
import { canHaveNodes } from '../support/nodes.ts';

describe.skipIf(!canHaveNodes())('a cluster with nodes', () => {
  test('gives its nodes the labels and taints of their roles', async () => {
    const cluster = await attachCluster(inject('cluster'));
    const columns = 'custom-columns=NAME:.metadata.name,TAINTS:.spec.taints[*].key';
    const { stdout } = await cluster.kubectl(['get', 'nodes', '--output', columns, '--no-headers']);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    expect(rows).toEqual([
      ['control-plane', 'node-role.kubernetes.io/control-plane'],
      ['worker-1', '<none>'],
      ['worker-2', '<none>'],
    ]);
    const workers = await cluster.kubectl([
      'get',
      'nodes',
      '--selector=node-role.kubernetes.io/worker',
      '--output=name',
    ]);
    expect(workers.stdout.trim().split('\n')).toEqual(['node/worker-1', 'node/worker-2']);
  });

  test('runs commands in a node’s own root, and reads, writes and removes its files', async () => {
    const { nodes } = await attachCluster(inject('cluster'));
    const [one, other] = [nodes.get('worker-1'), nodes.get('worker-2')];
    expect(await one?.exec(['hostname'])).toEqual({ code: 0, stdout: 'worker-1\n', stderr: '' });
    expect((await one?.exec(['sh', '-c', 'exit 7']))?.code).toBe(7);
    await one?.writeFile('/etc/devcluster test/a file', 'text\n');
    expect(await one?.readFile('/etc/devcluster test/a file')).toBe('text\n');
    await expect(other?.readFile('/etc/devcluster test/a file')).rejects.toThrow('No such file');
    await one?.removeFile('/etc/devcluster test');
    expect((await one?.exec(['test', '-e', '/etc/devcluster test']))?.code).toBe(1);
  });

  test('adds a node that pods run on, stops and starts it, and removes it', async () => {
    const cluster = await attachCluster(inject('cluster'));
    const folder = mkdtempSync(join(tmpdir(), 'devcluster-'));
    try {
      const node = await cluster.addNode({ name: 'extra', labels: { purpose: 'test' } });
      const archive = join(folder, 'image.tar');
      const program = join(mustReadState(cluster.directory).programs, 'pause');
      await makeProgramImage(program, 'localhost/devcluster-test:1', archive);
      await cluster.loadImage(archive, ['extra']);
      await cluster.kubectl(['create', 'namespace', 'devcluster']);
      await cluster.kubectl(['apply', '--filename=-'], { input: JSON.stringify(podOn('extra')) });
      await cluster.kubectl([
        'wait',
        '--namespace=devcluster',
        '--for=condition=Ready',
        'pod/resting',
        '--timeout=60s',
      ]);

      await node.writeFile('/etc/kept', 'still here\n');
      await node.stop();
      await expect(node.exec(['true'])).rejects.toMatchObject({ code: 'DEVCLUSTER_NODE_STOPPED' });
      await node.start();
      expect(await node.readFile('/etc/kept')).toBe('still here\n');

      await cluster.removeNode('extra');
      expect([...cluster.nodes.keys()]).not.toContain('extra');
      expect((await cluster.kubectl(['get', 'nodes', '--output=name'])).stdout).not.toContain('extra');
    } finally {
      rmSync(folder, { recursive: true });
      await cluster.kubectl(['delete', 'namespace', 'devcluster', '--wait=false', '--ignore-not-found']);
      if (cluster.nodes.has('extra')) await cluster.removeNode('extra');
    }
  });

  test('resolves the API server’s name for pods', async () => {
    const { nodes } = await attachCluster(inject('cluster'));
    const server = (await nodes.get('worker-1')?.readFile('/etc/resolv.conf'))?.match(/nameserver (\S+)/)?.[1];
    const { Resolver } = await import('node:dns/promises');
    const resolver = new Resolver();
    resolver.setServers([server ?? '']);
    expect(await resolver.resolve4('kubernetes.default.svc.cluster.local')).toEqual(['10.96.0.1']);
  });

  test('that belongs to a killed process is cleaned up with its nodes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'devcluster-'));
    rmSync(directory, { recursive: true });
    const run = startElsewhere(directory, '--ephemeral', '--node');
    let isRunning = false;
    for await (const line of createInterface({ input: run.stdout })) {
      isRunning = line === 'running';
      if (isRunning) break;
    }
    expect(isRunning).toBe(true);
    const { octet } = mustReadState(directory);
    expect(readFileSync('/proc/net/route', 'utf8')).toContain(`fio${octet}\t`);
    run.kill('SIGKILL');
    await expect.poll(() => existsSync(directory), { timeout: 30_000 }).toBe(false);
    await expectNothingLeft(directory);
    expect(readFileSync('/proc/net/route', 'utf8')).not.toContain(`fio${octet}\t`);
    const hierarchies = cgroupLayout(readFileSync('/proc/self/mounts', 'utf8'))?.hierarchies ?? [];
    expect(hierarchies.filter((hierarchy) => existsSync(join(hierarchy, `fio${octet}-node`)))).toEqual([]);
  });

  test('leaves the host’s own kernel settings alone', async () => {
    const { nodes } = await attachCluster(inject('cluster'));
    const { readFile } = await import('node:fs/promises');
    const node = await nodes.get('worker-1')?.readFile('/proc/sys/kernel/panic');
    expect(node).toBe('10\n');
    expect(await readFile('/proc/sys/kernel/panic', 'utf8')).not.toBe(node);
  });
});

function podOn(node: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'resting', namespace: 'devcluster' },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      containers: [{ name: 'rest', image: 'localhost/devcluster-test:1', imagePullPolicy: 'Never' }],
    },
  };
}
