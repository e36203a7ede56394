import { createHash } from 'node:crypto';
import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type {
  Container,
  PodSpec,
  PodTemplateSpec,
  ResourceRequirements,
  Volume,
  VolumeMount,
} from 'kubernetes-types/core/v1.d.ts';
import { DAEMON_COMMAND } from '../../api/daemon-command.ts';
import type { FileIntegrity, FileIntegritySpec } from '../../api/fileintegrity.ts';
import { OWNER_LABEL, POD_LABEL } from '../../api/keys.ts';
import { daemonSetName, labelValue } from '../../api/names.ts';
import { contains } from '../contains.ts';
import { ownerReference } from '../owner.ts';

const DAEMON_SERVICE_ACCOUNT = 'file-integrity-daemon';

/** Annotation on the daemon set: SHA-256 of what the operator asked for, so that a change of mind is seen at once. */
export const DESIRED_ANNOTATION = 'file-integrity.openshift.io/desired';

/**
 * AIDE takes 150 to 200 MiB on 118,000 files, and the page cache that a scan reads counts as well until it is given
 * back. No processor limit: scans run at the lowest priority and end sooner with every core they get.
 */
const DEFAULT_RESOURCES: ResourceRequirements = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { memory: '600Mi' },
};

/** The daemon set of a FileIntegrity, as it goes out by server-side apply. */
export function desiredDaemonSet(integrity: FileIntegrity, spec: FileIntegritySpec, image: string): DaemonSet {
  const name = daemonSetName(integrity.metadata.name ?? '');
  const owner = labelValue(integrity.metadata.name ?? '');
  const daemonSpec = {
    selector: { matchLabels: { app: name } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
    template: podTemplate(integrity, spec, image),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name,
      namespace: integrity.metadata.namespace ?? '',
      labels: { app: name, [OWNER_LABEL]: owner },
      annotations: { [DESIRED_ANNOTATION]: createHash('sha256').update(JSON.stringify(daemonSpec)).digest('hex') },
      ownerReferences: [ownerReference(integrity)],
    },
    spec: daemonSpec,
  };
}

/**
 * Whether a daemon set was made by this operator. One of the OpenShift File Integrity Operator, which has the same name and
 * selector, must make way: applied over it, ours would keep what that one set and ours does not mention, such as
 * `privileged`, which the API server refuses beside ours.
 */
export function isOurs({ metadata, spec }: DaemonSet): boolean {
  return (
    metadata?.annotations?.[DESIRED_ANNOTATION] !== undefined ||
    spec?.template.spec?.containers.some(({ command }) => command?.[0] === DAEMON_COMMAND[0]) === true
  );
}

/**
 * Whether a daemon set of the cluster is what the operator wants; fields that others or the API server add do not count.
 * @param isSettled its `spec` is known to be what the API server makes of the wanted one
 */
export function isAsDesired(actual: DaemonSet, desired: DaemonSet, isSettled: boolean): boolean {
  // The server writes quantities its own way.
  return contains(actual, desired, (path) => (isSettled && path === '.spec') || path.endsWith('.resources'));
}

/**
 * What of the node is no file of a disk. The mount of its root is read-only and those below it are not, so these are mounted
 * again. `/run` follows the node, lest what is unmounted there stay in use; the others hardly change, and are read-only in
 * all their depth where the kernel and the container runtime can do that. Folders of the disk must not be mounted again:
 * what somebody mounts over such a folder later would stay hidden below ours.
 */
const KERNEL_FOLDERS: readonly { name: string; path: string; mount: Mount }[] = [
  { name: 'run', path: '/run', mount: { readOnly: true, mountPropagation: 'HostToContainer' } },
  { name: 'dev', path: '/dev', mount: { readOnly: true, recursiveReadOnly: 'IfPossible' } },
  { name: 'proc', path: '/proc', mount: { readOnly: true, recursiveReadOnly: 'IfPossible' } },
  { name: 'sys', path: '/sys', mount: { readOnly: true, recursiveReadOnly: 'IfPossible' } },
];

