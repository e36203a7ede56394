import type { Node } from 'kubernetes-types/core/v1.d.ts';

/** Which of the default configurations suits a node: general Linux, or OpenShift's CoreOS with what it rewrites itself. */
export type Profile = 'linux' | 'openshift';

export const PROFILE_NAMES: Readonly<Record<Profile, string>> = {
  linux: 'general Linux nodes',
  openshift: 'OpenShift nodes',
};

/** Told by what OpenShift alone puts on a node. A wrong guess costs some noise, no safety: both watch the same folders. */
export function profileOf(node: Node): Profile {
  const { labels = {}, annotations = {} } = node.metadata ?? {};
  const isOpenShift =
    'node.openshift.io/os_id' in labels ||
    'machineconfiguration.openshift.io/currentConfig' in annotations ||
    /CoreOS/.test(node.status?.nodeInfo?.osImage ?? '');
  return isOpenShift ? 'openshift' : 'linux';
}
