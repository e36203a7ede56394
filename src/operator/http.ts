import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { explain, FioError } from '../lib/errors.ts';
import { type Bounds, Places } from './http-places.ts';

/** A GET or HEAD request, as far as anything here looks at it. */
export interface Request {
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Default `text/plain; charset=utf-8`. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Undefined: there is nothing at that path. */
export type Handler = (request: Request) => Answer | undefined | Promise<Answer | undefined>;

/** A server that listens. Disposed, it takes no more connections, finishes what it answers, and ends within a second. */
export interface Listening extends AsyncDisposable {
  /** The port that it was given, where it asked for 0. */
  readonly port: number;
}

/** A certificate, perhaps with those above it, and its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface ListeningTls extends Listening {
  /** Serves with this certificate from the next connection on. Until the first, every handshake is refused. */
  use(pair: KeyPair): void;
}

// Bounds against whoever can reach the port. Prometheus and the kubelet need a handful of connections, and send a request
// as soon as they have one.
const PLACES: Bounds = { total: 256, perAddress: 32 };
/**
 * Connections that the kernel accepts before we do. Fewer than there are places: whoever comes has been listened to at least
 * once before its place can go to those who came behind it.
 */
const BACKLOG = 128;
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  maxHeaderSize: 16_384,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
};
const MAX_HEADERS = 64;
const HANDSHAKE_MS = 5_000;
/** How long a stop waits for answers under way. */
const STOP_MS = 1_000;

// Every client since 2015 has these, and all give forward secrecy; TLS 1.3 has its own.
const TLS_1_2_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];
const TLS_1_3_CIPHERS = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/**
 * Serves HTTP/1.1 in the clear. Port 0 takes a free one.
 * @param onError told of a handler that threw; the client gets 500
 * @throws FioError `PORT_UNAVAILABLE`
 */
export async function serve(port: number, handler: Handler, onError: (error: unknown) => void): Promise<Listening> {
  const places = new Places(PLACES);
  return listen(createServer(LIMITS, listenerOf(handler, places, onError)), places, port);
}

/**
 * Serves HTTP/1.1 over TLS 1.2 or 1.3, once it has a certificate. Port 0 takes a free one.
 * @throws FioError `PORT_UNAVAILABLE`
 */
export async function serveTls(
  port: number,
  handler: Handler,
  onError: (error: unknown) => void,
): Promise<ListeningTls> {
  const protocol = {
    minVersion: 'TLSv1.2',
    ciphers: [...TLS_1_3_CIPHERS, ...TLS_1_2_CIPHERS].join(':'),
    honorCipherOrder: true,
  } as const;
  const options = { ...LIMITS, ...protocol, ALPNProtocols: ['http/1.1'], handshakeTimeout: HANDSHAKE_MS };
  const places = new Places(PLACES);
  const server = createTlsServer(options, listenerOf(handler, places, onError));
  const listening = await listen(server, places, port);
  return {
    ...listening,
    use({ certificate, key }) {
      server.setSecureContext({ ...protocol, cert: certificate, key });
      // Whoever kept a connection meets the new certificate next time.
      server.closeIdleConnections();
    },
  };
}

async function listen(server: Server | TlsServer, places: Places, port: number): Promise<Listening> {
  server.on('connection', (socket: Socket) => places.take(socket));
  server.maxHeadersCount = MAX_HEADERS;
  server.listen({ port, backlog: BACKLOG });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new FioError('PORT_UNAVAILABLE', `Port ${port} cannot be listened on: ${explain(cause)}.`, { cause });
  }
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close(); // idle connections too
      const late = setTimeout(() => server.closeAllConnections(), STOP_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

function listenerOf(handler: Handler, places: Places, onError: (error: unknown) => void) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    response.once('close', places.answer(request.socket));
    answerTo(request, handler)
      .catch((error: unknown): Answer => {
        onError(error);
        return { status: 500, body: 'The operator could not answer; its log says why.\n' };
      })
      .then((answer) => send(request, response, answer))
      .catch(onError);
  };
}

async function answerTo(request: IncomingMessage, handler: Handler): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, body: 'Only GET and HEAD are answered.\n', headers: { allow: 'GET, HEAD' } };
  }
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  return (await handler({ path, headers: request.headers })) ?? { status: 404, body: 'There is nothing here.\n' };
}

const compress = promisify(gzip);
/** Less than this fits into a packet or two as it is. */
const COMPRESSED_FROM_BYTES = 2_048;

async function send(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  const { status, body, type = 'text/plain; charset=utf-8', headers = {} } = answer;
  const plain = Buffer.from(body);
  const isCompressed = plain.length >= COMPRESSED_FROM_BYTES && takesGzip(request.headers);
  const bytes = isCompressed ? await compress(plain) : plain;
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(isCompressed && { 'content-encoding': 'gzip' }),
    // Whoever was refused holds no connection.
    ...(status >= 400 && { connection: 'close' }),
    ...headers,
  });
  response.end(bytes);
}

function takesGzip(headers: IncomingHttpHeaders): boolean {
  return /(?:^|,)\s*gzip\s*(?:,|$)/.test(String(headers['accept-encoding'] ?? ''));
}
