import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AideOptions, runAide } from '../../src/aide/run.ts';
import { fixtureProgram } from '../support/daemon-node.ts';
import { eventually } from '../support/eventually.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aide-run-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An AIDE that is a shell script. */
const script = (text: string): [string, ...string[]] => ['/bin/sh', '-c', text, 'aide'];

const run = (command: readonly [string, ...string[]], options: Partial<AideOptions> = {}) =>
  runAide('check', { command, configuration: '/x/aide.conf', ...options });

describe('the words that AIDE is started with', () => {
  const words = async (options: Partial<AideOptions>) =>
    (await run(script('for word; do echo "$word" | tr "\\n" "|" >&2; echo >&2; done'), options)).stderr;

  test('are the action and the configuration', async () => {
    expect(await words({})).toEqual(['--check|', '--config=/x/aide.conf|', '--log-level=warning|']);
  });

  test('have the lines before and after the configuration, the workers and the limit', async () => {
    const options = { before: ['a=1', 'b=2'], after: ['c=3'], workers: 2.7, limit: '^/etc$' };
    expect(await words(options)).toEqual([
      '--check|',
      '--config=/x/aide.conf|',
      '--log-level=warning|',
      '--before=a=1|b=2|',
      '--after=c=3|',
      '--workers=2|',
      '--limit=^/etc$|',
    ]);
  });

  test('have at least one worker, and none of what is empty', async () => {
    expect(await words({ before: [], after: [], workers: 0 })).toEqual([
      '--check|',
      '--config=/x/aide.conf|',
      '--log-level=warning|',
      '--workers=1|',
    ]);
  });

  test('are no shell’s words', async () => {
    expect(await words({ configuration: '/x/$(touch y);`z` *' })).toContain('--config=/x/$(touch y);`z` *|');
  });
});

describe('the end of AIDE', () => {
  test.each([0, 1, 7, 14, 17, 18, 24, 99, 255])('with status %i is told, and means what it means', async (status) => {
    const { end, meaning, stoppedBy } = await run(script(`exit ${status}`));
    expect(end).toEqual({ status });
    expect(meaning.verdict).toBe(status === 0 ? 'Succeeded' : status < 8 ? 'Failed' : 'Errored');
    expect(stoppedBy).toBeUndefined();
  });

  test('by a signal is told', async () => {
    expect(await run(fixtureProgram('aide-killed'))).toMatchObject({
      end: { signal: 'SIGKILL' },
      meaning: { verdict: 'Errored', code: 'AIDE_KILLED' },
    });
    expect(await run(script('kill -SEGV $$'))).toMatchObject({ meaning: { code: 'AIDE_CRASHED' } });
  });

  test('comes with what AIDE said', async () => {
    expect(await run(fixtureProgram('aide-exit-18'))).toMatchObject({
      meaning: { code: 'AIDE_IO_ERROR' },
      stderr: ['ERROR: failed to read file: Input/output error'],
      stderrCut: false,
    });
  });
});

describe('an AIDE that cannot be started', () => {
  test.each([
    ['because it is missing', '/nowhere/aide', /not installed/],
    ['because it may not be run', '/etc/passwd', /may not be run/],
    ['because it is a folder', '/etc', /may not be run/],
  ])('is told, %s', async (_name, program, why) => {
    for (const priority of ['normal', 'low'] as const) {
      const result = await run([program], { priority });
      expect(result.meaning).toMatchObject({ verdict: 'Errored', code: 'AIDE_NOT_STARTED' });
      expect(result.meaning.sentence).toMatch(why);
    }
  });
});

