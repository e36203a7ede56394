import { once } from 'node:events';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createAuthority, issueCertificate } from '../../devcluster/certificates.ts';
import type { Connection } from '../../src/kube/connection.ts';

/** A request as RBAC sees it. */
export interface Use {
  readonly verb: string;
  readonly group: string;
  /** With its subresource, if any. */
  readonly resource: string;
  readonly namespace: string;
  /** Of the object, where the request names one. */
  readonly name: string;
}

/** Notes what a client asks the real API server for, and passes it on. */
export interface Recorder extends AsyncDisposable {
  /** The way through it. */
  readonly connection: Connection;
  readonly uses: readonly Use[];
}

export async function startRecorder(behind: Connection): Promise<Recorder> {
  const authority = await createAuthority('recorder authority');
  const own = await issueCertificate(authority, { user: 'recorder', addresses: ['127.0.0.1'] });
  const { tls, headers } = await behind.credentials();
  const target = new URL(behind.server);
  const uses: Use[] = [];
  const server = createServer({ cert: own.certificate, key: own.key }, (request, response) => {
    const use = useOf(request.method ?? 'GET', request.url ?? '/');
    if (use) uses.push(use);
    const { hostname, port } = target;
    const options = { ...tls, hostname, port, path: request.url, method: request.method };
    const onward = httpsRequest({ ...options, headers: { ...request.headers, host: target.host, ...headers } });
    onward.on('response', (answer) => {
      // An apply of what is not there needs the right to create it, too.
      if (use?.verb === 'patch' && answer.statusCode === 201) uses.push({ ...use, verb: 'create' });
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response).catch(() => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const credentials = { tls: { ca: authority.certificate }, headers: {} };
  return {
    uses,
    connection: {
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      namespace: behind.namespace,
      credentials: async () => credentials,
      forget() {},
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/[^/]+(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+))?)?$/;

/** Undefined for what is no resource. */
function useOf(method: string, url: string): Use | undefined {
  const { pathname, searchParams } = new URL(url, 'https://any');
  const groups = PATH.exec(pathname)?.groups;
  if (!groups) return undefined;
  const { group = '', namespace = '', plural = '', subresource } = groups;
  // Lists and watches of one object name it by a selector, and may be granted by that name.
  const selected = /^metadata\.name=([^,]+)$/.exec(searchParams.get('fieldSelector') ?? '')?.[1];
  const name = groups.name ?? selected ?? '';
  const read = searchParams.has('watch') ? 'watch' : groups.name === undefined ? 'list' : 'get';
  const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete', GET: read };
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  return { verb: verbs[method] ?? method, group, resource, namespace, name };
}
