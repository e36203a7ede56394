import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { createRecorder } from '../../src/kube/events.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, events } from '../../src/kube/resources.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createNamespace } from '../support/namespace.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';

let connection: Connection;
let client: Client;
let namespace: string;
let about: KubeObject;

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
});

afterAll(() => client.close());

beforeEach(async () => {
  namespace = await createNamespace(client, 'kube-events');
  about = await client.create(configMaps, { metadata: { namespace, name: 'subject' } });
});

/** As `kubectl describe` looks for them. */
async function eventsOf(object: KubeObject) {
  const fieldSelector = `involvedObject.name=${object.metadata?.name},involvedObject.uid=${object.metadata?.uid}`;
  return (await client.list(events, { namespace, fieldSelector })).items;
}

test('an event stands where kubectl describe looks for it', async () => {
  await using recorder = createRecorder(client, { component: 'file-integrity-operator', instance: 'pod-1' });
  recorder.record(about, 'Warning', 'NodeIntegrityStatus', 'node n1 has changed!');
  await recorder.flush();
  expect(await eventsOf(about)).toMatchObject([
    {
      type: 'Warning',
      reason: 'NodeIntegrityStatus',
      message: 'node n1 has changed!',
      count: 1,
      source: { component: 'file-integrity-operator' },
      reportingInstance: 'pod-1',
      involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'subject' },
      firstTimestamp: expect.any(String),
    },
  ]);
});

test('equal events, at once or later, are one object with a count; others are others', async () => {
  await using recorder = createRecorder(client, { component: 'test' });
  for (let times = 0; times < 5; times++) recorder.record(about, 'Normal', 'Same', 'again');
  await recorder.flush();
  for (let times = 0; times < 5; times++) recorder.record(about, 'Normal', 'Same', 'again');
  recorder.record(about, 'Normal', 'Same', 'not again');
  await recorder.flush();
  const found = await eventsOf(about);
  expect(found.map(({ message, count }) => [message, count]).sort()).toEqual([
    ['again', 10],
    ['not again', 1],
  ]);
});

test('an event whose object has expired is written anew', async () => {
  await using recorder = createRecorder(client, { component: 'test' });
  recorder.record(about, 'Normal', 'Same', 'again');
  await recorder.flush();
  const [first] = await eventsOf(about);
  await client.remove(events, { namespace, name: first?.metadata.name ?? '' });
  recorder.record(about, 'Normal', 'Same', 'again');
  await recorder.flush();
  expect(await eventsOf(about)).toMatchObject([{ message: 'again', count: 1 }]);
});

test('a message that is too long, or ill-formed, is cut and accepted', async () => {
  const errors: unknown[] = [];
  await using recorder = createRecorder(client, { component: 'test', onError: (error) => errors.push(error) });
  recorder.record(about, 'Normal', 'R'.repeat(500), `${'é'.repeat(2_000)}\ud800`);
  await recorder.flush();
  expect(errors).toEqual([]);
  const [event] = await eventsOf(about);
  expect(Buffer.byteLength(event?.message ?? '')).toBeGreaterThan(1_000);
});

test('an event about an object of the whole cluster stands in the namespace default', async () => {
  await using recorder = createRecorder(client, { component: 'test' });
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: crypto.randomUUID() } };
  recorder.record(node, 'Normal', 'Reason', 'message');
  await recorder.flush();
  const fieldSelector = `involvedObject.uid=${node.metadata.uid}`;
  expect((await client.list(events, { namespace: 'default', fieldSelector })).items).toHaveLength(1);
});

test('what cannot be written is told to the hook, never to the caller, and stops nothing', async () => {
  const errors: unknown[] = [];
  await using recorder = createRecorder(client, { component: 'test', onError: (error) => errors.push(error) });
  recorder.record({}, 'Normal', 'Reason', 'about nothing');
  const nowhere = { ...about, metadata: { namespace: 'no-such-namespace', name: 'x' } };
  recorder.record(nowhere, 'Normal', 'Reason', 'to nowhere');
  recorder.record(about, 'Normal', 'Reason', 'fine');
  await recorder.flush();
  expect(errors).toMatchObject([{ name: 'TypeError' }, { status: 404 }]);
  expect(await eventsOf(about)).toMatchObject([{ message: 'fine' }]);
});

test('events of a time when the server is away are written when it is back; a flush does not wait for that', async () => {
  await using proxy = await startTlsProxy(connection);
  await using own = createClient(proxy.connection);
  await using recorder = createRecorder(own, { component: 'test' });
  proxy.refuse(true);
  recorder.record(about, 'Normal', 'Reason', 'first');
  recorder.record(about, 'Normal', 'Reason', 'second');
  await recorder.flush(100);
  expect(await eventsOf(about)).toEqual([]);
  proxy.refuse(false);
  await recorder.flush(30_000);
  expect((await eventsOf(about)).map(({ message }) => message).sort()).toEqual(['first', 'second']);
});

test('what cannot be written holds nobody up who ends', async () => {
  await using proxy = await startTlsProxy(connection);
  await using own = createClient(proxy.connection);
  const began = performance.now();
  {
    await using recorder = createRecorder(own, { component: 'test', flushMs: 100 });
    proxy.refuse(true);
    recorder.record(about, 'Normal', 'Reason', 'never');
  }
  // A flush without a limit of its own takes 5 s.
  expect(performance.now() - began).toBeLessThan(4000);
});
