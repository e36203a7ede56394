import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../src/kube/errors.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, nodes } from '../../src/kube/resources.ts';
import { createNamespace } from '../support/namespace.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';

let connection: Connection;
let client: Client;
let namespace: string;

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  namespace = await createNamespace(client, 'kube-client');
});

afterAll(() => client.close());

describe('objects', () => {
  test('are created, read, replaced, patched, listed and removed', async () => {
    const ref = { namespace, name: 'all-verbs' };
    const made = await client.create(configMaps, { metadata: ref, data: { a: '1' } });
    expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    expect(await client.get(configMaps, ref)).toEqual(made);
    await client.replace(configMaps, { ...made, data: { a: '2' } });
    await client.patch(configMaps, ref, { data: { b: '3' } }, { type: 'merge' });
    const json = [{ op: 'add', path: '/data/c', value: '4' }];
    const patched = await client.patch(configMaps, ref, json, { type: 'json' });
    expect(patched.data).toEqual({ a: '2', b: '3', c: '4' });
    const list = await client.list(configMaps, { namespace, fieldSelector: 'metadata.name=all-verbs' });
    expect(list.items).toEqual([patched]);
    expect(await client.remove(configMaps, ref)).toBe(true);
    expect(await client.remove(configMaps, ref)).toBe(false);
  });

  test('of the whole cluster need no namespace', async () => {
    await client.create(nodes, { metadata: { name: 'kube-client-node' } });
    expect(await client.get(nodes, { name: 'kube-client-node' })).toMatchObject({ kind: 'Node' });
    await client.remove(nodes, { name: 'kube-client-node' });
  });

  test('that are not there: get says so, find gives nothing', async () => {
    const ref = { namespace, name: 'absent' };
    await expect(client.get(configMaps, ref)).rejects.toSatisfy(isNotFound);
    await expect(client.get(configMaps, ref)).rejects.toMatchObject({
      code: 'KUBE_API',
      status: 404,
      reason: 'NotFound',
      message: 'configmaps "absent" not found',
    });
    expect(await client.find(configMaps, ref)).toBeUndefined();
  });

  test('that the server refuses: the error says which field and why', async () => {
    const bad = { metadata: { namespace, name: 'bad' }, data: { 'a key': '' } };
    await expect(client.create(configMaps, bad)).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
      causes: [expect.objectContaining({ field: 'data[a key]' })],
    });
  });

  test('whose names are hostile are not found, and nothing else is', async () => {
    for (const name of ['../secrets', 'a/b', 'a?watch=true', '%2e%2e']) {
      expect(await client.find(configMaps, { namespace, name }).catch((error) => error.status)).toSatisfy(
        (found) => found === undefined || found === 400,
      );
    }
  });
});

describe('conflicting writers', () => {
  test('the second of two who read the same version cannot replace it', async () => {
    const metadata = { namespace, name: 'raced' };
    const read = await client.create(configMaps, { metadata, data: {} });
    await client.replace(configMaps, { ...read, data: { winner: 'first' } });
    const late = client.replace(configMaps, { ...read, data: { winner: 'second' } });
    await expect(late).rejects.toSatisfy(isConflict);
    await expect(late).rejects.not.toSatisfy(isAlreadyExists);
  });

  test('the second of two who create an object learns that it exists', async () => {
    const metadata = { namespace, name: 'made-twice' };
    await client.create(configMaps, { metadata });
    const again = client.create(configMaps, { metadata });
    await expect(again).rejects.toSatisfy(isAlreadyExists);
    await expect(again).rejects.not.toSatisfy(isConflict);
  });

  test('an apply takes every character that may be in a text', async () => {
    const metadata = { name: 'characters', namespace };
    const codes = [
      ...Array.from({ length: 0x2100 }, (_, code) => code),
      0xd7ff,
      0xe000,
      0xfeff,
      0xfffd,
      0xfffe,
      0xffff,
    ];
    const data = { text: String.fromCodePoint(...codes, 0x1f600, 0x10ffff) };
    const applied = await client.apply(configMaps, { metadata, data }, { fieldManager: 'ours' });
    expect(applied.data).toEqual(data);
  });

  test('an apply without force says which field another manager owns; with force it takes the field over', async () => {
    const metadata = { namespace, name: 'applied' };
    await client.apply(configMaps, { metadata, data: { a: 'theirs' } }, { fieldManager: 'theirs' });
    const ours = { metadata, data: { a: 'ours' } };
    await expect(client.apply(configMaps, ours, { fieldManager: 'ours', force: false })).rejects.toSatisfy(
      (error) => isConflict(error) && error.causes[0]?.field === '.data.a',
    );
    const applied = await client.apply(configMaps, ours, { fieldManager: 'ours' });
    expect(applied.data).toEqual({ a: 'ours' });
  });

  test('an object that another one has replaced under the same name is not removed in its place', async () => {
    const ref = { namespace, name: 'reborn' };
    const first = await client.create(configMaps, { metadata: ref });
    await client.remove(configMaps, ref);
    const second = await client.create(configMaps, { metadata: ref });
    await expect(client.remove(configMaps, ref, { uid: first.metadata?.uid ?? '' })).rejects.toSatisfy(isConflict);
    expect(await client.remove(configMaps, ref, { uid: second.metadata?.uid ?? '' })).toBe(true);
  });
});

