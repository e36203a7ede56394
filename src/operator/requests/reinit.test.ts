import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  anIntegrity,
  aSettledWorld,
  aWorld,
  carriedOut,
  eventsOf,
  NOW,
  ordersOf,
  settle,
  withAnnotations,
} from '../../../test/support/operator-worlds.ts';
import type { World } from '../fileintegrity/world.ts';
import { parseRequests, planReinit, type ReinitRequest, type ReinitWorld } from './reinit.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;

/** A fleet whose nodes remember which request they carried out last. */
function fleet(...names: string[]) {
  const done = new Map<string, string>();
  let version = 100;
  let standing: readonly ReinitRequest[] = [];
  function plan(annotations: Record<string, string> = {}, changes: Partial<ReinitWorld> = {}) {
    const integrity = anIntegrity({}, annotations);
    const metadata = { ...integrity.metadata, resourceVersion: String(version) };
    const result = planReinit({
      integrity: { ...integrity, metadata },
      selected: new Set(names),
      failed: new Set(),
      standing,
      hasCarriedOut: (node, request) => Date.parse(done.get(node) ?? '') >= Date.parse(request.at),
      now: NOW,
      ...changes,
    });
    standing = result.requests;
    return result;
  }
  return {
    plan,
    /** A user annotates, and the operator takes it up. */
    ask(nodes: string) {
      version += 1;
      return plan({ [key('re-init')]: nodes });
    },
    /** The node has carried out what it was asked for last. */
    obey(...nodes: string[]) {
      for (const node of nodes) {
        const request = plan().requestOf(node);
        if (request) done.set(node, request.at);
      }
    },
    /** The operator starts again from what stands in the annotation. */
    reread() {
      standing = parseRequests(JSON.stringify(standing));
    },
  };
}

describe('a request', () => {
  test('for named nodes shrinks with each that has carried it out', () => {
    const { ask, plan, obey } = fleet('a', 'b', 'c');
    expect(ask('c,a').updated).toBe('a,c');
    obey('a');
    expect(plan().updated).toBe('c');
    obey('c');
    expect(plan().updated).toBeUndefined();
  });

  test('for every node is open until the last has carried it out', () => {
    const { ask, plan, obey } = fleet('a', 'b');
    expect(ask('').updated).toBe('');
    obey('a');
    expect(plan().updated).toBe('');
    obey('b');
    expect(plan().updated).toBeUndefined();
  });

  test('is still known by its id when it is over, so that an old copy of the annotation is not taken up again', () => {
    const { ask, plan, obey } = fleet('a');
    const first = ask('');
    obey('a');
    plan();
    const again = plan({ [key('re-init')]: '' }, { integrity: integrityOfVersion(101, '') });
    expect(again.updated).toBeUndefined();
    expect(again.requests.map(({ id }) => id)).toEqual(first.requests.map(({ id }) => id));
  });

  test('asked for with both annotations is one for the named and the failed', () => {
    const { plan } = fleet('a', 'b', 'c');
    const annotations = { [key('re-init')]: 'a', [key('re-init-on-failed')]: '' };
    const { updated, requests } = plan(annotations, { failed: new Set(['b']) });
    expect(updated).toBe('a,b');
    expect(requests).toMatchObject([{ reason: 'Demand' }]);
  });

  test('names who asked, as far as the API server tells', () => {
    const integrity = anIntegrity({}, { [key('re-init')]: '' });
    const managedFields = [
      { manager: 'other', fieldsV1: { 'f:spec': {} } },
      { manager: 'kubectl-annotate', fieldsV1: { 'f:metadata': { 'f:annotations': { [`f:${key('re-init')}`]: {} } } } },
    ];
    const world = { integrity: { ...integrity, metadata: { ...integrity.metadata, managedFields } } };
    const { plan } = fleet('a');
    expect(plan({}, world).requests[0]?.who).toBe('kubectl-annotate');
  });
});

describe('several requests', () => {
  test('a node that carried out the newest is not asked by an older one that still waits for another node', () => {
    const { ask, plan, obey } = fleet('a', 'b', 'dead');
    ask('');
    obey('a', 'b');
    ask('a');
    obey('a');
    ask('b');
    obey('b');
    const end = plan();
    expect(end.updated).toBe('');
    expect(['a', 'b'].map((node) => end.requestOf(node))).toEqual([undefined, undefined]);
    expect(end.requestOf('dead')).toBeDefined();
  });

  test('made within one millisecond, or while the clock is set back, still come one after the other', () => {
    const { ask, plan } = fleet('a');
    ask('');
    const second = ask('');
    expect(second.requests).toHaveLength(1);
    const third = plan(
      { [key('re-init')]: '' },
      { integrity: integrityOfVersion(999, ''), now: new Date(NOW.getTime() - 3_600_000) },
    );
    const times = [second, third].map(({ requestOf }) => Date.parse(requestOf('a')?.at ?? ''));
    expect(times[1]).toBeGreaterThan(times[0] ?? Number.NaN);
  });

  test('beyond eight are put together without asking a node again that has carried out its own', () => {
    const nodes = Array.from({ length: 12 }, (_, index) => `n${String(index).padStart(2, '0')}`);
    const { ask, plan, obey } = fleet(...nodes, 'z');
    ask('');
    obey('z');
    let last = plan();
    for (const node of nodes) last = ask(node);
    expect(last.requests.length).toBeLessThanOrEqual(8);
    expect(last.requestOf('z')).toBeUndefined();
    expect(nodes.filter((node) => last.requestOf(node))).toEqual(nodes);
    obey(...nodes);
    expect(plan().updated).toBeUndefined();
  });

  test('fit into the annotations of one object together, and what is left out is told', () => {
    const nodes = Array.from({ length: 4000 }, (_, index) => `${'n'.repeat(55)}-${index}`);
    const { ask } = fleet(...nodes, 'one-more');
    ask(nodes.slice(0, 2000).join(','));
    const { requests, updated = '', taken } = ask(nodes.slice(1000).join(','));
    const bytes = Buffer.byteLength(JSON.stringify(requests)) + Buffer.byteLength(updated);
    expect(bytes).toBeLessThan(230 * 1024);
    expect(taken?.leftOut).toBeGreaterThan(0);
  });

  test('of random fleets: each node that was asked for is open until it obeys, and then never again by itself', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    const list = fc.subarray(names).map((some) => (some.length === names.length ? '' : some.join(',') || ','));
    const move = fc.oneof(
      list.map((nodes) => ({ ask: nodes })),
      fc.constantFrom(...names).map((node) => ({ obey: node })),
      fc.constant({ restart: true }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        const { ask, obey, plan, reread } = fleet(...names);
        const open = new Set<string>();
        for (const step of moves) {
          if ('ask' in step) {
            ask(step.ask);
            const asked = step.ask === '' ? names : step.ask.split(',').filter((name) => name !== '');
            for (const name of asked) open.add(name);
          } else if ('obey' in step) {
            obey(step.obey);
            open.delete(step.obey);
          } else reread();
          const { requestOf, requests, updated } = plan();
          expect(names.filter(requestOf)).toEqual(names.filter((name) => open.has(name)));
          expect(requests.length).toBeLessThanOrEqual(8);
          expect(updated !== undefined).toBe(open.size > 0);
          if (updated) expect(updated.split(',')).toEqual([...open].sort());
        }
      }),
    );
  });
});

