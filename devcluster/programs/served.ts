import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { mustRun } from '../lib/run.ts';

/** A web server on this machine’s loopback, for tests of downloads. */
export interface Served extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly origin: string;
  /** The paths that were asked for, as the requests had them. */
  readonly asked: string[];
}

/** Serves until it is disposed of, which breaks off what is still open. */
export async function serve(answer: RequestListener): Promise<Served> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A tar.gz of small files: its bytes and their sha256. */
export async function archiveOf(files: Readonly<Record<string, string>>, work: string): Promise<Packed> {
  const root = join(work, 'packed');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  await mustRun(['tar', '-czf', join(work, 'packed.tar.gz'), '-C', root, ...Object.keys(files)]);
  const bytes = readFileSync(join(work, 'packed.tar.gz'));
  return { bytes, sha256: sha256(bytes) };
}

/** A file to serve. */
export interface Packed {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** In hexadecimal. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