describe('5,000 objects', () => {
  test('are listed in pages, each object once', async () => {
    const own = await createNamespace(client, 'kube-pages');
    const labels = { many: 'yes' };
    const names = Array.from({ length: 5_000 }, (_, index) => `cm-${index}`);
    const left = names.values();
    const create = async () => {
      for (const name of left) await client.create(configMaps, { metadata: { namespace: own, name, labels } });
    };
    await Promise.all(Array.from({ length: 8 }, create));

    const selection = { namespace: own, labelSelector: 'many=yes', limit: 500 };
    const seen: string[] = [];
    let page = await client.list(configMaps, selection);
    for (; ; page = await client.list(configMaps, { ...selection, continue: page.metadata.continue })) {
      seen.push(...page.items.map((item) => item.metadata?.name ?? ''));
      if (!page.metadata.continue) break;
    }
    expect(seen.length).toBe(5_000);
    expect(new Set(seen)).toEqual(new Set(names));
  }, 180_000);
});

describe('a server that cannot be reached', () => {
  const ref = { name: 'x' };

  test('refuses: the error says so and carries the cause', async () => {
    await using refused = createClient({ ...connection, server: 'https://127.0.0.1:1' });
    await expect(refused.get(nodes, ref)).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    });
  });

  test('has a certificate that nobody we know has signed', async () => {
    const credentials = async () => ({ tls: {}, headers: {} });
    await using distrustful = createClient({ ...connection, credentials });
    await expect(distrustful.get(nodes, ref)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });

  test('stays silent: the call ends at its deadline', async () => {
    await using proxy = await startTlsProxy(connection);
    proxy.silence(true);
    await using impatient = createClient(proxy.connection, { timeoutMs: 500 });
    await expect(impatient.get(nodes, ref)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });

  test('a call whose signal aborts ends with the reason of the signal', async () => {
    await using proxy = await startTlsProxy(connection);
    proxy.silence(true);
    await using waiting = createClient(proxy.connection);
    const controller = new AbortController();
    const call = waiting.get(nodes, ref, { signal: controller.signal });
    controller.abort(new Error('we stop'));
    await expect(call).rejects.toThrow('we stop');
    await expect(waiting.get(nodes, ref, { signal: controller.signal })).rejects.toThrow('we stop');
  });

  test('has closed the sockets of earlier calls: reads do not notice', async () => {
    await using proxy = await startTlsProxy(connection);
    await using reader = createClient(proxy.connection);
    for (let round = 0; round < 20; round++) {
      expect(await reader.raw('/version')).toContain('gitVersion');
      expect(proxy.cut()).toBeGreaterThan(0);
    }
  });

  test('a closed client calls nobody', async () => {
    const closed = createClient(connection);
    await closed.close();
    await expect(closed.get(nodes, ref)).rejects.toMatchObject({ code: 'KUBE_CLOSED' });
  });
});
