import type { KubeObject, Resource } from '../../src/kube/types.ts';

interface ResourceQuota extends KubeObject {
  spec?: { hard: Record<string, string> };
  /** Filled in once the quota counts. */
  status?: { hard?: object };
}

/** With one, a test has the API server refuse what it would else take. */
export const quotas: Resource<ResourceQuota> = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
};
