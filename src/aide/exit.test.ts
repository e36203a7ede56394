import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { explainExit } from './exit.ts';

const STATUSES = Array.from({ length: 256 }, (_value, status) => status);

describe('every exit status has one meaning', () => {
  test.each(STATUSES)('%i', (status) => {
    const meaning = explainExit({ status });
    expect(meaning.code).toMatch(/^AIDE_[A-Z_]+$/);
    // One sentence or two for a person, with no full stop at the end, because a reason may follow.
    expect(meaning.sentence).toMatch(/^AIDE |^Another AIDE |^The database /);
    expect(meaning.sentence).not.toMatch(/[.\n]$/);
    const { added, removed, changed } = meaning.flags;
    expect(meaning.verdict === 'Failed').toBe(added || removed || changed);
    expect(explainExit({ status })).toEqual(meaning);
  });

  test('0 is no difference, 1 to 7 are differences, all others are errors', () => {
    const verdicts = STATUSES.map((status) => explainExit({ status }).verdict);
    expect(verdicts[0]).toBe('Succeeded');
    expect(new Set(verdicts.slice(1, 8))).toEqual(new Set(['Failed']));
    expect(new Set(verdicts.slice(8))).toEqual(new Set(['Errored']));
  });

  test('that AIDE does not have is said to be unknown, with its number', () => {
    const unknown = STATUSES.filter((status) => explainExit({ status }).code === 'AIDE_UNKNOWN_EXIT');
    expect(unknown).toContain(8);
    expect(unknown).toContain(13);
    expect(unknown).toContain(26);
    expect(unknown).toContain(255);
    for (const status of unknown) expect(explainExit({ status }).sentence).toContain(` ${status},`);
  });
});

test.each([
  [1, 'added', { added: true, removed: false, changed: false }],
  [2, 'removed', { added: false, removed: true, changed: false }],
  [3, 'added and removed', { added: true, removed: true, changed: false }],
  [4, 'changed', { added: false, removed: false, changed: true }],
  [5, 'added and changed', { added: true, removed: false, changed: true }],
  [6, 'removed and changed', { added: false, removed: true, changed: true }],
  [7, 'added, removed and changed', { added: true, removed: true, changed: true }],
] as const)('exit status %i means files that were %s', (status, kinds, flags) => {
  expect(explainExit({ status })).toEqual({
    verdict: 'Failed',
    code: 'AIDE_DIFFERENCE',
    sentence: `AIDE found ${kinds} files`,
    flags,
  });
});

test.each([
  [14, 'AIDE_WRITE_ERROR', 'disk'],
  [15, 'AIDE_INVALID_ARGUMENT', 'image'],
  [16, 'AIDE_NOT_IMPLEMENTED', 'image'],
  [17, 'AIDE_CONFIGURATION_ERROR', 'configuration'],
  [18, 'AIDE_IO_ERROR', 'database'],
  [19, 'AIDE_VERSION_MISMATCH', 'Re-initialise'],
  [20, 'AIDE_EXEC_ERROR', '@@x_include'],
  [21, 'AIDE_LOCKED', 'Another AIDE'],
  [22, 'AIDE_OUT_OF_MEMORY', 'memory limit'],
  [23, 'AIDE_THREAD_ERROR', 'limit on processes'],
  [24, 'AIDE_DATABASE_ERROR', 'attack'],
  [25, 'AIDE_INTERRUPTED', 'repeated'],
  [30, 'AIDE_HASH_ERROR', 'checksum'],
  [126, 'AIDE_NOT_STARTED', 'may not be run'],
  [127, 'AIDE_NOT_STARTED', 'not installed'],
])('exit status %i is %s and says what to do', (status, code, word) => {
  const meaning = explainExit({ status });
  expect(meaning).toMatchObject({ verdict: 'Errored', code });
  expect(meaning.sentence).toContain(word);
});

describe('death by a signal', () => {
  test.each(Object.keys(constants.signals))('%s is an error with one meaning', (signal) => {
    const meaning = explainExit({ signal });
    expect(meaning.verdict).toBe('Errored');
    expect(meaning.code).toMatch(/^AIDE_(?:KILLED|INTERRUPTED|CRASHED|SIGNALLED)$/);
  });

  test.each([
    ['SIGKILL', 'AIDE_KILLED', 'memory'],
    ['SIGTERM', 'AIDE_INTERRUPTED', 'repeated'],
    ['SIGSEGV', 'AIDE_CRASHED', 'SIGSEGV'],
    ['SIGABRT', 'AIDE_CRASHED', 'SIGABRT'],
    ['SIGXCPU', 'AIDE_SIGNALLED', 'SIGXCPU'],
  ])('%s is %s', (signal, code, word) => {
    expect(explainExit({ signal })).toMatchObject({ code, sentence: expect.stringContaining(word) });
  });

  test.each([1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 14, 15, 24, 25])('told as 128 + %i means the same', (number) => {
    const signal = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? '';
    expect(explainExit({ status: 128 + number })).toEqual(explainExit({ signal }));
  });
});
