import { FioError } from '../../src/lib/errors.ts';
import { run } from '../lib/run.ts';
import { moduleDirectory, type Program } from './catalogue.ts';

/**
 * Builds a program from its sources, which the Go module proxy brings.
 * @param go The Go to run.
 * @param draft Where to write the program.
 * @throws FioError `DEVCLUSTER_BUILD_FAILED`, `DEVCLUSTER_DISK_FULL`, `DEVCLUSTER_NO_INTERNET`.
 */
export async function buildProgram(go: string, program: Program, draft: string, signal: AbortSignal): Promise<void> {
  const flags = ['-s', '-w', program.versionFlags ?? ''].join(' ').trim();
  const built = await run([go, 'build', '-trimpath', `-ldflags=${flags}`, '-o', draft, program.package], {
    directory: moduleDirectory(program.module),
    environment: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
    signal,
  });
  if (built.code !== 0) throw buildFailure(program, built.stderr);
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
