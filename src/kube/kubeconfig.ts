import type { RequestOptions } from 'node:https';
import { FioError } from '../lib/errors.ts';
import type { Connection, Credentials, TlsMaterial } from './connection.ts';

// Exec plugins take up to seconds and every call asks, so an answer is kept for a while. Tokens that end earlier are
// asked for again after a 401.
const KEEP_MS = 60_000;

/**
 * The connection that a kubeconfig file describes: certificates, tokens, exec plugins, OIDC, proxies.
 * Without `file`: $KUBECONFIG, else ~/.kube/config, else the pod's service account. Without `context`: the current one.
 *
 * @kubernetes/client-node is loaded here and only here, because it costs some 15 MB and most of a second.
 *
 * @throws FioError `KUBE_CONFIG_INVALID`
 */
export async function connectKubeconfig(file?: string, context?: string): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node');

  function load() {
    const config = new KubeConfig();
    if (file) config.loadFromFile(file);
    else config.loadFromDefault();
    if (context !== undefined) config.setCurrentContext(context);
    const cluster = config.getCurrentCluster();
    if (!cluster)
      throw new Error(`there is no context ${JSON.stringify(config.getCurrentContext() ?? '')} with a cluster`);
    return { config, cluster };
  }

  let loaded: ReturnType<typeof load>;
  try {
    loaded = load();
  } catch (cause) {
    throw new FioError('KUBE_CONFIG_INVALID', `The kubeconfig ${file ?? ''} cannot be used`.replace('  ', ' '), {
      cause,
    });
  }
  let known: { credentials: Promise<Credentials>; askedAt: number } | undefined;
  let lastTls: TlsMaterial = {};

  async function ask(): Promise<Credentials> {
    const options: RequestOptions = {};
    try {
      await loaded.config.applyToHTTPSOptions(options);
    } catch (cause) {
      known = undefined;
      throw new FioError('KUBE_NO_CREDENTIALS', 'The credentials of the kubeconfig could not be had', { cause });
    }
    const tls = tlsOf(options);
    if (!isSame(tls, lastTls)) lastTls = tls;
    return { tls: lastTls, headers: headersOf(options), ...(loaded.cluster.proxyUrl && { agent: options.agent }) };
  }

  return {
    server: loaded.cluster.server,
    namespace: loaded.config.getContextObject(loaded.config.getCurrentContext())?.namespace || 'default',
    credentials() {
      if (!known || performance.now() - known.askedAt > KEEP_MS)
        known = { credentials: ask(), askedAt: performance.now() };
      return known.credentials;
    },
    forget() {
      known = undefined;
      try {
        loaded = load(); // the library keeps a plugin's token until it expires, even one that was revoked
      } catch {
        // A file that is being rewritten: what was loaded before is tried once more.
      }
    },
  };
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsMaterial {
  return {
    ...(isPem(ca) && { ca }),
    ...(isPem(cert) && { cert }),
    ...(isPem(key) && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  };
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === 'string' || Buffer.isBuffer(value);
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const found = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  if (auth) found.push(['authorization', `Basic ${Buffer.from(auth).toString('base64')}`]);
  return Object.fromEntries(found);
}
