/**
 * Records what old AIDEs select of a small tree by random rules, so that `test/unit/aide-old-selections.test.ts` can compare
 * what a converted configuration selects without them. Needed only when the rules or the tree change:
 *
 *   node scripts/record-selections.ts 0.16.2=/path/to/aide 0.17.3=… 0.18.3=… > test/fixtures/aide/old-selections.json
 *
 * Each is built from its tag in AIDE's repository: autogen.sh, configure --with-xattr --with-posix-acl, make.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const FILES = [
  '/etc/a.conf',
  '/etc/b',
  '/etc/kubernetes/manifests/m.yaml',
  '/etc/ssl/c.pem',
  '/root/.profile',
  '/usr/bin/x',
  '/var/lib/c',
  '/var/lib/d/e.conf',
  '/var/log/a',
  '/var/log/app/b',
];

/** Rules that lost files when they were converted. */
const KNOWN = [
  ['/var/log f p', '!/var/log$'],
  ['/var/(log|lib)/ p', '!/var/(log|lib)$'],
  ['/(etc|var)/.*\\.conf p', '!/etc$'],
  ['/root f p', '!/root$'],
  ['/etc/kubernetes f,l p', '!/etc/[^/]+$'],
];

const SELECTING = [
  ...['/', '/etc', '/var', '/var/log', '/var/l', '/usr/b', '/root', '/etc/kubernetes', '/var/lib/d'],
  ...['/var/(log|lib)/', '/(etc|var)/.*\\.conf', '/etc/[^/]+$', '/var/log$', '/etc/.*', '/var/lib/d$', '/v.*/log/'],
];
const EXCLUDING = [
  ...['/var/log$', '/var/(log|lib)$', '/etc$', '/root$', '/etc/[^/]+$', '/var/lib/d$', '/.*\\.conf$', '/var/l[a-z]*$'],
  ...['/var/log', '/etc/kubernetes', '/var$', '/etc/(?!ssl)', '/etc/ssl/', '/var/log/app', '/usr/bin$', '/$', '/.*/d'],
];
const RESTRICTIONS = ['', '', '', ' f', ' d', ' f,l', ' l', ' f,d'];
const RANDOM_SETS = 150;

interface Recorded {
  readonly rules: readonly string[];
  /** By version: the numbers of the paths that are selected; null where AIDE refuses the rules. */
  readonly selected: Readonly<Record<string, readonly number[] | null>>;
}

const versions = process.argv.slice(2).map((word) => {
  const [version = '', program = ''] = word.split('=');
  return { version, program };
});
const directory = mkdtempSync(join(tmpdir(), 'aide-old-'));
try {
  for (const file of FILES) {
    mkdirSync(join(directory, 'root', dirname(file)), { recursive: true });
    writeFileSync(join(directory, 'root', file), '');
  }
  const folders = FILES.flatMap((file) =>
    file.split('/').map((_part, depth, parts) => parts.slice(0, depth).join('/')),
  );
  const paths = [...new Set([...FILES, ...folders.map((folder) => folder || '/')])].sort();
  const sets = [...KNOWN, ...Array.from({ length: RANDOM_SETS }, (_, seed) => makeRules(createRandom(seed + 1)))];
  const recorded = sets.map((rules): Recorded => {
    const selected = versions.map(({ version, program }) => {
      const found = select(rules, version, program);
      return [version, found?.map((path) => paths.indexOf(path)) ?? null] as const;
    });
    return { rules, selected: Object.fromEntries(selected) };
  });
  const lines = recorded.map((each) => `    ${JSON.stringify(each)}`).join(',\n');
  console.log(
    `{\n  "files": ${JSON.stringify(FILES)},\n  "paths": ${JSON.stringify(paths)},\n  "sets": [\n${lines}\n  ]\n}`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function makeRules(random: () => number): string[] {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const selecting = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    return `${random() < 0.2 ? '=' : ''}${pick(SELECTING)}${pick(RESTRICTIONS)} p`;
  });
  const excluding = Array.from({ length: 1 + Math.floor(random() * 2) }, () => {
    return `!${pick(EXCLUDING)}${random() < 0.15 ? pick(RESTRICTIONS) : ''}`;
  });
  return random() < 0.5 ? [...selecting, ...excluding] : [...excluding, ...selecting];
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed * 0x9e3779b1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function select(rules: readonly string[], version: string, program: string): string[] | undefined {
  const [configuration, database] = [join(directory, 'aide.conf'), join(directory, 'aide.db')];
  rmSync(database, { force: true });
  const options = [`root_prefix=${directory}/root`, `database_out=file:${database}`, 'gzip_dbout=no'];
  writeFileSync(configuration, `${[...options, ...rules].join('\n')}\n`);
  const words = ['--init', `--config=${configuration}`];
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 17) return undefined;
  if (status !== 0) throw new Error(`AIDE ${version} ended with ${status} for ${rules.join(' | ')}: ${stderr}`);
  const names = readFileSync(database, 'utf8').matchAll(/^(\/\S*) /gm);
  return [...names].map(([, name = '']) => name).sort();
}
