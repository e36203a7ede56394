import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configurationText } from '../../../test/support/aide-conf.ts';
import { convert } from './convert.ts';
import { defaultConfiguration } from './defaults.ts';

const BEFORE = `@@define DBDIR /hostroot/etc/kubernetes
@@define LOGDIR /hostroot/etc/kubernetes
database_in=file:@@{DBDIR}/aide.db.gz
database_out=file:@@{DBDIR}/aide.db.gz.new
`;
/** Added where a rule selects anything. */
const OWN_FILES = '!/hostroot/etc/kubernetes/aide\\.[^/]*$\n';
const AFTER = 'report_url=file:@@{LOGDIR}/aide.log.new\n';

/** What a text becomes, without the lines that are added to every configuration. */
function body(text: string): string {
  const { text: converted, lines } = convert(text);
  const all = converted.split(/(?<=\n)/);
  return all.filter((line, index) => lines[index] !== 0 || !`${BEFORE}${OWN_FILES}${AFTER}`.includes(line)).join('');
}

/** Code and severity of each problem, with its line; but for what nearly every configuration is told, see OWN_FILES. */
function problems(text: string): string[] {
  const news = convert(text).problems.filter(({ code }) => code !== 'CONFIG_DATABASE_LEFT_OUT');
  return news.map(({ line, severity, code }) => `${line} ${severity} ${code}`);
}

/** Without the lines that cannot be carried over: their configuration is refused. */
function withoutErrors(text: string): string {
  const bad = new Set(convert(text).problems.flatMap(({ severity, line }) => (severity === 'error' ? [line] : [])));
  const rest = text.split(/(?<=\n)/).filter((_line, index) => !bad.has(index + 1));
  return bad.size === 0 ? text : withoutErrors(rest.join(''));
}

