import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { FioError } from '../lib/errors.ts';
import { printable } from '../lib/text.ts';
import { errorCode } from './file.ts';

export interface ReachOptions {
  /** The words that start AIDE. */
  readonly command: readonly [string, ...string[]];
  /** The configuration file. */
  readonly configuration: string;
  /** A folder that is not there yet, and that nobody else can write to; it is gone afterwards. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 120_000;
/** Some 300 bytes a line, some five lines a path. */
const OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Which of the paths a scan with this configuration reaches: it takes the path itself, or something in it could be taken.
 * AIDE itself says so, with all that its rules can say: it walks through an empty tree with these paths in it, each once as a
 * folder with a few entries of ours, and once as a file. Where that cannot be told a path counts as reached.
 *
 * @param paths as AIDE's rules have them, absolute, one byte a character
 * @throws FioError `AIDE_REACH_UNKNOWN` when AIDE does not say it.
 */
export async function findReached(paths: readonly string[], options: ReachOptions): Promise<Set<string>> {
  const { folder } = options;
  const probe = `p${randomBytes(8).toString('hex')}`;
  const reached = new Set<string>();
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    const made = await makeFolders(`${folder}/d`, paths, probe);
    await makeFiles(`${folder}/f`, leavesOf(paths));
    for (const path of paths) if (!made.has(path)) reached.add(path);
    for (const tree of ['d', 'f']) {
      collect(await dryInit(`${folder}/${tree}`, options), paths, probe, reached);
    }
    return reached;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The paths that could be made: a name that leads through a very deep tree may be too long for the kernel. */
async function makeFolders(tree: string, paths: readonly string[], probe: string): Promise<Set<string>> {
  const made = new Set<string>();
  await mkdir(tree);
  for (const [index, path] of paths.entries()) {
    const inside = `${tree}${path === '/' ? '' : path}/${probe}-${index}`;
    const isMade = await tolerate(async () => {
      await mkdir(bytes(`${inside}/d`), { recursive: true });
      for (const file of [`${inside}.f`, `${inside}/f`]) await writeFile(bytes(file), '');
    });
    if (isMade) made.add(path);
  }
  return made;
}

async function makeFiles(tree: string, paths: readonly string[]): Promise<void> {
  await mkdir(tree);
  for (const path of paths) {
    await tolerate(async () => {
      await mkdir(bytes(`${tree}${path.slice(0, path.lastIndexOf('/'))}`), { recursive: true });
      await writeFile(bytes(`${tree}${path}`), '');
    });
  }
}

/** The paths that have none of the others below them. */
function leavesOf(paths: readonly string[]): string[] {
  const sorted = paths.map((path) => `${path}/`).sort();
  return sorted.filter((path, index) => !sorted[index + 1]?.startsWith(path)).map((path) => path.slice(0, -1));
}

async function tolerate(make: () => Promise<void>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENAMETOOLONG') return false;
    throw error;
  }
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

function dryInit(tree: string, options: ReachOptions): Promise<string> {
  const [program, ...words] = options.command;
  const before = `--before=root_prefix=${tree}`; // of two of the same option AIDE takes the first
  const args = [...words, '--dry-init', `--config=${options.configuration}`, before];
  const run = {
    encoding: 'latin1',
    maxBuffer: OUTPUT_BYTES,
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(options.signal && { signal: options.signal }),
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, run, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (options.signal?.aborted) return reject(options.signal.reason);
      const said = stderr.trim().split('\n').at(-1) || errorCode(error) || 'it was ended';
      const sentence = `AIDE does not say where its configuration looks (${printable(said, 512)})`;
      reject(new FioError('AIDE_REACH_UNKNOWN', sentence, { cause: error }));
    });
  });
}

/** Reads lines such as `[x] d=ext:/hostroot/etc: selective rule: '/hostroot/etc …`. */
function collect(output: string, paths: readonly string[], probe: string, reached: Set<string>): void {
  // Control characters and such are written otherwise than they are: up to the first of them the names must be the same.
  const odd = paths.filter((path) => /[^ -[\]-~]/.test(path));
  const plain = new Set(paths);
  const probes = new RegExp(`/${probe}-(\\d+)(?:\\.f|/[df])?: (.*)$`);
  for (const line of output.split('\n')) {
    const [, mark, text = ''] = /^\[(x| )\] [^:]*:(.*)$/.exec(line) ?? [];
    if (mark === undefined) continue;
    const [, index = '', reason = ''] = probes.exec(text) ?? [];
    // What is not taken was come upon all the same, and other names in there may be taken, unless a rule leaves them out.
    if (index !== '' && (mark === 'x' || !reason.includes('negative rule'))) reached.add(paths[Number(index)] ?? '');
    if (mark !== 'x') continue;
    for (let end = text.indexOf(': '); end >= 0; end = text.indexOf(': ', end + 1)) {
      const path = text.slice(0, end);
      if (plain.has(path)) reached.add(path);
    }
    for (const path of odd) if (text.startsWith(path.replace(/[^ -[\]-~].*$/s, ''))) reached.add(path);
  }
}
