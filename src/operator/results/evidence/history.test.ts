import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeptFailure } from '../../../api/nodestatus.ts';
import { dataDigest, type HistoryEntry, type Link, linkDigest, verifyHistory } from '../../../evidence/chain.ts';
import { HISTORY_MAPS, type HistoryWorld, planHistory, RECORDED_MAPS } from './history.ts';
import type { KeptSketch } from './types.ts';

const aLink = (changes: Partial<Link> = {}): Link => ({
  sequence: 2,
  previous: 'p',
  integrity: 'worker',
  node: 'a',
  message: 'm',
  outcome: '{}',
  parts: [dataDigest({ integritylog: 'x' })],
  ...changes,
});

describe('the digest of a kept failure', () => {
  test('is SHA-256 over lines that a shell can write as well', () => {
    // printf 'integritylog 1\nx\n' | sha256sum
    expect(dataDigest({ integritylog: 'x' })).toBe('55943d3dc7760cd818ea098580e8567dd891f3406dd09f46b7bb6b44e253ae2b');
  });

  test('is the same whatever the order of keys, and another for every other data', () => {
    expect(dataDigest({ a: '1', b: '2' })).toBe(dataDigest({ b: '2', a: '1' }));
    const texts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.stringMatching(/^[ab0-9 \n]{0,8}$/));
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        const same = JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
        expect(dataDigest(one) === dataDigest(other)).toBe(same);
      }),
    );
  });

  test.each<[string, Partial<Link>]>([
    ['number', { sequence: 3 }],
    ['link to the one before', { previous: '' }],
    ['FileIntegrity', { integrity: 'other' }],
    ['node', { node: 'b' }],
    ['message', { message: 'n' }],
    ['word of the daemon', { outcome: '' }],
    ['report', { parts: [dataDigest({ integritylog: 'y' })] }],
    ['number of parts', { parts: [] }],
  ])('changes with its %s', (_, changes) => {
    expect(linkDigest(aLink(changes))).not.toBe(linkDigest(aLink()));
  });
});

/** Kept failures as they were written, newest first. */
function chain(count: number): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    const previous = entries[0]?.digest ?? '';
    const digest = linkDigest(aLink({ sequence, previous }));
    entries.unshift({ sequence, digest, found: { previous, digest } });
  }
  return entries;
}

describe('a chain of kept failures', () => {
  const replaced = (at: number, change: (entry: HistoryEntry) => HistoryEntry) =>
    chain(4).map((entry) => (entry.sequence === at ? change(entry) : entry));

  test('as it was written holds, also when its oldest have gone', () => {
    expect(verifyHistory(chain(4))).toEqual([]);
    expect(verifyHistory(chain(4).slice(0, 2))).toEqual([]);
    expect(verifyHistory([])).toEqual([]);
  });

  test('shows which one was removed', () => {
    expect(verifyHistory(replaced(2, (entry) => ({ ...entry, found: undefined })))).toEqual([
      { sequence: 2, fault: 'removed' },
    ]);
  });

  test('shows which one was changed', () => {
    const digest = linkDigest(aLink({ sequence: 2, parts: [] }));
    const entries = replaced(2, (entry) => ({ ...entry, found: { previous: entry.found?.previous ?? '', digest } }));
    expect(verifyHistory(entries)).toEqual([{ sequence: 2, fault: 'changed' }]);
  });

  test('shows where one was exchanged on record, too, by the one behind it', () => {
    const exchanged = (entry: HistoryEntry) => {
      const previous = entry.found?.previous ?? '';
      return { ...entry, digest: 'x', found: { previous, digest: 'x' } };
    };
    const entries = replaced(2, exchanged);
    expect(verifyHistory(entries)).toEqual([{ sequence: 3, fault: 'unlinked' }]);
  });
});

