import { existsSync, readFileSync } from 'node:fs';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

const SECURITY = readFileSync('SECURITY.md', 'utf8');

/** The rows of each table below a heading, as their cells. */
function rowsBelow(heading: string): string[][] {
  const [, rest = ''] = SECURITY.split(`\n${heading}\n`);
  const [section = ''] = rest.split(/\n#+ /);
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

/** The sections of the threats: heading and text. */
function threats(): [title: string, text: string][] {
  const [, rest = ''] = SECURITY.split('\n## Threats\n');
  const [all = ''] = rest.split(/\n## /);
  return all
    .split('\n### ')
    .slice(1)
    .map((section) => {
      const [title = '', ...lines] = section.split('\n');
      return [title, lines.join('\n')];
    });
}

describe('the threats in SECURITY.md', () => {
  test.each([
    'forged report',
    'baseline replaced',
    'stopped, starved, held',
    'Trust on first use',
    'during an update',
    'too large',
    'Huge files, FIFOs',
    'Crafted names',
    'by an annotation',
    'daemon itself',
    'watches nothing',
    'Excluded paths',
    'two FileIntegrities',
    'its user may not read',
    'policies taken away',
    'starved of connections',
  ])('name “%s” once', (threat) => {
    expect(threats().filter(([title]) => title.includes(threat))).toHaveLength(1);
  });

  test.each(threats())('%s: says what is done and what cannot be, and its tests are there', (_, text) => {
    expect(text).toMatch(/^\*\*What we do\.\*\* \S/m);
    expect(text).toMatch(/^\*\*What we cannot\.\*\* \S/m);
    const [, list = ''] = text.split('**Tests.**\n');
    const tests = [...list.matchAll(/^- `([^`]+)` “([^”]+)”$/gm)];
    expect(tests.length).toBeGreaterThan(0);
    expect(tests).toHaveLength(list.trim().split('\n').length);
    for (const [, file = '', name = ''] of tests) {
      expect(existsSync(file), file).toBe(true);
      const text = readFileSync(file, 'utf8');
      const isThere = ["'", '"', '`'].some((quote) => text.includes(`${quote}${name}${quote}`));
      expect(isThere, `${file} “${name}”`).toBe(true);
    }
  });
});

describe('the rights in SECURITY.md', () => {
  test.each([
    ['### Operator, in its namespace', 'operator-rbac.yaml', 'Role'],
    ['### Operator, in the whole cluster', 'operator-rbac.yaml', 'ClusterRole'],
    ['### Daemons, in the operator’s namespace', 'daemon-rbac.yaml', 'Role'],
  ])('%s: are those that deploy/operator gives', (heading, file, kind) => {
    const documented = rowsBelow(heading.replace('’', "'")).map(([resource, verbs, why]) => {
      expect(why).not.toBe('');
      return `${resource?.replaceAll('`', '')}: ${verbs}`;
    });
    const documents = parseAllDocuments(readFileSync(`deploy/operator/${file}`, 'utf8')).map(
      (document) => document.toJS() as { kind: string; rules?: PolicyRule[] },
    );
    const rules = documents.find((document) => document.kind === kind)?.rules ?? [];
    const given = rules.flatMap(({ apiGroups, resources = [], resourceNames, verbs }) =>
      resources.map((resource) => {
        const names = resourceNames?.map((name) => ` ${name}`).join('') ?? '';
        return `${apiGroups?.[0] ?? ''}/${resource}${names}: ${verbs.join(', ')}`;
      }),
    );
    expect(documented.sort()).toEqual(given.sort());
  });
});
