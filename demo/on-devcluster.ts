import { attachCluster, type Cluster, checkCanHaveNodes, startCluster } from '../devcluster/cluster.ts';
import { buildImage } from '../image/build.ts';
import { describeFinding } from '../src/evidence/report.ts';
import { createClient } from '../src/kube/client.ts';
import { connectKubeconfig } from '../src/kube/kubeconfig.ts';
import { FioError } from '../src/lib/errors.ts';
import { NAMESPACE, type Stage } from './stage.ts';
import {
  applyObject,
  askForReinit,
  backupsOn,
  changeNode,
  fileIntegrity,
  installOperator,
  MISCHIEF,
  readFindings,
  waitForActive,
  waitForCondition,
} from './story.ts';
import type { Teller } from './tell.ts';

const WORKERS = ['worker-1', 'worker-2'] as const;
const INTEGRITY = 'worker-fileintegrity';

interface Play {
  /** The cluster's name. */
  readonly name: string;
  /** Tear down at the end. */
  readonly once: boolean;
  readonly tell: Teller;
  readonly signal: AbortSignal;
}

/** The whole story, on a cluster made for it. If it cannot be told to its end, nothing is left running. */
export async function playOnDevcluster({ name, once, tell, signal }: Play): Promise<void> {
  checkCanHaveNodes();
  const others = name === 'demo' ? 'npm run demo -- --name NAME' : '--name with another';
  await stopDevcluster(name, () =>
    tell.step(`Stop the cluster ${name} of an earlier run, and start anew (to have both: ${others})`),
  );
  tell.step('Build the container image (the first time about 1 minute, later seconds)');
  const onProgress = (line: string) => tell.note(line);
  const image = await buildImage({ onProgress, signal });
  tell.step('Start Kubernetes (the first time its programs are built with Go, about 10 minutes; later seconds)');
  // Ephemeral until the story is told: should this process be killed, a guardian cleans up.
  const cluster = await startCluster({ name, ephemeral: true, onProgress, signal });
  try {
    tell.step('Add three nodes, each with a root file system of its own, and load the image');
    await addNodes(cluster);
    await cluster.loadImage(image.archive);
    tell.show((await cluster.kubectl(['get', 'nodes', '-o', 'wide'])).stdout);
    await using client = createClient(await connectKubeconfig(cluster.kubeconfigPath));
    await play({ client, kubectl: (args, options) => cluster.kubectl(args, options), tell, signal }, cluster);
    signal.throwIfAborted();
    if (!once) cluster.release();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  if (once) {
    tell.step('Stop the cluster');
    await cluster.stop();
    tell.step('All of it was seen.');
  } else explainUse(cluster, tell);
}

/** Stops the demo's cluster, if one runs. `onRunning` is told before; returns whether one ran. */
export async function stopDevcluster(name: string, onRunning: () => void): Promise<boolean> {
  try {
    const cluster = await attachCluster(name);
    onRunning();
    await cluster.stop();
    return true;
  } catch (error) {
    if (!(error instanceof FioError && error.code === 'DEVCLUSTER_NOT_RUNNING')) throw error;
    return false;
  }
}

async function addNodes(cluster: Cluster): Promise<void> {
  const nodes = [{ name: 'control-plane', controlPlane: true }, ...WORKERS.map((name) => ({ name }))];
  const outcomes = await Promise.allSettled(nodes.map((node) => cluster.addNode(node)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function play(stage: Stage, cluster: Cluster): Promise<void> {
  const { tell } = stage;
  const [victim, other] = WORKERS;
  const node = cluster.nodes.get(victim);
  if (node === undefined) throw new FioError('DEMO_NO_NODE', `The cluster has no node ${victim}.`);

  await installOperator(stage);
  tell.step(`Ask for the workers to be watched: FileIntegrity ${INTEGRITY}`);
  await applyObject(stage, fileIntegrity(INTEGRITY, { 'node-role.kubernetes.io/worker': '' }));
  await waitForCondition(stage, INTEGRITY, WORKERS, 'Succeeded');
  await showStatuses(stage);

  await changeNode(stage, node);
  const [failed] = await waitForCondition(stage, INTEGRITY, [victim], 'Failed');
  await waitForCondition(stage, INTEGRITY, [other], 'Succeeded');
  await showStatuses(stage);
  if (failed === undefined) throw new FioError('DEMO_NOT_SEEN', `${victim} has no status.`);
  const { filesAdded, filesChanged, filesRemoved } = failed.lastResult ?? {};
  tell.step(`${victim}: added ${filesAdded}, changed ${filesChanged}, removed ${filesRemoved}`);
  const findings = await readFindings(stage, failed);
  tell.show(findings.map(describeFinding).join('\n'));
  expectSeen('the counts are 1, 1 and 1', filesAdded === 1 && filesChanged === 1 && filesRemoved === 1);
  for (const [change, path] of Object.entries(MISCHIEF)) {
    const seen = findings.some((finding) => finding.change === change && finding.path.endsWith(path));
    expectSeen(`${path} is named as ${change}`, seen);
  }

  await askForReinit(stage, INTEGRITY, [victim]);
  await waitForActive(stage, INTEGRITY);
  await waitForCondition(stage, INTEGRITY, WORKERS, 'Succeeded');
  await showStatuses(stage);
  tell.step(`The old database and log are kept on ${victim}`);
  const backups = await backupsOn(node);
  tell.show(backups.map((name) => `/etc/kubernetes/${name}`).join('\n'));
  expectSeen('a backup of the database and one of the log are on the node', backups.length === 2);
}

async function showStatuses(stage: Stage): Promise<void> {
  const { stdout } = await stage.kubectl(['get', 'fileintegritynodestatuses', '-n', NAMESPACE, '-o', 'wide']);
  stage.tell.show(stdout);
}

function expectSeen(what: string, seen: boolean): void {
  if (!seen) throw new FioError('DEMO_NOT_SEEN', `It should be that ${what}, and it is not so.`);
}

function explainUse(cluster: Cluster, tell: Teller): void {
  tell.step('The cluster is up. Use it:');
  tell.show(
    [
      `export KUBECONFIG=${cluster.kubeconfigPath}`,
      `kubectl get fileintegrities,fileintegritynodestatuses -n ${NAMESPACE}`,
      `npm exec -- node devcluster/cli.ts exec --name ${cluster.name} ${WORKERS[1]} touch /etc/something-new`,
    ].join('\n'),
  );
  tell.step(`Stop it: npm run demo -- --down${cluster.name === 'demo' ? '' : ` --name ${cluster.name}`}`);
}
