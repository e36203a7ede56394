import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { takeLock } from '../../devcluster/lib/lock.ts';
import { findFreePorts } from '../../devcluster/lib/ports.ts';
import { mustRun, run } from '../../devcluster/lib/run.ts';
import { cacheDirectory } from '../../devcluster/paths.ts';
import { explain, FioError } from '../../src/lib/errors.ts';
import { eventually } from './eventually.ts';

/** The real Prometheus of the machine's Debian or Ubuntu, unpacked into the cache folder: nothing is installed. */
export interface Programs {
  readonly prometheus: string;
  readonly promtool: string;
}

let found: Promise<Programs | undefined> | undefined;

/**
 * The real Prometheus. Where there is no apt nothing, and a line that says so: the tests that need it are then skipped.
 * As root on Linux it must be there. Looks once a process; the first time on a machine it fetches 20 MB.
 */
export function findPrometheus(): Promise<Programs | undefined> {
  found ??= ensure().catch((error: unknown) => {
    if (process.platform === 'linux' && process.getuid?.() === 0) throw error;
    console.warn(`Tests with the real Prometheus are skipped: ${explain(error)}`);
    return undefined;
  });
  return found;
}

async function ensure(): Promise<Programs> {
  const root = join(cacheDirectory(), `prometheus-${process.arch}`);
  const bin = join(root, 'usr/bin');
  const programs = { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
  if (existsSync(root)) return programs;
  mkdirSync(dirname(root), { recursive: true });
  const signal = AbortSignal.timeout(300_000);
  using _lock = await takeLock(`${root}.lock`, signal);
  if (existsSync(root)) return programs;
  const draft = `${root}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  try {
    const download = ['apt-get', '-qq', 'download', 'prometheus'] as const;
    if ((await run(download, { directory: draft, signal })).code !== 0) {
      await run(['apt-get', '-qq', 'update'], { signal }); // the list of packages may be old, or empty
      await mustRun(download, { directory: draft, signal });
    }
    const archive = readdirSync(draft).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get left no package');
    await mustRun(['dpkg-deb', '--extract', join(draft, archive), draft], { signal });
    rmSync(join(draft, archive));
    chmodSync(draft, 0o755);
    renameSync(draft, root);
    return programs;
  } catch (cause) {
    throw new FioError('TEST_PROMETHEUS_UNAVAILABLE', `Prometheus cannot be had: ${explain(cause)}`, { cause });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** A Prometheus that runs, on this machine's loopback only. */
export interface Prometheus extends AsyncDisposable {
  /** The `data` of a path below `/api/v1`. */
  ask<T>(path: string): Promise<T>;
  /** Series of an instant query, by its labels. */
  query(expression: string): Promise<{ metric: Record<string, string>; value: string }[]>;
}

/**
 * Starts Prometheus.
 * @param files beside its configuration, by name; `prometheus.json` is the configuration
 */
export async function startPrometheus(programs: Programs, files: Record<string, string>): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'fio-prometheus-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 });
  const [port] = await findFreePorts(1);
  const base = `http://127.0.0.1:${port}`;
  const log = join(directory, 'log');
  const child = spawn(
    'sh',
    [
      ...['-c', 'exec "$0" "$@" >log 2>&1', programs.prometheus],
      ...['--config.file=prometheus.json', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`],
    ],
    { cwd: directory, stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await ended;
    rmSync(directory, { recursive: true });
  };
  try {
    await eventually('Prometheus is ready', async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
      return fetch(`${base}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const ask = async <T>(path: string): Promise<T> => {
    const answer = (await (await fetch(`${base}/api/v1/${path}`)).json()) as { status: string; data: T };
    if (answer.status !== 'success') throw new Error(JSON.stringify(answer));
    return answer.data;
  };
  return {
    ask,
    async query(expression) {
      type Vector = { result: { metric: Record<string, string>; value: [number, string] }[] };
      const { result } = await ask<Vector>(`query?query=${encodeURIComponent(expression)}`);
      return result.map(({ metric, value: [, value] }) => ({ metric, value }));
    },
    [Symbol.asyncDispose]: stop,
  };
}
