import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { attachCluster, startCluster } from '../../devcluster/cluster.ts';
import { cleanUp, processesOf } from '../../devcluster/leftovers.ts';
import { isAlive } from '../../devcluster/lib/identity.ts';
import { mustReadState } from '../../devcluster/state.ts';
import { expectNothingLeft, startElsewhere } from '../support/elsewhere.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devcluster-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a control plane', () => {
  test('starts beside another one, and leaves nothing when it stops', async () => {
    const directory = join(folder, 'second');
    const first = await attachCluster(inject('cluster'));
    const second = await startCluster({ name: 'second', directory, ephemeral: true });
    try {
      expect(second.server).not.toBe(first.server);
      await second.kubectl(['create', 'namespace', 'only-in-the-second']);
      const namespaces = await first.kubectl(['get', 'namespaces', '--output=name']);
      expect(namespaces.stdout).not.toContain('only-in-the-second');
    } finally {
      await second.stop();
    }
    await expectNothingLeft(directory);
  });

  test('keeps its address and data over a stop, a kill and a restart of the API server', async () => {
    const cluster = await startCluster({ name: 'restarted', directory: join(folder, 'restarted'), ephemeral: true });
    try {
      await cluster.kubectl(['create', 'namespace', 'kept']);
      await cluster.apiServer.stop();
      await expect(cluster.kubectl(['get', 'namespace', 'kept'])).rejects.toThrow('refused');
      await cluster.apiServer.start();
      await cluster.kubectl(['get', 'namespace', 'kept']);
      await cluster.apiServer.kill();
      await cluster.apiServer.start();
      await cluster.kubectl(['get', 'namespace', 'kept']);
    } finally {
      await cluster.stop();
    }
  });

  test('that cannot start names the program that failed, shows the end of its log, and leaves nothing', async () => {
    const directory = join(folder, 'failing');
    const extraArguments = { 'kube-scheduler': ['--no-such-argument'] };
    const started = startCluster({ name: 'failing', directory, extraArguments, ephemeral: true });
    await expect(started).rejects.toMatchObject({
      code: 'DEVCLUSTER_PROGRAM_FAILED',
      message: expect.stringMatching(/^kube-scheduler ended with code 1.*unknown flag: --no-such-argument/s),
    });
    await expectNothingLeft(directory);
  });

  test('whose start is called off leaves nothing', async () => {
    const directory = join(folder, 'interrupted');
    const controller = new AbortController();
    const onProgress = (line: string) => {
      if (line.includes('kube-apiserver')) setTimeout(() => controller.abort(new Error('called off')), 200);
    };
    const started = startCluster({ name: 'interrupted', directory, onProgress, signal: controller.signal });
    await expect(started).rejects.toThrow('called off');
    await expectNothingLeft(directory);
  });

  test('that runs already is not started again under the same name', async () => {
    const { name, directory } = await attachCluster(inject('cluster'));
    await expect(startCluster({ name, directory })).rejects.toMatchObject({ code: 'DEVCLUSTER_ALREADY_RUNNING' });
  });

  test('starts over what a killed run left', async () => {
    const directory = join(folder, 'killed');
    const run = startElsewhere(directory);
    for await (const line of createInterface({ input: run.stdout })) {
      if (line.includes('kube-controller-manager')) break;
    }
    run.kill('SIGKILL');
    await once(run, 'close');
    const left = Object.values(mustReadState(directory).processes);
    expect(left.filter(isAlive).length).toBeGreaterThan(0);
    const cluster = await startCluster({ name: 'killed', directory, ephemeral: true });
    expect(left.filter(isAlive)).toEqual([]);
    await cluster.stop();
    await expectNothingLeft(directory);
  });

  test('that belongs to a process is cleaned up when the process is killed', async () => {
    const directory = join(folder, 'guarded');
    const run = startElsewhere(directory, '--ephemeral');
    for await (const line of createInterface({ input: run.stdout })) {
      if (line === 'running') break;
    }
    expect(processesOf(directory)).toHaveLength(4);
    run.kill('SIGKILL');
    await expect.poll(() => existsSync(directory), { timeout: 20_000 }).toBe(false);
    await expectNothingLeft(directory);
  });

  test('cleaning up twice is no error', async () => {
    await cleanUp(join(folder, 'never-was'));
  });
});
