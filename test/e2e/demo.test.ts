import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { attachCluster } from '../../devcluster/cluster.ts';
import { openIntegrity } from '../support/e2e-integrity.ts';
import { openStage } from '../support/e2e-stage.ts';
import { canHaveNodes } from '../support/nodes.ts';

/** Not the name that a person’s own demo has. */
const NAME = `demo-test-${process.pid}`;
const DEMO = fileURLToPath(new URL('../../demo/demo.ts', import.meta.url));

describe.skipIf(!canHaveNodes())('npm run demo', () => {
  test('--kubeconfig installs, watches and re-initialises on a cluster that is there, and touches no node', async () => {
    const cluster = await attachCluster(inject('cluster'));
    const { code, output } = await run(['--kubeconfig', cluster.kubeconfigPath], {
      PATH: `${cluster.programs}:${process.env.PATH}`,
    });
    await using stage = await openStage();
    await using _ = openIntegrity(stage, 'demo-fileintegrity');
    expect(output).toContain('Seen. No file of a node was changed');
    expect(code).toBe(0);
  });

  test('without options that it knows says so, and how it is used', async () => {
    const { code, output } = await run(['--onec']);
    expect(output).toMatch(/--onec[\s\S]*--once {3}/);
    expect(output).not.toContain('    at ');
    expect(code).toBe(2);
  });

  test('interrupted while the cluster starts leaves nothing running', async () => {
    const { code, output } = await run(['--once', '--name', NAME], {}, 'Starting kube-apiserver');
    expect(output).toContain('Interrupted; nothing is left running.');
    expect(code).toBe(130);
    await expect(attachCluster(NAME)).rejects.toMatchObject({ code: 'DEVCLUSTER_NOT_RUNNING' });
  });
});

/** Runs the demo to its end, or interrupts it as Ctrl-C does when it has said something. */
async function run(args: string[], environment: NodeJS.ProcessEnv = {}, interruptAt?: string) {
  const child = spawn(process.execPath, [DEMO, ...args], { env: { ...process.env, ...environment } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      const said = output.includes(interruptAt ?? '\0');
      output += chunk.toString();
      if (!said && output.includes(interruptAt ?? '\0')) child.kill('SIGINT');
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