/** Kubernetes 1.30 and later; earlier ones ignore what they do not know. */
type Mount = Omit<VolumeMount, 'name' | 'mountPath'> & { recursiveReadOnly?: 'IfPossible' };

/** As every pod gets it, but for an hour at a time. The kubelet renews it, and the client reads it again each minute. */
const CREDENTIALS: Volume = {
  name: 'credentials',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    ],
  },
};

function podTemplate(integrity: FileIntegrity, spec: FileIntegritySpec, image: string): PodTemplateSpec {
  const name = integrity.metadata.name ?? '';
  const pod: PodSpec = {
    serviceAccountName: DAEMON_SERVICE_ACCOUNT,
    // It has one of its own; see `CREDENTIALS`.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(hasEntries(spec.nodeSelector) && { nodeSelector: spec.nodeSelector }),
    ...(spec.tolerations.length > 0 && { tolerations: spec.tolerations }),
    ...(spec.priorityClassName && { priorityClassName: spec.priorityClassName }),
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/os', operator: 'NotIn', values: ['windows'] }] },
          ],
        },
      },
    },
    containers: [daemonContainer(integrity, spec, image)],
    volumes: [
      { name: 'hostroot', hostPath: { path: '/', type: 'Directory' } },
      ...KERNEL_FOLDERS.map(({ name, path }) => ({ name, hostPath: { path, type: 'Directory' } })),
      { name: 'cgroup', hostPath: { path: '/sys/fs/cgroup', type: 'Directory' } },
      // A node without OpenShift's folders gets this one made.
      { name: 'database', hostPath: { path: '/etc/kubernetes', type: 'DirectoryOrCreate' } },
      { name: 'tmp', emptyDir: {} },
      CREDENTIALS,
    ],
  };
  return {
    metadata: { labels: { app: daemonSetName(name), [OWNER_LABEL]: labelValue(name), [POD_LABEL]: '' } },
    spec: pod,
  };
}

function daemonContainer(integrity: FileIntegrity, spec: FileIntegritySpec, image: string): Container {
  return {
    name: 'daemon',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: [...DAEMON_COMMAND],
    args: ['--integrity', integrity.metadata.name ?? '', '--namespace', integrity.metadata.namespace ?? ''],
    env: [
      { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      // One arena for malloc: 0.3 MB less.
      { name: 'MALLOC_ARENA_MAX', value: '1' },
    ],
    resources: containerResources(spec),
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      // Read any file and list any directory. `image/confined` becomes a user of its own, which takes the other two, and
      // leaves the daemon with the first.
      capabilities: { drop: ['ALL'], add: ['DAC_READ_SEARCH', 'SETGID', 'SETUID'] },
      seccompProfile: { type: 'RuntimeDefault' },
      // Where SELinux is on, a confined container may not read the host's files; elsewhere this means nothing.
      seLinuxOptions: { type: 'spc_t' },
    },
    volumeMounts: [
      { name: 'hostroot', mountPath: '/hostroot', readOnly: true, mountPropagation: 'HostToContainer' },
      ...KERNEL_FOLDERS.map(({ name, path, mount }) => ({ name, mountPath: `/hostroot${path}`, ...mount })),
      // Without propagation what is mounted over a folder in it later would stay unseen.
      { name: 'database', mountPath: '/hostroot/etc/kubernetes', mountPropagation: 'HostToContainer' },
      // `image/confined` lets the daemon write to one file of its own control group, by which its page cache is given back.
      { name: 'cgroup', mountPath: '/cgroup' },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'credentials', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
    ],
  };
}

/** The user's resources as they are, where there are any: a mix with the defaults could ask for more than its limit. */
function containerResources({ resources }: FileIntegritySpec): ResourceRequirements {
  if (!hasEntries(resources?.limits) && !hasEntries(resources?.requests)) return DEFAULT_RESOURCES;
  return {
    ...(hasEntries(resources?.requests) && { requests: quantities(resources?.requests) }),
    ...(hasEntries(resources?.limits) && { limits: quantities(resources?.limits) }),
  };
}

function quantities(amounts: Record<string, string | number> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]));
}

function hasEntries(map: object | undefined): map is object {
  return map !== undefined && Object.keys(map).length > 0;
}
