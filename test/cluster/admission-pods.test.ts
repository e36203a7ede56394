import { readFile } from 'node:fs/promises';
import type { Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { fileIntegritySpecSchema } from '../../src/api/fileintegrity.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { namespaces, serviceAccounts } from '../../src/kube/resources.ts';
import { desiredDaemonSet } from '../../src/operator/fileintegrity/daemonset.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { createNamespace } from '../support/namespace.ts';

// Somebody may make pods in the operator's namespace, which Pod Security must leave open for the daemons.
let namespace: string;
let restricted: string;
let admin: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
  namespace = await createNamespace(admin, 'pods');
  restricted = await createNamespace(admin, 'restricted');
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await admin.patch(namespaces, { name: restricted }, { metadata: { labels } }, { type: 'merge' });
  for (const where of [namespace, restricted]) {
    for (const name of ['default', 'file-integrity-daemon', 'file-integrity-operator']) {
      await admin.apply(serviceAccounts, { metadata: { name, namespace: where } }, { fieldManager: 'test' });
    }
  }
  const privileged = pod({ containers: [{ ...HARMLESS, securityContext: { privileged: true } }] });
  stack.use(
    await enforcePolicies(admin, 'pods-policy.yaml', [namespace], async () => (await attempt(privileged)) !== ''),
  );
});

afterAll(() => stack.disposeAsync());

