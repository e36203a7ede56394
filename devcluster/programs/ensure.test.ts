import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROGRAMS } from './catalogue.ts';
import { goVersion, missingPrograms } from './ensure.ts';

test('a program that lies in its folder is not built again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'));
  try {
    expect(missingPrograms(folder).map(({ name }) => name)).toContain('etcd');
    writeFileSync(join(folder, 'etcd'), '');
    expect(missingPrograms(folder).map(({ name }) => name)).not.toContain('etcd');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('every program is made under a name of its own', () => {
  const names = PROGRAMS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test('Go’s version is read from what it says, and from nothing else', () => {
  expect(goVersion('go1.26.8\n')).toEqual([1, 26]);
  expect(goVersion('go1.19')).toEqual([1, 19]);
  expect(goVersion('')).toBeUndefined();
  expect(goVersion('devel go1.27-abc')).toBeUndefined();
});
