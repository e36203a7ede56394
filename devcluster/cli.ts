import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { explain, FioError } from '../src/lib/errors.ts';
import { attachCluster, checkCanHaveNodes, startCluster } from './cluster.ts';
import { cleanUp } from './leftovers.ts';
import { isAlive } from './lib/identity.ts';
import { takeLock } from './lib/lock.ts';
import { lineTeller } from './lib/tell-line.ts';
import { clusterDirectory } from './paths.ts';
import { isRunning, listClusters, mustReadState, readState } from './state.ts';

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(new FioError('DEVCLUSTER_INTERRUPTED', 'Interrupted')));
}
const signal = interrupted.signal;

const say = lineTeller(process.stderr);

async function up(options: { name: string; workers: number; controlPlane: boolean }): Promise<void> {
  if (options.controlPlane || options.workers > 0) checkCanHaveNodes();
  const cluster = await startCluster({ name: options.name, ephemeral: true, onProgress: say, signal });
  try {
    const nodes = [
      ...(options.controlPlane ? [{ name: 'control-plane', controlPlane: true }] : []),
      ...Array.from({ length: options.workers }, (_, index) => ({ name: `worker-${index + 1}` })),
    ];
    for (const node of nodes) {
      say(`Adding the node ${node.name}`);
      await cluster.addNode(node);
    }
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  cluster.release();
  console.log(`The cluster ${cluster.name} runs. Use it:\n  export KUBECONFIG=${cluster.kubeconfigPath}`);
  console.log(`Stop it:\n  node devcluster/cli.ts down --name ${cluster.name}`);
}

async function down(options: { name: string; all?: true }): Promise<void> {
  for (const directory of options.all ? listClusters() : [clusterDirectory(options.name)]) {
    using _lock = await takeLock(`${directory}.lock`, signal, (holder) => say(`Waiting for process ${holder}`));
    say(
      readState(directory) === undefined
        ? `Nothing is recorded in ${directory}; looking for leftovers`
        : `Stopping ${directory}`,
    );
    await cleanUp(directory);
  }
}

function status(options: { name?: string }): void {
  const directories = options.name ? [clusterDirectory(options.name)] : listClusters();
  if (directories.length === 0) console.log('No cluster runs.');
  for (const directory of directories) {
    const state = mustReadState(directory);
    console.log(`${state.name}: ${isRunning(directory) ? 'running' : 'not running'}, ${state.server}, ${directory}`);
    const processes = Object.entries(state.processes);
    for (const [name, identity] of processes)
      console.log(`  ${name}: ${isAlive(identity) ? `process ${identity.pid}` : 'ended'}`);
    for (const [name, node] of Object.entries(state.nodes)) {
      const alive = node.process !== undefined && isAlive(node.process);
      console.log(`  node ${name}: ${alive ? `process ${node.process?.pid}` : 'stopped'}`);
    }
  }
}

async function addNode(node: string, options: { name: string; controlPlane?: true; label: string[] }): Promise<void> {
  const cluster = await attachCluster(options.name, signal);
  const labels = Object.fromEntries(options.label.map((label) => splitLabel(label)));
  await cluster.addNode({ name: node, controlPlane: options.controlPlane ?? false, labels });
  console.log(`The node ${node} is Ready.`);
}

async function load(archives: string[], options: { name: string; node: string[] }): Promise<void> {
  const cluster = await attachCluster(options.name, signal);
  for (const archive of archives) await cluster.loadImage(archive, options.node.length > 0 ? options.node : undefined);
}

async function exec(node: string, argv: string[], options: { name: string }): Promise<void> {
  if (/^--name(=|$)/.test(argv[0] ?? '')) {
    const sentence = `What stands behind the node is the command. Say: devcluster exec --name CLUSTER ${node} COMMAND`;
    throw new FioError('DEVCLUSTER_BAD_NAME', sentence);
  }
  const found = (await attachCluster(options.name, signal)).nodes.get(node);
  if (found === undefined) throw new FioError('DEVCLUSTER_NO_NODE', `The cluster ${options.name} has no node ${node}`);
  const result = await found.exec(argv);
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  process.exitCode = result.code;
}

async function kubectl(args: string[], options: { name: string }): Promise<void> {
  const cluster = await attachCluster(options.name);
  const program = join(mustReadState(cluster.directory).programs, 'kubectl');
  const env = {
    ...process.env,
    KUBECONFIG: cluster.kubeconfigPath,
    KUBECACHEDIR: join(cluster.directory, 'kubectl-cache'),
  };
  const child = spawn(program, args, { stdio: 'inherit', env });
  process.exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

function splitLabel(label: string): [string, string] {
  const at = label.indexOf('=');
  return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
}

function parseCount(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('It must be a number from 0 to 99.');
  return Number(text);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function buildProgram(): Command {
  const program = new Command('devcluster')
    .description('A real Kubernetes on this machine, for development and tests.')
    .enablePositionalOptions()
    .showHelpAfterError();
  const command = (usage: string, description: string) =>
    program.command(usage).description(description).option('--name <cluster>', 'which cluster', 'default');
  command('up', 'Start a control plane, and nodes if asked for; it runs until it is stopped.')
    .option('-w, --workers <count>', 'how many worker nodes to add', parseCount, 0)
    .option('-c, --control-plane', 'add a control plane node', false)
    .action(up);
  command('down', 'Stop a cluster, and clean up what an interrupted run of it left.')
    .option('-a, --all', 'all clusters of this user')
    .action(down);
  program
    .command('status')
    .description('Show the clusters and what runs of them.')
    .option('--name <cluster>', 'only this cluster')
    .action(status);
  command('add-node <node>', 'Add a node and wait until it is Ready.')
    .option('-c, --control-plane', 'a control plane node instead of a worker')
    .option('-l, --label <key=value>', 'a label of the node; may be repeated', collect, [])
    .action(addNode);
  command('remove-node <node>', 'End a node and remove it.').action(async (node: string, options: { name: string }) => {
    await (await attachCluster(options.name, signal)).removeNode(node);
  });
  command('load <archive...>', 'Import image archives into the nodes.')
    .option('--node <node>', 'only this node; may be repeated', collect, [])
    .action(load);
  command('exec <node> <command...>', 'Run a command in a node, as its administrator.')
    .usage('[--name <cluster>] <node> <command...>')
    .addHelpText('after', '\nOptions stand before the node: what is behind it is the command.')
    .passThroughOptions()
    .action(exec);
  command('kubectl [arguments...]', 'Run kubectl as the cluster’s administrator.')
    .allowUnknownOption()
    .passThroughOptions()
    .action(kubectl);
  return program;
}

try {
  await buildProgram().parseAsync();
} catch (error) {
  say(`devcluster: ${explain(error)}`);
  process.exitCode = 1;
}
