import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutate } from '../fuzz/mutate.ts';
import { Random } from '../fuzz/random.ts';
import { describeFault, type Ended, fuzz } from '../fuzz/run.ts';
import { Series } from '../fuzz/series.ts';
import { targets } from '../fuzz/targets.ts';

// A bounded run of all targets; `npm run fuzz` is the long one.

const SECONDS = 15;

const faults = (ended: readonly Ended[], seed: string) =>
  ended.flatMap(({ fault }) => (fault ? [describeFault(fault, seed)] : []));

describe('whatever bytes a node or a user sends', () => {
  // Half of the time on the same inputs as ever, half on new ones.
  test.each(['fixed', randomBytes(4).toString('hex')])(
    'each reader answers as it should: seed %s',
    async (seed) => {
      const names = targets.map(({ name }) => name);
      const ended = await fuzz({ targets: names, seed, secondsEach: SECONDS / 2 / names.length });
      expect(ended.map(({ target }) => target)).toEqual(names);
      expect(faults(ended, seed).join('\n')).toBe('');
      expect(ended.filter(({ inputs }) => inputs === 0)).toEqual([]);
    },
    240_000,
  );
});

describe('a reader with a fault', () => {
  const table = new URL('../fuzz/broken-targets.ts', import.meta.url);

  function corpusOf(): string {
    const corpus = mkdtempSync(join(tmpdir(), 'fio-corpus-'));
    onTestFinished(() => rmSync(corpus, { recursive: true }));
    return corpus;
  }

  test('is found, whatever the fault is, and the input is kept', async () => {
    const corpus = corpusOf();
    const options = { table, seed: 'broken', secondsEach: 20, corpus };
    const ended = [
      ...(await fuzz({ ...options, targets: ['throws', 'lies', 'slow'] })),
      ...(await fuzz({ ...options, targets: ['hangs'], hangSeconds: 2 })),
      ...(await fuzz({ ...options, targets: ['grows'], memoryMiB: 64 })),
      ...(await fuzz({ ...options, targets: ['sound'], secondsEach: 0.2 })),
    ];
    const found = new Map(ended.map(({ target, fault }) => [target, fault]));
    expect(found.get('throws')?.problem).toContain('TypeError');
    expect(found.get('lies')?.problem).toContain('two texts are shown alike');
    expect(found.get('slow')?.problem).toMatch(/it took \d+ ms of CPU time, more than 200 ms/);
    expect(found.get('hangs')?.problem).toBe('it did not come back for 2 s');
    expect(found.get('grows')?.problem).toMatch(/out of memory|MiB of memory/);
    expect(found.get('sound')).toBeUndefined();
    for (const [target, fault] of found) {
      if (fault) expect(readFileSync(fault.file)).toEqual(fault.input);
      expect(readdirSync(corpus).includes(target)).toBe(fault !== undefined);
    }
  }, 120_000);

  test('of what is said again and again is found', async () => {
    const table = new URL('../fuzz/broken-forgeries.ts', import.meta.url);
    const names = ['forgets-periods', 'believes-times', 'forgets-configurations'];
    const ended = await fuzz({ table, targets: names, seed: 'broken', secondsEach: 20, corpus: corpusOf() });
    const problems = new Map(ended.map(({ target, fault }) => [target, fault?.problem]));
    expect(problems.get('forgets-periods')).toContain('what is not in force is not on record');
    expect(problems.get('believes-times')).toContain('a result is of a time that has not come');
    expect(problems.get('forgets-configurations')).toContain('a node has ordered itself a new baseline');
  }, 120_000);

  test('is found again at once by the input that was kept, which is as small as can be', async () => {
    const options = { table, targets: ['lies'], corpus: corpusOf() };
    const [first] = await fuzz({ ...options, seed: 'one', secondsEach: 20 });
    const [again] = await fuzz({ ...options, seed: 'other', secondsEach: 0 });
    expect(again).toMatchObject({ inputs: 1, fault: { input: first?.fault?.input } });
    expect(first?.fault?.input.length).toBeLessThan(8);
  }, 60_000);
});

describe('the inputs', () => {
  const target = targets.find(({ name }) => name === 'config-parse');

  test('are the same for the same seed, and others for another', () => {
    if (target === undefined) throw new Error('the target has another name');
    const inputs = (seed: string) => {
      const series = new Series(target, seed, [Buffer.from('kept')]);
      return Array.from({ length: 200 }, () => series.next());
    };
    const one = inputs('one');
    expect(inputs('one')).toEqual(one);
    expect(inputs('two')).not.toEqual(one);
    // What was a reader's undoing once comes first.
    expect(String(one[0])).toBe('kept');
  });

  test('are never longer than they may be', () => {
    const random = new Random('length');
    const material = { others: [Buffer.alloc(500, 'x')], words: ['word'], maxBytes: 1000 };
    let bytes = Buffer.alloc(0) as Buffer;
    const lengths = new Set<number>();
    for (let round = 0; round < 3000; round += 1) {
      bytes = mutate(bytes, random, material);
      expect(bytes.length).toBeLessThanOrEqual(1000);
      lengths.add(bytes.length);
    }
    expect(lengths.size).toBeGreaterThan(100);
  });
});
