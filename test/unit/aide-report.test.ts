import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareConfiguration } from '../../src/aide/config/prepare.ts';
import { readDatabase } from '../../src/aide/database.ts';
import { decodeBytes } from '../../src/aide/json-stream.ts';
import { readReport } from '../../src/aide/report.ts';
import { jsonReportLines } from '../../src/aide/report-options.ts';
import type { Report } from '../../src/aide/report-types.ts';
import { type AideAction, type AideOptions, runAide } from '../../src/aide/run.ts';
import { findRealAide } from '../support/aide.ts';
import {
  type AideScene,
  adoptDatabase,
  changeMode,
  HOSTILE_NAMES,
  makeAideScene,
  makeFifo,
  putConfiguration,
} from '../support/aide-scene.ts';
import { readTextSummary } from '../support/report-text.ts';

const aide = await findRealAide();

const USERS = `CONTENT = sha512+ftype+l+p+u+g+n+acl+xattrs
/etc CONTENT
/usr CONTENT
!/etc/kubernetes
`;

describe.skipIf(aide === undefined)('the real AIDE', () => {
  let scene: AideScene;
  beforeEach(() => {
    if (aide !== undefined) scene = makeAideScene(aide);
    configure(USERS);
  });
  afterEach(() => scene[Symbol.dispose]());

  /** Makes a user’s configuration the effective one. */
  function configure(users: string): void {
    putConfiguration(scene, prepareConfiguration(users).text);
  }

  const on = (path: string) => join(scene.hostRoot, path);
  const database = () => on('etc/kubernetes/aide.db.gz');

  function run(action: AideAction, options: Partial<AideOptions> = {}) {
    const after = jsonReportLines({ json: '/work/report.json' });
    return runAide(action, { command: scene.command, configuration: '/work/aide.conf', after, ...options });
  }

  /** Makes a baseline. */
  async function init(): Promise<void> {
    expect((await run('init')).meaning).toMatchObject({ verdict: 'Succeeded', code: 'AIDE_OK' });
    adoptDatabase(scene);
  }

  /** Compares with it: the exit’s meaning, the JSON report read whole, and the text report. */
  async function check(options: Partial<AideOptions> = {}): Promise<{ status: number; report: Report; text: string }> {
    rmSync(on('etc/kubernetes/aide.log.new'), { force: true });
    const { end, stderr } = await run('check', options);
    const reading = await readReport(join(scene.work, 'report.json'));
    if (!reading.ok) throw new Error(`${reading.code}: ${stderr.join(' ')}`);
    const status = end !== undefined && 'status' in end ? end.status : -1;
    return { status, report: reading.report, text: readFileSync(on('etc/kubernetes/aide.log.new'), 'latin1') };
  }

  describe('ends with', () => {
    const changes = {
      added: () => scene.write('etc/new', 'x'),
      removed: () => scene.remove('etc/hosts'),
      changed: () => scene.write('etc/passwd', 'changed'),
    };

    test.each([
      [0, []],
      [1, ['added']],
      [2, ['removed']],
      [4, ['changed']],
      [3, ['added', 'removed']],
      [5, ['added', 'changed']],
      [6, ['removed', 'changed']],
      [7, ['added', 'removed', 'changed']],
    ] as const)('%i when something was %j, and both reports agree', async (expected, kinds) => {
      configure(USERS.replace('+n+', '+'));
      await init();
      for (const kind of kinds) changes[kind]();
      const { status, report, text } = await check();
      expect(status).toBe(expected);
      const counts = { added: 0, removed: 0, changed: 0, ...Object.fromEntries(kinds.map((kind) => [kind, 1])) };
      expect(report.counts).toEqual(counts);
      expect(report.files.map(({ change }) => change)).toEqual(kinds);
      expect(readTextSummary(text)).toEqual({ counts, entries: report.entries });
    });

    test('out of memory, when it may have none', async () => {
      expect((await run('init', { memory: 1, workers: 2 })).meaning).toMatchObject({
        verdict: 'Errored',
        code: 'AIDE_OUT_OF_MEMORY',
      });
      expect((await run('init', { memory: 64 * 2 ** 20, workers: 2 })).meaning.code).toBe('AIDE_OK');
    });

    test('18 without a database, 24 with a damaged one, 17 with a bad configuration', async () => {
      const code = async () => (await run('check')).meaning.code;
      expect(await code()).toBe('AIDE_IO_ERROR');
      await init();
      truncateSync(database(), 100);
      expect(await code()).toBe('AIDE_DATABASE_ERROR');
      putConfiguration(scene, '/hostroot/etc NONE\n');
      const { meaning, stderr } = await run('check');
      expect(meaning.code).toBe('AIDE_CONFIGURATION_ERROR');
      expect(stderr.join()).toContain("group 'NONE' is not defined");
    });

    test('15 with a line that it does not know', async () => {
      await init();
      expect((await run('check', { limit: '(' })).meaning.code).toBe('AIDE_INVALID_ARGUMENT');
    });

    test('25 when it is told to end, which leaves no half database', async () => {
      scene.write('usr/large', 'x');
      truncateSync(on('usr/large'), 40 * 1024 ** 3);
      const result = await run('init', { timeoutMs: 400 });
      expect(result).toMatchObject({ end: { status: 25 }, stoppedBy: 'timeout', meaning: { code: 'AIDE_TIMEOUT' } });
      expect(existsSync(`${database()}.new`)).toBe(false);
    });
  });

  test('reports hostile names so that both our readers read them right', async () => {
    for (const name of HOSTILE_NAMES.slice(1)) scene.write(name, 'old');
    await init();
    for (const name of HOSTILE_NAMES.slice(2)) scene.write(name, 'new');
    scene.write(HOSTILE_NAMES[0] ?? '', 'added');
    execFileSync('rm', [
      Buffer.concat([Buffer.from(`${scene.hostRoot}/`), HOSTILE_NAMES[1] ?? Buffer.of()]).toString(),
    ]);
    const { status, report, text } = await check();
    const name = (index: number) => `/hostroot/${decodeBytes(HOSTILE_NAMES[index] ?? Buffer.of())}`;
    expect(status).toBe(7);
    expect(report.counts).toEqual({ added: 1, removed: 1, changed: HOSTILE_NAMES.length - 2 });
    const expected = HOSTILE_NAMES.map((_name, index) => [
      name(index),
      index === 0 ? 'added' : index === 1 ? 'removed' : 'changed',
    ]);
    expect(new Map(report.files.map(({ path, change }) => [path, change]))).toEqual(
      new Map(expected as [string, string][]),
    );
    expect(readTextSummary(text)?.counts).toEqual(report.counts);
  });

  test('names in its report the database that it compared with, as our reader of databases does', async () => {
    await init();
    const { report } = await check();
    const reading = await readDatabase(database());
    if (!reading.ok) throw new Error(reading.code);
    expect(report.databases).toContainEqual({
      path: '/hostroot/etc/kubernetes/aide.db.gz',
      algorithm: 'sha256',
      digest: reading.facts.digest,
    });
    expect(reading.facts).toMatchObject({ entries: report.entries, aideVersion: aide?.version, compressed: false });
  });

  test('writes the same database compressed and not, but for that', async () => {
    await init();
    const plain = await readDatabase(database());
    configure(`${USERS}gzip_dbout=yes\n`);
    await init();
    const compressed = await readDatabase(database());
    if (!plain.ok || !compressed.ok) throw new Error('It was not read');
    expect(compressed.facts).toMatchObject({ entries: plain.facts.entries, compressed: true });
  });

  test('reads every database that our reader accepts', async () => {
    configure(`${USERS}gzip_dbout=yes\n`);
    await init();
    const whole = readFileSync(database());
    const text = gunzipSync(whole).toString('latin1');
    const cases: readonly (readonly [name: string, content: Buffer | string, ours: boolean, aides: boolean])[] = [
      ['whole', whole, true, true],
      ['plain', text, true, true],
      ['cut in its data', whole.subarray(0, whole.length - 20), false, false],
      // AIDE looks no further than the end of the database in the data, nor behind it.
      ['cut in its check sum', whole.subarray(0, whole.length - 4), false, true],
      ['with more behind its end', gzipSync(`${text}/etc/x 0\n`), false, true],
      ['without its end', gzipSync(text.replace('@@end_db\n', '')), false, false],
      ['a text', 'hello\n', false, false],
      ['nothing, compressed', gzipSync(''), false, false],
    ];
    for (const [name, content, ours, aides] of cases) {
      writeFileSync(database(), content);
      const { meaning } = await run('check');
      const { ok } = await readDatabase(database());
      expect([name, ok, meaning.verdict === 'Succeeded']).toEqual([name, ours, aides]);
    }
  });

  describe('with the user’s report options', () => {
    test.each([
      'report_level=minimal',
      'report_quiet=yes',
      'report_grouped=no',
      'report_summarize_changes=no',
      'verbose=0',
      'report_base16=yes',
    ])('such as %s, writes a JSON report that is whole all the same', async (option) => {
      configure(`${option}\n${USERS}`);
      await init();
      scene.write('etc/passwd', 'changed');
      const { report } = await check();
      expect(report).toMatchObject({ counts: { changed: 1 }, files: [{ change: 'changed', summary: /H/ }] });
      expect(report.files[0]?.attributes).toMatchObject([{ name: 'sha512', old: [expect.any(String)] }]);
      expect(report.databases.find(({ algorithm }) => algorithm === 'sha256')?.digest).toMatch(/^[0-9a-f]{64}$/);
    });

    test('finds no difference in what they ignore, by exit status, text and JSON', async () => {
      configure(`report_ignore_changed_attrs=p+acl\n${USERS}`);
      await init();
      changeMode(scene, 'etc/passwd', 0o600);
      const { status, report, text } = await check();
      expect(status).toBe(0);
      expect(report.counts).toEqual({ added: 0, removed: 0, changed: 0 });
      expect(text).toContain('AIDE found NO differences');
    });

    test('shows in its text what they ask for', async () => {
      configure(`report_level=summary\n${USERS}`);
      await init();
      scene.write('etc/passwd', 'changed');
      const { text } = await check();
      expect(text).toContain('Changed entries:\t\t1');
      expect(text).not.toContain('/hostroot/etc/passwd');
    });
  });

  test('is not held up by a FIFO, a socket or a link to nowhere', async () => {
    makeFifo(scene, 'etc/fifo');
    execFileSync('ln', ['-s', '/nowhere', on('etc/link')]);
    execFileSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(on('etc/socket'))}, () => process.exit())`,
    ]);
    await init();
    const { status, report } = await check();
    expect(status).toBe(0);
    expect(report.entries).toBeGreaterThan(5);
  });

  test('compares only what the limit names', async () => {
    await init();
    scene.write('etc/passwd', 'changed');
    scene.write('usr/bin/login', 'changed');
    const { report } = await check({ limit: '^/hostroot/etc/passwd$' });
    expect(report.files.map(({ path }) => path)).toEqual(['/hostroot/etc/passwd']);
  });

  test.each([1, 4])('finds the same with %i workers', async (workers) => {
    for (let number = 0; number < 50; number += 1) scene.write(`usr/lib/${number}`, 'x');
    await init();
    for (let number = 0; number < 50; number += 2) scene.write(`usr/lib/${number}`, 'y');
    const { report } = await check({ workers });
    expect(report).toMatchObject({ counts: { added: 0, removed: 0, changed: 25 }, omitted: 0 });
  });
});
