import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../src/lib/errors.ts';
import { run, SEARCH_PATH } from './lib/run.ts';

/** A program, or a file with a path, that the host must have, and the Debian package that brings it. */
export interface HostNeed {
  readonly program: string;
  readonly debianPackage: string;
}

/** What a cluster's own network needs. */
export const NETWORK_NEEDS: readonly HostNeed[] = [{ program: 'ip', debianPackage: 'iproute2' }];

/** What nodes need. All else that they run is in the file system that they start from. */
export const NODE_NEEDS: readonly HostNeed[] = [
  ...NETWORK_NEEDS,
  { program: 'unshare', debianPackage: 'util-linux' },
  { program: 'nsenter', debianPackage: 'util-linux' },
  { program: 'mount', debianPackage: 'mount' },
  { program: 'tar', debianPackage: 'tar' },
  { program: 'mmdebstrap', debianPackage: 'mmdebstrap' },
  // Lets Ubuntu's apt trust Debian's packages.
  { program: '/usr/share/keyrings/debian-archive-keyring.gpg', debianPackage: 'debian-archive-keyring' },
];

/**
 * Says at once, before anything is built, that this machine cannot have nodes.
 * @throws FioError `DEVCLUSTER_NO_ROOT`
 */
export function checkCanHaveNodes(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  const who = process.platform === 'linux' ? 'this user is not root' : `this is ${process.platform}`;
  throw new FioError(
    'DEVCLUSTER_NO_ROOT',
    `Nodes need Linux and root, and ${who}; start again as root, such as with sudo`,
  );
}

/**
 * Sees to it that the host has these programs: installs what is missing with apt-get where this is Debian or Ubuntu and
 * the user is root.
 * @throws FioError `DEVCLUSTER_PACKAGES_MISSING`, which says what to install.
 */
export async function ensureHostPrograms(
  needs: readonly HostNeed[],
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const packages = missingPackages(needs);
  if (packages.length === 0) return;
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !isInstalled('apt-get')) {
    const programs = needs.filter((need) => packages.includes(need.debianPackage)).map(({ program }) => program);
    throw new FioError(
      'DEVCLUSTER_PACKAGES_MISSING',
      `Missing on this machine: ${programs.join(', ')}; install it (on Debian or Ubuntu: sudo ${command}) and start again`,
    );
  }
  onProgress(`Installing with apt-get: ${packages.join(', ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', PATH: SEARCH_PATH };
  // A package list that cannot be refreshed may still be good enough; if not, the installation says so.
  await run(['apt-get', '-qq', 'update'], { environment, signal });
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const installed = await run(['apt-get', '-qq', '-y', ...wait, 'install', '--no-install-recommends', ...packages], {
    environment,
    signal,
  });
  const missing = missingPackages(needs);
  if (missing.length === 0) return;
  const said = installed.stderr.trim().split('\n').slice(-3).join(' ');
  throw new FioError('DEVCLUSTER_PACKAGES_MISSING', `apt-get could not install ${missing.join(', ')}: ${said}`);
}

/** The Debian packages that bring what is missing, each once. */
export function missingPackages(needs: readonly HostNeed[], searchPath = SEARCH_PATH): string[] {
  const missing = needs.filter(({ program }) => !isInstalled(program, searchPath));
  return [...new Set(missing.map(({ debianPackage }) => debianPackage))];
}

function isInstalled(program: string, searchPath = SEARCH_PATH): boolean {
  if (program.startsWith('/')) return existsSync(program);
  return searchPath.split(':').some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
