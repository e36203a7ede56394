import { describe, expect, test } from 'vitest';
import { configMaps, pods } from '../kube/resources.ts';
import { FioError } from '../lib/errors.ts';
import { blindFor, tellUnread, unreadOf } from './reads.ts';

const MINUTE = 60_000;
const store = (changes: object = {}) => ({
  resource: configMaps,
  isSynced: true,
  isComplete: true,
  lastContact: 100 * MINUTE,
  trouble: undefined,
  ...changes,
});

describe('a resource is unread', () => {
  test('that was never read, with what went wrong', () => {
    const trouble = new FioError('KUBE_RESPONSE_INVALID', 'too much');
    expect(unreadOf([store({ isSynced: false, trouble })])).toEqual([
      { resource: 'configmaps', why: expect.stringContaining('too much') },
    ]);
  });

  test('that cannot be followed for minutes, while others can', () => {
    const trouble = new FioError('KUBE_API', 'forbidden');
    const quiet = store({ resource: pods, lastContact: 96 * MINUTE, trouble });
    expect(unreadOf([store(), quiet]).map(({ resource }) => resource)).toEqual(['pods']);
    expect(unreadOf([store(), store({ lastContact: 98 * MINUTE, trouble })])).toEqual([]);
    expect(unreadOf([store(), store({ lastContact: 0 })])).toEqual([]);
    expect(unreadOf([quiet])).toEqual([]);
  });

  test('of which not all is kept', () => {
    expect(unreadOf([store({ isComplete: false })])).toHaveLength(1);
  });
});

test('what was said of the stores shows nothing that a terminal would carry out', () => {
  const told = tellUnread(unreadOf([store({ isSynced: false, trouble: new Error('\u001b[2J') })]));
  expect(told).toMatch(/^The operator leads and cannot read configmaps \(not read yet: .*\\/);
  expect(told).not.toContain('\u001b');
});

test('without messages or heartbeats it is not known what a node found, without pods not how its daemon is', () => {
  const why = 'not read yet';
  expect(blindFor([])).toEqual({});
  expect(blindFor([{ resource: 'leases', why }])).toEqual({ results: expect.any(String) });
  expect(blindFor([{ resource: 'pods', why }])).toEqual({ daemon: expect.any(String) });
  expect(blindFor([{ resource: 'priorityclasses', why }])).toEqual({});
});
