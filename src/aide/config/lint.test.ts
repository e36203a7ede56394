import { describe, expect, test } from 'vitest';
import { lint } from './lint.ts';
import { parse } from './parse.ts';

/** Line, severity and code of each problem of an effective configuration, with a rule that is well. */
function problems(...lines: string[]): string[] {
  return lint(parse(['/hostroot/usr R', ...lines, ''].join('\n'))).map(
    ({ line, severity, code }) => `${line} ${severity} ${code}`,
  );
}

const alone = (text: string) => lint(parse(text)).map(({ line, severity, code }) => `${line} ${severity} ${code}`);

test('a configuration without problems has none', () => {
  expect(
    problems('G = p+u+sha512', '/hostroot/etc f,d G-u', '-/hostroot/etc/kubernetes/aide\\.', '=/hostroot/root d L'),
  ).toEqual([]);
});

describe('nothing would be watched', () => {
  test.each([
    ['without a rule', '# none\n', 0],
    ['with rules that leave out alone', '!/hostroot/etc\n-/hostroot/usr\n', 0],
    ['when all is left out again', '/hostroot/etc R\n!/hostroot\n', 1],
    ['when each is left out again', '/hostroot/etc/a R\n=/hostroot/usr/b R\n-/hostroot/etc$\n!/hostroot/usr\n', 1],
    ['when a rule’s beginning is left out', '/hostroot/etc/.*\\.conf$ R\n!/hostroot/e\n', 1],
  ])('%s', (_name, text, line) => {
    expect(alone(text)).toEqual([`${line} error CONFIG_SELECTS_NOTHING`]);
  });

  test.each([
    ['but perhaps on some nodes', '/hostroot/etc R\n@@if defined X\n!/hostroot\n@@endif\n-/hostroot/etc/kubernetes\n'],
    ['but for folders', '/hostroot/etc R\n!/hostroot/etc f\n'],
    ['but for what only begins like it', '/hostroot/etc/a R\n!/hostroot/etc/a$\n'],
    ['but for names beside it', '/hostroot/etc R\n-/hostroot/etc/\n'],
  ])('is not said where something may be: %s', (_name, text) => {
    expect(alone(text).filter((problem) => problem.includes('NOTHING'))).toEqual([]);
  });
});

describe('a rule', () => {
  test('that selects nothing, because another leaves all of it out, is named', () => {
    const text = ['/hostroot/var/log R', '!/hostroot/var', '/hostroot/opt/a R', '-/hostroot/opt$'];
    expect(problems(...text)).toEqual(['2 warning CONFIG_RULE_WITHOUT_EFFECT', '4 warning CONFIG_RULE_WITHOUT_EFFECT']);
  });

  test('with alternatives outside of parentheses is named', () => {
    expect(problems('/hostroot/etc/a|/hostroot/etc/b R')).toEqual(['2 warning CONFIG_ALTERNATION']);
    expect(problems('/hostroot/opt/(a|b)[|]\\| R')).toEqual([]);
  });

  test('said twice is named, but not in conditions, nor with another restriction', () => {
    expect(problems('/hostroot/usr L')).toEqual(['2 warning CONFIG_DUPLICATE_RULE']);
    expect(problems('!/hostroot/usr/x f,d', '!/hostroot/usr/x f, d')).toEqual(['3 warning CONFIG_DUPLICATE_RULE']);
    expect(problems('/hostroot/usr f R', '@@if defined X', '/hostroot/usr R', '@@endif')).toEqual([]);
  });

  test('that watches the container is named', () => {
    expect(problems('/usr R', '=/etc R', '!/var')).toEqual([
      '2 warning CONFIG_OUTSIDE_NODE',
      '3 warning CONFIG_OUTSIDE_NODE',
    ]);
  });
});

describe('a name', () => {
  test.each([
    ['of a group that a rule uses', '/hostroot/opt NONE'],
    ['of a group that a group uses', 'G = p+NONE'],
    ['of a group that is taken away', '/hostroot/opt R-NONE'],
    ['of a group that an option uses', 'report_ignore_changed_attrs=NONE+p'],
    ['of a checksum that AIDE dropped', '/hostroot/opt tiger'],
    ['that is a variable', '/hostroot/opt @@{G}'],
  ])('%s must be known', (_name, line) => {
    expect(problems(line)).toEqual(['2 error CONFIG_UNKNOWN_GROUP']);
  });

  test('must be known before it is used, and is named once', () => {
    expect(problems('/hostroot/opt G', '/hostroot/srv G+H', 'G = p', '/hostroot/mnt G')).toEqual([
      '2 error CONFIG_UNKNOWN_GROUP',
    ]);
  });

  test('that is defined in one branch is known', () => {
    expect(problems('@@if defined X', 'G = p', '@@endif', '/hostroot/opt G')).toEqual([]);
  });

  test.each(['no_such_option=yes', 'database_inn=file:/x', 'verbose=5', 'summarize_changes=yes'])(
    'of an option must be one of AIDE’s: %s',
    (line) => expect(problems(line)).toEqual(['2 error CONFIG_UNKNOWN_OPTION']),
  );
});

test('folders that change all the time are named', () => {
  const found = lint(parse('/hostroot R\n!/hostroot/etc/kubernetes\n'));
  expect(found.map(({ line, code }) => [line, code])).toEqual(Array(4).fill([1, 'CONFIG_WATCHES_VOLATILE']));
  const sentences = found.map(({ sentence }) => sentence).join();
  for (const folder of ['proc', 'sys', 'dev', 'run']) expect(sentences).toContain(`Add “!/${folder}”`);
  expect(alone('/hostroot R\n-/hostroot/(proc|sys|dev|run)\n!/hostroot/etc/kubernetes\n')).toEqual([]);
});

test('what comes from the text is shown so that it can harm no one', () => {
  for (const { sentence } of lint(parse('/hostroot/\u001b[31m\u202e BAD\u0007\n'))) {
    expect(sentence).toMatch(/^[^\p{Cc}\u202e]*$/u);
  }
});

test('a configuration as large as a config map is judged within seconds', () => {
  const rules = Array.from({ length: 12_000 }, (_value, n) => `/hostroot/etc/${n}a* R\n!/hostroot/etc/.*${n}$\n`);
  expect(lint(parse(rules.join('')))).toEqual([]);
});

test('what is said of a rule shows the path that its author wrote', () => {
  const [problem] = lint(parse('/hostroot/usr R\n/hostroot/usr L\n'));
  expect(problem?.sentence).toMatch(/^\/usr /);
});
