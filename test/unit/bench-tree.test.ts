import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileSizes } from '../../bench/scan/sizes.ts';
import { ensureTree } from '../../bench/scan/tree.ts';

const never = new AbortController().signal;
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'fio-bench-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('sizes come to exactly the bytes that were asked for, and are the same each time', () => {
  const sizes = fileSizes(1000, 12_345_678);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(12_345_678);
  expect(sizes).toHaveLength(1000);
  expect(fileSizes(1000, 12_345_678)).toEqual(sizes);
});

test('most files are small, and a few hold most of the bytes', () => {
  const sizes = fileSizes(100_000, 4_000_000_000).sort((a, b) => a - b);
  const median = sizes[50_000] ?? 0;
  expect(median).toBeGreaterThan(4_000);
  expect(median).toBeLessThan(7_000);
  expect(sizes[0]).toBeGreaterThanOrEqual(0);
  const largest = sizes.slice(-10_000).reduce((sum, size) => sum + size, 0);
  expect(largest / 4_000_000_000).toBeGreaterThan(0.6);
});

test('a tree has so many files and bytes, the same in another place, and is made once', async () => {
  const shape = { files: 130, bytes: 100_000 };
  const lines: string[] = [];
  const tree = await ensureTree(shape, (line) => lines.push(line), never, join(home, 'one'));
  const other = await ensureTree(shape, () => {}, never, join(home, 'two'));
  expect(lines).toHaveLength(1);
  const files = filesIn(tree);
  expect(files).toHaveLength(130);
  expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBe(100_000);
  expect(digestOf(tree)).toBe(digestOf(other));
  expect(await ensureTree(shape, (line) => lines.push(line), never, join(home, 'one'))).toBe(tree);
  expect(lines).toHaveLength(1);
});

test('a tree whose making is interrupted leaves nothing', async () => {
  await expect(ensureTree({ files: 10, bytes: 100 }, () => {}, AbortSignal.abort(), home)).rejects.toThrow();
  expect(readdirSync(home)).toEqual([]);
});

test('a tree that the disk has no room for is not begun', async () => {
  const wanted = { files: 10, bytes: 1e15 };
  await expect(ensureTree(wanted, () => {}, never, join(home, 'x'))).rejects.toThrow('are free; make room');
  expect(readdirSync(join(home, 'x'))).toEqual([]);
});

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const file of filesIn(directory)) hash.update(file.slice(directory.length)).update(readFileSync(file));
  return hash.digest('hex');
}
