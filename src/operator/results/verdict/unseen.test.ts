import { expect, test } from 'vitest';
import { aReceipt } from '../../../../test/support/result-worlds.ts';
import type { UnseenRecord } from '../../../api/protocol.ts';
import { unseenOf } from './unseen.ts';

const NAMES = ['/a', '/b', '/c', '/d', '/e', '/f', '/g'];

/** A record of these paths that lists the first of them. */
function record(paths: readonly string[], listed = paths.length): UnseenRecord {
  return {
    count: paths.length,
    digest: Buffer.from(paths.join('')).toString('hex').padStart(64, '0'),
    paths: paths.slice(0, listed).map((path) => ({ path, what: 'Path' })),
  };
}

const since = (now: UnseenRecord, before?: UnseenRecord) => {
  const { sinceBaseline, paths = [] } = unseenOf(now, before && aReceipt({ unseen: before })) ?? {};
  return [sinceBaseline, paths.map(({ path }) => path).join(' ')];
};

test.each([
  ['the same', record(['/a', '/b']), record(['/a', '/b']), [0, '/a /b']],
  ['less', record(['/b']), record(['/a', '/b']), [0, '/b']],
  ['more', record(['/a', '/b']), record(['/b']), [1, '/a /b']],
  ['another', record(['/b']), record(['/a']), [1, '/b']],
  ['something where all was seen', record(['/a']), record([]), [1, '/a']],
  ['more than is listed, where all was seen', record(NAMES, 3), record([]), [7, '/a /b /c']],
  ['more than is listed, as it was', record(NAMES, 3), record(NAMES, 3), [0, '/a /b /c']],
  ['more than is listed, and more than it was', record(NAMES, 3), record(NAMES.slice(0, 5), 3), [2, '/a /b /c']],
  ['more than is listed, and less: nobody knows', record(NAMES.slice(0, 5), 3), record(NAMES, 3), [1, '/a /b /c']],
  ['a new one among those that were listed', record(NAMES, 3), record(NAMES.slice(1), 3), [1, '/a /b /c']],
  ['nothing known of the baseline', record(['/a', '/b']), undefined, [2, '/a /b']],
])('%s', (_, now, before, expected) => {
  expect(since(now, before)).toEqual(expected);
});

test('names five, the new ones first', () => {
  expect(since(record(NAMES), record(NAMES.slice(0, 6)))).toEqual([1, '/g /a /b /c /d']);
});

test('nothing that is not seen is nothing', () => {
  expect(unseenOf(undefined, aReceipt())).toBeUndefined();
  expect(unseenOf(record([]), aReceipt())).toBeUndefined();
});

test('a count that the list belies is the length of the list', () => {
  expect(unseenOf({ ...record(['/a', '/b']), count: 0 }, aReceipt({ unseen: record([]) }))).toMatchObject({
    count: 2,
    sinceBaseline: 2,
  });
});
