import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../src/kube/client.ts';
import { connectKubeconfig } from '../src/kube/kubeconfig.ts';
import { FioError } from '../src/lib/errors.ts';
import { sleep } from '../src/lib/signal.ts';
import { NAMESPACE, type Stage } from './stage.ts';
import {
  applyObject,
  askForReinit,
  fileIntegrity,
  installOperator,
  statusesOf,
  waitForActive,
  waitForCondition,
} from './story.ts';
import type { Teller } from './tell.ts';

const INTEGRITY = 'demo-fileintegrity';

interface Play {
  readonly kubeconfig: string;
  readonly image: string | undefined;
  readonly tell: Teller;
  readonly signal: AbortSignal;
}

/** The story without its intruder, on a cluster that is there already: install, watch, results, a new baseline. */
export async function playOnExisting({ kubeconfig, image, tell, signal }: Play): Promise<void> {
  await using client = createClient(await connectKubeconfig(kubeconfig));
  // Whether the cluster answers at all is better said by our client than by kubectl.
  await client.raw('/version', { signal });
  const work = await mkdtemp(join(tmpdir(), 'fio-demo-'));
  try {
    const stage: Stage = {
      client,
      kubectl: (args, options) => kubectl(kubeconfig, args, signal, options?.input),
      tell,
      signal,
      ...(image && { manifests: await manifestsWith(image, work) }),
    };
    await play(stage);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function play(stage: Stage): Promise<void> {
  const { tell } = stage;
  await installOperator(stage);
  tell.step(`Ask for the nodes to be watched: FileIntegrity ${INTEGRITY}`);
  await applyObject(stage, fileIntegrity(INTEGRITY, {}));
  const nodes = await watchedNodes(stage);
  await waitForCondition(stage, INTEGRITY, nodes, 'Succeeded', 900);
  tell.show((await stage.kubectl(['get', 'fileintegritynodestatuses', '-n', NAMESPACE])).stdout);
  await askForReinit(stage, INTEGRITY);
  await waitForActive(stage, INTEGRITY);
  await waitForCondition(stage, INTEGRITY, nodes, 'Succeeded', 900);
  tell.step('Seen. No file of a node was changed, so none Failed; change one on a node to see that.');
  tell.show(
    [
      'To remove it all:',
      `kubectl delete fileintegrity ${INTEGRITY} -n ${NAMESPACE}`,
      'kubectl delete -k deploy --ignore-not-found',
    ].join('\n'),
  );
}

/** The nodes that the operator chose, once there is one. */
async function watchedNodes(stage: Stage): Promise<string[]> {
  for (let seconds = 0; seconds < 60; seconds += 1) {
    const statuses = await statusesOf(stage, INTEGRITY);
    if (statuses.length > 0) return statuses.map(({ nodeName }) => nodeName);
    await sleep(1000, stage.signal);
    stage.signal.throwIfAborted();
  }
  throw new FioError('DEMO_NO_NODE', 'The operator found no node to watch in this cluster within a minute.');
}

/** A kustomization of deploy/ with another image. */
async function manifestsWith(image: string, work: string): Promise<string> {
  const cut = image.lastIndexOf(':') > image.lastIndexOf('/') ? image.lastIndexOf(':') : image.length;
  const directory = join(work, 'manifests');
  await cp(fileURLToPath(new URL('../deploy', import.meta.url)), directory, { recursive: true });
  const kustomization = join(directory, 'kustomization.yaml');
  const entry = {
    name: 'localhost/file-integrity-operator',
    newName: image.slice(0, cut),
    newTag: image.slice(cut + 1) || 'latest',
  };
  await writeFile(kustomization, `\nimages: ${JSON.stringify([entry])}\n`, { flag: 'a' });
  return directory;
}

function kubectl(
  kubeconfig: string,
  args: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<{ stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile('kubectl', ['--kubeconfig', kubeconfig, ...args], { signal }, (error, stdout, stderr) => {
      if (!error) resolve({ stdout });
      else if ('code' in error && error.code === 'ENOENT') {
        reject(new FioError('DEMO_NO_KUBECTL', 'kubectl is not installed; install it and start again.'));
      } else reject(new FioError('DEMO_KUBECTL_FAILED', `kubectl ${args[0]} failed: ${stderr.trim()}`));
    });
    child.stdin?.end(input);
  });
}
