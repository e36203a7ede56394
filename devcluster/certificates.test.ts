import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { callApi } from './api.ts';
import { createAuthority, issueCertificate } from './certificates.ts';

test('a certificate is signed by its authority and carries user, groups, names and addresses', async () => {
  const authority = await createAuthority('test');
  const subject = { user: 'jane', groups: ['a', 'b'], names: ['localhost'], addresses: ['127.0.0.1'] };
  const { certificate } = await issueCertificate(authority, subject);
  const parsed = new X509Certificate(certificate);
  const issuer = new X509Certificate(authority.certificate);
  expect(parsed.checkIssued(issuer)).toBe(true);
  expect(parsed.verify(issuer.publicKey)).toBe(true);
  expect(parsed.subject).toBe('O=a\nO=b\nCN=jane');
  expect(parsed.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
  expect(issuer.ca).toBe(true);
  expect(parsed.ca).toBe(false);
});

test('server and client accept each other’s certificates, and refuse those of another authority', async () => {
  const authority = await createAuthority('one');
  const serving = await issueCertificate(authority, { user: 'server', addresses: ['127.0.0.1'] });
  const user = await issueCertificate(authority, { user: 'client' });
  const stranger = await issueCertificate(await createAuthority('other'), { user: 'client' });
  const server = createServer(
    { cert: serving.certificate, key: serving.key, ca: authority.certificate, requestCert: true },
    (_request, response) => response.end('hello'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connection = { server: url, authority: authority.certificate, user };
    expect(await callApi(connection, 'GET', '/')).toEqual({ status: 200, text: 'hello' });
    await expect(callApi({ ...connection, user: stranger }, 'GET', '/')).rejects.toThrow();
  } finally {
    server.close();
  }
});
