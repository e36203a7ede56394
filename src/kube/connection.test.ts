import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectInCluster } from './connection.ts';

let directory: string;
const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fio-connection-'));
  await write('token-1', 'ca-1');
});
afterEach(() => rm(directory, { recursive: true }));

async function write(token: string, ca: string): Promise<void> {
  await writeFile(join(directory, 'token'), `${token}\n`);
  await writeFile(join(directory, 'ca.crt'), ca);
}

test('a pod finds its server, its namespace and its token', async () => {
  await writeFile(join(directory, 'namespace'), 'openshift-file-integrity');
  const connection = connectInCluster({ directory, env });
  expect(connection).toMatchObject({ server: 'https://10.96.0.1:443', namespace: 'openshift-file-integrity' });
  expect(await connection.credentials()).toEqual({ tls: { ca: 'ca-1' }, headers: { authorization: 'Bearer token-1' } });
});

test('an address of IP version 6 stands in brackets', () => {
  const connection = connectInCluster({ directory, env: { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' } });
  expect(connection.server).toBe('https://[fd00::1]:443');
});

test('outside of a pod it says so', () => {
  expect(() => connectInCluster({ directory, env: {} })).toThrow(
    expect.objectContaining({ code: 'KUBE_NOT_IN_CLUSTER' }),
  );
});

test('a token that rotates is read again after a minute, and at once when the server refused the old one', async () => {
  let now = 0;
  const connection = connectInCluster({ directory, env, clock: () => now });
  const token = async () => (await connection.credentials()).headers.authorization;
  await token();
  await write('token-2', 'ca-1');
  expect(await token()).toBe('Bearer token-1');
  now = 60_000;
  expect(await token()).toBe('Bearer token-2');
  await write('token-3', 'ca-1');
  connection.forget();
  expect(await token()).toBe('Bearer token-3');
});

test('new sockets are asked for only when the authority changes', async () => {
  let now = 0;
  const connection = connectInCluster({ directory, env, clock: () => now });
  const { tls } = await connection.credentials();
  await write('token-2', 'ca-1');
  now = 60_000;
  expect((await connection.credentials()).tls).toBe(tls);
  await write('token-2', 'ca-2');
  now = 120_000;
  expect((await connection.credentials()).tls).toEqual({ ca: 'ca-2' });
});

test('a token that cannot be read for a while does not cost the one that is known', async () => {
  let now = 0;
  const connection = connectInCluster({ directory, env, clock: () => now });
  await connection.credentials();
  await rm(join(directory, 'token'));
  now = 60_000;
  expect((await connection.credentials()).headers.authorization).toBe('Bearer token-1');
});

test('a token that was never there, or is far too large, is an error with a cause, until it is there', async () => {
  const connection = connectInCluster({ directory, env });
  await rm(join(directory, 'token'));
  await expect(connection.credentials()).rejects.toMatchObject({
    code: 'KUBE_NO_CREDENTIALS',
    cause: { code: 'ENOENT' },
  });
  await write('x', 'ca-1');
  await truncate(join(directory, 'token'), 2 * 1024 * 1024);
  await expect(connection.credentials()).rejects.toMatchObject({ code: 'KUBE_NO_CREDENTIALS' });
  await write('token-1', 'ca-1');
  expect((await connection.credentials()).headers.authorization).toBe('Bearer token-1');
});
