import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAide } from '../run.ts';
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
 * of `text`; see `toUserLines`.
 */
export async function configCheck(text: string, options: ConfigCheckOptions = {}): Promise<ConfigCheckResult> {
  const directory = await mkdtemp(join(tmpdir(), 'aide-config-'));
  try {
    const file = join(directory, 'aide.conf');
    await writeFile(file, text);
    const { meaning, stderr } = await runAide('config-check', {
      configuration: file,
      timeoutMs: options.timeoutMs ?? 10_000,
      priority: 'normal',
      ...(options.command === undefined ? {} : { command: options.command }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const problems = readMessages(stderr, file);
    if (meaning.verdict === 'Succeeded') return { verdict: 'accepted', problems };
    const hasError = problems.some((problem) => problem.severity === 'error');
    if (meaning.code === 'AIDE_CONFIGURATION_ERROR' && hasError) return { verdict: 'refused', problems };
    const refused = meaning.code === 'AIDE_CONFIGURATION_ERROR';
    const sentence = refused ? `AIDE refuses it: ${stderr.at(-1) ?? 'it does not say why'}` : meaning.sentence;
    const code = refused ? 'CONFIG_REFUSED_BY_AIDE' : meaning.code;
    return {
      verdict: refused ? 'refused' : 'unknown',
      problems: [...problems, { line: 0, code, sentence, severity: 'error' }],
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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
    const reason = (place?.[2] ?? text).replace(/ \(line: '.*'\)$/, '');
    const code = severity === 'error' ? 'CONFIG_REFUSED_BY_AIDE' : 'CONFIG_WARNED_BY_AIDE';
    // The lines of standard error are printable already; again would escape their escapes.
    problems.push({ line: Number(place?.[1] ?? 0), code, sentence: `AIDE says: ${cut(reason)}`, severity });
  }
  return problems;
}

function cut(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`;
}
