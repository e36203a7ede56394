import fc from 'fast-check';

/** Random configurations of AIDE’s grammar (aide.conf(5)); whether AIDE would accept their values is another matter. */
export function configurationText(): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(fc.constantFrom('', ' ', '\t'), statement(), fc.constantFrom('\n', '\r\n')), { maxLength: 30 })
    .map((lines) => lines.map((line) => line.join('')).join(''));
}

const space = fc.constantFrom(' ', '  ', '\t', ' \t');
const name = fc.constantFrom('DBDIR', 'LOGDIR', 'TOPDIR', 'X', 'a_1');
const groupName = fc.constantFrom('NORMAL', 'PERMS', 'CONTENT_EX', 'my_group', 'R', 'L', 'p', 'sha3_256', 'tiger');
const comment = fc.constantFrom('# note', '#', '# a = b /c @@if');
const path = fc
  .array(
    fc.constantFrom(
      '/',
      'etc',
      'var',
      '\\.',
      '.*',
      '$',
      '\\ ',
      '\\\\',
      '@@{X}',
      '(a|b)',
      '[^/]+',
      'é',
      '-',
      '=',
      '|',
      '?',
    ),
    { maxLength: 6 },
  )
  .chain((parts) => fc.constantFrom('/', '/', '/', '/', '@@{X}/').map((start) => `${start}${parts.join('')}`));
const attributes = fc
  .tuple(groupName, fc.array(fc.tuple(fc.constantFrom('+', '-', ' + '), groupName), { maxLength: 3 }))
  .map(([first, more]) => first + more.flat().join(''));
const restriction = fc.constantFrom('f', 'd', 'f,l', 'f=ext', '=xfs', '0', 'f, d');

function statement(): fc.Arbitrary<string> {
  const join = (parts: readonly string[]) => parts.join('');
  const end = fc.oneof(fc.constant(''), fc.tuple(space, comment).map(join));
  return fc.oneof(
    fc.constant(''),
    comment,
    fc.tuple(fc.constant('@@define'), space, name, space, fc.constantFrom('/etc', '/var/lib', 'a$'), end).map(join),
    fc.tuple(fc.constant('@@undef'), space, name, end).map(join),
    fc.tuple(fc.constantFrom('@@ifdef', '@@ifndef', '@@ifhost', '@@ifnhost'), space, name, end).map(join),
    fc
      .tuple(fc.constant('@@if'), space, fc.constantFrom('defined X', 'not exists /etc', '@@{X} version_ge 0.19'))
      .map(join),
    fc.constantFrom('@@else', '@@endif', '@@include /etc/x', '@@x_include /etc/d ^a$', '@@x_include_setenv A b'),
    fc
      .tuple(
        fc.constantFrom('database', 'database_in', 'database_out', 'report_url', 'verbose', 'grouped', 'log_level'),
        fc.constantFrom('=', ' = ', '= '),
        fc.constantFrom('file:@@{DBDIR}/a.db', 'stdout', '5', 'yes', 'warning'),
        end,
      )
      .map(join),
    fc
      .tuple(fc.constantFrom('ignore_list', 'report_force_attrs', 'database_attrs'), fc.constant('='), attributes, end)
      .map(join),
    fc.tuple(groupName, fc.constantFrom('=', ' = '), attributes, end).map(join),
    fc.tuple(fc.constantFrom('', '='), path, space, attributes, end).map(join),
    fc.tuple(fc.constantFrom('', '='), path, space, restriction, space, attributes, end).map(join),
    fc.tuple(fc.constantFrom('!', '-'), path, end).map(join),
    fc.tuple(fc.constantFrom('!', '-'), path, space, restriction, end).map(join),
  );
}
