import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FioError } from '../lib/errors.ts';
import { ApiError, TooLarge } from './errors.ts';
import type { KubeObject, WatchEvent } from './types.ts';
import { startWatching, stepWatch, type WatchInput, type WatchState, type WatchStep } from './watch-machine.ts';

const half = () => 0.5;
const step = (state: WatchState<KubeObject>, input: WatchInput<KubeObject>) => stepWatch(state, input, half);
const object = (name: string, resourceVersion: string): KubeObject => ({ metadata: { name, resourceVersion } });
const watching = (failures = 0): WatchState<KubeObject> => ({ phase: 'watching', resourceVersion: '7', failures });
const gone = new ApiError(410, { reason: 'Expired', code: 410 });
const unreachable = new FioError('KUBE_UNREACHABLE', 'The API server cannot be reached');
const goneLine: WatchEvent<KubeObject> = { type: 'ERROR', object: { code: 410, reason: 'Expired' } };

describe('listing', () => {
  test('gathers the pages and tells of them once, then watches from the version of the list', () => {
    const first = step(startWatching<KubeObject>().state, {
      type: 'page',
      page: { metadata: { resourceVersion: '7', continue: 'token' }, items: [object('a', '1')] },
    });
    expect(first).toMatchObject({ events: [], next: { do: 'list', continue: 'token' } });
    const second = step(first.state, {
      type: 'page',
      page: { metadata: { resourceVersion: '7' }, items: [object('b', '2')] },
    });
    expect(second.events).toEqual([
      { type: 'restarted', objects: [object('a', '1'), object('b', '2')], complete: true },
    ]);
    expect(second.next).toEqual({ do: 'watch', resourceVersion: '7', timeoutSeconds: 435 });
  });

  test('begins from the first page after a failure in the middle, also of an expired token', () => {
    const { state } = step(startWatching<KubeObject>().state, {
      type: 'page',
      page: { metadata: { resourceVersion: '7', continue: 'token' }, items: [object('a', '1')] },
    });
    for (const error of [gone, unreachable]) {
      const failed = step(state, { type: 'failed', error, lastedMs: 10 });
      expect(failed).toMatchObject({ error, next: { do: 'pause', ms: 800 } });
      const again = step(failed.state, { type: 'paused' });
      expect(again).toMatchObject({ state: { objects: [] }, next: { do: 'list', continue: undefined } });
    }
  });

  test('a list without a resource version is a failure', () => {
    const failed = step(startWatching<KubeObject>().state, { type: 'page', page: { metadata: {}, items: [] } });
    expect(failed).toMatchObject({ events: [], error: expect.any(Error), next: { do: 'pause' } });
  });
});

describe('a page that is too large', () => {
  const tooLarge: WatchInput<KubeObject> = { type: 'failed', error: new TooLarge(100), lastedMs: 10 };
  const page = (token: string | undefined, ...items: KubeObject[]): WatchInput<KubeObject> => ({
    type: 'page',
    page: { metadata: { resourceVersion: '7', ...(token && { continue: token }) }, items },
  });

  test('is asked for again at once, half as large, from where the list was; those after it grow again', () => {
    const second = step(startWatching<KubeObject>().state, page('token', object('a', '1')));
    expect(second.next).toEqual({ do: 'list', continue: 'token', limit: 500, metadata: false });
    const half = step(second.state, tooLarge);
    expect(half).toMatchObject({ events: [], next: { do: 'list', continue: 'token', limit: 250 } });
    expect(half.error).toBeUndefined();
    const quarter = step(half.state, tooLarge);
    expect(quarter.next).toMatchObject({ continue: 'token', limit: 125 });
    const more = step(quarter.state, page('more', object('b', '2')));
    expect(more.next).toMatchObject({ continue: 'more', limit: 157 });
    const last = step(more.state, page(undefined, object('c', '3')));
    const objects = [object('a', '1'), object('b', '2'), object('c', '3')];
    expect(last.events).toEqual([{ type: 'restarted', objects, complete: true }]);
  });

  test('with one object is got past by its metadata: it is told and left out, and the others are taken', () => {
    let at = startWatching<KubeObject>();
    for (let tries = 0; tries < 9; tries++) at = step(at.state, tooLarge);
    expect(at.next).toEqual({ do: 'list', continue: undefined, limit: 1, metadata: true });
    const past = step(at.state, page('token', { kind: 'Thing', ...object('huge', '1') }));
    expect(past).toMatchObject({ error: { code: 'KUBE_RESPONSE_INVALID' }, next: { limit: 2, metadata: false } });
    expect(String(past.error)).toContain('Thing huge');
    const last = step(past.state, page(undefined, object('b', '2')));
    expect(last.events).toEqual([{ type: 'restarted', objects: [object('b', '2')], complete: false }]);
    expect(last.next).toMatchObject({ do: 'watch' });
  });

  test('even of metadata is a failure like any other', () => {
    let at = startWatching<KubeObject>();
    for (let tries = 0; tries < 10; tries++) at = step(at.state, tooLarge);
    expect(at).toMatchObject({ error: { code: 'KUBE_RESPONSE_INVALID' }, next: { do: 'pause' } });
  });
});

