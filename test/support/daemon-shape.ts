import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Container, PodSpec, PodTemplateSpec, SecurityContext, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { fileIntegritySpecSchema } from '../../src/api/fileintegrity.ts';
import { desiredDaemonSet } from '../../src/operator/fileintegrity/daemonset.ts';

/** What the operator makes of a FileIntegrity in a namespace, as JSON has it. */
export function daemonSetIn(namespace: string, integrity = 'worker', image = 'any'): DaemonSet {
  const spec = fileIntegritySpecSchema.parse({
    config: {},
    nodeSelector: { [namespace]: '' },
    resources: { limits: { memory: '1Gi' }, requests: { cpu: 1 } },
  });
  const made = desiredDaemonSet({ metadata: { name: integrity, namespace, uid: 'x' }, spec }, spec, image);
  const daemonSet = JSON.parse(JSON.stringify(made)) as DaemonSet;
  // It would go with an owner that is not there.
  delete daemonSet.metadata?.ownerReferences;
  return daemonSet;
}

/** One change of what the operator makes, and what is said against it. */
export interface Mutation {
  readonly what: string;
  readonly change: (template: PodTemplateSpec) => void;
  readonly said: RegExp;
}

/** Each single thing of a daemon that somebody could want otherwise, so that nothing of it goes unchecked. */
export function mutations(): Mutation[] {
  const template = daemonSetIn('any').spec?.template;
  const container = containerOf(template);
  return [
    ...MUTATIONS.map(([what, change, said]) => ({ what, change, said })),
    ...(container.command ?? []).flatMap((word, index) => [
      mutation(`lacks the word ${word}`, (one) => one.command?.splice(index, 1), COMMAND),
      mutation(`has another word than ${word}`, (one) => one.command?.splice(index, 1, `${word}x`), COMMAND),
    ]),
    ...(container.args ?? []).map((word, index) =>
      mutation(`lacks the argument ${word}`, (one) => one.args?.splice(index, 1), ARGUMENTS),
    ),
    ...(container.env ?? []).flatMap(({ name }, index) => [
      mutation(`lacks the variable ${name}`, (one) => one.env?.splice(index, 1), ENVIRONMENT),
      mutation(`has another ${name}`, (one) => one.env?.splice(index, 1, { name, value: 'x' }), ENVIRONMENT),
    ]),
    ...(container.volumeMounts ?? []).flatMap(({ name, mountPath, ...how }, index) => [
      mutation(`lacks the mount at ${mountPath}`, (one) => one.volumeMounts?.splice(index, 1), MOUNTS),
      mutation(`mounts ${name} elsewhere`, ofMount(index, { mountPath: '/elsewhere' }), MOUNTS),
      mutation(`mounts a part of ${name}`, ofMount(index, { subPath: 'part' }), MOUNTS),
      ...Object.keys(how).map((key) =>
        mutation(`mounts ${name} without ${key}`, ofMount(index, { [key]: undefined }), MOUNTS),
      ),
      ...('readOnly' in how ? [] : [mutation(`mounts ${name} read-only`, ofMount(index, { readOnly: true }), MOUNTS)]),
      mutation(`has what is done in it seen on the node through ${name}`, ofMount(index, BIDIRECTIONAL), MOUNTS),
    ]),
    ...(template?.spec?.volumes ?? []).flatMap(({ name, hostPath }, index) => [
      {
        what: `has another folder of the node as ${name}`,
        change: ofVolume(index, { name, hostPath: { path: '/var/lib/kubelet', type: 'Directory' } }),
        said: VOLUMES,
      },
      {
        what: `has a secret as ${name}`,
        change: ofVolume(index, { name, secret: { secretName: 'file-integrity-operator-serving-cert' } }),
        said: VOLUMES,
      },
      ...(hostPath
        ? [{ what: `makes the folder of ${name}`, change: ofVolume(index, created(name, hostPath)), said: VOLUMES }]
        : []),
    ]),
    ...Object.keys(container.securityContext ?? {}).map((key) =>
      mutation(
        `has no ${key}`,
        (one) => delete contextOf(one)[key as keyof SecurityContext],
        /security context|not privileged|seccomp/,
      ),
    ),
  ];
}

const COMMAND = /its command is the operator/;
const ARGUMENTS = /no other argument/;
const ENVIRONMENT = /no environment variable/;
const MOUNTS = /mounts what the operator mounts/;
const VOLUMES = /the operator's volumes/;
const CONTEXT = /the security context that the operator gives it/;
const FIELD = /no field that the operator does not give it/;
const BIDIRECTIONAL = { mountPropagation: 'Bidirectional' };

