import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convert } from '../../src/aide/config/convert.ts';
import { findRealAide } from '../support/aide.ts';
import { type AideScene, makeAideScene, selectedBy } from '../support/aide-scene.ts';

const aide = await findRealAide();

/** What old AIDEs select of a small tree by known and random rules, as `scripts/record-selections.ts` recorded it. */
const recorded: {
  readonly files: readonly string[];
  readonly paths: readonly string[];
  readonly sets: readonly {
    readonly rules: readonly string[];
    readonly selected: Readonly<Record<string, readonly number[]>>;
  }[];
} = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/aide/old-selections.json'), 'utf8'));

/** A line that tells for which versions a text was written, and what those select. */
const WRITTEN_FOR = [
  { what: 'AIDE 0.16', mark: 'verbose=5\n', versions: ['0.16.2'] },
  { what: 'AIDE 0.17 or 0.18', mark: 'report_level=changed_attributes\n', versions: ['0.17.3', '0.18.3'] },
  { what: 'any of them', mark: '', versions: ['0.16.2', '0.17.3', '0.18.3'] },
];

describe.skipIf(aide === undefined)('a configuration that was written for', () => {
  let scene: AideScene;
  const known = new Set(recorded.paths);
  beforeAll(() => {
    if (aide === undefined) return;
    scene = makeAideScene(aide);
    for (const file of recorded.files) scene.write(file.slice(1), '');
  });
  afterAll(() => scene[Symbol.dispose]());

  /** By the rules alone: the marks’ options select nothing. */
  const selections = new Map<string, ReadonlySet<string>>();
  const select = (text: string): ReadonlySet<string> => {
    const rules = text.split('\n').filter((line) => /^[/=!-]/.test(line));
    const found =
      selections.get(rules.join('\n')) ?? new Set(selectedBy(scene, text).filter((path) => known.has(path)));
    selections.set(rules.join('\n'), found);
    return found;
  };

  test.each(WRITTEN_FOR)(
    '$what selects nothing less once it is converted, and tells where it selects more',
    ({ mark, versions }) => {
      const wrong: string[] = [];
      for (const { rules, selected } of recorded.sets) {
        const { text, problems } = convert(`${mark}${rules.join('\n')}\n`);
        const now = select(text);
        const then = versions.map((version) => (selected[version] ?? []).map((n) => recorded.paths[n] ?? ''));
        const lost = then.flat().filter((path) => !now.has(path));
        const added = [...now].filter((path) => !then.some((paths) => paths.includes(path)));
        const isTold = problems.some(({ code, severity }) => code === 'CONFIG_NEGATIVE_RULE' && severity === 'warning');
        if (lost.length > 0) wrong.push(`${rules.join(' | ')} lost ${[...new Set(lost)].join(' ')}`);
        if (added.length > 0 && !isTold) wrong.push(`${rules.join(' | ')} took ${added.join(' ')} as well`);
      }
      expect(wrong).toEqual([]);
    },
  );
});
