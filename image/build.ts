import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureHostPrograms, type HostNeed } from '../devcluster/host.ts';
import { takeLock } from '../devcluster/lib/lock.ts';
import { mustRun } from '../devcluster/lib/run.ts';
import { cacheDirectory } from '../devcluster/paths.ts';
import { ensureBase, packageSource } from './base.ts';
import { buildahIn } from './buildah.ts';
import { bundle } from './bundle.ts';
import { socketFilter } from './sockets.ts';

/** The image's name in the manifests of deploy/. */
export const IMAGE = 'localhost/file-integrity-operator:dev';

const NEEDS: readonly HostNeed[] = [
  { program: 'buildah', debianPackage: 'buildah' },
  { program: 'mmdebstrap', debianPackage: 'mmdebstrap' },
  { program: 'strip', debianPackage: 'binutils' },
  { program: '/usr/share/keyrings/debian-archive-keyring.gpg', debianPackage: 'debian-archive-keyring' },
];

export interface BuildOptions {
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
}

/** A built image: an archive that `ctr images import`, `podman load` and `docker load` take, and its name in there. */
export interface BuiltImage {
  readonly archive: string;
  readonly reference: string;
}

/**
 * Builds the image with buildah, which needs no daemon, and keeps it in the cache folder under a digest of all that goes
 * into it: an unchanged source costs a second. Needs root and, the first time, about a minute.
 */
export async function buildImage(options: BuildOptions = {}): Promise<BuiltImage> {
  const { onProgress = () => {}, signal = new AbortController().signal } = options;
  const cache = join(cacheDirectory(), 'image');
  mkdirSync(cache, { recursive: true });
  using _lock = await takeLock(join(cache, 'lock'), signal, (holder) =>
    onProgress(`Waiting for process ${holder}, which is building the image`),
  );
  const context = join(cache, 'context');
  await makeContext(context);
  const archive = join(cache, `${digestOf(context)}.tar`);
  if (existsSync(archive)) return { archive, reference: IMAGE };

  await ensureHostPrograms(NEEDS, onProgress, signal);
  await mustRun(['strip', join(context, 'node')], { signal });
  const source = await packageSource(join(cache, 'apt'));
  const buildah = buildahIn(cache);
  await ensureBase(buildah, cache, source, onProgress, signal);
  onProgress('Building the image, about 20 s');
  // Layers are kept, so that only the first build installs packages.
  const volumes = source
    ? ['--volume', `${join(source.directory, 'debian.sources')}:/etc/apt/sources.list.d/debian.sources:ro`]
    : [];
  const build = [
    'bud',
    '--quiet',
    '--isolation',
    'chroot',
    '--layers',
    '--pull-never',
    ...volumes,
    '--tag',
    IMAGE,
    context,
  ];
  await buildah.must(build, signal);
  const draft = `${archive}.draft`;
  rmSync(draft, { force: true });
  await buildah.must(['push', '--quiet', IMAGE, `docker-archive:${draft}:${IMAGE}`], signal);
  for (const old of readdirSync(cache).filter((name) => name.endsWith('.tar'))) rmSync(join(cache, old));
  renameSync(draft, archive);
  return { archive, reference: IMAGE };
}

/** The folder that the Dockerfile is built in: itself, what goes beside the bundles, and Node.js. */
async function makeContext(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await bundle(join(directory, 'dist'));
  writeFileSync(join(directory, 'dist', 'sockets.bpf'), socketFilter());
  for (const program of ['confined', 'keeper']) {
    copyFileSync(fileURLToPath(new URL(program, import.meta.url)), join(directory, 'dist', program));
  }
  copyFileSync(fileURLToPath(new URL('Dockerfile', import.meta.url)), join(directory, 'Dockerfile'));
  copyFileSync(process.execPath, join(directory, 'node'));
}

/** What makes one image differ from another. Node.js counts by its version: its file is 150 MB. */
function digestOf(context: string): string {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}`);
  for (const name of [
    'Dockerfile',
    ...readdirSync(join(context, 'dist'))
      .sort()
      .map((file) => `dist/${file}`),
  ]) {
    hash.update(`\0${name}\0`).update(readFileSync(join(context, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

if (import.meta.main) {
  const { archive, reference } = await buildImage({ onProgress: (line) => console.log(line) });
  console.log(`${reference} is in ${archive}`);
}