describe('a new failure', () => {
  const sketch = (sequence: number | undefined, changes: Partial<KeptSketch> = {}): KeptSketch => ({
    name: `failed.${sequence}`,
    sequence,
    digest: `digest-${sequence}`,
    previous: `digest-${(sequence ?? 1) - 1}`,
    message: `message-${sequence}`,
    parts: 1,
    pages: 0,
    ...changes,
  });
  const listed = (...numbers: number[]): KeptFailure[] =>
    numbers.map((sequence) => ({
      sequence,
      digest: `digest-${sequence}`,
      configMapName: '',
      lastProbeTime: '2026-11-24T12:00:00Z',
    }));
  const planned = (changes: Partial<HistoryWorld>) =>
    planHistory({
      message: 'new',
      nameOf: (sequence) => `failed.${sequence}`,
      kept: undefined,
      earlier: [],
      listed: [],
      limit: 5,
      ...changes,
    });

  test('that is the first begins the chain', () => {
    expect(planned({})).toMatchObject({ sequence: 1, previous: '', archive: undefined, surplus: [] });
  });

  test('follows the newest on record, which becomes an earlier one', () => {
    expect(planned({ kept: sketch(3), earlier: [sketch(2), sketch(1)], listed: listed(3, 2, 1) })).toMatchObject({
      sequence: 4,
      previous: 'digest-3',
      archive: 3,
      staying: new Set([3, 2, 1]),
      surplus: [],
    });
  });

  test('pushes out the oldest when there are too many', () => {
    const earlier = [sketch(2), sketch(1)];
    const plan = planned({ kept: sketch(3), earlier, listed: listed(3, 2, 1), limit: 2 });
    expect(plan).toMatchObject({ archive: 3, staying: new Set([3, 2]), surplus: [{ name: 'failed.1' }] });
    expect(planned({ kept: sketch(3), earlier, listed: listed(3, 2, 1), limit: 0 })).toMatchObject({
      sequence: 4,
      previous: 'digest-3',
      archive: undefined,
      surplus: [{ name: 'failed.2' }, { name: 'failed.1' }],
    });
  });

  test('pushes out the oldest when they have too many config maps, and one that has too many alone', () => {
    const kept = sketch(3, { parts: HISTORY_MAPS / 2, pages: 10 });
    const earlier = [sketch(2, { parts: HISTORY_MAPS / 2 }), sketch(1)];
    expect(planned({ kept, earlier, listed: listed(3, 2, 1) })).toMatchObject({
      archive: 3,
      surplus: [{ name: 'failed.2' }, { name: 'failed.1' }],
    });
    expect(planned({ kept: sketch(3, { parts: HISTORY_MAPS + 1 }), listed: listed(3) })).toMatchObject({
      sequence: 4,
      archive: undefined,
    });
  });

  test('pushes out none that a record refers to, as long as there is the record', () => {
    const before = {
      kept: sketch(5),
      earlier: [4, 3, 2, 1].map((number) => sketch(number)),
      listed: listed(5, 4, 3, 2, 1),
    };
    const recorded = new Map([[1, 'asked'] as const, [3, 'update'] as const]);
    const plan = planned({ ...before, limit: 1, recorded });
    expect(plan).toMatchObject({
      archive: 5,
      staying: new Set([5, 3, 1]),
      surplus: [{ sequence: 4 }, { sequence: 2 }],
    });
    expect(planned({ ...before, limit: 0, recorded: new Map([[5, 'asked']]) })).toMatchObject({ archive: 5 });
    expect(planned({ ...before, limit: 1 }).staying).toEqual(new Set([5]));
  });

  test('of those that a record refers to keeps the ones first that a person asked for, and no more than there is room for', () => {
    const large = (sequence: number) => sketch(sequence, { parts: RECORDED_MAPS / 2 });
    const earlier = [4, 3, 2, 1].map(large);
    const recorded = new Map([4, 3, 2].map((number) => [number, 'update'] as const));
    const plan = planned({
      kept: sketch(5),
      earlier,
      limit: 1,
      recorded: new Map([...recorded, [1, 'asked'] as const]),
    });
    expect(plan.staying).toEqual(new Set([5, 1, 4]));
  });

  test('that is one of before again pushes out none', () => {
    const earlier = [3, 2, 1].map((number) => sketch(number));
    const before = { kept: sketch(4), earlier, listed: listed(4, 3, 2, 1), limit: 3, again: 2 };
    expect(planned(before)).toMatchObject({ archive: 4, staying: new Set([4, 3, 2, 1]), surplus: [] });
  });

  test('planned again after a crash goes where it went before', () => {
    const earlier = [sketch(2), sketch(1)];
    const before = { kept: sketch(3), earlier, listed: listed(3, 2, 1), limit: 2 };
    const plan = planned(before);
    expect(planned({ ...before, earlier: [sketch(3), ...earlier] })).toEqual(plan);
    const written = sketch(plan.sequence, { previous: plan.previous, message: 'new' });
    const again = planned({ ...before, kept: written, earlier: [sketch(3), ...earlier] });
    expect(again).toEqual({ ...plan, archive: undefined });
    // Before it is known that the one before was copied, it stays on record all the same.
    expect(planned({ ...before, kept: written }).staying).toEqual(plan.staying);
  });

  test('follows one that is kept and was never written into the status', () => {
    const plan = planned({ kept: sketch(4), earlier: [sketch(3)], listed: listed(3) });
    expect(plan).toMatchObject({ sequence: 5, previous: 'digest-4', archive: 4 });
    // As when its node came back.
    expect(planned({ kept: sketch(4), earlier: [sketch(3)] })).toMatchObject({ sequence: 5, previous: 'digest-4' });
  });

  test('of a chain whose newest was removed goes on from what is on record', () => {
    expect(planned({ earlier: [sketch(2)], listed: listed(3, 2) })).toMatchObject({
      sequence: 4,
      previous: 'digest-3',
      archive: undefined,
    });
  });

  test('never overwrites an earlier one, whatever number the newest says it has', () => {
    const plan = planned({
      kept: sketch(1, { message: 'x' }),
      earlier: [sketch(2), sketch(1)],
      listed: listed(3, 2, 1),
    });
    expect(plan).toMatchObject({ sequence: 5, previous: 'digest-3', archive: 4 });
  });

  test('keeps what an operator without a history kept', () => {
    expect(planned({ kept: sketch(undefined, { message: '' }) })).toMatchObject({
      sequence: 1,
      previous: '',
      archive: 0,
    });
  });
});
