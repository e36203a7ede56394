import type { KubeObject, Resource } from '../../kube/types.ts';

/** As much of a CRD as says whether its resource is served. */
export interface CustomResourceDefinition extends KubeObject {
  readonly spec?: { readonly versions?: readonly { readonly name: string; readonly served: boolean }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export const customResourceDefinitions: Resource<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** What the Prometheus operator reads; of their contents, `objects.ts` knows what it needs. */
export interface MonitoringObject extends KubeObject {
  readonly spec?: unknown;
}

export const serviceMonitors: Resource<MonitoringObject> = monitoring('ServiceMonitor', 'servicemonitors');
export const prometheusRules: Resource<MonitoringObject> = monitoring('PrometheusRule', 'prometheusrules');

function monitoring(kind: string, plural: string): Resource<MonitoringObject> {
  return { group: 'monitoring.coreos.com', version: 'v1', kind, plural, namespaced: true };
}
