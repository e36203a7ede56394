import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FioError } from '../../src/lib/errors.ts';
import { takeLock } from '../lib/lock.ts';
import { run } from '../lib/run.ts';
import { moduleDirectory, PROGRAMS, type Program, programsDirectory } from './catalogue.ts';

/** The Go that can fetch, through the module proxy, the Go that the sources ask for. */
const OLDEST_GO = [1, 21] as const;

/**
 * The folder with all programs of a cluster. Those that are missing are built first, one at a time, so that an
 * interrupted build goes on where it stopped; a second process waits for the first.
 * @throws FioError `DEVCLUSTER_GO_MISSING`, `DEVCLUSTER_BUILD_FAILED`, `DEVCLUSTER_DISK_FULL`.
 */
export async function ensurePrograms(onProgress: (line: string) => void, signal: AbortSignal): Promise<string> {
  const directory = programsDirectory();
  if (missingPrograms(directory).length === 0) return directory;
  mkdirSync(directory, { recursive: true });
  using _lock = await takeLock(`${directory}.lock`, signal, (holder) =>
    onProgress(`Waiting for process ${holder}, which is building the Kubernetes programs`),
  );
  const missing = missingPrograms(directory);
  if (missing.length === 0) return directory;
  removeDrafts(directory);
  const go = await findGo(signal);
  const minutes = Math.ceil(missing.reduce((sum, program) => sum + program.coldSeconds, 0) / 60);
  onProgress(
    `Building ${missing.length} Kubernetes programs from source through the Go module proxy; the first time takes about ${minutes} min on 2 cores, seconds if Go has them in its cache`,
  );
  for (const [index, program] of missing.entries()) {
    await build(go, program, directory, `${index + 1} of ${missing.length}`, onProgress, signal);
  }
  return directory;
}

/** The programs that are not there yet, of those that this kind of machine can use. */
export function missingPrograms(directory = programsDirectory()): readonly Program[] {
  const wanted = process.platform === 'linux' ? PROGRAMS : PROGRAMS.filter(({ nodesOnly }) => !nodesOnly);
  return wanted.filter((program) => !existsSync(join(directory, program.name)));
}

async function build(
  go: string,
  program: Program,
  directory: string,
  position: string,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const about = program.coldSeconds < 90 ? `${program.coldSeconds} s` : `${Math.round(program.coldSeconds / 60)} min`;
  onProgress(`  ${position}: ${program.name}, about ${about} the first time`);
  const draft = join(directory, `.${program.name}.${process.pid}`);
  const started = Date.now();
  try {
    const flags = ['-s', '-w', program.versionFlags ?? ''].join(' ').trim();
    const built = await run([go, 'build', '-trimpath', `-ldflags=${flags}`, '-o', draft, program.package], {
      directory: moduleDirectory(program.module),
      environment: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
      signal,
    });
    if (built.code !== 0) throw buildFailure(program, built.stderr);
    renameSync(draft, join(directory, program.name));
    onProgress(`      done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
  } finally {
    rmSync(draft, { force: true });
  }
}

// What a killed build left; only the holder of the lock has a draft.
function removeDrafts(directory: string): void {
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith('.')) rmSync(join(directory, entry), { recursive: true, force: true });
  }
}

function buildFailure(program: Program, output: string): FioError {
  const end = output.trim().split('\n').slice(-6).join('\n');
  if (/no space left on device/i.test(output)) {
    return new FioError(
      'DEVCLUSTER_DISK_FULL',
      `${program.name} could not be built because the disk is full; it needs about 6 GB free. ${end}`,
    );
  }
  if (/dial tcp|no such host|connection refused|i\/o timeout/i.test(output)) {
    return new FioError(
      'DEVCLUSTER_NO_INTERNET',
      `${program.name} could not be built because the Go module proxy cannot be reached; check the network or GOPROXY. ${end}`,
    );
  }
  return new FioError('DEVCLUSTER_BUILD_FAILED', `${program.name} could not be built: ${end}`);
}

async function findGo(signal: AbortSignal): Promise<string> {
  for (const go of ['go', '/usr/local/go/bin/go']) {
    if (go.startsWith('/') && !isExecutable(go)) continue;
    const answer = await run([go, 'env', 'GOVERSION'], { signal }).catch(() => undefined);
    const version = answer && goVersion(answer.stdout);
    if (version !== undefined && isNewEnough(version)) return go;
  }
  throw new FioError(
    'DEVCLUSTER_GO_MISSING',
    'The Kubernetes programs are built once with Go, and Go 1.21 or newer is not installed (Debian 12’s golang is older); install it from https://go.dev/dl/ into /usr/local/go, or the package golang-go of Debian 13 or Ubuntu 24.04, and start again',
  );
}

/** The first two numbers of a version such as `go1.26.8`; undefined when it is not one. */
export function goVersion(text: string): readonly [number, number] | undefined {
  const match = /^go(\d+)\.(\d+)/.exec(text.trim());
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function isNewEnough([major, minor]: readonly [number, number]): boolean {
  return major > OLDEST_GO[0] || (major === OLDEST_GO[0] && minor >= OLDEST_GO[1]);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