describe('an AIDE that does not end', () => {
  test('is ended when its time is up', async () => {
    const out = join(directory, 'out');
    const result = await run(fixtureProgram('aide-hangs'), { timeoutMs: 200, before: [`database_out=file:${out}`] });
    expect(result).toMatchObject({
      end: { signal: 'SIGTERM' },
      stoppedBy: 'timeout',
      meaning: { verdict: 'Errored', code: 'AIDE_TIMEOUT' },
    });
  });

  test('is ended when the signal aborts', async () => {
    const controller = new AbortController();
    const ready = join(directory, 'ready');
    const running = run(script(`touch ${ready}; exec sleep 60`), { signal: controller.signal });
    await eventually('it runs', () => existsSync(ready));
    controller.abort();
    expect(await running).toMatchObject({ stoppedBy: 'signal', meaning: { code: 'AIDE_INTERRUPTED' } });
  });

  test('is not even started when the signal has aborted', async () => {
    const file = join(directory, 'started');
    const result = await run(script(`touch ${file}`), { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ stoppedBy: 'signal', meaning: { code: 'AIDE_INTERRUPTED' } });
    expect(existsSync(file)).toBe(false);
  });

  test('and ignores SIGTERM is killed', async () => {
    const options = { timeoutMs: 200, graceMs: 100 };
    const result = await run(fixtureProgram('aide-ignores-term'), options);
    expect(result).toMatchObject({ end: { signal: 'SIGKILL' }, stoppedBy: 'timeout' });
  });

  test('and whose child goes on with its standard error is not waited for', async () => {
    const file = join(directory, 'child');
    const child = script(`trap '' TERM; sleep 300 & echo $! >${file}; while :; do sleep 1; done`);
    const result = await run(child, { timeoutMs: 500, graceMs: 100 });
    expect(result).toMatchObject({ stoppedBy: 'timeout', meaning: { code: 'AIDE_TIMEOUT' } });
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  });

  test('but finishes while it is being ended is finished', async () => {
    const ready = join(directory, 'ready');
    const controller = new AbortController();
    const running = run(script(`trap 'exit 4' TERM; touch ${ready}; while :; do sleep 0.02; done`), {
      signal: controller.signal,
    });
    await eventually('it runs', () => existsSync(ready));
    controller.abort();
    const result = await running;
    expect(result).toMatchObject({ end: { status: 4 }, meaning: { verdict: 'Failed' } });
    expect(result).not.toHaveProperty('stoppedBy');
  });

  test('but says while it is being ended that it was interrupted was stopped by us', async () => {
    const result = await run(script("trap 'exit 25' TERM; while :; do sleep 0.02; done"), { timeoutMs: 300 });
    expect(result).toMatchObject({ end: { status: 25 }, stoppedBy: 'timeout', meaning: { code: 'AIDE_TIMEOUT' } });
  });
});