const BESIDE: Container = {
  name: 'beside',
  image: 'any',
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

/** What is not made of the daemon's own fields. */
const MUTATIONS: [string, Mutation['change'], RegExp][] = [
  ['has an argument more', (one) => containerOf(one).args?.push('--debug'), ARGUMENTS],
  [
    'speaks for another FileIntegrity than its label says',
    (one) => containerOf(one).args?.splice(1, 1, 'x'),
    ARGUMENTS,
  ],
  ['has another namespace', (one) => containerOf(one).args?.splice(3, 1, 'x'), ARGUMENTS],
  ['has no label owner', (one) => delete one.metadata?.labels?.['file-integrity.openshift.io/owner'], ARGUMENTS],
  ['has a library loaded first', (one) => containerOf(one).env?.push({ name: 'LD_PRELOAD', value: '/x' }), ENVIRONMENT],
  [
    'has options for Node.js',
    (one) => containerOf(one).env?.push({ name: 'NODE_OPTIONS', value: '-r /x' }),
    ENVIRONMENT,
  ],
  [
    'has a variable twice',
    (one) => containerOf(one).env?.splice(0, 1, { name: 'MALLOC_ARENA_MAX', value: '1' }),
    ENVIRONMENT,
  ],
  ['has variables of a config map', set({ envFrom: [{ configMapRef: { name: 'x' } }] }), FIELD],
  ['runs something beside it', set({ lifecycle: { postStart: { exec: { command: ['sh'] } } } }), FIELD],
  ['runs a probe', set({ livenessProbe: { exec: { command: ['sh'] } } }), FIELD],
  ['has a terminal', set({ tty: true }), FIELD],
  ['works elsewhere', set({ workingDir: '/hostroot' }), FIELD],
  ['has another name', set({ name: 'other' }), FIELD],
  ['has a port', set({ ports: [{ containerPort: 1 }] }), FIELD],
  [
    'is privileged',
    (one) => Object.assign(contextOf(containerOf(one)), { privileged: true, allowPrivilegeEscalation: true }),
    CONTEXT,
  ],
  ['has a capability more', (one) => contextOf(containerOf(one)).capabilities?.add?.push('SYS_ADMIN'), CONTEXT],
  ['is another user', (one) => Object.assign(contextOf(containerOf(one)), { runAsUser: 4711 }), CONTEXT],
  ['has another group', (one) => Object.assign(contextOf(containerOf(one)), { runAsGroup: 4711 }), CONTEXT],
  [
    'has no seccomp profile',
    (one) => Object.assign(contextOf(containerOf(one)), { seccompProfile: { type: 'Unconfined' } }),
    CONTEXT,
  ],
  [
    'has no profile of AppArmor',
    (one) => Object.assign(contextOf(containerOf(one)), { appArmorProfile: { type: 'Unconfined' } }),
    CONTEXT,
  ],
  [
    'writes to its image',
    (one) => Object.assign(contextOf(containerOf(one)), { readOnlyRootFilesystem: false }),
    CONTEXT,
  ],
  ['has a group for its volumes', inPod({ securityContext: { fsGroup: 0 } }), CONTEXT],
  ['has sysctls', inPod({ securityContext: { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] } }), CONTEXT],
  ['has a second container', (one) => one.spec?.containers.push(BESIDE), FIELD],
  ['has an init container', inPod({ initContainers: [BESIDE] }), FIELD],
  ['has the node’s network', inPod({ hostNetwork: true }), FIELD],
  ['has the node’s processes', inPod({ hostPID: true }), FIELD],
  ['has the node’s IPC', inPod({ hostIPC: true }), FIELD],
  ['shares processes', inPod({ shareProcessNamespace: true }), FIELD],
  ['has hosts of its own', inPod({ hostAliases: [{ ip: '10.0.0.1', hostnames: ['kubernetes.default.svc'] }] }), FIELD],
  ['asks another DNS', inPod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['10.0.0.1'] } }), FIELD],
  [
    'has another folder of the node',
    (one) => one.spec?.volumes?.push({ name: 'other', hostPath: { path: '/var/lib/kubelet' } }),
    VOLUMES,
  ],
  ['has a config map', (one) => one.spec?.volumes?.push({ name: 'other', configMap: { name: 'x' } }), VOLUMES],
  [
    'mounts a volume twice',
    (one) => containerOf(one).volumeMounts?.push({ name: 'hostroot', mountPath: '/again' }),
    MOUNTS,
  ],
  [
    'has a token for somebody else',
    (one) =>
      one.spec?.volumes?.splice(-1, 1, {
        name: 'credentials',
        projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'x' } }] },
      }),
    VOLUMES,
  ],
];

export function containerOf(template: PodTemplateSpec | undefined): Container {
  const container = template?.spec?.containers[0];
  if (!container) throw new Error('never');
  return container;
}

function contextOf(container: Container): SecurityContext {
  container.securityContext ??= {};
  return container.securityContext;
}

function mutation(what: string, change: (container: Container) => void, said: RegExp): Mutation {
  return { what, change: (template) => change(containerOf(template)), said };
}

function set(fields: Partial<Container>): Mutation['change'] {
  return (template) => Object.assign(containerOf(template), fields);
}

function inPod(fields: Partial<PodSpec>): Mutation['change'] {
  return (template) => Object.assign(template.spec ?? {}, fields);
}

function ofMount(index: number, fields: Partial<VolumeMount>): (container: Container) => void {
  return ({ volumeMounts }) => Object.assign(volumeMounts?.[index] ?? {}, fields);
}

function ofVolume(index: number, volume: NonNullable<PodSpec['volumes']>[number]): Mutation['change'] {
  return (template) => template.spec?.volumes?.splice(index, 1, volume);
}

function created(name: string, { path, type }: { path: string; type?: string }) {
  return { name, hostPath: { path, type: type === 'Directory' ? 'DirectoryOrCreate' : 'Directory' } };
}
