import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ensureHostPrograms, type HostNeed } from '../../devcluster/host.ts';
import { takeLock } from '../../devcluster/lib/lock.ts';
import { cacheDirectory } from '../../devcluster/paths.ts';
import { explain, FioError } from '../../src/lib/errors.ts';

const run = promisify(execFile);

const SUITE = 'trixie';
const NEEDS: readonly HostNeed[] = [
  { program: 'mmdebstrap', debianPackage: 'mmdebstrap' },
  { program: '/usr/share/keyrings/debian-archive-keyring.gpg', debianPackage: 'debian-archive-keyring' },
];
const LOADERS: Readonly<Record<string, string>> = {
  x64: 'lib64/ld-linux-x86-64.so.2',
  arm64: 'lib/ld-linux-aarch64.so.1',
};

/** The real AIDE of Debian trixie, in a file system tree of its own. */
export interface RealAide {
  /** The words that start AIDE on this machine's own file system; append its arguments. Runs without root. */
  readonly command: readonly [string, ...string[]];
  /** e.g. `0.19.1`. */
  readonly version: string;
  /** The tree: Debian's smallest system with the packages aide and aide-common. Shared by all tests; never write to it. */
  readonly root: string;
}

/**
 * The real AIDE. The first call on a machine makes its tree from Debian packages (about 30 s, 155 MB) and keeps it in
 * the cache folder; later calls take milliseconds.
 * @throws FioError `TEST_AIDE_UNAVAILABLE` where the tree cannot be made; see `findRealAide`.
 */
export async function realAide(): Promise<RealAide> {
  const root = await ensureTree();
  const command = commandOf(root);
  const { stdout, stderr } = await run(command[0], [...command.slice(1), '--version']);
  const version = /^AIDE (\d+\.\d+(?:\.\d+)?)/m.exec(`${stdout}\n${stderr}`)?.[1];
  if (version === undefined) throw new FioError('TEST_AIDE_UNAVAILABLE', `AIDE in ${root} does not tell its version`);
  return { command, version, root };
}

let found: Promise<RealAide | undefined> | undefined;

/**
 * The real AIDE. Without root or off Linux nothing, and a line that says so: the tests that need it are then skipped. As
 * root it must be there: a gate that skips its main part would be green for nothing. Looks once a process.
 */
export function findRealAide(): Promise<RealAide | undefined> {
  found ??= realAide().catch((error: unknown) => {
    if (process.platform === 'linux' && process.getuid?.() === 0) throw error;
    console.warn(`Tests with the real AIDE are skipped: ${explain(error)}`);
    return undefined;
  });
  return found;
}

/**
 * The words that start the real AIDE with `hostRoot` at `/hostroot` and `work` at `/work`, as in the daemon's container;
 * append its arguments. Needs root. Signals reach AIDE itself: no process stands between.
 */
export function containedAide(aide: RealAide, hostRoot: string, work: string): readonly [string, ...string[]] {
  const script = [
    'mount -t tmpfs -o mode=755 none "$0/mnt"',
    'mkdir "$0/mnt/hostroot" "$0/mnt/work" "$0/mnt/usr" "$0/mnt/etc" "$0/mnt/proc" "$0/mnt/dev" "$0/mnt/tmp"',
    'for name in bin lib lib64; do [ ! -e "$0/$name" ] || ln -s "usr/$name" "$0/mnt/$name"; done',
    'for name in usr etc; do mount --rbind "$0/$name" "$0/mnt/$name"; done',
    'for name in proc dev; do mount --rbind "/$name" "$0/mnt/$name"; done',
    'mount --rbind "$1" "$0/mnt/hostroot"',
    'mount --rbind "$2" "$0/mnt/work"',
    'root="$0/mnt"',
    'shift 2',
    'exec chroot "$root" aide "$@"',
  ].join(' && ');
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, aide.root, hostRoot, work];
}

async function ensureTree(): Promise<string> {
  const loader = LOADERS[process.arch];
  if (process.platform !== 'linux' || loader === undefined) {
    throw new FioError('TEST_AIDE_UNAVAILABLE', `AIDE is not run on ${process.platform} ${process.arch}`);
  }
  const root = join(cacheDirectory(), `aide-${SUITE}-${process.arch}`);
  if (existsSync(root)) return root;
  mkdirSync(dirname(root), { recursive: true });
  const deadline = AbortSignal.timeout(300_000);
  using _lock = await takeLock(`${root}.lock`, deadline);
  if (existsSync(root)) return root;
  await ensureHostPrograms(NEEDS, (line) => console.warn(line), deadline);
  console.warn(`Making a Debian ${SUITE} tree with AIDE in ${root}, once, about 30 s`);
  const draft = `${root}.draft`;
  rmSync(draft, { recursive: true, force: true });
  try {
    const mirror = await debianMirror();
    const options = ['--quiet', '--variant=minbase', '--include=aide,aide-common'];
    await run('mmdebstrap', [...options, SUITE, draft, ...(mirror === undefined ? [] : [mirror])], {
      timeout: 280_000,
    });
    chmodSync(draft, 0o755);
    renameSync(draft, root);
    return root;
  } catch (cause) {
    throw new FioError('TEST_AIDE_UNAVAILABLE', `The tree could not be made with mmdebstrap (${lastLine(cause)})`, {
      cause,
    });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The Debian mirror that this machine's apt uses; on a machine that is not Debian none, and mmdebstrap uses its own. */
async function debianMirror(): Promise<string | undefined> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Origin: Debian']).catch(
    () => ({ stdout: '' }),
  );
  return /^Debian (\S+)$/m.exec(stdout)?.[1];
}

function lastLine(cause: unknown): string {
  const text = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : explain(cause);
  return text.trim().split('\n').at(-1) ?? '';
}

/** Debian's loader, libraries and program by name, so that the machine's own C library does not matter. */
function commandOf(root: string): readonly [string, ...string[]] {
  const loader = join(root, LOADERS[process.arch] ?? '');
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return [loader, '--library-path', join(root, 'usr/lib', triplet), join(root, 'usr/bin/aide')];
}
