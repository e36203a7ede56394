import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('--kubeconfig of a cluster that does not answer says so', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'demo-'));
    const file = join(folder.path, 'kubeconfig');
    const named = (what: string, value: object) => ({ name: 'gone', [what]: value });
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [named('cluster', { server: 'https://127.0.0.1:1' })],
      users: [named('user', {})],
      contexts: [named('context', { cluster: 'gone', user: 'gone' })],
      'current-context': 'gone',
    };
    await writeFile(file, JSON.stringify(kubeconfig));
    const { code, output } = await run(['--kubeconfig', file]);
    expect(output).toMatch(/The demo could not go on: .*127\.0\.0\.1:1.*\(KUBE_UNREACHABLE\)/);
    expect(code).toBe(1);
  });

  test('without root says so at once', async () => {
    const { code, output } = await run(['--once', '--name', NAME], {}, { uid: 65_534 });
    expect(output).toContain('Nodes need Linux and root, and this user is not root; start again as root');
    expect(code).toBe(1);
  });

  test('interrupted while the cluster starts leaves nothing running', async () => {
    const { code, output } = await run(['--once', '--name', NAME], {}, { interruptAt: 'Starting kube-apiserver' });
    expect(output).toContain('Interrupted; nothing is left running.');
    expect(code).toBe(130);
    await expect(attachCluster(NAME)).rejects.toMatchObject({ code: 'DEVCLUSTER_NOT_RUNNING' });
  });
});

interface Circumstances {
  /** Interrupts it as Ctrl-C does once it has said this. */
  readonly interruptAt?: string;
  readonly uid?: number;
}

/** Runs the demo to its end. */
async function run(args: string[], environment: NodeJS.ProcessEnv = {}, { interruptAt, uid }: Circumstances = {}) {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [DEMO, ...args], { env, ...(uid !== undefined && { uid }) });
  let output = '';
  let interrupted = interruptAt === undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (interrupted || !output.includes(interruptAt ?? '')) return;
      interrupted = true;
      child.kill('SIGINT');
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
