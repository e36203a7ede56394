import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../file.ts';
import { type AideResult, runAide } from '../run.ts';
import type { Problem } from './problem.ts';

export interface ConfigCheckOptions {
  /** As in `AideOptions`; default `['aide']`. */
  readonly command?: readonly [string, ...string[]];
  readonly signal?: AbortSignal;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

/** AIDE’s own word on a configuration: whether it takes it, and each message as a problem. */
export interface ConfigCheckResult {
  /** `unknown`: AIDE could not be asked, which says nothing about the configuration; `problems` says why. */
  readonly verdict: 'accepted' | 'refused' | 'unknown';
  readonly problems: readonly Problem[];
}

/**
 * Has AIDE check a configuration (`--config-check`; it opens no database and no file of the configuration). Lines are those
 * of `text`; see `checkConfiguration`. Never throws.
 */
export async function configCheck(text: string, options: ConfigCheckOptions = {}): Promise<ConfigCheckResult> {
  let directory: string | undefined;
  try {
    directory = await mkdtemp(join(tmpdir(), 'aide-config-'));
    const file = join(directory, 'aide.conf');
    await writeFile(file, text);
    return judge(await ask(file, options), file);
  } catch (error) {
    const sentence = `AIDE could not be asked: its configuration could not be written (${errorCode(error) || String(error)})`;
    return { verdict: 'unknown', problems: [{ line: 0, code: 'CONFIG_UNCHECKED', sentence, severity: 'error' }] };
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true }).catch(() => {});
  }
}

function ask(file: string, { command, signal, timeoutMs = 10_000 }: ConfigCheckOptions): Promise<AideResult> {
  return runAide('config-check', {
    configuration: file,
    timeoutMs,
    priority: 'normal',
    ...(command === undefined ? {} : { command }),
    ...(signal === undefined ? {} : { signal }),
  });
}

function judge({ meaning, stderr }: AideResult, file: string): ConfigCheckResult {
  const problems = readMessages(stderr, file);
  if (meaning.verdict === 'Succeeded') return { verdict: 'accepted', problems };
  const refused = meaning.code === 'AIDE_CONFIGURATION_ERROR';
  if (refused && problems.some((problem) => problem.severity === 'error')) return { verdict: 'refused', problems };
  const sentence = refused ? `AIDE refuses it: ${cut(stderr.at(-1) ?? 'it does not say why')}` : meaning.sentence;
  const code = refused ? 'CONFIG_REFUSED_BY_AIDE' : meaning.code;
  return {
    verdict: refused ? 'refused' : 'unknown',
    problems: [...problems, { line: 0, code, sentence, severity: 'error' }],
  };
}

/** `ERROR: FILE:LINE: reason (line: '…')`; a column may stand behind the line. */
function readMessages(stderr: readonly string[], file: string): Problem[] {
  const problems: Problem[] = [];
  for (const message of stderr) {
    const match = /^\s*(ERROR|WARNING): (.*)$/.exec(message);
    if (match === null) continue;
    const severity = match[1] === 'ERROR' ? 'error' : 'warning';
    const text = match[2] ?? '';
    const place = text.startsWith(`${file}:`)
      ? /^(\d{1,9})(?::\d{1,9})?: (.*)$/.exec(text.slice(file.length + 1))
      : null;
    // What stands in the line is for the author to see in the text itself.
    const reason = (place?.[2] ?? text).replace(/ \(line: '.*$/, '');
    const code = severity === 'error' ? 'CONFIG_REFUSED_BY_AIDE' : 'CONFIG_WARNED_BY_AIDE';
    // The lines of standard error are printable already; again would escape their escapes.
    problems.push({ line: Number(place?.[1] ?? 0), code, sentence: `AIDE says: ${cut(reason)}`, severity });
  }
  return problems;
}

function cut(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`;
}
