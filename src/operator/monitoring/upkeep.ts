import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { FIELD_MANAGER } from '../../api/keys.ts';
import { type Controller, createController, type Outcome } from '../../kube/controller.ts';
import { isForbidden } from '../../kube/errors.ts';
import { createInformer, type Informer } from '../../kube/informer.ts';
import { configMaps } from '../../kube/resources.ts';
import { explain } from '../../lib/errors.ts';
import { contains } from '../contains.ts';
import { keepCertificate } from '../metrics/certificate.ts';
import type { MetricsOptions } from '../metrics/endpoint.ts';
import { AUTHORITY_CONFIG_MAP, LIFETIMES, SERVING_SECRET } from '../metrics/serving-secret.ts';
import { reportOutcome } from '../outcomes.ts';
import type { Tools } from '../tools.ts';
import { desiredPrometheusRule } from './alerts.ts';
import { desiredServiceMonitor, UNMANAGED_ANNOTATION } from './objects.ts';
import { createPresence, type Presence } from './presence.ts';
import { type MonitoringObject, prometheusRules, serviceMonitors } from './resources.ts';
import { createSayOnce } from './say-once.ts';

/** A right that is missing may be granted. */
const FORBIDDEN_MS = 5 * 60 * 1000;

/**
 * Keeps what makes the metrics useful to others: their certificate and whom to trust for it, and, where the Prometheus
 * operator is installed, a ServiceMonitor and the alert. The leader runs it. Keys: `certificate`, `ServiceMonitor`,
 * `PrometheusRule`. A missing right stops nothing else, and is told once.
 * @param servingSecret of the secret with the certificate; runs already
 */
export function createUpkeep(
  tools: Pick<Tools, 'client' | 'log' | 'meters' | 'runtime'>,
  namespace: string,
  servingSecret: Informer<Secret>,
  { lifetimes = LIFETIMES, now = () => new Date() }: Pick<MetricsOptions, 'lifetimes' | 'now'> = {},
): Controller {
  const { client, log } = tools;
  const sayOnce = createSayOnce(log);
  const unreadable = (what: string) => (error: unknown) =>
    sayOnce(`metrics: the ${what} cannot be read`, explain(error));
  const presenceOf = (resource: typeof serviceMonitors, name: string) =>
    createPresence({
      client,
      resource,
      namespace,
      name,
      onChange: () => controller.enqueue(resource.kind),
      onError: unreadable(resource.kind),
    });
  const monitor = presenceOf(serviceMonitors, 'metrics');
  const rule = presenceOf(prometheusRules, 'file-integrity');
  const authorityConfigMap = createInformer(client, configMaps, {
    namespace,
    name: AUTHORITY_CONFIG_MAP,
    onError: unreadable(`config map ${AUTHORITY_CONFIG_MAP}`),
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<Outcome> {
    switch (key) {
      case 'certificate':
        return reconcileCertificate(signal);
      case serviceMonitors.kind: {
        const secret = servingSecret.get(`${namespace}/${SERVING_SECRET}`);
        return keep(serviceMonitors, monitor, desiredServiceMonitor(namespace, secret), signal);
      }
      default:
        return keep(prometheusRules, rule, desiredPrometheusRule(namespace), signal);
    }
  }

  async function reconcileCertificate(signal: AbortSignal): Promise<Outcome> {
    if (!servingSecret.isSynced || !authorityConfigMap.isSynced) return { kind: 'done' }; // each asks for it once it is
    const watched = { servingSecret, authorityConfigMap };
    return keepCertificate({ client, namespace, ...watched, lifetimes, now, log, sayOnce }, signal);
  }

  async function keep(
    resource: typeof serviceMonitors,
    presence: Presence<MonitoringObject>,
    desired: MonitoringObject,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const found = presence.look();
    const { object } = found ?? {};
    const isLeftAlone = object?.metadata?.annotations?.[UNMANAGED_ANNOTATION] !== undefined;
    if (!found || isLeftAlone || (object && contains(object, desired))) return { kind: 'done' };
    await client.apply(resource, desired, { fieldManager: FIELD_MANAGER, signal });
    return { kind: 'done' };
  }

  const controller = createController({
    name: 'monitoring',
    async reconcile(key, { signal }) {
      try {
        return await reconcile(key, signal);
      } catch (error) {
        if (!isForbidden(error)) throw error;
        sayOnce(`metrics: the operator has no right to what the ${key} needs`, explain(error));
        return { kind: 'waiting', reason: 'a right is missing', requeueAfterMs: FORBIDDEN_MS };
      }
    },
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'monitoring', key, outcome, durationMs),
  });

  async function run(signal: AbortSignal): Promise<void> {
    const certificate = () => controller.enqueue('certificate');
    const quit = servingSecret.onChange(() => {
      certificate();
      controller.enqueue(serviceMonitors.kind);
    });
    authorityConfigMap.onChange(certificate);
    for (const informer of [servingSecret, authorityConfigMap]) informer.synced(signal).then(certificate, () => {});
    try {
      const informers = [authorityConfigMap, monitor, rule].map((each) => each.run(signal));
      await Promise.all([controller.run(signal), ...informers]);
    } finally {
      quit();
    }
  }

  return {
    name: controller.name,
    enqueue: controller.enqueue,
    get depth() {
      return controller.depth;
    },
    run,
  };
}
