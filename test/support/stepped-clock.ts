import { ensureHostPrograms } from '../../devcluster/host.ts';

const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
/** Debian's libfaketime: what is started under it asks the C library for the time and hears another one. */
const LIBRARY = `/usr/lib/${TRIPLET}/faketime/libfaketimeMT.so.1`;

/** Sees to it that the library is there; needs root the first time. */
export async function ensureSteppedClock(): Promise<void> {
  const needs = [{ program: LIBRARY, debianPackage: 'libfaketime' }];
  await ensureHostPrograms(needs, (line) => console.warn(line), AbortSignal.timeout(120_000));
}

/**
 * Words that start a program whose wall clock, and that of all that it starts, differs from this machine's by what stands in
 * the file, such as `+12h`, now and later. Its monotonic clock does not, as when somebody sets a machine's clock.
 */
export function underSteppedClock(file: string): string[] {
  const settings = {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // Times of files are the machine's.
    NO_FAKE_STAT: '1',
  };
  return ['env', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
}