describe('the annotation re-init-once', () => {
  const once = (world: World, value: string) => settle(withAnnotations(world, { [key('re-init-once')]: value }));
  const order = (world: World, node: string) => ordersOf(world, node)?.baseline.id;
  const values = ({ integrity }: World) => integrity.status?.reinitOnce?.map(({ value }) => value);

  test('asks once for each value, stays where it is, and is done again for no value that was', () => {
    const before = aSettledWorld();
    const first = once(before, 'kernel 6.12');
    expect(order(first, 'a')).not.toBe(order(before, 'a'));
    expect(order(first, 'a')).toBe(order(first, 'b'));
    expect(first.integrity.metadata.annotations?.[key('re-init-once')]).toBe('kernel 6.12');
    const applied = once(first, 'kernel 6.12');
    expect(order(applied, 'a')).toBe(order(first, 'a'));
    const second = once(applied, 'kernel 6.13');
    expect(order(second, 'a')).not.toBe(order(first, 'a'));
    const back = once(second, 'kernel 6.12');
    expect(order(back, 'a')).toBe(order(second, 'a'));
    expect(values(back)).toEqual(['kernel 6.12', 'kernel 6.13']);
  });

  test('means the nodes that are named behind the sign', () => {
    const before = aSettledWorld();
    const world = withAnnotations(before, { [key('re-init-once')]: 'disk=b, c' });
    expect(eventsOf(world).join()).toContain('watches no such node: c.');
    const after = settle(world);
    expect([order(after, 'a') === order(before, 'a'), order(after, 'b') === order(before, 'b')]).toEqual([true, false]);
  });

  test('of a new object is noted: its nodes get their first baselines anyway', () => {
    const integrity = anIntegrity({}, { [key('re-init-once')]: 'v1' });
    const world = settle(aWorld({ integrity }));
    expect(ordersOf(world, 'a')?.baseline.reason).toBe('Initial');
    expect(values(world)).toEqual(['v1']);
  });

  test('comes after what else is asked for', () => {
    const world = withAnnotations(aSettledWorld(), { [key('re-init')]: 'a', [key('re-init-once')]: 'v1' });
    const first = carriedOut(world);
    expect(values(first)).toBeUndefined();
    expect(values(settle(first))).toEqual(['v1']);
  });

  test('is remembered with its last twenty values, each bounded', () => {
    let world = aSettledWorld();
    for (let index = 0; index < 22; index++) world = once(world, `${index} ${'x'.repeat(300)}`);
    expect(values(world)).toHaveLength(20);
    expect(values(world)?.every((value) => value.length <= 253)).toBe(true);
    expect(values(world)?.at(-1)).toMatch(/^21 /);
  });
});

describe('the annotation with the requests', () => {
  const request: ReinitRequest = { id: 'r', reason: 'Demand', who: 'me', at: NOW.toISOString(), nodes: '' };

  test('is read as it was written', () => {
    expect(parseRequests(JSON.stringify([request]))).toEqual([request]);
  });

  test('is read without what is beside the fields that are known', () => {
    expect(parseRequests(JSON.stringify([{ ...request, more: [1] }]))).toEqual([request]);
  });

  test.each([
    ['nothing', undefined],
    ['no JSON', '['],
    ['no list', '{}'],
    ['a time that is none', JSON.stringify([{ ...request, at: 'soon' }])],
    ['a time that no clock shows', JSON.stringify([{ ...request, at: '+275760-09-13T00:00:00.000Z' }])],
    ['another reason', JSON.stringify([{ ...request, reason: 'Initial' }])],
  ])('that holds %s counts as none', (_, text) => {
    expect(parseRequests(text)).toEqual([]);
  });

  test('of any text is read without an error', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseRequests(text)));
  });
});

function integrityOfVersion(version: number, nodes: string) {
  const integrity = anIntegrity({}, { [key('re-init')]: nodes });
  return { ...integrity, metadata: { ...integrity.metadata, resourceVersion: String(version) } };
}
