import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import {
  AUTHORITY,
  AUTHORITY_CONFIG_MAP,
  isOurs,
  MADE_BY_LABEL,
  MADE_BY_US,
  SERVING_SECRET,
  serviceNames,
} from '../metrics/serving-secret.ts';
import type { MonitoringObject } from './resources.ts';

/** Secret with the scraper's token, key `token`; in deploy/monitoring. */
const TOKEN_SECRET = 'file-integrity-operator-metrics-token';
/** On an object that the operator is to leave as the user made it. */
export const UNMANAGED_ANNOTATION = 'file-integrity.openshift.io/unmanaged';

/** Where OpenShift's Prometheus has the service CA. */
const OPENSHIFT_CA_FILE = '/etc/prometheus/configmaps/serving-certs-ca-bundle/service-ca.crt';
/** OpenShift's service CA writes one of these on the secrets that it makes. */
const OPENSHIFT_ANNOTATIONS = [
  'service.beta.openshift.io/originating-service-name',
  'service.alpha.openshift.io/originating-service-name',
];

export const LABELS = { name: 'file-integrity-operator', [MADE_BY_LABEL]: MADE_BY_US };

/**
 * Both ports, as the existing operator has it; the one with TLS only once there is something to serve it with, because a
 * Prometheus operator that misses what a ServiceMonitor names leaves out all of it.
 * @param secret with the certificate that the metrics are served with, if there is one
 */
export function desiredServiceMonitor(namespace: string, secret: Secret | undefined): MonitoringObject {
  const [serverName] = serviceNames(namespace);
  const secure = secret && {
    port: 'metrics-fio',
    path: '/metrics-fio',
    scheme: 'https',
    authorization: { type: 'Bearer', credentials: { name: TOKEN_SECRET, key: 'token' } },
    tlsConfig: { serverName, ...authoritySource(secret) },
  };
  return {
    metadata: { name: 'metrics', namespace, labels: LABELS },
    spec: {
      selector: { matchLabels: { name: 'file-integrity-operator' } },
      endpoints: [{ port: 'metrics' }, ...(secure ? [secure] : [])],
    },
  };
}

/** Whom Prometheus is to trust: nothing said means those whom its image trusts. */
function authoritySource(secret: Secret): object {
  if (isOurs(secret)) return { ca: { configMap: { name: AUTHORITY_CONFIG_MAP, key: AUTHORITY } } };
  const annotations = secret.metadata?.annotations ?? {};
  if (OPENSHIFT_ANNOTATIONS.some((key) => key in annotations)) return { caFile: OPENSHIFT_CA_FILE };
  // cert-manager, for one, puts its authority there.
  if (secret.data?.[AUTHORITY]) return { ca: { secret: { name: SERVING_SECRET, key: AUTHORITY } } };
  return {};
}
