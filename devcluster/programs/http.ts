import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { FioError } from '../../src/lib/errors.ts';

/** A release's address leads to another host that has the file; more hops than this are a loop. */
const MOST_REDIRECTS = 5;

/** How to ask for a file. */
export interface RequestOptions {
  readonly method: 'GET' | 'HEAD';
  readonly signal: AbortSignal;
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are taken from it. */
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Asks for a file and follows redirects, though never from https to http. The answer's body is not read yet: the caller
 * reads or destroys it.
 * @throws FioError `DEVCLUSTER_DOWNLOAD_FAILED` for an answer other than 200, its message the end of a sentence that begins
 * with the host; errors of the network as Node.js has them.
 */
export async function requestFile(url: string, options: RequestOptions): Promise<IncomingMessage> {
  let current = new URL(url);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
    const answer = await requestOnce(current, options);
    const status = answer.statusCode ?? 0;
    if (status === 200) return answer;
    answer.destroy();
    const { location } = answer.headers;
    if (status < 300 || status > 399 || location === undefined) {
      throw new FioError('DEVCLUSTER_DOWNLOAD_FAILED', `answers with status ${status}`);
    }
    current = redirectTarget(current, location);
  }
  throw new FioError('DEVCLUSTER_DOWNLOAD_FAILED', `redirects more than ${MOST_REDIRECTS} times`);
}

/**
 * Where a redirect leads.
 * @throws FioError `DEVCLUSTER_DOWNLOAD_FAILED` when it would lead from https to anything else.
 */
export function redirectTarget(from: URL, location: string): URL {
  const target = new URL(location, from);
  if (from.protocol !== 'https:' || target.protocol === 'https:') return target;
  throw new FioError('DEVCLUSTER_DOWNLOAD_FAILED', 'redirects to a place without TLS');
}

function requestOnce(url: URL, { method, signal, environment }: RequestOptions): Promise<IncomingMessage> {
  const { request, Agent } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    // An agent of its own: the process talks to clusters on this machine too, which no proxy may come between.
    const agent = new Agent({ proxyEnv: environment });
    // The checksum is of the file as it lies there, so it must not be compressed on the way.
    const headers = { 'accept-encoding': 'identity', 'user-agent': 'file-integrity-operator-devcluster' };
    request(url, { method, agent, headers, signal }, resolve).on('error', reject).end();
  });
}

/** What went wrong on the network, as the end of a sentence that begins with the host. */
export function networkProblem(error: unknown): string {
  if (error instanceof FioError) return error.message;
  if (!(error instanceof Error)) return `cannot be reached (${String(error)})`;
  const code = 'code' in error ? String(error.code) : '';
  if (/^(ENOTFOUND|EAI_AGAIN)$/.test(code)) return 'cannot be found by its name';
  if (code === 'ECONNRESET') return 'broke the connection off';
  // An error of several addresses has no message of its own.
  return `cannot be reached (${error.message || code})`;
}
