import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issueCertificate } from '../../devcluster/certificates.ts';
import type { Connection, Credentials } from '../../src/kube/connection.ts';

/** A write as it went to the API server: its method and the path behind the API group's version. */
type Write = `${'POST' | 'PUT' | 'PATCH' | 'DELETE'} ${string}`;

/**
 * The way of one client to the real API server, which notes the writes that go through, and can shut behind one of them:
 * then no other comes through, as if the client had died there. Reads go on; so do leadership and events.
 */
export interface Gate extends AsyncDisposable {
  readonly connection: Connection;
  /** What was let through, leadership and events left out. */
  readonly writes: readonly Write[];
  /** Lets this many more writes through, and none behind them. */
  shutAfter(count: number): void;
  /** Resolves when a write has found the gate shut. */
  shut(): Promise<void>;
  /** Lets this many more writes through and their answers not: they are carried out, and the client is not told. */
  loseAnswers(count: number): void;
  /** Ends all connections at once, whatever was on its way. */
  cut(): void;
}

export async function startGate(behind: Connection): Promise<Gate> {
  const authority = await createAuthority('gate authority');
  const own = await issueCertificate(authority, { user: 'gate', addresses: ['127.0.0.1'] });
  const { tls, headers }: Credentials = await behind.credentials();
  const agent = new Agent({ ...tls, keepAlive: true });
  const writes: Write[] = [];
  const { promise: shut, resolve: tellShut } = Promise.withResolvers<void>();
  let left = Number.POSITIVE_INFINITY;
  let toLose = 0;

  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const write = writeOf(incoming);
    const isLost = write !== undefined && toLose > 0;
    if (isLost) toLose -= 1;
    if (write !== undefined) {
      if (left === 0) {
        tellShut();
        incoming.socket.destroy();
        return;
      }
      left -= 1;
      writes.push(write);
    }
    const { host: _, ...sent } = incoming.headers;
    const upstream = request(
      `${behind.server}${incoming.url}`,
      { agent, method: incoming.method, headers: { ...sent, ...headers } },
      (answer) => {
        if (isLost) {
          answer.resume();
          incoming.socket.destroy();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.on('error', () => outgoing.destroy());
      },
    );
    upstream.on('error', () => incoming.socket.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }

  const server = createServer({ cert: own.certificate, key: own.key }, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const credentials = { tls: { ca: authority.certificate }, headers: {} };
  return {
    connection: {
      server: `https://127.0.0.1:${port}`,
      namespace: behind.namespace,
      credentials: async () => credentials,
      forget() {},
    },
    writes,
    shutAfter(count) {
      left = count;
    },
    shut: () => shut,
    loseAnswers(count) {
      toLose = count;
    },
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

function writeOf({ method = '', url = '' }: IncomingMessage): Write | undefined {
  if (!['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) return undefined;
  const path = new URL(url, 'https://gate').pathname.replace(/^.*\/namespaces\/[^/]+\//, '');
  if (path === 'leases' || path === 'leases/file-integrity-operator' || path.startsWith('events')) return undefined;
  return `${method} ${path}` as Write;
}
