import { randomUUID } from 'node:crypto';
import {
  Agent,
  get as httpGet,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { get as httpsGet } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-types/rbac/v1.d.ts';
import type { Client } from '../../src/kube/client.ts';
import type { Resource } from '../../src/kube/types.ts';

export const clusterRoles: Resource<ClusterRole> = rbac('ClusterRole', 'clusterroles', false);
export const clusterRoleBindings: Resource<ClusterRoleBinding> = rbac(
  'ClusterRoleBinding',
  'clusterrolebindings',
  false,
);
export const roles: Resource<Role> = rbac('Role', 'roles', true);
export const roleBindings: Resource<RoleBinding> = rbac('RoleBinding', 'rolebindings', true);

export const serviceAccounts: Resource<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

function rbac(kind: string, plural: string, namespaced: boolean): Omit<Resource, 'object'> {
  return { group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural, namespaced };
}

export interface Scrape {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly httpVersion: string;
  /** Over TLS. */
  readonly serialNumber: string;
  readonly alpn: string | false | null;
}

export interface SecureScrape {
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly port: number;
  readonly path?: string;
  /** The authority to trust, PEM. */
  readonly ca: string;
  /** The name that the certificate must have. */
  readonly servername: string;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

/** GET over TLS, as a scraper does it: the certificate is verified. A connection of its own. */
export function scrape({
  host = '127.0.0.1',
  port,
  path = '/metrics-fio',
  token,
  ca,
  servername,
  headers,
}: SecureScrape): Promise<Scrape> {
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port,
      path,
      ca,
      servername,
      agent: false as const,
      signal: AbortSignal.timeout(10_000),
      ALPNProtocols: ['h2', 'http/1.1'],
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    };
    httpsGet(options, (response) => {
      const socket = response.socket as TLSSocket;
      const { serialNumber } = socket.getPeerCertificate();
      const alpn = socket.alpnProtocol;
      collect(response).then((rest) => resolve({ ...rest, serialNumber, alpn }), reject);
    }).on('error', reject);
  });
}

/** GET in the clear. */
export function plainScrape(
  port: number,
  path: string,
  method = 'GET',
): Promise<Omit<Scrape, 'serialNumber' | 'alpn'>> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, agent: false as const };
    httpRequest(options, (response) => collect(response).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}

/** Leaves its connection open and idle, as a scraper does between two scrapes. */
export function scrapeAndStay(port: number, path: string): Promise<Agent> {
  const agent = new Agent({ keepAlive: true });
  return new Promise((resolve, reject) => {
    httpGet({ host: '127.0.0.1', port, path, agent }, (response) => {
      collect(response).then(() => resolve(agent), reject);
    }).on('error', reject);
  });
}

async function collect(response: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const { statusCode: status = 0, headers, httpVersion } = response;
  return { status, headers, httpVersion, body: Buffer.concat(chunks) };
}

/** A new service account and its token. */
export async function makeAccount(
  client: Client,
  namespace: string,
  name = `account-${randomUUID().slice(0, 8)}`,
): Promise<{ name: string; token: string }> {
  await client.create(serviceAccounts, { metadata: { namespace, name } });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
  const token: string = JSON.parse(await client.raw(path, { method: 'POST', body })).status.token;
  return { name, token };
}

/** Lets the account get `/metrics-fio`. Returns how to take the right away. */
export async function grantMetrics(client: Client, namespace: string, account: string): Promise<() => Promise<void>> {
  const name = `metrics-${namespace}-${account}`;
  const rules = [{ nonResourceURLs: ['/metrics-fio'], verbs: ['get'] }];
  await client.create(clusterRoles, { metadata: { name }, rules });
  await client.create(clusterRoleBindings, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  });
  return async () => {
    await client.remove(clusterRoleBindings, { name });
    await client.remove(clusterRoles, { name });
  };
}

/** The samples of a metric, without the prefix of the operator's metrics. */
export function samples(body: Buffer | string, metric: string): string[] {
  const lines = String(body).split('\n');
  return lines
    .map((line) => line.replace(/^file_integrity_operator_/, ''))
    .filter((line) => line.startsWith(`${metric}{`));
}
