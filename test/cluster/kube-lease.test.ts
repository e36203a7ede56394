import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { type LeaderOptions, runAsLeader } from '../../src/kube/lease.ts';
import { leases } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';

// Shorter than the usual 15, 10 and 2 s, in the same proportion.
const TIMES = { leaseMs: 3_000, renewMs: 2_000, retryMs: 400 };

let connection: Connection;
let client: Client;
let namespace: string;
let leading: Set<string>;
let history: string[];

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
});

afterAll(() => client.close());

beforeEach(async () => {
  namespace = await createNamespace(client, 'kube-lease');
  leading = new Set();
  history = [];
});

/** Contends for the one lease of the test's namespace, and notes when it leads. */
function contend(identity: string, options: Partial<LeaderOptions> = {}, through = client) {
  const stopping = new AbortController();
  const running = runAsLeader(
    through,
    { namespace, name: 'leader', identity, ...TIMES, ...options },
    stopping.signal,
    async (signal) => {
      expect([...leading]).toEqual([]);
      leading.add(identity);
      history.push(identity);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      leading.delete(identity);
    },
  );
  running.catch(() => {}); // looked at by the tests that expect it
  return {
    running,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const readLease = () => client.get(leases, { namespace, name: 'leader' });

test('of two contenders one leads; when it stops the other one follows before the lease has run out', async () => {
  const first = contend('first');
  await eventually('the first leads', () => leading.has('first'));
  const holders: string[] = [];
  const second = contend('second', { leaseMs: 60_000, onHolder: (holder) => holders.push(holder) });
  await delay(TIMES.leaseMs + TIMES.retryMs); // renewals keep the second one out
  expect(history).toEqual(['first']);
  expect(holders).toEqual(['first']);
  const before = await readLease();
  expect(before.spec).toMatchObject({ holderIdentity: 'first', leaseDurationSeconds: 3, leaseTransitions: 0 });
  await first.stop();
  await eventually('the second leads', () => leading.has('second'), TIMES.leaseMs - TIMES.retryMs);
  expect((await readLease()).spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 });
  await second.stop();
  expect((await readLease()).spec?.holderIdentity ?? '').toBe('');
});

test('a leader that cannot reach the server gives up before another one takes over', async () => {
  await using proxy = await startTlsProxy(connection);
  await using cutOff = createClient(proxy.connection);
  const errors: unknown[] = [];
  const first = contend('cut-off', { onError: (error) => errors.push(error) }, cutOff);
  await eventually('the first leads', () => leading.has('cut-off'));
  const second = contend('second');
  proxy.refuse(true);
  await expect(first.running).rejects.toMatchObject({ code: 'KUBE_LEADERSHIP_LOST' });
  expect(history).toEqual(['cut-off']);
  expect(errors).toContainEqual(expect.objectContaining({ code: 'KUBE_UNREACHABLE' }));
  await eventually('the second leads', () => leading.has('second'));
  await second.stop();
});

test('a server that falls silent makes the leader give up too', async () => {
  await using proxy = await startTlsProxy(connection);
  await using cutOff = createClient(proxy.connection);
  const first = contend('cut-off', {}, cutOff);
  await eventually('the first leads', () => leading.has('cut-off'));
  proxy.silence(true);
  await expect(first.running).rejects.toMatchObject({ code: 'KUBE_LEADERSHIP_LOST' });
  await eventually('its work has ended', () => leading.size === 0);
});

test('an outage that is shorter than the lease changes nothing', async () => {
  await using proxy = await startTlsProxy(connection);
  await using own = createClient(proxy.connection);
  const errors: unknown[] = [];
  const first = contend('first', { onError: (error) => errors.push(error) }, own);
  await eventually('the first leads', () => leading.has('first'));
  proxy.refuse(true);
  await eventually('it noticed', () => errors.length > 0);
  proxy.refuse(false);
  await delay(TIMES.leaseMs);
  expect(leading).toEqual(new Set(['first']));
  await first.stop();
});

test('a leader whose lease somebody else has written ends at once', async () => {
  const first = contend('first');
  await eventually('the first leads', () => leading.has('first'));
  await client.patch(leases, { namespace, name: 'leader' }, { spec: { holderIdentity: 'thief' } }, { type: 'merge' });
  await expect(first.running).rejects.toMatchObject({
    code: 'KUBE_LEADERSHIP_LOST',
    message: expect.stringContaining('thief'),
  });
});

test('a leader whose lease somebody deletes makes a new one and goes on', async () => {
  const first = contend('first');
  await eventually('the first leads', () => leading.has('first'));
  await client.remove(leases, { namespace, name: 'leader' });
  await eventually('the lease is back', () => readLease().catch(() => undefined));
  expect(leading).toEqual(new Set(['first']));
  await first.stop();
});

test('what its clock shows does not matter: a holder of long ago is first watched for as long as its lease lasts', async () => {
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 2, renewTime: '2001-01-01T00:00:00.000000Z' };
  await client.create(leases, { metadata: { namespace, name: 'leader' }, spec });
  const startedAt = performance.now();
  const second = contend('second');
  await eventually('the second leads', () => leading.has('second'));
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  await second.stop();
});

test.each([
  ['a lease of 68 years', { leaseDurationSeconds: 2_147_483_647, renewTime: '2026-01-01T00:00:00.000000Z' }],
  ['a renewal in the future', { leaseDurationSeconds: 3600, renewTime: '9999-12-31T23:59:59.000000Z' }],
  ['neither duration nor renewal', { leaseDurationSeconds: null, renewTime: null }],
  ['as many transitions as there can be', { leaseTransitions: 2_147_483_647 }],
])('one write by somebody who claims %s keeps nobody out for longer than a lease', async (_, claim) => {
  const first = contend('first');
  await eventually('the first leads', () => leading.has('first'));
  const patch = { spec: { holderIdentity: 'thief', ...claim } };
  await client.patch(leases, { namespace, name: 'leader' }, patch, { type: 'merge' });
  await expect(first.running).rejects.toMatchObject({ code: 'KUBE_LEADERSHIP_LOST' });
  const next = contend('next');
  await eventually('the next one leads', () => leading.has('next'));
  expect((await readLease()).spec).toMatchObject({ holderIdentity: 'next', leaseDurationSeconds: 3 });
  await next.stop();
});

test('the lease is kept while the work winds down, and what the work throws is thrown', async () => {
  const stopping = new AbortController();
  const running = runAsLeader(
    client,
    { namespace, name: 'leader', identity: 'slow', ...TIMES },
    stopping.signal,
    async () => {
      stopping.abort();
      await delay(TIMES.renewMs + TIMES.retryMs);
      expect((await readLease()).spec?.holderIdentity).toBe('slow');
      throw new Error('the work failed');
    },
  );
  await expect(running).rejects.toThrow('the work failed');
  expect((await readLease()).spec?.holderIdentity ?? '').toBe('');
});

test('a contender that is stopped while it waits ends quietly', async () => {
  const first = contend('first');
  await eventually('the first leads', () => leading.has('first'));
  const second = contend('second');
  await second.stop();
  expect(history).toEqual(['first']);
  await first.stop();
});
