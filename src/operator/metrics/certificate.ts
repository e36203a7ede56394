import type { ConfigMap, Secret } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import { FIELD_MANAGER } from '../../api/keys.ts';
import type { Client } from '../../kube/client.ts';
import type { Outcome } from '../../kube/controller.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/errors.ts';
import type { Informer } from '../../kube/informer.ts';
import { configMaps, secrets, services } from '../../kube/resources.ts';
import { contains } from '../contains.ts';
import type { SayOnce } from '../monitoring/say-once.ts';
import {
  AUTHORITY,
  AUTHORITY_CONFIG_MAP,
  authorityOf,
  filledSecret,
  type Lifetimes,
  MADE_BY_LABEL,
  MADE_BY_US,
  planServing,
  SERVING_SECRET,
  type ServingPlan,
  serviceNames,
} from './serving-secret.ts';

export interface CertificateOptions {
  readonly client: Client;
  readonly namespace: string;
  /** The secret `SERVING_SECRET` of the namespace, and the config map `AUTHORITY_CONFIG_MAP`. */
  readonly servingSecret: Informer<Secret>;
  readonly authorityConfigMap: Informer<ConfigMap>;
  readonly lifetimes: Lifetimes;
  readonly now: () => Date;
  readonly log: Logger;
  readonly sayOnce: SayOnce;
}

/** What asks OpenShift's service CA for the certificate, on the service. */
const SERVICE_CA_ANNOTATION = 'service.beta.openshift.io/serving-cert-secret-name';
/** Served wherever that service CA runs: OpenShift, OKD and MicroShift. */
const OPENSHIFT_GROUP = 'security.openshift.io';
/** How often it is looked whether that service CA is still to be waited for, and a certificate is looked at again at least. */
const SERVICE_CA_MS = 5 * 60 * 1000;
const LONGEST_MS = 12 * 60 * 60 * 1000;
/** A clock that is a little behind on the other side must not refuse a fresh certificate. */
const BACKDATED_MS = 60 * 60 * 1000;

/**
 * Sees to it that the metrics have a certificate, unless somebody else sees to it, and that scrapers find whom to trust.
 * @throws ApiError, among them a conflict when somebody else wrote the secret in between
 */
export async function keepCertificate(options: CertificateOptions, signal: AbortSignal): Promise<Outcome> {
  const { namespace, servingSecret, lifetimes, now, sayOnce } = options;
  const secret = servingSecret.get(`${namespace}/${SERVING_SECRET}`);
  const plan = planServing({
    secret,
    names: serviceNames(namespace),
    lifetimes,
    hasServiceCa: secret === undefined && (await hasServiceCa(options, signal)),
    now: now(),
  });
  switch (plan.do) {
    case 'wait': {
      const reason = `OpenShift’s service CA is to make the secret ${SERVING_SECRET}`;
      sayOnce('metrics: none over TLS yet', reason);
      return { kind: 'waiting', reason, requeueAfterMs: SERVICE_CA_MS };
    }
    case 'issue':
      await issue(options, secret, plan, signal);
      return { kind: 'done' }; // it comes back by the watch, and with it the next call of this function
    case 'keep': {
      await publishAuthority(options, authorityOf(secret), signal);
      if (!plan.renewAt) return { kind: 'done' };
      const leftMs = plan.renewAt.getTime() - now().getTime();
      return { kind: 'done', requeueAfterMs: Math.min(Math.max(leftMs, 1), LONGEST_MS) };
    }
  }
}

async function hasServiceCa({ client, namespace }: CertificateOptions, signal: AbortSignal): Promise<boolean> {
  const service = await client.find(services, { namespace, name: 'metrics' }, { signal });
  const asked = service?.metadata?.annotations?.[SERVICE_CA_ANNOTATION] === SERVING_SECRET;
  return asked && (await servesGroup(client, OPENSHIFT_GROUP, signal));
}

async function servesGroup(client: Client, group: string, signal: AbortSignal): Promise<boolean> {
  try {
    await client.raw(`/apis/${group}`, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function issue(
  { client, namespace, lifetimes, now, log }: CertificateOptions,
  secret: Secret | undefined,
  { why, authority: standing, renewAuthority }: Extract<ServingPlan, { do: 'issue' }>,
  signal: AbortSignal,
): Promise<void> {
  const { issueServing, makeAuthority } = await import('./issue.ts'); // once in some months
  const names = serviceNames(namespace);
  const validity = (ms: number) => ({
    notBefore: new Date(now().getTime() - BACKDATED_MS),
    notAfter: new Date(now().getTime() + ms),
  });
  const authority =
    standing && !renewAuthority ? standing : await makeAuthority(names, validity(lifetimes.authorityMs), standing?.key);
  const serving = await issueServing(authority, names, validity(lifetimes.servingMs));
  const filled = filledSecret(namespace, serving, authority);
  try {
    await (secret
      ? client.replace(secrets, over(secret, filled), { signal })
      : client.create(secrets, filled, { signal }));
    log.info(`metrics: made a certificate, because ${why}`);
  } catch (error) {
    // Somebody was faster. The watch tells who, and what is there now is looked at then.
    if (!isAlreadyExists(error) && !isConflict(error)) throw error;
  }
}

/** What is there, with our contents; its version goes along, so that what somebody wrote in between stays. */
function over({ metadata }: Secret, filled: Secret): Secret {
  return { ...filled, metadata: { ...metadata, labels: { ...metadata?.labels, ...filled.metadata?.labels } } };
}

/** @param authority undefined: it is not ours to publish, and what we published once is taken away */
async function publishAuthority(
  { client, namespace, authorityConfigMap }: CertificateOptions,
  authority: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const actual = authorityConfigMap.get(`${namespace}/${AUTHORITY_CONFIG_MAP}`);
  if (authority === undefined) {
    if (actual?.metadata?.labels?.[MADE_BY_LABEL] !== MADE_BY_US) return;
    await client.remove(configMaps, { namespace, name: AUTHORITY_CONFIG_MAP }, { signal });
    return;
  }
  const desired: ConfigMap = {
    metadata: { name: AUTHORITY_CONFIG_MAP, namespace, labels: { [MADE_BY_LABEL]: MADE_BY_US } },
    data: { [AUTHORITY]: authority },
  };
  if (actual && contains(actual, desired)) return;
  await client.apply(configMaps, desired, { fieldManager: FIELD_MANAGER, signal });
}