describe('a whole configuration', () => {
  test('gets our places, and its rules the node’s root', () => {
    expect(convert('/etc R\n')).toEqual({
      text: `${BEFORE}${OWN_FILES}/hostroot/etc R\n${AFTER}`,
      problems: [
        {
          line: 1,
          code: 'CONFIG_DATABASE_LEFT_OUT',
          severity: 'info',
          sentence:
            '“!/etc/kubernetes/aide\\.[^/]*$” was added: /etc also watches what the operator itself writes there',
        },
      ],
      lines: [0, 0, 0, 0, 0, 1, 0],
    });
  });

  test('of the existing operator’s kind is carried over line by line', () => {
    const text = `# my configuration
@@define DBDIR /hostroot/etc/kubernetes
@@define LOGDIR /hostroot/etc/kubernetes
database=file:@@{DBDIR}/aide.db.gz
database_out=file:@@{DBDIR}/aide.db.gz
gzip_dbout=yes
verbose=5
report_url=file:@@{LOGDIR}/aide.log
report_url=stdout
PERMS = p+u+g+acl+selinux+xattrs
CONTENT_EX = sha512+ftype+p+u+g+n+acl+selinux+xattrs

/hostroot/boot/        CONTENT_EX
/root/\\..* PERMS
!/hostroot/etc/kubernetes/aide.*
!/etc/mtab$
`;
    const { text: converted, problems: said, lines } = convert(text);
    expect(converted).toBe(`# my configuration
@@define DBDIR /hostroot/etc/kubernetes
@@define LOGDIR /hostroot/etc/kubernetes
database_in=file:@@{DBDIR}/aide.db.gz
database_out=file:@@{DBDIR}/aide.db.gz.new
gzip_dbout=yes
report_level=changed_attributes
PERMS = p+u+g+acl+selinux+xattrs
CONTENT_EX = sha512+ftype+p+u+g+n+acl+selinux+xattrs

/hostroot/boot/        CONTENT_EX
/hostroot/root/\\..* PERMS
-/hostroot/etc/kubernetes/aide.*
-/hostroot/etc/mtab$
report_url=file:@@{LOGDIR}/aide.log.new
`);
    expect(lines).toEqual([1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 0]);
    expect(said.map(({ line, code }) => [line, code])).toEqual([
      [8, 'CONFIG_OPTION_LEFT_OUT'],
      [9, 'CONFIG_OPTION_LEFT_OUT'],
      [16, 'CONFIG_NEGATIVE_RULE'],
    ]);
  });

  test('that is empty gets our places alone', () => {
    expect(convert('').text).toBe(BEFORE + AFTER);
  });

  test('keeps CRLF where it is, and its last line is ended', () => {
    expect(body('/etc R\r\n/usr R')).toBe('/hostroot/etc R\r\n/hostroot/usr R\n');
  });

  test('converted twice is the same, for any configuration that can be carried over', () => {
    let whole = 0;
    fc.assert(
      fc.property(configurationText(), (text) => {
        const once = convert(withoutErrors(text));
        expect(convert(once.text).text).toBe(once.text);
        expect(once.lines).toHaveLength(once.text.split('\n').length - 1);
        if (once.lines.length > 10) whole += 1;
      }),
      { numRuns: 1000 },
    );
    expect(whole).toBeGreaterThan(100);
  });

  test('of any text at all is converted, and every problem has its line', () => {
    const unit = fc.constantFrom(
      ...'/@{}#=!-+,\\ \t\r\n$.*()afR0_',
      '@@{X}',
      '@@if ',
      '@@define X ',
      '\n!/',
      'verbose=',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 120 }), (text) => {
        const { problems: said } = convert(text);
        for (const { line } of said) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(text.split('\n').length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each(['openshift', 'linux'] as const)('that is the default %s is carried over with nothing to say', (name) => {
    expect(problems(defaultConfiguration(name)).filter((problem) => !problem.includes('info'))).toEqual([]);
  });
});

describe('the operator’s own files', () => {
  /** The line that is told of the rule that was added for them; undefined: it was added without a word, `none`: not at all. */
  const added = (text: string) => {
    const converted = convert(text);
    const told = converted.problems.find(({ code }) => code === 'CONFIG_DATABASE_LEFT_OUT');
    const isAdded = converted.text.split(/(?<=\n)/).some((line, n) => line === OWN_FILES && converted.lines[n] === 0);
    return isAdded ? told?.line : 'none';
  };

  test.each([
    '/etc R',
    '/etc/kubernetes/aide\\.db\\.gz$ p',
    '=/etc/kubernetes/ R',
    '/etc/kubernetes/aide\\.log f R',
    '/etc/kubernetes/.*backup R',
    '/etc R\n!/etc/kubernetes/aide\\.db',
  ])('are left out of what %s watches, and it is said of which line', (rules) => {
    expect(added(`G = p\n${rules}\n`)).toBe(2);
  });

  test('are left out where nobody can say whether a rule watches them', () => {
    expect(added('/(?i)ETC R\n')).toBeUndefined();
    expect(added('/etc R\n@@if defined X\n!/etc/kubernetes\n@@endif\n')).toBeUndefined();
  });

  test.each(['aide\\.', 'aide.*', 'aide', ''])('are left out once: !/etc/kubernetes/%s does it', (exclusion) => {
    expect(added(`/etc R\n!/etc/kubernetes/${exclusion}\n`)).toBe('none');
  });

  test('need no rule where nothing is watched', () => {
    expect(added('G = p\n')).toBe('none');
    expect(added('/usr R\n/etc/app R\n=/etc/kubernetes/manifests R\n')).toBe('none');
  });
});

test('=/ takes the root and what is in it, which have different parents as the daemon sees them', () => {
  expect(body('=/ f,d p+u # why\n')).toBe('# why\n=/hostroot f,d p+u\n=/hostroot/ f,d p+u\n');
  expect(body('=/hostroot p\n=/hostroot/ p\n')).toBe('=/hostroot p\n=/hostroot/ p\n');
});

test('a byte order mark is no part of the first line', () => {
  expect(body('\ufeff/usr R\n')).toBe('/hostroot/usr R\n');
});

describe('what only old versions take', () => {
  test('a tab before the sign of a group becomes a blank', () => {
    expect(body('T\t= p+i\n/usr T\n')).toBe('T = p+i\n/hostroot/usr T\n');
  });

  test('a group S of the user’s own is no attribute', () => {
    expect(body('S = p+sha512\n/usr S\n')).toBe('S = p+sha512\n/hostroot/usr S\n');
  });

  test('a group of AIDE’s that is defined anew gets another name, and it is said', () => {
    expect(body('> = p+u\n/usr >\n')).toBe('growingLog = p+u\n/hostroot/usr growingLog\n');
    expect(problems('> = p+u\n/usr >\n')).toEqual(['1 info CONFIG_GROUP_RENAMED']);
    expect(body('/usr >\n')).toBe('/hostroot/usr >\n');
  });

  test.each([
    ['/usr p+S', '/hostroot/usr p+growing+s'],
    ['/usr R-S', '/hostroot/usr R-growing'],
    ['/usr SHA+S', '/hostroot/usr SHA+growing+s'],
  ])('the attribute S in %s becomes growing+s, and it is said', (rule, expected) => {
    expect(body(`${rule}\n`)).toBe(`${expected}\n`);
    expect(problems(`${rule}\n`)).toEqual(['1 info CONFIG_ATTRIBUTE']);
  });
});

test('what is said of a rule shows it as it is written', () => {
  const [problem] = convert('verbose=5\n!/usr/a\\.b$\n/usr/lib R\n').problems;
  expect(problem?.sentence).toContain('!/usr/a\\.b$ ');
});

describe('the path of a rule', () => {
  test.each([
    ['/etc R', '/hostroot/etc R'],
    ['=/etc R', '=/hostroot/etc R'],
    ['-/etc', '-/hostroot/etc'],
    ['!/etc f', '!/hostroot/etc f'],
    ['  /etc\tR', '  /hostroot/etc\tR'],
    ['/ R', '/hostroot R'],
    ['/$ R', '/hostroot$ R'],
    ['=/$ R', '=/hostroot$ R'],
    ['/(etc|usr)/x R', '/hostroot/(etc|usr)/x R'],
    ['/.* R', '/hostroot/.* R'],
    ['/etc/a\\ b\\\\ c f R', '/hostroot/etc/a\\ b\\\\ c f R'],
    ['/étc R', '/hostroot/étc R'],
  ])('%s becomes %s', (rule, expected) => {
    expect(body(`${rule}\n`)).toBe(`${expected}\n`);
    expect(body(`${expected}\n`)).toBe(`${expected}\n`);
  });

  test.each(['/hostroot R', '/hostroot/etc R', '/hostroot$ R', '/hostroot(/etc|/usr) R', '/hostroot/? R'])(
    '%s is for the daemon’s view already',
    (rule) => expect(body(`${rule}\n`)).toBe(`${rule}\n`),
  );

  test.each(['/hostroots R', '/hostroot2/x R', '/hostroot-old R', '/hostroot\\.d R', '/hostroot_x R'])(
    '%s is another folder of the node',
    (rule) => expect(body(`${rule}\n`)).toBe(`/hostroot${rule}\n`),
  );
});

describe('a rule that begins with a variable', () => {
  test('begins with its value', () => {
    expect(body('@@define TOP /srv\n@@{TOP}/x R\n')).toBe('@@define TOP /srv\n/hostroot/srv/x R\n');
  });

  test('begins with the value of the value', () => {
    expect(body('@@define A /srv\n@@define B @@{A}/x\n@@{B}/y R\n')).toContain('/hostroot/srv/x/y R\n');
  });

  test('begins with the node’s root once', () => {
    expect(body('@@define ROOT /hostroot\n!@@{ROOT}/x\n@@{ROOT}/y R\n')).toContain('\n-/hostroot/x\n/hostroot/y R\n');
  });

  test('that is ours begins with our value', () => {
    expect(body('@@define DBDIR /var/lib/aide\n!@@{DBDIR}/aide\n')).toContain('-/hostroot/etc/kubernetes/aide\n');
    expect(body('!@@{LOGDIR}/aide\n')).toBe('-/hostroot/etc/kubernetes/aide\n');
  });

  test('that has several values has the one in force put in by AIDE', () => {
    const text = '@@ifdef X\n@@define TOP /srv\n@@else\n@@define TOP /opt\n@@endif\n@@{TOP}/x R\n';
    expect(body(text)).toContain('\n/hostroot@@{TOP}/x R\n');
  });

  test.each([
    ['without a value', '@@{TOP}/x R\n', 1],
    ['whose value is no path', '@@define TOP etc\n@@{TOP}/x R\n', 2],
    ['that refers to itself', '@@define TOP @@{TOP}\n@@{TOP}/x R\n', 2],
    ['of which some values are for the daemon’s view', '@@define T /a\n@@define T /hostroot/b\n@@{T}/x R\n', 3],
  ])('%s cannot be carried over, and is named with its line', (_name, text, line) => {
    expect(problems(text)).toEqual([`${line} error CONFIG_RULE_VARIABLE`]);
  });
});

describe('a rule that leaves out', () => {
  test('becomes -, which saves the walk, where it means the same', () => {
    const text = '/ R\n!/var\n!/etc/.*~\n!/opt/[ab]+ 0\n!/a\\$b\n';
    expect(body(text)).toBe(
      '/hostroot R\n-/hostroot/var\n-/hostroot/etc/.*~\n-/hostroot/opt/[ab]+ 0\n-/hostroot/a\\$b\n',
    );
    expect(problems(text)).toEqual([]);
  });

  test.each(['!/var/log$', '!/var/(?!lib)', '!/var/log\\b', '!/var/log\\Z'])(
    '%s becomes -, as it meant before AIDE 0.19, and it is said',
    (rule) => {
      expect(body(`/ R\n${rule}\n`)).toBe(`/hostroot R\n-/hostroot${rule.slice(1)}\n`);
      expect(problems(`/ R\n${rule}\n`)).toEqual(['2 info CONFIG_NEGATIVE_RULE']);
    },
  );

  test('looks ahead where a variable of it does', () => {
    const text = '@@define END $\n/ R\n!/var@@{END}\n';
    expect(problems(text)).toEqual(['3 info CONFIG_NEGATIVE_RULE']);
  });

  test('stays ! where another rule selects below, so that this goes on, and it is said', () => {
    const text = '/ R\n!/var$\n/var/log/x R\n';
    expect(body(text)).toContain('\n!/hostroot/var$\n');
    expect(problems(text)).toEqual(['2 warning CONFIG_NEGATIVE_RULE']);
    expect(body('/ R\n!/var/(a|b)*$\n/var/log/x R\n')).toContain('\n!/hostroot/var/(a|b)*$\n');
  });

  test('becomes - where another rule selects beside', () => {
    expect(body('/ R\n!/var$\n/variable/log R\n/var R\n')).toContain('\n-/hostroot/var$\n');
  });

  test.each([
    ['a restriction', '!/var$ d'],
    ['a - rule elsewhere', '!/var$\n-/opt'],
    ['a file system elsewhere', '!/var$\n/opt f=ext R'],
    ['an attribute of AIDE 0.19', '!/var$\n/opt R+sha3_512'],
    ['a group of AIDE 0.19', '!/var$\nG = p+fstype'],
    ['a comparison of versions', '!/var$\n@@if 0.19 version_ge 0.18\n/opt R\n@@endif'],
  ])('stays what it is with %s', (_name, text) => {
    expect(body(`/ R\n${text}\n`)).toContain('\n!/hostroot/var$');
  });
});

describe('a configuration that only AIDE 0.16 takes', () => {
  test('has its backslashes doubled, of which AIDE now takes one', () => {
    expect(body('verbose=5\n/a\\\\x2db\\.c\\ d R\n')).toContain('/hostroot/a\\\\\\\\x2db\\.c\\ d R\n');
    expect(body('@@define X /a\\\\b\n@@{X}/c R\n')).toBe('@@define X /a\\\\\\\\b\n/hostroot/a\\\\\\\\b/c R\n');
  });

  test('has one report, with all options before it', () => {
    expect(convert('report_url=file:/var/log/aide\nignore_list=b\n/etc R\n').text).toBe(
      `${BEFORE}${OWN_FILES}report_ignore_changed_attrs=b\n/hostroot/etc R\n${AFTER}`,
    );
  });
});

test('a later configuration keeps its backslashes', () => {
  expect(body('report_level=summary\n/a\\\\\\\\b R\n')).toContain('/hostroot/a\\\\\\\\b R\n');
});

describe('an expression of attributes', () => {
  test.each([
    ['/etc tiger', '/hostroot/etc sha512'],
    ['/etc p + tiger+ haval', '/hostroot/etc p + sha512+ sha512'],
    ['/etc R-tiger', '/hostroot/etc R'],
    ['/etc R - crc32b+p', '/hostroot/etc R +p'],
    ['=/etc f,d whirlpool', '=/hostroot/etc f,d sha512'],
    ['MINE = md4+p', 'MINE = sha512+p'],
    ['database_attrs=tiger + sha256', 'database_attrs=sha512 + sha256'],
    ['report_force_attrs = p+u + crc32', 'report_force_attrs = p+u + sha512'],
  ])('%s becomes %s', (text, expected) => {
    expect(body(`${text}\n`)).toBe(`${expected}\n`);
    expect(new Set(problems(`${text}\n`))).toEqual(new Set(['1 info CONFIG_CHECKSUM']));
  });

  test.each(['/etc tigers', '/etc R+tiger_x', '/etc R+Tiger', '/etc sha256+sha1+md5+rmd160', 'tigers = p'])(
    '%s has no checksum that went',
    (text) => expect(problems(`${text}\n`)).toEqual([]),
  );

  test('has its variables’ values put in, since AIDE 0.17 takes none there', () => {
    expect(body('@@define A p+u\nG = @@{A}+g\n/etc @@{A} # x\n')).toBe(
      '@@define A p+u\nG = p+u+g\n# x\n/hostroot/etc p+u\n',
    );
  });

  test('has groups renamed that AIDE takes for options', () => {
    const text = 'my_perms = p+u\nother_one = my_perms+g\n/etc my_perms + other_one\nreport_force_attrs=my_perms\n';
    expect(body(text)).toBe(
      'myPerms = p+u\notherOne = myPerms+g\n/hostroot/etc myPerms + otherOne\nreport_force_attrs=myPerms\n',
    );
    expect(problems(text)).toEqual(['1 info CONFIG_GROUP_RENAMED', '2 info CONFIG_GROUP_RENAMED']);
  });

  test('has groups renamed whose values are variables', () => {
    expect(body('@@define A p+u\nmy_perms = @@{A}\n/etc my_perms\n')).toContain(
      '\nmyPerms = p+u\n/hostroot/etc myPerms\n',
    );
  });

  test('has groups renamed that have dropped checksums', () => {
    expect(body('my_sums = tiger+md5\n/etc my_sums\n')).toBe('mySums = sha512+md5\n/hostroot/etc mySums\n');
  });

  test('never has a group renamed to another’s name', () => {
    expect(body('myPerms = p\nmy_perms = u\n/etc my_perms\n')).toBe(
      'myPerms = p\nmyPermsX = u\n/hostroot/etc myPermsX\n',
    );
  });

  test.each(['CONTENT_EX = p', 'my_perms1 = p', 'my_Perms = p', 'database_inn=file:/x', 'no_such_option=yes'])(
    '%s keeps its name',
    (text) => {
      expect(body(`${text}\n`)).toBe(`${text}\n`);
      expect(problems(`${text}\n`)).toEqual([]);
    },
  );
});

describe('an option', () => {
  test.each([
    ['database=file:/x', 'database_in=file:@@{DBDIR}/aide.db.gz'],
    ['database_in=file:/x', 'database_in=file:@@{DBDIR}/aide.db.gz'],
    ['database_out = file:/x', 'database_out = file:@@{DBDIR}/aide.db.gz.new'],
    ['report_url=file:/x # why', 'report_url=file:@@{LOGDIR}/aide.log.new # why'],
    ['grouped=no', 'report_grouped=no'],
    ['summarize_changes=yes', 'report_summarize_changes=yes'],
    ['ignore_list=b+c', 'report_ignore_changed_attrs=b+c'],
    ['report_attributes=u', 'report_force_attrs=u'],
    ['report_level=summary', 'report_level=summary'],
    ['num_workers=2', 'num_workers=2'],
    ['config_version=v1', 'config_version=v1'],
  ])('%s becomes %s', (text, expected) => {
    expect(convert(`${text}\n`).text).toContain(`${expected}\n`);
    expect(problems(`${text}\n`)).toEqual([]);
  });

  test.each([
    ['0', 'minimal'],
    ['1', 'summary'],
    ['2', 'database_attributes'],
    ['3', 'list_entries'],
    ['4', 'list_entries'],
    ['5', 'changed_attributes'],
    ['6', 'added_removed_attributes'],
    ['7', 'added_removed_entries'],
    ['20', 'added_removed_entries'],
    ['255', 'added_removed_entries'],
  ])('verbose=%s is the report level %s', (level, name) => {
    expect(body(`verbose=${level}\nverbose=1\n`)).toBe(`report_level=${name}\n`);
    expect(problems(`verbose=${level}\n`)).toEqual([]);
  });

  test.each(['verbose=256', 'verbose=-1', 'verbose=x', 'verbose='])('%s is left out, and it is said', (text) => {
    expect(body(`${text}\n`)).toBe('');
    expect(problems(`${text}\n`)).toEqual(['1 warning CONFIG_OPTION_LEFT_OUT']);
  });

  test.each([
    ['info', 'database_new=file:/x'],
    ['info', 'report_format=json'],
    ['info', 'report_append=yes'],
    ['info', 'umask=022'],
    ['info', 'syslog_format=yes'],
    ['warning', 'root_prefix=/hostroot'],
    ['warning', 'recstop=x'],
  ])('that cannot be carried over is left out, and it is said (%s, %s)', (severity, text) => {
    expect(body(`${text}\n`)).toBe('');
    expect(problems(`${text}\n`)).toEqual([`1 ${severity} CONFIG_OPTION_LEFT_OUT`]);
  });

  test('of ours stands once, and what else is named with its line', () => {
    const text = 'database_in=file:/a\ndatabase_in=file:/b\ndatabase=https://c\n';
    expect(body(text)).toBe('database_in=file:@@{DBDIR}/aide.db.gz\n');
    expect(problems(text)).toEqual(['2 info CONFIG_OPTION_LEFT_OUT', '3 warning CONFIG_OPTION_LEFT_OUT']);
    expect(problems('database=https://c\n')).toEqual(['1 warning CONFIG_OPTION_LEFT_OUT']);
  });

  test('of ours in a condition is put outside of it', () => {
    const { text } = convert('@@ifdef X\ndatabase=file:/a\nreport_url=file:/b\n@@endif\n');
    expect(text).toBe(`${BEFORE}@@if defined X\n@@undef NOTHING\n@@endif\n${AFTER}`);
    expect(problems('@@ifdef X\ndatabase=file:/a\n@@endif\n')).toEqual(['2 info CONFIG_OPTION_LEFT_OUT']);
  });
});

describe('the report', () => {
  test('stands where the first one to a file does, with the options before it', () => {
    const text =
      'report_level=summary\nreport_url=stdout\nreport_level=list_entries\nreport_url=file:/a\nreport_level=minimal\n';
    expect(body(text)).toBe(`report_level=summary\nreport_level=list_entries\n${AFTER}report_level=minimal\n`);
    expect(problems(text)).toEqual(['2 info CONFIG_OPTION_LEFT_OUT']);
  });

  test('stands at the end where there is none to a file', () => {
    expect(convert('report_url=syslog:LOG_AUTH\nreport_level=summary\n').text).toBe(
      `${BEFORE}report_level=summary\n${AFTER}`,
    );
    expect(problems('report_url=syslog:LOG_AUTH\n')).toEqual(['1 warning CONFIG_OPTION_LEFT_OUT']);
  });
});

describe('a macro', () => {
  test.each([
    ['@@ifdef X', '@@if defined X'],
    ['@@ifndef X', '@@if not defined X'],
    ['@@ifhost n1', '@@if hostname n1'],
    ['@@ifnhost n1', '@@if not hostname n1'],
    ['@@if exists /etc/x', '@@if exists /hostroot/etc/x'],
    ['@@if not exists /etc/x', '@@if not exists /hostroot/etc/x'],
    ['@@if exists /hostroot/etc/x', '@@if exists /hostroot/etc/x'],
    ['@@if exists @@{T}/x', '@@if exists /hostroot/srv/x'],
    ['@@if exists @@{UNKNOWN}/x', '@@if exists @@{UNKNOWN}/x'],
    ['@@if @@{AIDE_VERSION} version_ge 0.19', '@@if @@{AIDE_VERSION} version_ge 0.19'],
  ])('%s becomes %s', (condition, expected) => {
    const text = (first: string) => `@@define T /srv\n${first}\n/etc R\n@@else\n/usr R\n@@endif\n`;
    expect(body(text(condition))).toBe(
      `@@define T /srv\n${expected}\n/hostroot/etc R\n@@else\n/hostroot/usr R\n@@endif\n`,
    );
  });

  test('that asks for the host’s name is warned of: it is the pod’s', () => {
    for (const condition of ['@@ifhost x', '@@ifnhost x', '@@if hostname x', '@@if not hostname x']) {
      expect(problems(`${condition}\n/etc R\n@@endif\n`)).toEqual(['1 warning CONFIG_HOST_NAME']);
    }
  });

  test('that selects nothing gets a statement that does nothing, since AIDE 0.17 wants one', () => {
    expect(body('@@ifdef X\n@@else\n# note\n\n@@endif\n')).toBe(
      '@@if defined X\n@@undef NOTHING\n@@else\n# note\n\n@@undef NOTHING\n@@endif\n',
    );
    expect(body('@@ifdef X\n@@ifdef Y\n@@endif\n@@endif\n')).toBe(
      '@@if defined X\n@@if defined Y\n@@undef NOTHING\n@@endif\n@@endif\n',
    );
  });

  test('that defines a place of ours has our value, and is not undefined', () => {
    expect(body('@@define DBDIR /x # c\n@@define DBDIR\n@@undef DBDIR\n@@undef X\n')).toBe(
      '# c\n@@define DBDIR /hostroot/etc/kubernetes\n@@define DBDIR /hostroot/etc/kubernetes\n@@undef X\n',
    );
  });

  test('that defines a place of ours comes too late for what is put before it', () => {
    expect(convert('@@define DBDIR /y\n').text).toMatch(/^@@define DBDIR .*\n/);
    expect(convert('@@define DBDIR /y\ndatabase=file:x\ndatabase_out=file:y\n').text).toBe(
      `@@define LOGDIR /hostroot/etc/kubernetes\n${BEFORE.replace(/@@define LOG.*\n/, '')}${AFTER}`,
    );
  });

  test('that defines a place of ours too late has it defined at the beginning too', () => {
    expect(convert('@@define X @@{DBDIR}/x\n@@define DBDIR /y\n').text.split('\n')[0]).toBe(
      '@@define DBDIR /hostroot/etc/kubernetes',
    );
    expect(convert('@@ifdef X\n@@define LOGDIR /y\n@@endif\n').text).toMatch(/^@@define LOGDIR .*\n/m);
  });

  test.each(['@@include /etc/aide.d', '@@include /d ^.*$ /p', '@@x_include /d x', '@@x_include_setenv A b'])(
    '%s cannot be carried over, and is named with its line',
    (text) => {
      expect(problems(`/etc R\n${text}\n`)).toEqual(['2 error CONFIG_INCLUDE']);
      expect(body(`${text}\n`)).toBe('');
    },
  );

  test.each(['@@begin_config abc', '@@end_config abc', '@@db_spec name'])('%s is left out, and it is said', (text) => {
    expect(problems(`${text}\n/etc R\n`)).toEqual(['1 warning CONFIG_LINE_LEFT_OUT']);
    expect(body(`${text}\n/etc R\n`)).toBe('/hostroot/etc R\n');
  });
});

describe('a comment', () => {
  test.each([
    ['/etc R # why', '# why\n/hostroot/etc R'],
    ['  !/etc/a\t#why', '  #why\n  -/hostroot/etc/a\t'],
    ['G = p+u #c', '#c\nG = p+u'],
    ['@@ifdef X # c\n/a R\n@@endif # d', '# c\n@@if defined X\n/hostroot/a R\n# d\n@@endif'],
    ['report_ignore_changed_attrs=b # c', '# c\nreport_ignore_changed_attrs=b'],
  ])('behind %s goes before it, since AIDE 0.17 takes none there', (text, expected) => {
    expect(body(`${text}\n`)).toBe(`${expected}\n`);
  });

  test('in a path is part of the path', () => {
    expect(body('/etc/a#b R\n')).toBe('/hostroot/etc/a#b R\n');
  });

  test('keeps its user’s line, as does the rule', () => {
    const { text, lines } = convert('# 1\n/etc R # 2\n');
    const numbered = text.split('\n').map((line, index) => [line, lines[index]]);
    expect(numbered).toContainEqual(['# 2', 2]);
    expect(numbered).toContainEqual(['/hostroot/etc R', 2]);
  });
});

test('what AIDE will refuse is left to it to explain', () => {
  expect(body('what is this\n@@nonsense\n')).toBe('what is this\n@@nonsense\n');
});

test('a variable in an expression may be made of another', () => {
  const user = '@@define SUMS sha256+sha512\n@@define ALL p+@@{SUMS}\n/etc @@{ALL}\n';
  const { text } = convert(user);
  expect(text).toContain('\n/hostroot/etc p+sha256+sha512\n');
  expect(problems(user)).toEqual([]);
  expect(convert(text).text).toBe(text);
});

test.each(['@@{A}', '@@{A}+@@{A}', '@@{B}'])('a variable that has no end (%s) stays as it is', (value) => {
  const { text } = convert(`@@define A ${value}\n@@define B @@{A}+p\n/etc @@{A}\n`);
  expect(convert(text).text).toBe(text);
});
