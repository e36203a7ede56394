import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, run } from '../devcluster/lib/run.ts';
import type { Buildah } from './buildah.ts';

const SUITE = 'trixie';
/** The image that the Dockerfile begins with. */
export const BASE_IMAGE = `docker.io/library/debian:${SUITE}-slim`;

// What Debian's own slim images leave out of their packages.
const LEFT_OUT = ['doc', 'groff', 'info', 'linda', 'lintian', 'locale', 'man'];

/** Where a build gets Debian packages from, if this machine's apt has a mirror of its own. */
export interface PackageSource {
  readonly mirror: string;
  /** Folder with `sources.list` and `apt.conf.d`, mounted over the image's own while it is built, and not part of it. */
  readonly directory: string;
}

/** The package mirror of this machine, as files for a build; none where apt uses Debian's own servers or is not there. */
export async function packageSource(directory: string): Promise<PackageSource | undefined> {
  const targets = await run(['apt-get', 'indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Origin: Debian']).catch(
    () => undefined,
  );
  const mirror = /^Debian (\S+)$/m.exec(targets?.stdout ?? '')?.[1];
  if (mirror === undefined) return undefined;
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, 'debian.sources'),
    `Types: deb\nURIs: ${mirror}\nSuites: ${SUITE}\nComponents: main\n` +
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
  );
  return { mirror, directory };
}

/**
 * Sees to it that the base image is in the store: pulled where a registry is reachable, else made from Debian packages
 * under the same name, so that the Dockerfile is the same for both.
 */
export async function ensureBase(
  buildah: Buildah,
  work: string,
  source: PackageSource | undefined,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if ((await buildah.try(['inspect', '--type', 'image', BASE_IMAGE], signal)).code === 0) return;
  onProgress(`Pulling ${BASE_IMAGE}`);
  const pulled = await buildah.try(
    ['pull', '--quiet', BASE_IMAGE],
    AbortSignal.any([signal, AbortSignal.timeout(120_000)]),
  );
  if (pulled.code === 0) return;
  onProgress('No image registry is reachable: making the base image from Debian packages, about 30 s');
  const root = join(work, 'base');
  rmSync(root, { recursive: true, force: true });
  try {
    await makeRoot(root, source, signal);
    const container = (await buildah.must(['from', 'scratch'], signal)).trim();
    await buildah.must(['add', '--quiet', container, root, '/'], signal);
    await buildah.must(['config', '--cmd', '/bin/bash', container], signal);
    await buildah.must(['commit', '--quiet', '--rm', container, BASE_IMAGE], signal);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function makeRoot(root: string, source: PackageSource | undefined, signal: AbortSignal): Promise<void> {
  const leftOut = LEFT_OUT.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const keep = '--dpkgopt=path-include=/usr/share/doc/*/copyright';
  const mirror = source ? [source.mirror] : [];
  await mustRun(['mmdebstrap', '--quiet', '--variant=minbase', ...leftOut, keep, SUITE, root, ...mirror], { signal });
  // The image names Debian's own servers, not the mirror that it happened to be made from.
  rmSync(join(root, 'etc/apt/sources.list'), { force: true });
  mkdirSync(join(root, 'etc/apt/sources.list.d'), { recursive: true });
  const publicSource = (uri: string, suites: string) =>
    `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`;
  writeFileSync(
    join(root, 'etc/apt/sources.list.d/debian.sources'),
    [
      publicSource('http://deb.debian.org/debian', `${SUITE} ${SUITE}-updates`),
      publicSource('http://deb.debian.org/debian-security', `${SUITE}-security`),
    ].join('\n'),
  );
  if (!existsSync(join(root, 'bin'))) throw new Error('mmdebstrap left no file system');
}