describe('an AIDE under a lock', () => {
  /** Runs it under the lock, and tells whether it had to wait. */
  const runLocked = (command: readonly [string, ...string[]], options: Partial<AideOptions> = {}) => {
    const told: string[] = [];
    const lock = {
      path: directory,
      onWait: () => told.push('waits'),
      onFailure: (reason: string) => told.push(reason),
    };
    return { told, result: run(command, { lock, ...options }) };
  };
  const at = (name: string) => join(directory, name);
  const pidIn = (name: string) => Number(readFileSync(at(name), 'utf8'));
  /** Runs until the file `go` is there. */
  const holding = (name: string) => script(`echo $$ >${at(name)}; until [ -e ${at('go')} ]; do sleep 0.02; done`);
  const holds = (name: string) =>
    eventually(`${name} runs`, () => existsSync(at(name)) && readFileSync(at(name), 'utf8').endsWith('\n'));

  test('ends as it does without one, takes the same words, and writes nothing', async () => {
    for (const priority of ['normal', 'low'] as const) {
      const { told, result } = runLocked(script('echo "$@" >&2; exit 4'), { priority, limit: '-x' });
      expect(await result).toMatchObject({
        end: { status: 4 },
        meaning: { verdict: 'Failed' },
        stderr: ['--check --config=/x/aide.conf --log-level=warning --limit=-x'],
      });
      expect(told).toEqual([]);
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  test('waits for another to end, says so once, and never runs beside it', async () => {
    const first = runLocked(holding('first'));
    await holds('first');
    const others = [1, 2, 3].map((number) =>
      // Whoever finds another's mark was not alone.
      runLocked(
        script(`[ ! -e ${at('mark')} ] || exit 7; touch ${at('mark')}; sleep 0.1; rm ${at('mark')}; exit ${number}`),
      ),
    );
    await eventually('all wait', () => others.every(({ told }) => told.length > 0));
    execFileSync('touch', [at('go')]);
    expect((await first.result).end).toEqual({ status: 0 });
    for (const [index, { told, result }] of others.entries()) {
      expect((await result).end).toEqual({ status: index + 1 });
      expect(told).toEqual(['waits']);
    }
  });

  test('that is killed frees the lock', async () => {
    const first = runLocked(holding('first'));
    await holds('first');
    const second = runLocked(script('exit 3'));
    await eventually('the other waits', () => second.told.length > 0);
    process.kill(pidIn('first'), 'SIGKILL');
    expect((await first.result).meaning.code).toBe('AIDE_KILLED');
    expect((await second.result).end).toEqual({ status: 3 });
  });

  test('is stopped at once while it waits', async () => {
    const first = runLocked(holding('first'));
    await holds('first');
    const controller = new AbortController();
    const second = runLocked(script(`touch ${at('second')}`), { signal: controller.signal });
    await eventually('it waits', () => second.told.length > 0);
    controller.abort();
    expect(await second.result).toMatchObject({ stoppedBy: 'signal', meaning: { code: 'AIDE_INTERRUPTED' } });
    execFileSync('touch', [at('go')]);
    await first.result;
    expect(existsSync(at('second'))).toBe(false);
  });

  test('gives up waiting when its time is up, which is no time of AIDE’s', async () => {
    const first = runLocked(holding('first'));
    await holds('first');
    const late = runLocked(script('exit 0'), { timeoutMs: 200 });
    expect(await late.result).toMatchObject({
      stoppedBy: 'timeout',
      meaning: { verdict: 'Errored', code: 'AIDE_LOCKED', sentence: expect.stringContaining(directory) },
    });
    expect(late.told).toEqual(['waits']);
    // Half its time goes by while it waits; the whole of it is left for AIDE.
    const patient = runLocked(script('sleep 1.8; exit 0'), { timeoutMs: 3000 });
    await eventually('it waits', () => patient.told.length > 0);
    await delay(1500);
    execFileSync('touch', [at('go')]);
    expect(await patient.result).toMatchObject({ end: { status: 0 }, meaning: { code: 'AIDE_OK' } });
    await first.result;
  });

  test('that cannot be had runs without it, and says why', async () => {
    const { told, result } = runLocked(script('exit 1'), {
      lock: { path: at('missing/folder'), onFailure: (reason) => told.push(reason) },
    });
    expect((await result).end).toEqual({ status: 1 });
    expect(told).toEqual([expect.stringMatching(/^flock: cannot open lock file .*No such file/)]);
  });

  test.each(['low', 'normal'] as const)('that is not installed is told, at %s priority', async (priority) => {
    const { told, result } = runLocked(['/nowhere/aide'], { priority });
    expect((await result).meaning).toMatchObject({ verdict: 'Errored', code: 'AIDE_NOT_STARTED' });
    expect(told).toEqual([]);
  });
});

describe('standard error', () => {
  test('is kept at its end, in whole lines, however much it is', async () => {
    const { stderr, stderrCut } = await run(
      script('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "line $i"; done >&2'),
    );
    expect(stderrCut).toBe(true);
    expect(stderr.at(-1)).toBe('line 20000');
    expect(stderr[0]).toMatch(/^line \d+$/);
    expect(stderr.join('\n').length).toBeLessThanOrEqual(32 * 1024);
  });

  test('has each line cut and made printable', async () => {
    const { stderr } = await run(script(`printf 'a\\033[31mb\\n\\n \\n%05000d\\n\\377\\n' 7 >&2`));
    expect(stderr).toEqual(['a\\x1b[31mb', expect.stringMatching(/^0+…$/), '\ufffd']);
    expect(stderr[1]).toHaveLength(2048);
  });

  test('does not hold AIDE up when nobody needs it, nor does standard output', async () => {
    const { end } = await run(script('head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2'));
    expect(end).toEqual({ status: 0 });
  });
});

describe('AIDE runs', () => {
  test('at low priority, unless told otherwise', async () => {
    const nice = async (priority: 'low' | 'normal') =>
      Number((await run(script('sleep 0.2; ps -o ni= -p $$ >&2'), { priority })).stderr[0]);
    expect(await nice('low')).toBe(19);
    expect(await nice('normal')).toBe(0);
  });

  test('in UTC, in a plain locale, and with nothing of the daemon’s environment but the path', async () => {
    process.env.FIO_TEST_SECRET = 'secret';
    const { stderr } = await run(script('env >&2'), { priority: 'normal' });
    delete process.env.FIO_TEST_SECRET;
    expect(stderr).toEqual(expect.arrayContaining(['TZ=UTC', 'LC_ALL=C.UTF-8', `PATH=${process.env.PATH}`]));
    expect(stderr.join()).not.toContain('secret');
  });

  test('without a terminal or anything to read', async () => {
    const { stderr } = await run(script('cat >&2; echo end >&2'));
    expect(stderr).toEqual(['end']);
  });

  test('and leaves no timer: a process that has run it ends by itself', () => {
    const program = `
      import { runAide } from ${JSON.stringify(join(import.meta.dirname, '../../src/aide/run.ts'))};
      const signal = new AbortController().signal;
      console.log((await runAide('check', { command: ['/bin/true'], configuration: '/x', timeoutMs: 3_600_000, signal })).meaning.code);`;
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
    expect(output.trim()).toBe('AIDE_OK');
  });
});
