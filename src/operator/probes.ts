import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { explain, FioError } from '../lib/errors.ts';

/** Answers to a path: status and body. */
export type Handler = (path: string) => { status: number; body: string; type?: string } | undefined;

/**
 * Serves plain HTTP/1.1 until the signal aborts.
 * @throws FioError `PORT_UNAVAILABLE`
 */
export async function serve(port: number, handler: Handler, signal: AbortSignal): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const answer = request.method === 'GET' || request.method === 'HEAD' ? handler(path) : undefined;
    const { status, body, type = 'text/plain; charset=utf-8' } = answer ?? { status: 404, body: 'not found\n' };
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.listen(port);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new FioError('PORT_UNAVAILABLE', `Port ${port} cannot be listened on: ${explain(cause)}.`, { cause });
  }
  signal.addEventListener('abort', () => server.close(), { once: true });
  if (signal.aborted) server.close();
  return server;
}