test('a list that failed begins again in smaller pages', () => {
  const failed = step(startWatching<KubeObject>().state, { type: 'failed', error: unreachable, lastedMs: 30_000 });
  expect(step(failed.state, { type: 'paused' }).next).toMatchObject({ do: 'list', limit: 250 });
});

test('what there is above the capacity is left out, and said to be', () => {
  const limits = { pageSize: 2, capacity: 3 };
  const answer = (token: string | undefined, ...names: string[]): WatchInput<KubeObject> => ({
    type: 'page',
    page: {
      metadata: { resourceVersion: '7', ...(token && { continue: token }) },
      items: names.map((name) => object(name, '1')),
    },
  });
  const first = stepWatch(startWatching<KubeObject>(limits).state, answer('token', 'a', 'b'), half, limits);
  const second = stepWatch(first.state, answer('more', 'c', 'd'), half, limits);
  const third = stepWatch(second.state, answer(undefined, 'e'), half, limits);
  expect(third.events).toEqual([
    { type: 'restarted', objects: ['a', 'b', 'c'].map((name) => object(name, '1')), complete: false },
  ]);
});

describe('watching', () => {
  test('tells of changes and deletions, and reads on', () => {
    const changed = step(watching(), { type: 'line', event: { type: 'MODIFIED', object: object('a', '8') } });
    expect(changed).toMatchObject({ events: [{ type: 'applied', object: object('a', '8') }], next: { do: 'read' } });
    const deleted = step(changed.state, { type: 'line', event: { type: 'DELETED', object: object('a', '9') } });
    expect(deleted).toMatchObject({ events: [{ type: 'deleted' }], state: { resourceVersion: '9' } });
  });

  test('a bookmark moves the version on and tells nothing', () => {
    const marked = step(watching(), { type: 'line', event: { type: 'BOOKMARK', object: object('', '99') } });
    expect(marked).toMatchObject({ events: [], state: { resourceVersion: '99' }, next: { do: 'read' } });
  });

  test('a watch that ended as it should is followed by the next one, at once and from where it was', () => {
    const ended = step(watching(), { type: 'ended', lastedMs: 290_000 });
    expect(ended.next).toMatchObject({ do: 'watch', resourceVersion: '7' });
  });

  test('watches that end at once make no busy loop', () => {
    const first = step(watching(), { type: 'ended', lastedMs: 3 });
    expect(first.next).toEqual({ do: 'pause', ms: 800 });
    const second = step(step(first.state, { type: 'paused' }).state, { type: 'ended', lastedMs: 3 });
    expect(second.next).toEqual({ do: 'pause', ms: 1600 });
  });

  test.each<[string, WatchInput<KubeObject>]>([
    ['as an event', { type: 'line', event: goneLine }],
    ['as an answer', { type: 'failed', error: gone, lastedMs: 3 }],
  ])('a version that is gone (%s) is listed again at once, but not again and again', (_how, input) => {
    const first = step(watching(), input);
    expect(first.next).toMatchObject({ do: 'list', continue: undefined });
    const listed = step(first.state, { type: 'page', page: { metadata: { resourceVersion: '50' }, items: [] } });
    expect(step(listed.state, input).next).toMatchObject({ do: 'pause' });
  });

  test('when the server is away or busy, it watches on from where it was', () => {
    for (const error of [unreachable, new ApiError(503, {}), new ApiError(429, {}), new ApiError(401, {})]) {
      const failed = step(watching(), { type: 'failed', error, lastedMs: 3 });
      expect(step(failed.state, { type: 'paused' }).next).toMatchObject({ do: 'watch', resourceVersion: '7' });
    }
  });

  test('when what the server said is in doubt, it lists again', () => {
    const doubtful = [
      new FioError('KUBE_RESPONSE_INVALID', 'The watch sent a line that is no JSON'),
      new ApiError(400, { reason: 'BadRequest' }),
      new ApiError(504, { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
      new TypeError('a transform that throws'),
    ];
    for (const error of doubtful) {
      const failed = step(watching(), { type: 'failed', error, lastedMs: 3 });
      expect(failed).toMatchObject({ error, next: { do: 'pause' } });
      expect(step(failed.state, { type: 'paused' }).next).toMatchObject({ do: 'list' });
    }
    const line = step(watching(), { type: 'line', event: { type: 'ERROR', object: { code: 500, message: 'boom' } } });
    expect(line).toMatchObject({ error: { message: 'boom' }, next: { do: 'pause' } });
    expect(step(line.state, { type: 'paused' }).next).toMatchObject({ do: 'list' });
  });

  test('it waits as long as the server asks, within reason', () => {
    const asked = (ms: number) =>
      step(watching(), { type: 'failed', error: new ApiError(429, {}, ms), lastedMs: 3 }).next;
    expect(asked(20_000)).toEqual({ do: 'pause', ms: 20_000 });
    expect(asked(86_400_000)).toEqual({ do: 'pause', ms: 60_000 });
  });

  test('pauses grow while it fails, and begin anew after a watch that went well', () => {
    let state = watching();
    const pauses: unknown[] = [];
    for (let tries = 0; tries < 8; tries++) {
      const failed = step(state, { type: 'failed', error: unreachable, lastedMs: 3 });
      pauses.push(failed.next);
      state = step(failed.state, { type: 'paused' }).state;
    }
    const times = [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
    expect(pauses).toEqual(times.map((ms) => ({ do: 'pause', ms })));
    const well = step(state, { type: 'line', event: { type: 'BOOKMARK', object: object('', '8') } });
    expect(step(well.state, { type: 'failed', error: unreachable, lastedMs: 3 }).next).toMatchObject({ ms: 800 });
  });
});

test('whatever fails and whenever, the view that the events build becomes what there is', () => {
  const fault = fc.constantFrom('none', 'none', 'none', 'unreachable', 'gone', 'goneLine', 'badLine', 'ended');
  const change = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), remove: fc.boolean(), fault });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (changes, pageSize) => {
      const world = new World(pageSize);
      const view = new View();
      for (const { name, remove, fault } of changes) {
        world.change(name, remove);
        view.take(fault === 'none' ? world : faultOf(fault));
      }
      for (let steps = 0; steps < 200; steps++) view.take(world);
      expect(view.objects).toEqual(world.objects);
    }),
  );
});

