import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createAuthority, issueCertificate } from '../../devcluster/certificates.ts';
import type { Connection, Credentials } from '../../src/kube/connection.ts';

/**
 * A network fault between a client and the real API server: passes bytes on, and on demand cuts connections, refuses
 * new ones, goes silent, or changes bytes on their way to the client. It ends TLS and speaks to the server as
 * `connection` does, so that it sees plain bytes; it knows nothing of HTTP.
 */
export interface TlsProxy extends AsyncDisposable {
  /** The way through the proxy. */
  readonly connection: Connection;
  /** Ends all connections at once, as a lost network does. Returns how many there were. */
  cut(): number;
  /** Whether new connections are ended at once. Cuts the existing ones too. */
  refuse(on: boolean): void;
  /** Whether bytes from the server are held back, as a frozen server or a lost route does. */
  silence(on: boolean): void;
  /** Changes what the server sends; must keep its length. */
  tamper(change: ((chunk: Buffer) => Buffer) | undefined): void;
}

export async function startTlsProxy(behind: Connection): Promise<TlsProxy> {
  const authority = await createAuthority('proxy authority');
  const own = await issueCertificate(authority, { user: 'proxy', addresses: ['127.0.0.1'] });
  const { tls }: Credentials = await behind.credentials();
  const target = new URL(behind.server);
  const pairs = new Map<TLSSocket, TLSSocket>();
  let change: ((chunk: Buffer) => Buffer) | undefined;
  let isRefusing = false;
  let isSilent = false;

  const server = createServer({ cert: own.certificate, key: own.key }, (downstream) => {
    downstream.on('error', () => {});
    if (isRefusing) {
      downstream.destroy();
      return;
    }
    const upstream = connect({ ...tls, host: target.hostname, port: Number(target.port || 443) });
    upstream.on('error', () => {});
    pairs.set(downstream, upstream);
    upstream.on('data', (chunk: Buffer) => downstream.write(change ? change(chunk) : chunk));
    downstream.on('data', (chunk: Buffer) => upstream.write(chunk));
    upstream.on('close', () => downstream.destroy());
    downstream.on('close', () => {
      pairs.delete(downstream);
      upstream.destroy();
    });
    if (isSilent) upstream.pause();
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const credentials = { tls: { ca: authority.certificate }, headers: {} };

  function cut(): number {
    const count = pairs.size;
    for (const downstream of pairs.keys()) downstream.destroy();
    return count;
  }

  return {
    connection: {
      server: `https://127.0.0.1:${port}`,
      namespace: 'default',
      credentials: async () => credentials,
      forget() {},
    },
    cut,
    refuse(on) {
      isRefusing = on;
      if (on) cut();
    },
    silence(on) {
      isSilent = on;
      for (const upstream of pairs.values()) on ? upstream.pause() : upstream.resume();
    },
    tamper(how) {
      change = how;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
    },
  };
}
