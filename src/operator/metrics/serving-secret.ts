import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { explain } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import type { KeyPair } from '../http.ts';

/** Name of the secret with the certificate of the metrics: OpenShift's service CA fills it, elsewhere the operator does. */
export const SERVING_SECRET = 'file-integrity-operator-serving-cert';
/** Config map with the authority that signed the operator's own certificate, for scrapers; key `AUTHORITY`. */
export const AUTHORITY_CONFIG_MAP = 'file-integrity-operator-metrics-ca';
/** Label with this value on what the operator made itself: what does not have it is somebody else's, and left alone. */
export const MADE_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MADE_BY_US = 'file-integrity-operator';

/** The subject of every authority that the operator makes. */
export const AUTHORITY_NAME = 'file-integrity-operator metrics CA';

/** Keys in the secret. */
const CERTIFICATE = 'tls.crt';
const KEY = 'tls.key';
/** Key of the authority's certificate, in the secret and in the config map. */
export const AUTHORITY = 'ca.crt';
const AUTHORITY_KEY = 'ca.key';

/** For how long what the operator makes is good, in milliseconds. */
export interface Lifetimes {
  readonly authorityMs: number;
  readonly servingMs: number;
  /** A certificate that is good for less than this is renewed. */
  readonly renewMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
export const LIFETIMES: Lifetimes = { authorityMs: 3650 * DAY_MS, servingMs: 90 * DAY_MS, renewMs: 30 * DAY_MS };

/** The names that the service `metrics` of a namespace is reached by. */
export function serviceNames(namespace: string): readonly [string, ...string[]] {
  const name = `metrics.${namespace}.svc`;
  return [name, `${name}.cluster.local`, `metrics.${namespace}`, 'metrics'];
}

export type ServingPair = { readonly pair: KeyPair } | { readonly unusable: string };

/** The certificate and key to serve with, whoever made them. */
export function readServing(secret: Secret): ServingPair {
  const certificate = entry(secret, CERTIFICATE);
  const key = entry(secret, KEY);
  if (certificate === undefined || key === undefined) return { unusable: `it has no ${CERTIFICATE} and ${KEY}` };
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
      return { unusable: `${KEY} does not belong to ${CERTIFICATE}` };
    }
    createSecureContext({ cert: certificate, key });
    return { pair: { certificate, key } };
  } catch (error) {
    return { unusable: printable(explain(error), 200) };
  }
}

export function isOurs(secret: Secret): boolean {
  return secret.metadata?.labels?.[MADE_BY_LABEL] === MADE_BY_US;
}

export interface ServingWorld {
  readonly secret: Secret | undefined;
  readonly names: readonly string[];
  readonly lifetimes: Lifetimes;
  /** The cluster has a service CA that was asked to make the secret. */
  readonly hasServiceCa: boolean;
  readonly now: Date;
}

/** What is to be done about the secret. */
export type ServingPlan =
  /** It is fine; `renewAt` only for one of ours. */
  | { readonly do: 'keep'; readonly renewAt?: Date }
  /** The service CA will make it. */
  | { readonly do: 'wait' }
  /** Make a certificate, by the authority that is there or by a new one. */
  | { readonly do: 'issue'; readonly authority?: KeyPair; readonly renewAuthority: boolean; readonly why: string };

export function planServing(world: ServingWorld): ServingPlan {
  const { secret, lifetimes, now } = world;
  if (!secret) {
    return world.hasServiceCa ? { do: 'wait' } : { do: 'issue', renewAuthority: true, why: 'there was none' };
  }
  if (!isOurs(secret)) return { do: 'keep' };
  const authority = readAuthority(secret);
  const serving = readServing(secret);
  const certificate = 'pair' in serving ? new X509Certificate(serving.pair.certificate) : undefined;
  if (!authority || !certificate?.checkIssued(authority.certificate)) {
    const why = 'unusable' in serving ? serving.unusable : 'its authority cannot be used';
    return { do: 'issue', renewAuthority: true, why };
  }
  // The authority vouches for the names that it was made for, and for no others.
  if (!isFor(certificate, world.names))
    return { do: 'issue', renewAuthority: true, why: 'its names are not the service’s' };
  const renewAt = new Date(certificate.validToDate.getTime() - lifetimes.renewMs);
  const begins = Math.max(certificate.validFromDate.getTime(), authority.certificate.validFromDate.getTime());
  if (now.getTime() < begins) {
    const why = `it begins at ${new Date(begins).toISOString()}: the clock was ahead when it was made`;
    return { do: 'issue', authority: authority.pair, renewAuthority: true, why };
  }
  if (now < renewAt) return { do: 'keep', renewAt };
  return {
    do: 'issue',
    authority: authority.pair,
    // Nothing is signed that outlives its authority.
    renewAuthority: authority.certificate.validToDate.getTime() < now.getTime() + lifetimes.servingMs,
    why: `it ends at ${certificate.validToDate.toISOString()}`,
  };
}

/** The secret, filled. */
export function filledSecret(namespace: string, serving: KeyPair, authority: KeyPair): Secret {
  const values = {
    [CERTIFICATE]: serving.certificate,
    [KEY]: serving.key,
    [AUTHORITY]: authority.certificate,
    [AUTHORITY_KEY]: authority.key,
  };
  const data = Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return {
    metadata: { name: SERVING_SECRET, namespace, labels: { [MADE_BY_LABEL]: MADE_BY_US } },
    type: 'kubernetes.io/tls',
    data: Object.fromEntries(data),
  };
}

/** The certificate of the authority that signed ours, PEM; undefined when the secret is not ours or not in order. */
export function authorityOf(secret: Secret | undefined): string | undefined {
  return secret && isOurs(secret) ? readAuthority(secret)?.pair.certificate : undefined;
}

/** One that anybody else made counts as none: what signs by its name must be able to. */
function readAuthority(secret: Secret): { pair: KeyPair; certificate: X509Certificate } | undefined {
  const text = entry(secret, AUTHORITY);
  const key = entry(secret, AUTHORITY_KEY);
  if (text === undefined || key === undefined) return undefined;
  try {
    const certificate = new X509Certificate(text);
    const isGood =
      certificate.ca &&
      certificate.subject === `CN=${AUTHORITY_NAME}` &&
      certificate.checkPrivateKey(createPrivateKey(key));
    return isGood ? { pair: { certificate: text, key }, certificate } : undefined;
  } catch {
    return undefined;
  }
}

function isFor(certificate: X509Certificate, names: readonly string[]): boolean {
  return certificate.subjectAltName === names.map((name) => `DNS:${name}`).join(', ');
}

function entry({ data }: Secret, key: string): string | undefined {
  const base64 = data?.[key];
  return base64 ? Buffer.from(base64, 'base64').toString() : undefined;
}