/** A history of objects that answers like an API server that never fails. Versions are numbers that only grow. */
class World {
  readonly objects = new Map<string, KubeObject>();
  readonly #history: { version: number; event: WatchEvent<KubeObject> }[] = [];
  readonly #pageSize: number;
  #version = 1;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  change(name: string, remove: boolean): void {
    if (remove && !this.objects.has(name)) return;
    const version = ++this.#version;
    const changed = object(name, String(version));
    if (remove) this.objects.delete(name);
    else this.objects.set(name, changed);
    this.#history.push({ version, event: { type: remove ? 'DELETED' : 'MODIFIED', object: changed } });
  }

  answer({ next, state }: WatchStep<KubeObject>): WatchInput<KubeObject> {
    switch (next.do) {
      case 'list': {
        const from = Number(next.continue ?? 0);
        const all = [...this.objects.values()];
        const more = from + this.#pageSize < all.length ? { continue: String(from + this.#pageSize) } : {};
        // Of one version, as the real one is: this world stands still while it is listed in pages.
        const metadata = { resourceVersion: String(this.#version), ...more };
        return { type: 'page', page: { metadata, items: all.slice(from, from + this.#pageSize) } };
      }
      case 'watch':
      case 'read': {
        const since = state.phase === 'watching' ? Number(state.resourceVersion) : 0;
        const line = this.#history.find(({ version }) => version > since);
        return line ? { type: 'line', event: line.event } : { type: 'ended', lastedMs: 290_000 };
      }
      case 'pause':
        return { type: 'paused' };
    }
  }
}

function faultOf(fault: string): WatchInput<KubeObject> {
  switch (fault) {
    case 'unreachable':
      return { type: 'failed', error: unreachable, lastedMs: 10 };
    case 'gone':
      return { type: 'failed', error: gone, lastedMs: 10 };
    case 'badLine':
      return { type: 'failed', error: new FioError('KUBE_RESPONSE_INVALID', 'no JSON'), lastedMs: 10 };
    case 'goneLine':
      return { type: 'line', event: goneLine };
    default:
      return { type: 'ended', lastedMs: 10 };
  }
}

/** What a reader of the events knows. */
class View {
  readonly objects = new Map<string, KubeObject>();
  #step: WatchStep<KubeObject> = startWatching();

  take(source: World | WatchInput<KubeObject>): void {
    const { next } = this.#step;
    const isWatching = next.do === 'watch' || next.do === 'read';
    let input: WatchInput<KubeObject>;
    if (source instanceof World) {
      // A list is answered as a whole: the world may not change between two pages of one version.
      do {
        input = source.answer(this.#step);
        this.#take(input);
      } while (this.#step.next.do === 'list' && this.#step.next.continue !== undefined);
      return;
    }
    input = source;
    if (next.do === 'pause' || (!isWatching && input.type !== 'failed')) return; // no such fault is possible there
    this.#take(input);
  }

  #take(input: WatchInput<KubeObject>): void {
    this.#step = stepWatch(this.#step.state, input, half);
    for (const event of this.#step.events) {
      if (event.type === 'restarted') this.objects.clear();
      const objects = event.type === 'restarted' ? event.objects : [event.object];
      for (const object of objects) {
        const name = object.metadata?.name ?? '';
        if (event.type === 'deleted') this.objects.delete(name);
        else this.objects.set(name, object);
      }
    }
  }
}
