import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { KeyPair } from '../http.ts';
import { issueServing, makeAuthority } from './issue.ts';

const HOUR_MS = 3_600_000;
const VALIDITY = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + HOUR_MS) };
const NAMES = ['metrics.example.svc', 'metrics'];

/** Undefined: the handshake succeeds; else why it does not. */
async function handshake(serving: KeyPair, authority: string, servername: string): Promise<string | undefined> {
  const server = createServer({ cert: serving.certificate, key: serving.key }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const socket = connect({ port: (server.address() as AddressInfo).port, ca: authority, servername });
    return await once(socket, 'secureConnect').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => `${error.code} ${error.message}`,
    );
  } finally {
    server.close();
  }
}

describe('a certificate for the metrics', () => {
  test('is trusted under each of its names by whoever trusts its authority', async () => {
    const authority = await makeAuthority(NAMES, VALIDITY);
    const serving = await issueServing(authority, NAMES, VALIDITY);
    for (const name of NAMES) expect(await handshake(serving, authority.certificate, name)).toBeUndefined();
  });

  test('is not trusted under another name, nor with another authority', async () => {
    const authority = await makeAuthority(NAMES, VALIDITY);
    const serving = await issueServing(authority, NAMES, VALIDITY);
    const other = await makeAuthority(NAMES, VALIDITY);
    expect(await handshake(serving, authority.certificate, 'metrics.other.svc')).toMatch(
      /^ERR_TLS_CERT_ALTNAME_INVALID/,
    );
    expect(await handshake(serving, other.certificate, 'metrics')).toMatch(/SIGNATURE|UNABLE|SELF_SIGNED/);
  });

  test('has the two of them as RFC 5280 asks: versions, serial numbers, who may sign, for what', async () => {
    const authority = await makeAuthority(NAMES, VALIDITY);
    const serving = await issueServing(authority, NAMES, VALIDITY);
    const [root, leaf] = [authority, serving].map(({ certificate }) => new X509Certificate(certificate));
    expect(root?.ca).toBe(true);
    expect(leaf?.ca).toBe(false);
    expect(root && leaf?.checkIssued(root)).toBe(true);
    expect(root && leaf?.verify(root.publicKey)).toBe(true);
    expect(leaf?.subjectAltName).toBe('DNS:metrics.example.svc, DNS:metrics');
    expect(leaf?.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf?.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(leaf?.serialNumber).not.toBe(root?.serialNumber);
    expect(leaf?.validToDate.getTime()).toBe(Math.floor(VALIDITY.notAfter.getTime() / 1000) * 1000);
  });

  test('ends after 2049 too, where dates are written in another way', async () => {
    const notAfter = new Date('2071-02-03T04:05:06Z');
    const { certificate } = await makeAuthority(NAMES, { ...VALIDITY, notAfter });
    expect(new X509Certificate(certificate).validToDate).toEqual(notAfter);
  });
});

describe('the authority', () => {
  test('vouches for no other name, whoever has its key', async () => {
    const authority = await makeAuthority(NAMES, VALIDITY);
    const stolen = await issueServing(authority, ['bank.example.com'], VALIDITY);
    expect(await handshake(stolen, authority.certificate, 'bank.example.com')).toMatch(/permitted subtree violation/);
  });

  test('vouches for no other authority', async () => {
    const authority = await makeAuthority(NAMES, VALIDITY);
    const middle = await issueServing(authority, NAMES, VALIDITY);
    const serving = await issueServing(middle, NAMES, VALIDITY);
    const chain = { ...serving, certificate: serving.certificate + middle.certificate };
    expect(await handshake(chain, authority.certificate, 'metrics')).toBeDefined();
  });

  test('renewed with its key is the same to whoever trusts the old one or the new one', async () => {
    const before = await makeAuthority(NAMES, VALIDITY);
    const after = await makeAuthority(NAMES, { ...VALIDITY, notAfter: new Date(Date.now() + 9 * HOUR_MS) }, before.key);
    expect(after.certificate).not.toBe(before.certificate);
    const serving = await issueServing(after, NAMES, VALIDITY);
    for (const { certificate } of [before, after]) {
      expect(await handshake(serving, certificate, 'metrics')).toBeUndefined();
    }
  });
});
