import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configCheck } from '../../src/aide/config/config-check.ts';
import { convert } from '../../src/aide/config/convert.ts';
import { defaultConfiguration } from '../../src/aide/config/defaults.ts';
import { isBuiltInGroup } from '../../src/aide/config/groups.ts';
import { isCurrentOption } from '../../src/aide/config/options.ts';
import { parse } from '../../src/aide/config/parse.ts';
import { checkConfiguration } from '../../src/aide/config/prepare.ts';
import { render } from '../../src/aide/config/render.ts';
import { findRealAide } from '../support/aide.ts';
import { fixtureProgram } from '../support/daemon-node.ts';

const aide = await findRealAide();
const RECORDED = join(import.meta.dirname, '../fixtures/aide/configurations');
const recorded = readdirSync(RECORDED).map((name) => [name, readFileSync(join(RECORDED, name), 'utf8')] as const);

describe.skipIf(aide === undefined)('the real AIDE', () => {
  const command = aide?.command ?? ['aide'];
  const check = (text: string) => configCheck(text, { command });
  const checkUsers = (text: string) => checkConfiguration(text, { command });

  test.each(['openshift', 'linux'] as const)('accepts the default configuration %s without a word', async (name) => {
    const { usable, problems } = await checkUsers(defaultConfiguration(name));
    expect(usable).toBe(true);
    expect(problems.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  describe.each(recorded)('with %s', (_name, text) => {
    test('accepts what it was converted to', async () => {
      const { usable, problems } = await checkUsers(text);
      expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(usable).toBe(true);
    });

    test('accepts no line less: all that is left out is named', () => {
      const { lines, problems } = convert(text);
      const kept = new Set([...lines, ...problems.map(({ line }) => line)]);
      const all = text.split('\n').map((line, index) => [index + 1, line.trim()] as const);
      const silent = all.filter(([number, line]) => line !== '' && !kept.has(number)).map(([, line]) => line);
      // What is our own anyway.
      expect(silent.filter((line) => !/^@@undef DBDIR$/.test(line))).toEqual([]);
    });

    test('is rendered as it was written', () => {
      expect(render(parse(text))).toBe(text);
    });
  });

  test.each([
    ['etc/foo R', '“etc/foo R”: a path begins with a slash: “/etc/foo R”.'],
    ['!ect/noisy', '“!ect/noisy”: a path begins with a slash: “!/ect/noisy”.'],
    ['"/foo" R', 'a line is a rule, which begins with a path from the slash on'],
    ['C:\\foo R', 'a line is a rule, which begins with a path from the slash on'],
    ['blub=1', 'AIDE has no option blub'],
    ['@@if defined X', 'It has no @@endif.'],
  ])('of %s it is said what was expected, and in which line', async (line, sentence) => {
    const { problems } = await checkUsers(`/etc R\n${line}\n@@if defined Y\n@@endif\n`);
    const errors = problems.filter(({ severity }) => severity === 'error');
    expect(errors).toEqual([expect.objectContaining({ line: 2, sentence: expect.stringContaining(sentence) })]);
  });

  test('does not accept the old ones as they are', async () => {
    const old = recorded.filter(([name]) => name !== 'recent.conf');
    for (const [name, text] of old) {
      expect([name, (await check(text)).verdict]).toEqual([name, 'refused']);
    }
  });

  test('accepts Debian’s own configuration, converted, each of its files in the place of its @@x_include', async () => {
    const folder = join(aide?.root ?? '', 'etc/aide');
    const main = readFileSync(join(folder, 'aide.conf'), 'utf8');
    const names = readdirSync(join(folder, 'aide.conf.d')).sort();
    // Its programs look at the machine that they run on; what they print is not ours to test.
    const files = names.filter((name) => (statSync(join(folder, 'aide.conf.d', name)).mode & 0o100) === 0);
    const texts = files.map((name) => readFileSync(join(folder, 'aide.conf.d', name), 'utf8'));
    expect(files.length).toBeGreaterThan(100);
    for (const text of [main, ...texts]) expect(render(parse(text))).toBe(text);

    expect(convert(main).problems.filter(({ code }) => code === 'CONFIG_INCLUDE').length).toBeGreaterThan(0);
    const withoutIncludes = main.replace(/^@@x_include.*$/gm, '');
    // What the programs would have defined, without which some rules have double slashes.
    const defines = '@@define LOCALUIDS (0|1000)\n@@define LOCALUSERS (root|user)\n';
    const whole = `${defines}${withoutIncludes}\n${texts.join('\n')}\n!/etc/kubernetes/aide\n`;
    const { problems, usable } = await checkUsers(whole);
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(usable).toBe(true);
    const once = convert(whole).text;
    expect(convert(once).text).toBe(once);
  });

  test.each([
    ['an unknown group', '/usr R\n\n/opt NONE\n', 3, /NONE/],
    ['an unknown option', '/usr R\nno_such_option=yes\n', 2, /no_such_option/],
    ['a bad report level', '# x\n/usr R\nreport_level=loud\n', 3, /loud/],
    ['a bad regular expression', '/usr R\n/opt/(a R\n', 2, /missing closing parenthesis/],
    ['a double slash', '/usr R\n/opt//a/b R\n', 2, /double slash/],
    ['a word that is nothing', '/usr R\nnonsense\n', 2, /syntax error|unexpected/],
    ['an attribute expression behind a ! rule', '/usr R\n!/opt f p+u\n', 2, /\S/],
    ['a bad type of files', '/usr R\n/opt x R\n', 2, /\S/],
    ['an @@endif too much', '/usr R\n@@endif\n', 2, /endif/],
    ['a bad number of workers', '/usr R # c\nnum_workers=many\n', 2, /many/],
    ['a bad yes or no', '@@ifdef X\n/opt R\n@@endif\n/usr R\ngzip_dbout=perhaps\n', 5, /perhaps/],
  ])('or our rules refuse %s, with the user’s line and the reason', async (_name, text, line, reason) => {
    const { usable, problems } = await checkUsers(text);
    const errors = problems.filter(({ severity }) => severity === 'error');
    expect(usable).toBe(false);
    expect(errors).toEqual([expect.objectContaining({ line, sentence: expect.stringMatching(reason) })]);
  });

  test('says itself what is wrong, in its own words, with line and without its file', async () => {
    expect(await check('database_in=file:/x\n/usr NONE\n')).toEqual({
      verdict: 'refused',
      problems: [
        {
          line: 2,
          code: 'CONFIG_REFUSED_BY_AIDE',
          severity: 'error',
          sentence: "AIDE says: group 'NONE' is not defined",
        },
      ],
    });
  });

  test('is quoted without the line that it quotes, however long that is', async () => {
    const { problems } = await check(`/usr R\n/opt/${'x'.repeat(5000)} NONE\n`);
    expect(problems).toMatchObject([{ line: 2, sentence: "AIDE says: group 'NONE' is not defined" }]);
  });

  test('has its warnings passed on, with their lines', async () => {
    const { usable, problems } = await checkUsers('MY_GROUP = p\n/usr MY_GROUP\n\nOUR_GROUP = p\n');
    expect(usable).toBe(true);
    expect(problems.map(({ line, code }) => [line, code])).toEqual([
      [1, 'CONFIG_WARNED_BY_AIDE'],
      [4, 'CONFIG_WARNED_BY_AIDE'],
    ]);
  });

  test('knows each attribute and group that we say is built in, and no other of theirs', async () => {
    const names = 'p ftype i l n u g s b m a c S I growing compressed ANF ARF fstype R L > H X E'.split(' ');
    names.push(...'md5 sha1 sha256 sha512 rmd160 gost stribog256 stribog512 sha512_256 sha3_256 sha3_512'.split(' '));
    names.push(...'acl selinux xattrs e2fsattrs caps'.split(' '));
    names.push(...'tiger haval crc32 crc32b whirlpool md2 md4 P none r'.split(' '));
    const verdicts = await Promise.all(names.map((name) => check(`/usr p+${name}\n`)));
    expect(names.filter((_name, index) => verdicts[index]?.verdict === 'accepted')).toEqual(
      names.filter(isBuiltInGroup),
    );
  });

  test('knows each option that we say it has, and none that we say went', async () => {
    const options = 'database_in database_out database_new database_attrs database_add_metadata gzip_dbout root_prefix';
    const reports = 'url level format base16 detailed_init quiet append grouped summarize_changes ignore_e2fsattrs';
    const attributes = 'ignore_added_attrs ignore_removed_attrs ignore_changed_attrs force_attrs';
    const others = 'config_version num_workers log_level acl_no_symlink_follow warn_dead_symlinks';
    const gone = 'database verbose grouped summarize_changes ignore_list report_attributes recstop umask syslog_format';
    const names = [
      ...options.split(' '),
      ...`${reports} ${attributes}`.split(' ').map((name) => `report_${name}`),
      ...others.split(' '),
      'config_check_warn_unrestricted_rules',
      ...gone.split(' '),
    ];
    const sentences = await Promise.all(
      names.map(async (name) => {
        // A value that is right for none of them, so that what is said is about the value or about the name.
        const { problems } = await check(`${name}=@\n`);
        return problems.map(({ sentence }) => sentence).join();
      }),
    );
    // A name without an underscore would be a group.
    const isUnknown = (name: string, index: number) =>
      !name.includes('_') || /unknown config option/.test(sentences[index] ?? '');
    expect(names.filter((name, index) => !isUnknown(name, index))).toEqual(names.filter(isCurrentOption));
  });

  test('is asked with names and texts that mean something to a shell or a terminal, and harms no one', async () => {
    const { verdict, problems } = await check('/usr R\n$(touch /tmp/x) \u001b[31m \u202e `x`\n');
    expect(verdict).toBe('refused');
    for (const { sentence } of problems) expect(sentence).toMatch(/^[^\p{Cc}\u202e]*$/u);
  });

  test('accepts what random rules were converted to, wherever it accepts the rules themselves', async () => {
    const path = fc.array(fc.constantFrom('/etc', '/a', '\\.d', '.*', '[ab]', '(a|b)', 'é', '\\ x', '#'), {
      minLength: 1,
      maxLength: 4,
    });
    const attributes = fc.array(fc.constantFrom('p', 'R', 'sha512', 'L', 'm'), { minLength: 1, maxLength: 3 });
    const rule = fc
      .tuple(fc.constantFrom('', '=', '!', '-'), path, fc.constantFrom(' ', ' f ', ' 0 ', ' d,l '), attributes)
      .map(
        ([prefix, parts, types, names]) =>
          `${prefix}/${parts.join('').replace(/^\//, '')}${types}${'!-'.includes(prefix || '+') ? '' : names.join('+')}`,
      );
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 8 }), async (rules) => {
        const text = `${rules.join('\n')}\n`;
        const [own, converted] = [await check(text), await check(convert(text).text)];
        expect(converted.verdict).toBe(own.verdict);
      }),
      { numRuns: 40 },
    );
  });
});

