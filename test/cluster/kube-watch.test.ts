import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../devcluster/cluster.ts';
import { readState } from '../../devcluster/state.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { isGone } from '../../src/kube/errors.ts';
import { type Change, createInformer, type Informer, keyOf } from '../../src/kube/informer.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { type ObjectEvent, observe } from '../../src/kube/watcher.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';

// A control plane of its own, because it is restarted and compacted here.
let cluster: Cluster;
let connection: Connection;
let client: Client;
let namespace: string;

beforeAll(async () => {
  cluster = await startCluster({ name: `kube-watch-${process.pid}`, ephemeral: true });
  connection = await connectKubeconfig(cluster.kubeconfigPath);
  client = createClient(connection);
});

afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

beforeEach(async () => {
  namespace = await createNamespace(client, 'kube-watch');
});

const create = (name: string) => client.create(configMaps, { metadata: { namespace, name } });
const remove = (name: string) => client.remove(configMaps, { namespace, name });
const namesIn = (informer: Informer<KubeObject>) => [...informer.list()].map((object) => object.metadata?.name).sort();

/** What the API server itself lists, without the certificate bundle that it puts into each namespace. */
async function truth(): Promise<string[]> {
  const { items } = await client.list(configMaps, { namespace });
  return items.map(keyOf).sort();
}

/** An informer of the namespace's config maps through a way of its own, with what it told. */
async function follow(through: Connection) {
  const stopping = new AbortController();
  const own = createClient(through);
  const errors: unknown[] = [];
  const changes: Change<KubeObject>[] = [];
  const informer = createInformer(own, configMaps, {
    namespace,
    fieldSelector: 'metadata.name!=kube-root-ca.crt',
    pageSize: 3,
    onError: (error) => errors.push(error),
    random: () => 0, // the shortest pauses
  });
  informer.onChange((change) => changes.push(change));
  const running = informer.run(stopping.signal);
  await informer.synced(AbortSignal.timeout(30_000));
  return {
    informer,
    errors,
    changes,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      await own.close();
    },
  };
}

/** Compacts all versions up to this one away, as the API server does every five minutes. */
async function compact(revision: string | undefined): Promise<void> {
  const port = readState(cluster.directory)?.etcdPorts.client;
  const body = JSON.stringify({ revision, physical: true });
  const answer = await fetch(`http://127.0.0.1:${port}/v3/kv/compaction`, { method: 'POST', body });
  expect(answer.status).toBe(200);
}

async function restartApiServer(): Promise<void> {
  await cluster.apiServer.kill();
  await cluster.apiServer.start();
}

