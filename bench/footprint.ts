import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { attachCluster, type Cluster } from '../devcluster/cluster.ts';
import { cacheDirectory } from '../devcluster/paths.ts';
import { buildImage } from '../image/build.ts';
import { createClient } from '../src/kube/client.ts';
import { connectKubeconfig } from '../src/kube/kubeconfig.ts';
import { explain, FioError } from '../src/lib/errors.ts';
import { findContainers } from './footprint/containers.ts';
import { type ImageSize, measureImage } from './footprint/image-size.ts';
import { imageTable, memoryTable, partsTable } from './footprint/tables.ts';
import { SAMPLE_MS, watchContainers } from './footprint/watch.ts';
import { memoryHierarchy } from './lib/cgroup.ts';
import { describeMachine } from './lib/machine.ts';

const HELP = `npm run bench:footprint [-- OPTIONS]

Measures the memory of daemons and operator on a running cluster of devcluster, and the size of the image, beside their
targets. Start the cluster first: npm run demo. Needs Linux and root. Exits 0 whether or not a target is met.

  --cluster NAME   which cluster (demo)
  --scans N        scans of each daemon to measure, at least 3 (3)
  --help
`;

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => ended.abort(new FioError('BENCH_INTERRUPTED', 'Interrupted')));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`The footprint could not be measured: ${explain(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === undefined) return 2;
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const cluster = await attach(flags.cluster);
  const hierarchy = memoryHierarchy(readFileSync('/proc/self/mounts', 'utf8'));
  if (hierarchy === undefined) throw new FioError('BENCH_NO_CGROUP', 'No control groups count memory on this machine.');
  const machine = describeMachine();
  await using client = createClient(await connectKubeconfig(cluster.kubeconfigPath));
  const containers = await findContainers(client, hierarchy, ended.signal);
  const tell = (line: string) => console.log(`  ${line}`);
  const what = `${flags.scans} scans of ${containers.daemons.length} daemons in the cluster ${cluster.name}`;
  console.log(`Watching ${what}, every ${SAMPLE_MS} ms; this takes as long as the scans and the pauses between them`);
  const figures = await watchContainers(containers, flags.scans, tell, ended.signal);

  console.log(
    `\n${machine}\nIn MB (10⁶ bytes); memory by the container’s control group (version ${hierarchy.version})\n`,
  );
  console.log(memoryTable(figures, cluster.nodes.size));
  console.log(`\nWhat it is made of, at one moment between scans\n\n${partsTable(figures)}`);
  const images = new Set([...containers.daemons, containers.operator].map((container) => container.image));
  const image = await findImage([...images][0] ?? '', tell);
  console.log(`\n${imageTable(image)}`);
  if (!images.has(image.identity)) console.log('The cluster runs another image, made from other sources than these.');
  return 0;
}

/** The size of the image that the cluster runs if its archive is still kept, else of the one that the sources make. */
async function findImage(identity: string, tell: (line: string) => void): Promise<ImageSize> {
  for (const archive of keptArchives()) {
    const size = await measureImage(archive);
    if (size.identity === identity) return size;
  }
  const { archive } = await buildImage({ onProgress: tell, signal: ended.signal });
  return await measureImage(archive);
}

/** The archives that image/build.ts has made and not yet removed. */
function keptArchives(): string[] {
  const folder = join(cacheDirectory(), 'image');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tar'))
    .map((name) => join(folder, name));
}

async function attach(name: string): Promise<Cluster> {
  try {
    return await attachCluster(name, ended.signal);
  } catch (error) {
    if (!(error instanceof FioError && error.code === 'DEVCLUSTER_NOT_RUNNING')) throw error;
    const start = name === 'demo' ? '; start it with “npm run demo” and try again' : '';
    throw new FioError('BENCH_NO_CLUSTER', `no cluster “${name}” runs${start}.`);
  }
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        cluster: { type: 'string', default: 'demo' },
        scans: { type: 'string', default: '3' },
        help: { type: 'boolean', default: false },
      },
    });
    const scans = Number(values.scans);
    if (!Number.isSafeInteger(scans) || scans < 3)
      throw new Error(`--scans takes a number from 3 on, not ${values.scans}`);
    return { ...values, scans };
  } catch (error) {
    console.error(`${explain(error)}\n\n${HELP}`);
    return undefined;
  }
}
