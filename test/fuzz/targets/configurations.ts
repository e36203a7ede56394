import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import fc, { type Arbitrary } from 'fast-check';
import { convert } from '../../../src/aide/config/convert.ts';
import { defaultConfiguration } from '../../../src/aide/config/defaults.ts';
import { lint } from '../../../src/aide/config/lint.ts';
import { OUR_OPTIONS } from '../../../src/aide/config/ours.ts';
import { parse } from '../../../src/aide/config/parse.ts';
import { prepareConfiguration } from '../../../src/aide/config/prepare.ts';
import { describeProblems, type Problem } from '../../../src/aide/config/problem.ts';
import { render } from '../../../src/aide/config/render.ts';
import { compilePath, folderOf, looksAhead, Patience, startOf } from '../../../src/aide/config/rule-path.ts';
import { hostileText } from '../arbitraries.ts';
import { fixture, inputs } from '../fixtures.ts';
import { checkSafe, orFault } from '../properties.ts';
import type { Target } from '../target.ts';

const PATHS = [
  ...[
    '/etc',
    '/',
    '/usr/bin$',
    '/etc/.*~',
    '/hostroot/etc',
    '/hostroot',
    '/hostrootx',
    '@@{TOP}/bin',
    '/a\\ b',
    '/a\\\\b',
    '/a\\@b',
    '/(a|b)/c',
  ],
  ...[
    '/(?!x)y',
    '/[[:alpha:]]+',
    '/a{2,}',
    '/\\x41',
    '/a|/b',
    '/etc/kubernetes/aide\\.',
    '//',
    '/$',
    '/proc',
    '/(a+)+$',
    '/.*.*.*x',
    '/a#b',
  ],
];
const NAMES = [
  'DBDIR',
  'LOGDIR',
  'TOP',
  'database_in',
  'database',
  'report_url',
  'verbose',
  'my_group',
  'Mine',
  'R',
  'p%',
  'database_attrs',
  'é',
];
const VALUES = [
  'file:/var/lib/aide.db',
  'stdout',
  'R+sha512',
  'p+i-tiger',
  '@@{TOP}',
  '5',
  '300',
  'crc32',
  'my_group+Mine',
  '',
  '\\\\x',
  'yes',
];
const MACROS = [
  '@@if',
  '@@ifdef',
  '@@ifndef',
  '@@ifhost',
  '@@ifnhost',
  '@@else',
  '@@endif',
  '@@undef',
  '@@define',
  '@@include',
  '@@x_include',
  '@@x_include_setenv',
];

const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PATHS, ...NAMES, ...VALUES) },
  { weight: 1, arbitrary: hostileText },
);
const space = fc.constantFrom('', ' ', '\t', '  ', '\v', '\u00a0', ' # comment', '\r');
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      space,
      fc.constantFrom('', '!', '=', '-', '!!'),
      fc.constantFrom(...PATHS),
      space,
      fc.constantFrom('', 'f', 'f,d', 'd=ext4', '0'),
      fc.constant(' '),
      word,
      space,
    ),
  },
  { weight: 3, arbitrary: fc.tuple(space, fc.constantFrom(...NAMES), fc.constantFrom('=', ' = ', '=='), word, space) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      space,
      fc.constantFrom(...MACROS),
      fc.constantFrom(' ', '', '\t'),
      word,
      fc.constantFrom('', ' '),
      word,
      space,
    ),
  },
  { weight: 1, arbitrary: fc.tuple(hostileText) },
);
/** Lines that each look like AIDE's language, in any order. */
const configurations: Arbitrary<Buffer> = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n', '\r', '')), { maxLength: 25 })
  .map((lines) => Buffer.from(lines.map(([pieces, end]) => pieces.join('') + end).join('')));

