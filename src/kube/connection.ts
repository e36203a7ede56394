import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { FioError } from '../lib/errors.ts';

/** What TLS needs to know, in PEM. A new object means: the old sockets must not be used again. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** What one request carries to say who asks. */
export interface Credentials {
  readonly tls: TlsMaterial;
  /** Lower-case header names, e.g. `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Opens the sockets instead of the client's own agents; for proxies. */
  readonly agent?: RequestOptions['agent'];
}

/** Where an API server is and how to prove who asks. Made by `connectInCluster` or `connectKubeconfig`. */
export interface Connection {
  /** `https://host:port`, perhaps with a path, without a slash at the end. */
  readonly server: string;
  /** The namespace of the pod, or of the kubeconfig's context; `default` when neither says. */
  readonly namespace: string;
  /** Asked before every request; must be quick and keep what it knows, as tokens rotate and exec plugins are slow. */
  credentials(): Promise<Credentials>;
  /** The server did not accept the credentials (401): forget what is kept of them. */
  forget(): void;
}

/** Where a pod finds its service account; https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/. */
const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  /** Default `SERVICE_ACCOUNT_DIRECTORY`. */
  directory?: string;
  /** Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that only grow; default `performance.now`. */
  clock?: () => number;
}

// The kubelet replaces a token at 80 % of its life, which is at least 10 minutes, so a look each minute is early enough
// (client-go looks every minute too).
const LOOK_AGAIN_MS = 60_000;
// Tokens are some 1 KiB and CA bundles some KiB; a file that is larger than this is not one of them.
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The connection of a pod by its service account. Reads no credentials yet: a token that is missing is reported by the
 * first request, so that a daemon waits for it instead of ending.
 *
 * @throws FioError `KUBE_NOT_IN_CLUSTER` when KUBERNETES_SERVICE_HOST or _PORT is not set.
 */
export function connectInCluster(options: InClusterOptions = {}): Connection {
  const { directory = SERVICE_ACCOUNT_DIRECTORY, env = process.env, clock = () => performance.now() } = options;
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT_HTTPS ?? env.KUBERNETES_SERVICE_PORT;
  if (!host || !port) {
    throw new FioError(
      'KUBE_NOT_IN_CLUSTER',
      'This is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    );
  }
  let known: { credentials: Credentials; ca: string; readAt: number } | undefined;

  async function credentials(): Promise<Credentials> {
    if (known && clock() - known.readAt < LOOK_AGAIN_MS) return known.credentials;
    try {
      const [token, ca] = await Promise.all([readSmall(`${directory}/token`), readSmall(`${directory}/ca.crt`)]);
      const tls = known?.ca === ca ? known.credentials.tls : { ca };
      known = { ca, readAt: clock(), credentials: { tls, headers: { authorization: `Bearer ${token.trim()}` } } };
    } catch (cause) {
      // A volume that cannot be read for a moment must not cost a token that may still be good.
      if (!known) {
        throw new FioError('KUBE_NO_CREDENTIALS', `The service account in ${directory} cannot be read`, { cause });
      }
      known.readAt = clock();
    }
    return known.credentials;
  }

  function forget(): void {
    if (known) known.readAt = Number.NEGATIVE_INFINITY;
  }

  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { server, namespace: env.POD_NAMESPACE || readNamespace(directory) || 'default', credentials, forget };
}

function readNamespace(directory: string): string | undefined {
  try {
    return readFileSync(`${directory}/namespace`, 'utf8').slice(0, 63).trim();
  } catch {
    return undefined; // a pod without the file still has POD_NAMESPACE, or `default`
  }
}

async function readSmall(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > MAX_FILE_BYTES) throw new Error(`${path} has ${size} bytes, more than a token or a certificate has`);
  return readFile(path, 'utf8');
}
