import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startCluster } from '../devcluster/cluster.ts';
import { mustReadState } from '../devcluster/state.ts';
import { fileIntegrities, nodeStatuses } from '../src/api/group.ts';
import { OUTCOME_ANNOTATION } from '../src/api/keys.ts';
import { resultName } from '../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../src/api/nodestatus.ts';
import type { Outcome } from '../src/api/protocol.ts';
import { type Client, createClient } from '../src/kube/client.ts';
import { createInformer } from '../src/kube/informer.ts';
import { connectKubeconfig } from '../src/kube/kubeconfig.ts';
import { configMaps, leases, namespaces, nodes } from '../src/kube/resources.ts';
import { explain } from '../src/lib/errors.ts';
import { inParallel } from '../src/operator/inparallel.ts';
import { HEARTBEAT_ANNOTATION } from '../src/operator/results/verdict/plan.ts';
import { messageOf, receiptOf, scanOf } from './fleet/messages.ts';
import { costOf, describeMachine } from './lib/machine.ts';
import { megabytes, renderTable } from './lib/table.ts';

const HELP = `npm run bench:fleet [-- OPTIONS]

Measures what a fleet costs: the real operator and a real API server on this machine, nodes that are objects without a machine,
and daemons that are played over the real protocol. Exits 0 whether or not a target is met.

  --nodes N        how many nodes (1000)
  --profile DIR    leaves a CPU profile of the operator there
  --help
`;

const NAMESPACE = 'openshift-file-integrity';
const INTEGRITY = 'fleet';
/** As many requests at once as a fleet of daemons may make in a moment. */
const AT_ONCE = 32;

