import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { FioError } from '../lib/errors.ts';
import { sleep } from '../lib/signal.ts';
import type { Connection, TlsMaterial } from './connection.ts';
import { ApiError } from './errors.ts';
import { apiError, isFailure, readBody } from './response.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** Undefined values are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Request {
  method: Method;
  path: string;
  query?: Query | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Of the body; default `application/json`. */
  contentType?: string;
  /** What the answer is to be; default `application/json`. */
  accept?: string | undefined;
  /** The most that the answer may have. */
  maxBytes: number;
  /** To carry it out twice is as good as once. */
  idempotent: boolean;
  signal?: AbortSignal | undefined;
}

/** HTTP with credentials, deadlines, limits and retries; knows nothing of objects. */
export interface Transport {
  /** The answer's body. @throws ApiError, FioError, or the signal's reason */
  send(request: Request): Promise<string>;
  /** An answer that goes on, on a socket of its own. @throws as `send` */
  stream(request: StreamRequest): Promise<Stream>;
  close(): Promise<void>;
}

interface StreamRequest {
  path: string;
  query: Query;
  /** As that of a Request. */
  accept?: string | undefined;
  signal: AbortSignal;
  /** For all of the stream, in milliseconds. */
  deadlineMs: number;
}

/** Disposed, it stops watching the deadline and the signal; that does not end the response. */
interface Stream extends Disposable {
  response: IncomingMessage;
  /** The error to throw for one that reading the response threw. */
  explain(error: unknown): unknown;
}

export interface TransportOptions {
  userAgent: string;
  timeoutMs: number;
  maxSockets: number;
  /** In [0, 1); default Math.random. */
  random?: () => number;
}

const MAX_RETRIES = 4;
// A server that is overloaded says 1 to some seconds; what is longer than this is for the caller's own back-off.
const MAX_RETRY_AFTER_MS = 10_000;
// A socket that nobody uses is closed before the server's own limit (90 s) would close it under a request.
const IDLE_SOCKET_MS = 45_000;
// With libuv's 10 probes, one a second, a dead peer is noticed within half a minute.
const TCP_KEEPALIVE_MS = 20_000;
const STATUS_LIMIT = 1024 * 1024;

