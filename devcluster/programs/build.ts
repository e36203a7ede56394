import { FioError } from '../../src/lib/errors.ts';
import { run } from '../lib/run.ts';
import { isPackage, trackBuild } from './build-progress.ts';
import { moduleDirectory, type Program } from './catalogue.ts';

/** Whom a build tells how far it is, and how often, in milliseconds. */
export interface BuildTold {
  readonly onProgress: (line: string) => void;
  readonly everyMs: number;
}

/**
 * Builds a program from its sources, which the Go module proxy brings.
 * @param go The Go to run.
 * @param draft Where to write the program.
 * @throws FioError `DEVCLUSTER_BUILD_FAILED`, `DEVCLUSTER_DISK_FULL`, `DEVCLUSTER_NO_INTERNET`.
 */
export async function buildProgram(
  go: string,
  program: Program,
  draft: string,
  { onProgress, everyMs }: BuildTold,
  signal: AbortSignal,
): Promise<void> {
  const flags = ['-s', '-w', program.versionFlags ?? ''].join(' ').trim();
  const options = {
    directory: moduleDirectory(program.module),
    environment: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
    signal,
  };
  const started = Date.now();
  let progress = trackBuild(undefined);
  const timer = setInterval(() => onProgress(`      ${progress.tell(Date.now() - started)} …`), everyMs);
  try {
    const onErrorLine = (line: string) => progress.take(line);
    // It brings the modules, too; what goes wrong with them the build says again.
    const listed = await run([go, 'list', '-deps', program.package], { ...options, onErrorLine });
    progress = trackBuild(listed.code === 0 ? listed.stdout.trim().split('\n').length : undefined);
    const words = ['build', '-v', '-trimpath', `-ldflags=${flags}`, '-o', draft, program.package] as const;
    const built = await run([go, ...words], { ...options, onErrorLine });
    if (built.code !== 0) throw buildFailure(program, built.stderr);
  } finally {
    clearInterval(timer);
  }
}

function buildFailure(program: Program, output: string): FioError {
  const said = output
    .trim()
    .split('\n')
    .filter((line) => !isPackage(line));
  const end = said.slice(-6).join('\n');
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