describe('a watcher', () => {
  test('of one object tells what there is, each change, and the deletion, and nothing of others', async () => {
    const stopping = new AbortController();
    const events: ObjectEvent<KubeObject>[] = [];
    const watching = (async () => {
      const only = { namespace, name: 'one', signal: stopping.signal };
      for await (const event of observe(client, configMaps, only)) events.push(event);
    })();
    await eventually('it listed', () => events.length === 1);
    expect(events).toEqual([{ type: 'restarted', objects: [], complete: true }]);
    await create('other');
    await create('one');
    await client.patch(configMaps, { namespace, name: 'one' }, { data: { a: '1' } }, { type: 'merge' });
    await remove('one');
    await eventually('it saw the deletion', () => events.some(({ type }) => type === 'deleted'));
    expect(events.slice(1)).toMatchObject([
      { type: 'applied', object: { metadata: { name: 'one' } } },
      { type: 'applied', object: { data: { a: '1' } } },
      { type: 'deleted', object: { metadata: { name: 'one' } } },
    ]);
    stopping.abort();
    await watching;
  });

  test('takes lists that are larger than an answer may be in smaller pages, and of metadata nothing else', async () => {
    const data = { a: 'x'.repeat(1_000_000) };
    const names = Array.from({ length: 25 }, (_, index) => `large-${String(index).padStart(2, '0')}`);
    for (const name of names) {
      await client.create(configMaps, { metadata: { namespace, name, annotations: { large: 'yes' } }, data });
    }
    const stopping = new AbortController();
    const errors: unknown[] = [];
    const options = {
      namespace,
      fieldSelector: 'metadata.name!=kube-root-ca.crt',
      onError: (error: unknown) => errors.push(error),
    };
    const whole = createInformer(client, configMaps, options);
    const partial = createInformer(client, configMaps, { ...options, metadata: true });
    const few = createInformer(client, configMaps, { ...options, metadata: true, capacity: 10 });
    const running = [whole, partial, few].map((informer) => informer.run(stopping.signal));
    for (const informer of [whole, partial, few]) await informer.synced(AbortSignal.timeout(60_000));
    expect(namesIn(whole)).toEqual(names);
    expect(namesIn(partial)).toEqual(names);
    expect([whole.isComplete, partial.isComplete, few.isComplete]).toEqual([true, true, false]);
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual(['KUBE_STORE_INCOMPLETE']);
    const [one] = partial.list();
    expect(one).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'large-00', annotations: { large: 'yes' } } });
    expect(one).not.toHaveProperty('data');
    // Watches, too.
    await client.create(configMaps, { metadata: { namespace, name: 'later' }, data });
    await eventually('it is there', () => partial.get(`${namespace}/later`) !== undefined);
    expect(partial.get(`${namespace}/later`)).not.toHaveProperty('data');
    expect(await client.get(configMaps, { namespace, name: 'later' }, { metadata: true })).not.toHaveProperty('data');
    // There is room again.
    for (const name of names.slice(0, 20)) await remove(name);
    await eventually('all is there', () => few.isComplete && few.size === 6);
    expect(namesIn(few)).toEqual(['large-20', 'large-21', 'large-22', 'large-23', 'large-24', 'later'].sort());
    stopping.abort();
    await Promise.all(running);
  });

  test('that its reader leaves ends its connection', async () => {
    await using proxy = await startTlsProxy(connection);
    await using own = createClient(proxy.connection);
    for await (const event of observe(own, configMaps, { namespace, signal: new AbortController().signal })) {
      expect(event.type).toBe('restarted');
      break;
    }
    await own.close();
    await eventually('no connection is left', () => proxy.cut() === 0);
  });

  test('that the server lets end, again and again, misses nothing', async () => {
    const seen = new Set<string>();
    const signal = AbortSignal.timeout(20_000);
    let from = (await client.list(configMaps, { namespace })).metadata.resourceVersion ?? '';
    for (let round = 0; round < 3; round++) {
      await create(`round-${round}`);
      for await (const event of client.watch(configMaps, {
        namespace,
        resourceVersion: from,
        timeoutSeconds: 1,
        signal,
      })) {
        if (event.type === 'ERROR') throw new Error(event.object.message);
        from = event.object.metadata?.resourceVersion ?? from;
        if (event.type === 'ADDED') seen.add(event.object.metadata?.name ?? '');
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(['round-0', 'round-1', 'round-2']));
  });

  test('ends a watch of which nothing more is heard, although its connection stays', async () => {
    await using proxy = await startTlsProxy(connection);
    await using own = createClient(proxy.connection);
    const only = { namespace, fieldSelector: 'metadata.name=heard' };
    const signal = new AbortController().signal;
    const watch = own
      .watch(configMaps, { ...only, timeoutSeconds: 1, bookmarks: false, signal })
      [Symbol.asyncIterator]();
    await create('heard');
    expect((await watch.next()).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'heard' } } });
    proxy.silence(true);
    await expect(watch.next()).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });
});