describe('an AIDE that cannot be asked says nothing of a configuration', () => {
  test.each([
    ['because it is not installed', ['/nowhere/aide'] as const, 'AIDE_NOT_STARTED'],
    ['because it is killed', fixtureProgram('aide-killed'), 'AIDE_KILLED'],
    ['because it hangs', fixtureProgram('aide-hangs'), 'AIDE_TIMEOUT'],
    ['because of the disk', fixtureProgram('aide-exit-18'), 'AIDE_IO_ERROR'],
  ])('%s', async (_name, command, code) => {
    const { verdict, problems } = await configCheck('/usr R\n', { command, timeoutMs: 1000 });
    expect(verdict).toBe('unknown');
    expect(problems.at(-1)).toMatchObject({ line: 0, code, severity: 'error' });
  });

  test('and the configuration counts as usable, with a warning: the node’s AIDE will check it again', async () => {
    const { usable, problems } = await checkConfiguration('/usr R\n', { command: ['/nowhere/aide'] });
    expect(usable).toBe(true);
    expect(problems).toMatchObject([{ code: 'AIDE_NOT_STARTED', severity: 'warning' }]);
  });

  test('because there is no place for its file, such as on a full disk', async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = '/nowhere';
    try {
      expect(await configCheck('/usr R\n')).toMatchObject({
        verdict: 'unknown',
        problems: [{ line: 0, code: 'CONFIG_UNCHECKED', sentence: expect.stringContaining('ENOENT') }],
      });
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });

  test('and what our rules refuse stays refused', async () => {
    const { usable } = await checkConfiguration('/usr NONE\n', { command: ['/nowhere/aide'] });
    expect(usable).toBe(false);
  });

  test('and one that refuses without a word refuses all the same', async () => {
    const { verdict, problems } = await configCheck('/usr R\n', { command: fixtureProgram('aide-exit-17-silent') });
    expect(verdict).toBe('refused');
    expect(problems).toMatchObject([{ line: 0, code: 'CONFIG_REFUSED_BY_AIDE', severity: 'error' }]);
  });
});