/** What takes longer is no figure but a fault. */
const PATIENCE_MS = 600_000;

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`The fleet could not be measured: ${explain(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: {
      nodes: { type: 'string', default: '1000' },
      profile: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const count = Number(flags.nodes);
  if (flags.help || !Number.isSafeInteger(count) || count < 1) {
    console.log(HELP);
    return flags.help ? 0 : 2;
  }
  const { signal } = ended;
  const cluster = await startCluster({
    name: `fleet-${process.pid}`,
    ephemeral: true,
    onProgress: console.error,
    signal,
  });
  try {
    const { processes } = mustReadState(cluster.directory);
    // Without kubelets every node is lost after a minute, and every pod is waited for: that is another measurement.
    for (const name of ['kube-controller-manager', 'kube-scheduler']) {
      const pid = processes[name]?.pid;
      if (pid !== undefined) process.kill(pid, 'SIGSTOP');
    }
    const connection = await connectKubeconfig(cluster.kubeconfigPath);
    await using client = createClient(connection, { maxSockets: AT_ONCE });
    await cluster.kubectl(['apply', '-f', fileURLToPath(new URL('../deploy/crds', import.meta.url))]);
    await client.create(namespaces, { metadata: { name: NAMESPACE } });
    const operator = startOperator(cluster.kubeconfigPath, flags.profile);
    try {
      const apiServer = processes['kube-apiserver']?.pid;
      if (operator.pid === undefined || apiServer === undefined) throw new Error('no process');
      await measure(client, count, { operator: operator.pid, apiServer }, signal);
    } finally {
      const exit = new Promise((resolve) => operator.once('exit', resolve));
      operator.kill('SIGTERM');
      await exit;
    }
  } finally {
    for (const { pid } of Object.values(mustReadState(cluster.directory).processes)) process.kill(pid, 'SIGCONT');
    await cluster.stop();
  }
  return 0;
}

function startOperator(kubeconfig: string, profile: string | undefined): ChildProcess {
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const program = fileURLToPath(new URL('../src/bin/fio.ts', import.meta.url));
  const words = [
    'operator',
    '--kubeconfig',
    kubeconfig,
    '--namespace',
    NAMESPACE,
    '--image',
    'registry.example/fio:bench',
  ];
  const ports = ['--probe-port', '0', '--metrics-port', '0', '--secure-metrics-port', '0'];
  return spawn(process.execPath, [...flags, program, ...words, ...ports], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: mkdtempSync(join(tmpdir(), 'bench-fleet-')),
  });
}

interface Pids {
  readonly operator: number;
  readonly apiServer: number;
}

async function measure(client: Client, count: number, pids: Pids, signal: AbortSignal): Promise<void> {
  console.log(`${describeMachine()}\n${count} nodes; seconds of one run\n`);
  const names = Array.from({ length: count }, (_, index) => `node-${String(index).padStart(5, '0')}`);
  await inParallel(names, AT_ONCE, signal, async (name) => {
    await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/os': 'linux', [INTEGRITY]: '' } } });
  });
  const statuses = createInformer(client, nodeStatuses, { namespace: NAMESPACE, onError: () => {} });
  const stop = new AbortController();
  const watching = statuses.run(AbortSignal.any([signal, stop.signal]));
  await statuses.synced(signal);
  const all = () => [...statuses.list()];
  const until = async (is: (status: FileIntegrityNodeStatus) => boolean) => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (statuses.size < count || !all().every(is)) {
      signal.throwIfAborted();
      if (performance.now() > giveUpAt) throw new Error('it takes longer than 10 minutes');
      await delay(100);
    }
  };
  const rows: string[][] = [];
  const phase = async (what: string, act: () => Promise<void>) => {
    const before = { at: performance.now(), operator: costOf(pids.operator), apiServer: costOf(pids.apiServer) };
    await act();
    const after = { operator: costOf(pids.operator), apiServer: costOf(pids.apiServer) };
    const seconds = (performance.now() - before.at) / 1000;
    const operator = after.operator.cpu - before.operator.cpu;
    rows.push([
      what,
      seconds.toFixed(1),
      operator.toFixed(1),
      ((operator * 1000) / count).toFixed(1),
      (after.apiServer.cpu - before.apiServer.cpu).toFixed(1),
      megabytes(after.operator.resident),
    ]);
    console.error(rows.at(-1)?.join('  '));
  };
  const send = async (outcomes: readonly Outcome[]) => {
    await inParallel(outcomes, AT_ONCE, signal, async (outcome) => {
      await client.create(configMaps, messageOf(NAMESPACE, INTEGRITY, outcome));
    });
  };
  const acknowledged = async (outcomes: readonly Outcome[]) => {
    const wanted = new Map(outcomes.map(({ node, id }) => [node, id]));
    await until(({ nodeName, acknowledged: id }) => id === wanted.get(nodeName));
  };

  await phase('orders to all', async () => {
    const spec = { nodeSelector: { [INTEGRITY]: '' }, config: {} };
    await client.create(fileIntegrities, { metadata: { name: INTEGRITY, namespace: NAMESPACE }, spec } as never);
    await until(({ orders }) => orders !== undefined);
  });
  const receipts = all().map(receiptOf);
  await phase('post the receipts of all', () => send(receipts));
  await phase('take them in', () => acknowledged(receipts));
  const scans = all().map((status, index) => scanOf(status, index % 10 === 0 ? 'Failed' : 'Succeeded'));
  await phase('post the results of all, one in ten Failed', () => send(scans));
  await phase('take them in', () => acknowledged(scans));
  const quiet = all().map((status) =>
    scanOf(status, status.lastResult?.condition === 'Failed' ? 'Failed' : 'Succeeded'),
  );
  await phase('heartbeats of all, and take them in', async () => {
    await inParallel(quiet, AT_ONCE, signal, async (scan) => {
      const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(scan) } };
      const ref = { namespace: NAMESPACE, name: resultName(INTEGRITY, scan.node) };
      await client.patch(leases, ref, { metadata }, { type: 'merge', signal });
    });
    const wanted = new Map(quiet.map(({ node, id }) => [node, id]));
    await until(({ nodeName, metadata }) => metadata.annotations?.[HEARTBEAT_ANNOTATION] === wanted.get(nodeName));
  });
  await phase('a minute without news', () => delay(60_000));
  console.log(
    renderTable(['what', 'seconds', 'operator CPU s', 'ms for a node', 'API server CPU s', 'operator MB'], rows),
  );
  stop.abort();
  await watching.catch(() => {});
}