/** Opens no connection yet. */
export function createTransport(connection: Connection, options: TransportOptions): Transport {
  const { userAgent, timeoutMs, maxSockets, random = Math.random } = options;
  const base = connection.server.replace(/\/+$/, '');
  const closing = new AbortController();
  let agents: { tls: TlsMaterial; calls: Agent; streams: Agent } | undefined;

  function agentsFor(tls: TlsMaterial) {
    if (agents?.tls === tls) return agents;
    // Running exchanges keep their sockets; idle ones must not outlive the old certificates.
    const old = agents?.calls;
    if (old) for (const sockets of Object.values(old.freeSockets)) sockets?.forEach((socket) => void socket.destroy());
    agents = {
      tls,
      calls: new Agent({ ...tls, keepAlive: true, maxSockets, maxFreeSockets: 2, timeout: IDLE_SOCKET_MS }),
      streams: new Agent({ ...tls, keepAlive: false }),
    };
    return agents;
  }

  /** One try, until the head of the answer is here. Whoever gets it reads or destroys it, and disposes the scope. */
  async function exchange(request: Omit<Request, 'maxBytes' | 'idempotent'>, deadlineMs: number, own: boolean) {
    const scope = new Scope(deadlineMs, request.signal, closing.signal);
    let outgoing: ClientRequest | undefined;
    try {
      const { tls, headers, agent } = await connection.credentials();
      scope.signal.throwIfAborted();
      const body = request.body === undefined ? undefined : Buffer.from(inJson(request.body));
      outgoing = httpsRequest(base + request.path + queryText(request.query), {
        method: request.method,
        agent: agent ?? agentsFor(tls)[own ? 'streams' : 'calls'],
        signal: scope.signal,
        headers: {
          ...headers,
          accept: request.accept ?? 'application/json',
          'user-agent': userAgent,
          ...(body && { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length }),
        },
      });
      outgoing.on('socket', (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      outgoing.on('error', () => {}); // told by `once` until the head is here, by the response afterwards
      outgoing.end(body);
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      return { response, scope };
    } catch (error) {
      scope[Symbol.dispose]();
      throw explainBreak(error, scope, outgoing?.reusedSocket);
    }
  }

  async function sendOnce(request: Request): Promise<string> {
    const { response, scope } = await exchange(request, timeoutMs, false);
    using _ = scope;
    try {
      const failed = isFailure(response);
      const text = await readBody(response, failed ? STATUS_LIMIT : request.maxBytes);
      if (failed) throw apiError(response, text);
      return text;
    } catch (error) {
      response.destroy();
      throw explainBreak(error, scope);
    }
  }

  async function send(request: Request): Promise<string> {
    for (let tries = 0; ; tries++) {
      try {
        return await sendOnce(request);
      } catch (error) {
        const wait = retryDelay(error, request.idempotent, tries);
        if (wait === undefined) throw error;
        if (error instanceof ApiError && error.status === 401) connection.forget();
        // Half as much again at most, so that those who were told the same time do not all come back at once.
        await sleep(wait * (1 + random() / 2), request.signal);
        request.signal?.throwIfAborted();
      }
    }
  }

  async function stream(request: StreamRequest): Promise<Stream> {
    const { response, scope } = await exchange({ ...request, method: 'GET' }, request.deadlineMs, true);
    if (!isFailure(response)) {
      return {
        response,
        explain: (error) => explainBreak(error, scope),
        [Symbol.dispose]: () => scope[Symbol.dispose](),
      };
    }
    using _ = scope;
    const error = apiError(response, await readBody(response, STATUS_LIMIT).catch(() => ''));
    if (error.status === 401) connection.forget();
    throw error;
  }

  async function close(): Promise<void> {
    closing.abort(new FioError('KUBE_CLOSED', 'The client has been closed'));
    agents?.calls.destroy();
    agents?.streams.destroy();
  }

  return { send, stream, close };
}

/** Why a call got no answer. `stale`: its socket was an old one that the server had closed in the meantime. */
class Unreachable extends FioError {
  readonly stale: boolean;
  constructor(message: string, options?: { cause?: unknown; stale?: boolean | undefined }) {
    super('KUBE_UNREACHABLE', message, options);
    this.stale = options?.stale ?? false;
  }
}

/**
 * What ends an exchange early: its deadline, the caller, the client's end. Listeners are removed by hand, as
 * AbortSignal.any would gather them on the caller's signal, which may live as long as the process.
 */
class Scope implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: (AbortSignal | undefined)[];
  readonly #timer: NodeJS.Timeout;

  constructor(deadlineMs: number, ...outer: (AbortSignal | undefined)[]) {
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      this.#controller.abort(
        new Unreachable(`The API server did not finish its answer within ${Math.round(deadlineMs / 1000)} s`),
      );
    }, deadlineMs);
    for (const signal of outer) {
      signal?.addEventListener('abort', this.#abort);
      if (signal?.aborted) this.#controller.abort(signal.reason);
    }
  }

  readonly #abort = (event: Event): void => this.#controller.abort((event.target as AbortSignal).reason);

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const signal of this.#outer) signal?.removeEventListener('abort', this.#abort);
  }
}

/** The error to throw for what went wrong in an exchange. */
function explainBreak(error: unknown, { signal }: Scope, stale?: boolean): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof FioError || error instanceof TypeError) return error;
  return new Unreachable('The API server cannot be reached', { cause: error, stale });
}

/** In milliseconds; undefined: the error is final. */
function retryDelay(error: unknown, idempotent: boolean, tries: number): number | undefined {
  if (tries >= MAX_RETRIES) return undefined;
  if (error instanceof Unreachable) return error.stale && idempotent ? 0 : undefined;
  if (!(error instanceof ApiError)) return undefined;
  if (error.status === 401) return tries === 0 ? 0 : undefined; // perhaps the token has rotated
  // 429 means that the request was not carried out, so that every method may be tried again.
  const again = error.status === 429 || (error.status >= 500 && idempotent);
  if (!again || error.retryAfterMs === undefined || error.retryAfterMs > MAX_RETRY_AFTER_MS) return undefined;
  return error.retryAfterMs;
}

function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/**
 * JSON in which every character is one that YAML takes as it is: the API server reads what is applied as YAML, which refuses
 * control characters that JSON does not. A file name with one of them is enough to bring one into a report.
 */
function inJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
