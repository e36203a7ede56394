import { createHash } from 'node:crypto';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import {
  actionsOf,
  aSettledWorld,
  aWorld,
  carriedOut,
  ordersOf,
  settle,
  verbs,
} from '../../../test/support/operator-worlds.ts';
import type { BaselineReceipt } from '../../api/protocol.ts';
import { earlierTexts, leftovers } from './configuration.ts';
import type { World } from './world.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const user: World['judged'] = { kind: 'user', source: 'fio/mine:aide.conf', text: '/etc R\n', notes: [], remarks: [] };
const refused: World['judged'] = { kind: 'refused', source: 'fio/mine:aide.conf', message: 'line 3: no.' };

describe('who is behind a configuration', () => {
  const by = (world: World) => settle(world).effective?.metadata?.annotations?.[key('configured-by')];
  const changed = (text: string, who: string): World['judged'] => ({ ...user, text, who }) as World['judged'];

  test('is who changed the config map, as long as that text is in use', () => {
    const world = settle({
      ...aSettledWorld({ judged: changed('/etc R\n', 'alice') }),
      judged: changed('/usr R\n', 'bob'),
    });
    expect(by(world)).toBe('bob');
    // The same text again is nobody's change.
    expect(by({ ...world, judged: changed('/usr R\n', 'carol') })).toBe('bob');
    expect(ordersOf(world, 'a')?.baseline).toMatchObject({ reason: 'Configuration', who: 'bob' });
  });

  test('is known when the operator ended between the configuration and the orders', () => {
    const world = { ...aSettledWorld({ judged: changed('/etc R\n', 'alice') }), judged: changed('/usr R\n', 'bob') };
    const half = carriedOut(world, actionsOf(world, 'apply-configuration'));
    expect(ordersOf(settle(half), 'a')?.baseline.who).toBe('bob');
  });

  test('is who named another config map, where the API server tells', () => {
    const world = aSettledWorld();
    const entry = (manager: string, time: string, fields: object) => ({
      manager,
      time,
      fieldsV1: { 'f:spec': { 'f:config': fields } },
    });
    const managedFields = [
      entry('kubectl-edit', '2026-11-24T11:00:00Z', { 'f:name': {} }),
      entry('kubectl-create', '2026-11-24T10:00:00Z', { 'f:name': {}, 'f:key': {} }),
      entry('argocd', '2026-11-24T12:00:00Z', { 'f:gracePeriod': {} }),
    ];
    const named = (annotations: Record<string, string>): World => ({
      ...world,
      judged: changed('/etc R\n', 'the text’s'),
      integrity: { ...world.integrity, metadata: { ...world.integrity.metadata, managedFields, annotations } },
    });
    expect(by(named({}))).toBe('kubectl-edit');
    expect(by(named({ [key('changed-by')]: 'bob' }))).toBe('bob');
  });

  test('is nobody known where a config map is gone, or its name was taken away', () => {
    const world = aSettledWorld({ judged: changed('/etc R\n', 'alice') });
    expect(by({ ...world, judged: { kind: 'missing', message: 'It is gone.' } })).toBeUndefined();
    expect(by({ ...world, judged: { kind: 'default' } })).toBeUndefined();
  });

  test('is the operator where its own default is another one', () => {
    expect(by({ ...aSettledWorld(), defaults: { linux: '/lib linux\n', openshift: '' } })).toBe(
      'file-integrity-operator',
    );
  });
});

describe('a user’s configuration', () => {
  test('that is refused with none before it leaves the default in use', () => {
    const world = settle(aWorld({ judged: refused }));
    expect(world.effective?.data).toEqual({ 'aide.conf': '/usr linux\n' });
    expect(world.integrity.status?.phase).toBe('Error');
  });

  test('that is refused when the effective one was deleted falls back on what the operator remembers', () => {
    const good = aSettledWorld({ judged: user });
    const lastGood = { source: 'fio/mine:aide.conf', text: '/etc R\n' };
    const world = settle({ ...good, effective: undefined, judged: refused, lastGood });
    expect(world.effective?.data).toEqual(good.effective?.data);
    expect(ordersOf(world, 'a')).toEqual(ordersOf(good, 'a'));
  });

  test('that is refused leaves the last good one, and says which of its texts that is', () => {
    const good = settle({ ...aSettledWorld(), judged: user, now: new Date('2026-11-24T12:34:56Z') });
    const later = { ...good, judged: refused, now: new Date('2026-11-25T00:00:00Z') };
    const valid = (world: World) =>
      settle(world).integrity.status?.conditions?.find(({ type }) => type === 'ConfigurationValid')?.message;
    const digest = createHash('sha256').update('/etc R\n').digest('hex').slice(0, 12);
    const told = `The last good one, fio/mine:aide.conf as of 2026-11-24T12:34:56.000Z, stays in use (in the config map worker, SHA-256 ${digest}…).`;
    expect(valid(later)).toContain(told);
    // Also where it has to be put back.
    const lastGood = { source: 'fio/mine:aide.conf', text: '/etc R\n', since: '2026-11-24T12:34:56.000Z' };
    expect(valid(settle({ ...later, effective: undefined, lastGood }))).toContain(told);
  });

  test('that differs in nothing but where it comes from re-initialises nobody', () => {
    const good = aSettledWorld({ judged: user });
    const moved = settle({ ...good, judged: { ...user, source: 'other/mine:conf' } });
    expect(ordersOf(moved, 'a')).toEqual(ordersOf(good, 'a'));
    expect(moved.effective?.metadata?.annotations?.[key('configuration-source')]).toBe('other/mine:conf');
  });

  test('with something that the user should know is told of once', () => {
    const world = { ...aSettledWorld({ judged: user }), judged: { ...user, notes: ['line 2: watches nothing'] } };
    const [event] = actionsOf(world, 'event');
    expect(event).toMatchObject({ type: 'Warning', reason: 'ConfigurationWarnings' });
    expect(event?.message).toContain('line 2: watches nothing.');
    expect(verbs(settle(world))).toEqual([]);
  });

  test('whose words were changed says so in its condition, and raises no event', () => {
    const remarks = ['line 3: verbose=5 became report_level=changed_attributes'];
    const world = aSettledWorld({ judged: { ...user, remarks } });
    const valid = world.integrity.status?.conditions?.find(({ type }) => type === 'ConfigurationValid');
    expect(valid).toMatchObject({ status: 'True', reason: 'Valid' });
    expect(valid?.message).toContain('Carried over in other words: line 3: verbose=5 became');
    const told = { ...aSettledWorld({ judged: user }), judged: { ...user, remarks } };
    expect(actionsOf(told, 'event')).toEqual([]);
  });
});