describe('an informer', () => {
  test('keeps what the transform leaves, and tells each change with what was there before', async () => {
    await create('kept');
    const stopping = new AbortController();
    const changes: Change<KubeObject>[] = [];
    const informer = createInformer(client, configMaps, {
      namespace,
      transform(object) {
        delete object.metadata?.managedFields;
        return object;
      },
    });
    informer.onChange((change) => changes.push(change));
    const running = informer.run(stopping.signal);
    await informer.synced();
    expect(informer.get(`${namespace}/kept`)?.metadata?.managedFields).toBeUndefined();
    await client.patch(configMaps, { namespace, name: 'kept' }, { data: { a: '1' } }, { type: 'merge' });
    await eventually('it saw the change', () => changes.some((change) => change.type === 'applied' && change.previous));
    expect(informer.get(`${namespace}/kept`)?.data).toEqual({ a: '1' });
    expect(informer.get(`${namespace}/kept`)?.metadata?.managedFields).toBeUndefined();
    expect(informer.lastContact).toBeGreaterThan(0);
    stopping.abort();
    await running;
  });

  test('learns of the deletions of a time when it could not reach the server', async () => {
    await create('stays');
    await create('goes');
    await using proxy = await startTlsProxy(connection);
    await using followed = await follow(proxy.connection);
    proxy.refuse(true);
    await eventually('it noticed', () => followed.errors.length > 0);
    await remove('goes');
    await create('comes');
    proxy.refuse(false);
    await eventually('it knows all', () => namesIn(followed.informer).join() === 'comes,stays');
    expect(followed.errors[0]).toMatchObject({ code: 'KUBE_UNREACHABLE' });
    expect(followed.changes.filter((change) => change.type === 'deleted')).toMatchObject([
      { object: { metadata: { name: 'goes' } } },
    ]);
  });

  test('whose version was compacted away while the server restarted lists again and misses nothing', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'goes']) await create(name);
    const page = await client.list(configMaps, { namespace, limit: 2 });
    await using proxy = await startTlsProxy(connection);
    await using followed = await follow(proxy.connection);
    expect(followed.informer.size).toBe(5);
    proxy.refuse(true);
    await remove('goes');
    await compact((await create('comes')).metadata?.resourceVersion);
    await restartApiServer(); // its watch cache begins now, after what the informer knows
    proxy.refuse(false);
    await eventually('it knows all', () => namesIn(followed.informer).join() === 'a,b,c,comes,d');
    expect(followed.errors.some(isGone)).toBe(true);
    expect(followed.changes.at(-1)).toMatchObject({ type: 'applied', object: { metadata: { name: 'comes' } } });

    const next = client.list(configMaps, { namespace, limit: 2, continue: page.metadata.continue ?? '' });
    await expect(next).rejects.toSatisfy(isGone);
  });

  test('outlives an API server that is killed, and goes on where it was', async () => {
    await create('before');
    await using followed = await follow(connection);
    await cluster.apiServer.kill();
    await eventually('it noticed', () => followed.errors.length > 0);
    await cluster.apiServer.start();
    await create('after');
    await eventually('it saw what came after', () => namesIn(followed.informer).join() === 'after,before');
  });

  test('has the truth in the end although its connections are cut all the time', async () => {
    await using proxy = await startTlsProxy(connection);
    await using followed = await follow(proxy.connection);
    for (let round = 0; round < 60; round++) {
      await create(`cm-${round}`);
      if (round % 3 === 0) await remove(`cm-${round / 3}`);
      if (round % 5 === 0) proxy.cut();
      await delay(50); // long enough in all for some reconnects
    }
    const expected = (await truth()).filter((key) => !key.endsWith('kube-root-ca.crt'));
    await eventually('it knows all', () => [...followed.informer.list()].map(keyOf).sort().join() === expected.join());
    expect(followed.errors.length).toBeGreaterThan(0);
  }, 120_000);

  test('tells of a line that is no JSON, lists again, and has the truth', async () => {
    await using proxy = await startTlsProxy(connection);
    await using followed = await follow(proxy.connection);
    // Somewhere between us and the server a byte of an event turns into another one.
    proxy.tamper((chunk) =>
      Buffer.from(chunk.toString('latin1').replace('{"type":"ADDED"', '{"type":"ADDED\u0001'), 'latin1'),
    );
    await create('garbled');
    await eventually('it noticed', () => followed.errors.length > 0);
    expect(followed.errors[0]).toMatchObject({ code: 'KUBE_RESPONSE_INVALID' });
    await eventually('it knows all', () => namesIn(followed.informer).join() === 'garbled');
    await create('garbled-too');
    await eventually('it knows all', () => namesIn(followed.informer).join() === 'garbled,garbled-too');
    proxy.tamper(undefined);
    await create('clear');
    await eventually('it knows all', () => namesIn(followed.informer).join() === 'clear,garbled,garbled-too');
  });

  test('whose listener throws tells of it and goes on', async () => {
    await using followed = await follow(connection);
    followed.informer.onChange(() => {
      throw new Error('a listener with a bug');
    });
    await create('one');
    await create('two');
    await eventually('it has both', () => namesIn(followed.informer).join() === 'one,two');
    expect(followed.errors).toMatchObject([{ message: 'a listener with a bug' }, { message: 'a listener with a bug' }]);
  });
});