const language = {
  seeds: () => [
    ...readdirSync(new URL('../../fixtures/aide/configurations/', import.meta.url)).map((name) =>
      fixture(`configurations/${name}`),
    ),
    ...inputs(defaultConfiguration('linux'), '@@{A}{B}\n', '@@define A @@{A}\n@@{A} R\n', `/${'(a|'.repeat(200)} R\n`),
  ],
  structured: configurations,
  words: [...PATHS, ...NAMES, ...VALUES, ...MACROS, '\n', ' R\n'],
};

/** An AIDE configuration, line by line. */
const parser: Target = {
  ...language,
  name: 'config-parse',
  run(bytes) {
    const text = bytes.toString('utf8');
    const configuration = parse(text);
    assert.equal(render(configuration), text);
    checkProblems(lint(configuration), configuration.lines.length);
  },
};

/** A user's configuration on its way to the nodes. */
const converter: Target = {
  ...language,
  name: 'config-convert',
  run(bytes) {
    const text = bytes.toString('utf8');
    const { text: effective, problems, lines } = convert(text);
    // (Of one that has an error only a part is there.)
    const isWhole = !problems.some(({ severity }) => severity === 'error');
    if (isWhole)
      assert.equal(convert(effective).text, effective, 'converting twice is not the same as converting once');
    const { lines: statements } = parse(effective);
    assert.equal(lines.length, statements.length);
    checkProblems(problems, parse(text).lines.length);
    const options = new Map<string, number>();
    for (const { statement } of statements) {
      // AIDE would run programs, or read what nobody has checked.
      assert.notEqual(statement.kind, 'include', 'an @@include reaches the nodes');
      if (statement.kind !== 'option' || !OUR_OPTIONS.has(statement.name)) continue;
      assert.equal(statement.value, OUR_OPTIONS.get(statement.name), `${statement.name} is not the operator's`);
      options.set(statement.name, (options.get(statement.name) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(options), Object.fromEntries([...OUR_OPTIONS.keys()].map((name) => [name, 1])));
    assert.doesNotMatch(effective, /(?:^|\n)[ \t]*@@x?_?include/);
  },
};

/** The whole way, as the operator goes it: it never throws. */
const preparer: Target = {
  ...language,
  name: 'config-prepare',
  maxBytes: 64 * 1024,
  run(bytes) {
    const text = bytes.toString('utf8');
    const prepared = orFault(() => prepareConfiguration(text));
    assert.equal(prepared.usable, !prepared.problems.some(({ severity }) => severity === 'error'));
    checkProblems(prepared.problems, text.split('\n').length);
  },
};

/** The regular expression of a rule. */
const rulePath: Target = {
  name: 'config-rule-path',
  seeds: () => inputs(...PATHS),
  structured: fc
    .array(fc.oneof(fc.constantFrom(...PATHS), hostileText), { maxLength: 6 })
    .map((parts) => Buffer.from(`/${parts.join('')}`)),
  words: [...PATHS, '(?=', '(?<!', '\\Q', '[^]', '{1,9}', '*+', '\\d', '$'],
  maxBytes: 2048,
  run(bytes) {
    const path = `/${bytes.toString('utf8').replace(/[\r\n]/g, '')}`;
    const folder = folderOf(path);
    assert.ok(folder.startsWith('/'));
    looksAhead(path);
    const start = startOf(path);
    const pattern = compilePath(path, new Patience());
    // It is asked about whole names of files, also long ones that nearly match.
    for (const name of ['/etc/passwd', `/${'a'.repeat(4000)}`, `${start}${'a'.repeat(200)}!`, '/'.repeat(4000)]) {
      // What matches begins as it was said to.
      if (pattern?.test(name)) assert.ok(name.startsWith(start), `${name} matches and does not begin with ${start}`);
    }
  },
};

function checkProblems(problems: readonly Problem[], lines: number): void {
  for (const problem of problems) {
    checkSafe(describeProblems([problem]).join(), 2000);
    assert.match(problem.code, /^CONFIG_[A-Z_]+$/);
    assert.ok(problem.line >= 0 && problem.line <= lines, `there is no line ${problem.line}`);
  }
}

export const configurationTargets: readonly Target[] = [parser, converter, preparer, rulePath];
