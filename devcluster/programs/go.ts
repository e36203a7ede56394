import { accessSync, constants, readFileSync } from 'node:fs';
import { FioError } from '../../src/lib/errors.ts';
import { ensureHostPrograms } from '../host.ts';
import { run } from '../lib/run.ts';

/** The Go that can fetch, through the module proxy, the Go that the sources ask for. */
const OLDEST_GO = [1, 21] as const;

/**
 * Go, installed first from the distribution where that has a new enough one and the user is root.
 * @returns The program to run.
 * @throws FioError `DEVCLUSTER_GO_MISSING`, which says what to install; `DEVCLUSTER_PACKAGES_MISSING`.
 */
export async function ensureGo(onProgress: (line: string) => void, signal: AbortSignal): Promise<string> {
  const found = await findGo(signal);
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && packagesNewGo(osRelease())) {
    await ensureHostPrograms([{ program: 'go', debianPackage: 'golang-go' }], onProgress, signal);
    const installed = await findGo(signal);
    if (installed !== undefined) return installed;
  }
  throw new FioError(
    'DEVCLUSTER_GO_MISSING',
    'What cannot be downloaded is built once with Go, and Go 1.21 or newer is not installed (Debian 12’s golang is older); install it from https://go.dev/dl/ into /usr/local/go, or the package golang-go of Debian 13 or Ubuntu 24.04, and start again',
  );
}

async function findGo(signal: AbortSignal): Promise<string | undefined> {
  for (const go of ['go', '/usr/local/go/bin/go']) {
    if (go.startsWith('/') && !isExecutable(go)) continue;
    const answer = await run([go, 'env', 'GOVERSION'], { signal }).catch(() => undefined);
    signal.throwIfAborted();
    const version = answer && goVersion(answer.stdout);
    if (version !== undefined && isNewEnough(version)) return go;
  }
  return undefined;
}

/** The first two numbers of a version such as `go1.26.8`; undefined when it is not one. */
export function goVersion(text: string): readonly [number, number] | undefined {
  const match = /^go(\d+)\.(\d+)/.exec(text.trim());
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function isNewEnough([major, minor]: readonly [number, number]): boolean {
  return major > OLDEST_GO[0] || (major === OLDEST_GO[0] && minor >= OLDEST_GO[1]);
}

/** Whether the distribution that this os-release(5) describes packages Go 1.21 or newer as golang-go. */
export function packagesNewGo(text: string): boolean {
  const id = /^ID="?([^"\n]*)"?$/m.exec(text)?.[1];
  const version = /^VERSION_ID="?([^"\n]*)"?$/m.exec(text)?.[1];
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  // Debian’s testing and unstable have no number: they are newer than any that has one.
  if (id === 'debian') return version === undefined || major >= 13;
  return id === 'ubuntu' && (major > 24 || (major === 24 && minor >= 4));
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
