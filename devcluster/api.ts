import { request } from 'node:https';
import type { Credential } from './certificates.ts';

/** The API server, and as whom to speak to it. */
export interface ApiConnection {
  readonly server: string;
  readonly authority: string;
  readonly user: Credential;
}

/** What the API server answered. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

/** One request to the API server. The body is sent as JSON, for PATCH as a JSON merge patch. Gives up after 10 s. */
export function callApi(
  connection: ApiConnection,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  options: { body?: object; signal?: AbortSignal } = {},
): Promise<ApiAnswer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const timeout = AbortSignal.timeout(10_000);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(path, connection.server),
      {
        method,
        ca: connection.authority,
        cert: connection.user.certificate,
        key: connection.user.key,
        agent: false,
        headers: { accept: 'application/json', ...(options.body ? { 'content-type': type } : {}) },
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.once('error', reject);
        incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(options.body ? JSON.stringify(options.body) : undefined);
  });
}