describe('the effective configuration', () => {
  test('is written with the version that was read, so that an old copy cannot take a request back', () => {
    const world = aSettledWorld();
    const effective = { ...world.effective, metadata: { ...world.effective?.metadata, resourceVersion: '42' } };
    const [action] = actionsOf({ ...world, effective, judged: user }, 'apply-configuration');
    expect(action?.object.metadata?.resourceVersion).toBe('42');
    const [first] = actionsOf(aWorld(), 'apply-configuration');
    expect(first?.object.metadata).not.toHaveProperty('resourceVersion');
  });

  test('of an earlier operator is taken over, and what that one left in it goes', () => {
    const desired = carriedOut(aWorld()).effective ?? {};
    const legacy = {
      metadata: {
        name: 'worker',
        namespace: 'fio',
        labels: { [key('aide-conf')]: '', [key('owner')]: 'worker' },
        annotations: { [key('updated')]: '', note: 'of a user' },
      },
      data: { 'aide.conf': 'old', more: '' },
    };
    expect(verbs(aWorld({ effective: legacy }))).toContain('apply-configuration');
    expect(leftovers({ ...legacy, binaryData: { b: '' } }, desired)).toEqual({
      metadata: { annotations: { [key('updated')]: null } },
      data: { more: null },
      binaryData: { b: null },
    });
    expect(leftovers(desired, desired)).toBeUndefined();
  });

  test('with something in it that does not belong there is written again', () => {
    const world = aSettledWorld();
    const effective = { ...world.effective, data: { ...world.effective?.data, more: '' } };
    expect(verbs({ ...world, effective })).toEqual(['apply-configuration']);
  });
});

describe('the texts that baselines still go by', () => {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const by = (...texts: string[]) =>
    texts.map((text) => ({ baseline: { configurationDigest: digest(text) } as BaselineReceipt }));
  const effective = (data: Record<string, string>): ConfigMap => ({ metadata: {}, data });
  const named = (text: string) => ({ [`previous-${digest(text).slice(0, 16)}`]: text });

  test('stay beside the new one until no node has them on record', () => {
    const before = effective({ 'aide.conf': 'old' });
    expect(earlierTexts(before, { data: { 'aide.conf': 'new' } }, by('old', 'old', 'new'))).toEqual(named('old'));
    const then = effective({ 'aide.conf': 'new', ...named('old') });
    expect(earlierTexts(then, { data: { 'aide.conf': 'newest' } }, by('old', 'new'))).toEqual({
      ...named('old'),
      ...named('new'),
    });
    expect(earlierTexts(then, { data: { 'aide.conf': 'new' } }, by('new'))).toEqual({});
  });

  test('are two at most, those of the most nodes, and as many as have room', () => {
    const data = { 'aide.conf': 'a', x: 'b', y: 'c' };
    expect(earlierTexts(effective(data), { data: { 'aide.conf': 'new' } }, by('a', 'b', 'b', 'c', 'c'))).toEqual({
      ...named('b'),
      ...named('c'),
    });
    const large = 'x'.repeat(500_000);
    expect(earlierTexts(effective({ 'aide.conf': large }), { data: { 'aide.conf': `${large}y` } }, by(large))).toEqual(
      {},
    );
  });

  test('are none that somebody wrote by hand, or that are gone', () => {
    expect(earlierTexts(effective({ 'aide.conf': 'edited' }), { data: { 'aide.conf': 'new' } }, by('old'))).toEqual({});
    expect(earlierTexts(undefined, { data: { 'aide.conf': 'new' } }, by('old'))).toEqual({});
  });
});