const HARMLESS = {
  name: 'any',
  image: 'any',
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

describe('in the operator’s namespace', () => {
  test('the daemon’s pod is admitted as the operator makes it', async () => {
    expect(await attempt(daemonPod())).toBe('');
  });

  test.each<[string, (pod: Pod) => void, string]>([
    ['is made by somebody', (pod) => delete pod.metadata?.ownerReferences, 'belongs to its daemon set'],
    [
      'is privileged',
      (pod) => Object.assign(context(pod), { privileged: true, allowPrivilegeEscalation: true }),
      'priv',
    ],
    ['has a capability more', (pod) => context(pod).capabilities?.add?.push('SYS_ADMIN'), 'DAC_READ_SEARCH only'],
    ['has no seccomp profile', (pod) => delete context(pod).seccompProfile, 'seccomp'],
    ['is not confined', (pod) => spec(pod).containers[0]?.command?.shift(), 'confines itself'],
    ['has a second container', (pod) => spec(pod).containers.push(HARMLESS), 'one container'],
    ['has an init container', (pod) => Object.assign(spec(pod), { initContainers: [HARMLESS] }), 'one container'],
    ['writes to its image', (pod) => Object.assign(context(pod), { readOnlyRootFilesystem: false }), 'its image'],
    ['has the node’s network', (pod) => Object.assign(spec(pod), { hostNetwork: true }), 'shares no network'],
    ['has the node’s processes', (pod) => Object.assign(spec(pod), { hostPID: true }), 'shares no network'],
    ['has the node’s root writable', (pod) => Object.assign(mount(pod, 'hostroot'), { readOnly: false }), 'read-only'],
    ['has the node’s /run writable', (pod) => Object.assign(mount(pod, 'run'), { readOnly: false }), 'read-only'],
    [
      'has another folder of the node',
      (pod) => spec(pod).volumes?.push({ name: 'other', hostPath: { path: '/var/lib/kubelet' } }),
      'read-only',
    ],
    [
      'has a secret',
      (pod) =>
        spec(pod).volumes?.push({ name: 'other', secret: { secretName: 'file-integrity-operator-serving-cert' } }),
      'no secrets',
    ],
  ])('no daemon’s pod is admitted that %s', async (_, change, reason) => {
    const changed = daemonPod();
    change(changed);
    expect(await attempt(changed)).toContain(reason);
  });

  test('a pod that could run under the level restricted is admitted', async () => {
    expect(await attempt(pod({ containers: [HARMLESS] }))).toBe('');
    const { securityContext, ...rest } = HARMLESS;
    const { runAsNonRoot, seccompProfile, ...others } = securityContext;
    const all = { runAsNonRoot, seccompProfile };
    expect(await attempt(pod({ securityContext: all, containers: [{ ...rest, securityContext: others }] }))).toBe('');
  });

  test.each<[string, Partial<PodSpec>, string]>([
    ['a host path', { volumes: [{ name: 'root', hostPath: { path: '/' } }] }, 'Only the operator’s daemons'],
    ['the node’s IPC', { hostIPC: true }, 'shares no network'],
    ['no security context', { containers: [{ name: 'any', image: 'any' }] }, 'not privileged'],
    [
      'root',
      { containers: [{ ...HARMLESS, securityContext: { ...HARMLESS.securityContext, runAsNonRoot: false } }] },
      'does not run as root',
    ],
    [
      'a capability',
      {
        containers: [
          {
            ...HARMLESS,
            securityContext: { ...HARMLESS.securityContext, capabilities: { drop: ['ALL'], add: ['BPF'] } },
          },
        ],
      },
      'no capability',
    ],
    ['a port of the node', { containers: [{ ...HARMLESS, ports: [{ containerPort: 1, hostPort: 1 }] }] }, 'no port'],
    [
      'the node’s network in an init container’s pod',
      { initContainers: [{ name: 'init', image: 'any' }] },
      'not privileged',
    ],
  ])('no other pod is admitted that has %s', async (_, change, reason) => {
    const sentence = await attempt(pod({ containers: [HARMLESS], ...change }));
    expect(sentence.replaceAll("'", '’')).toContain(reason);
  });

  test('the operator’s pod is admitted', async () => {
    expect(await attempt(await operatorPod())).toBe('');
  });
});

test('the operator’s pod is admitted where Pod Security enforces the level restricted, and a daemon’s is not', async () => {
  const metadata = { name: 'any', namespace: restricted };
  expect(await attempt({ ...(await operatorPod()), metadata })).toBe('');
  const sentence = await attempt({ ...daemonPod(), metadata });
  for (const what of ['hostPath', 'DAC_READ_SEARCH', 'runAsUser=0', 'seLinuxOptions']) expect(sentence).toContain(what);
  expect(sentence).not.toContain('privileged:');
});

async function attempt(object: Pod): Promise<string> {
  const path = `/api/v1/namespaces/${object.metadata?.namespace}/pods?dryRun=All`;
  const body = { apiVersion: 'v1', kind: 'Pod', ...object };
  return await refusal(admin.raw(path, { method: 'POST', body }));
}

function pod(spec: PodSpec): Pod {
  return { metadata: { name: 'any', namespace }, spec };
}

function daemonPod(): Pod {
  const metadata = { name: 'worker', namespace, uid: 'x' };
  const spec = fileIntegritySpecSchema.parse({ config: {} });
  const { name, ...daemonSet } = desiredDaemonSet({ metadata, spec }, spec, 'any').metadata ?? {};
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: name ?? '', uid: 'x', controller: true };
  const template = desiredDaemonSet({ metadata, spec }, spec, 'any').spec?.template;
  return {
    metadata: { name: 'any', namespace, labels: daemonSet.labels ?? {}, ownerReferences: [owner] },
    spec: structuredClone(template?.spec ?? { containers: [] }),
  };
}

async function operatorPod(): Promise<Pod> {
  const text = await readFile(new URL('../../deploy/operator/deployment.yaml', import.meta.url), 'utf8');
  const { spec } = parse(text) as { spec: { template: Pod } };
  return { ...spec.template, metadata: { name: 'any', namespace } };
}

function spec(pod: Pod): PodSpec {
  if (!pod.spec) throw new Error('never');
  return pod.spec;
}

function context(pod: Pod) {
  const found = spec(pod).containers[0]?.securityContext;
  if (!found) throw new Error('never');
  return found;
}

function mount(pod: Pod, name: string) {
  const found = spec(pod).containers[0]?.volumeMounts?.find((each) => each.name === name);
  if (!found) throw new Error(`there is no mount ${name}`);
  return found;
}
