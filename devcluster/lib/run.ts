import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { FioError } from '../../src/lib/errors.ts';

/** What a command that ran to its end left behind. `code` is 128 and more when a signal ended it. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. Input is text, or the path of a file to read from. */
export interface RunOptions {
  readonly input?: string;
  readonly inputFile?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly directory?: string;
  readonly signal?: AbortSignal;
  /** Called with each line of standard error as it comes. */
  readonly onErrorLine?: (line: string) => void;
}

/** Where programs are looked for: a user's own path may lack the administrator's folders. */
export const SEARCH_PATH = `${process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`;

/** The most that is kept of each output stream, in characters; the rest is read and dropped. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/**
 * Runs a command to its end and returns its code and output, whatever the code.
 * @throws FioError `DEVCLUSTER_PROGRAM_MISSING` when there is no such program, or the signal's reason when it aborts.
 */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const [program, ...args] = argv;
  const takesInput = options.input !== undefined || options.inputFile !== undefined;
  const child = spawn(program, args, {
    cwd: options.directory,
    env: options.environment ?? { ...process.env, PATH: SEARCH_PATH },
    stdio: [takesInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    ...(options.signal ? { signal: options.signal, killSignal: 'SIGKILL' as const } : {}),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? (signal === null ? 128 : 137)));
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr, options.onErrorLine);
  try {
    const [code] = await Promise.all([ended, child.stdin === null ? undefined : feed(child.stdin, options)]);
    return { code, stdout: stdout(), stderr: stderr() };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new FioError('DEVCLUSTER_PROGRAM_MISSING', `The program ${program} is not installed`, { cause: error });
    }
    throw error;
  }
}

/**
 * Runs a command that must succeed.
 * @throws FioError `DEVCLUSTER_COMMAND_FAILED` with the end of its standard error.
 */
export async function mustRun(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(argv, options);
  if (result.code === 0) return result;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-5).join('\n');
  throw new FioError('DEVCLUSTER_COMMAND_FAILED', `“${argv.join(' ')}” ended with code ${result.code}: ${said}`);
}

function collect(stream: NodeJS.ReadableStream | null, onLine?: (line: string) => void): () => string {
  let text = '';
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    if (text.length < OUTPUT_LIMIT) text += chunk;
    if (onLine === undefined) return;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  return () => text;
}

// A program may end without reading all its input; its code and output say what happened, the broken pipe does not.
async function feed(stdin: NodeJS.WritableStream, options: RunOptions): Promise<void> {
  const ignoreBrokenPipe = (error: unknown) => {
    if (
      !(
        error instanceof Error &&
        'code' in error &&
        ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code))
      )
    )
      throw error;
  };
  if (options.inputFile !== undefined) {
    await pipeline(createReadStream(options.inputFile), stdin).catch(ignoreBrokenPipe);
  } else {
    await pipeline([options.input ?? ''], stdin).catch(ignoreBrokenPipe);
  }
}
