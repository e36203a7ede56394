import { readFile } from 'node:fs/promises';
import type { Pod, PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { daemonSets, namespaces, nodes, pods } from '../../src/kube/resources.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { daemonSetIn, mutations } from '../support/daemon-shape.ts';
import { clientWithRoles, makeAccounts } from '../support/edit-user.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, DAEMON_SET_CONTROLLER, REPLICA_SET_CONTROLLER } from '../support/impersonate.ts';
import { createNamespace } from '../support/namespace.ts';

// Somebody may make pods in the operator's namespace, which Pod Security must leave open for the daemons.
let namespace: string;
let restricted: string;
let admin: Client;
let daemonSetController: Client;
let replicaSetController: Client;
/** Has the role `edit` in the namespace. */
let mallory: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
  daemonSetController = stack.use(await clientOf(DAEMON_SET_CONTROLLER));
  replicaSetController = stack.use(await clientOf(REPLICA_SET_CONTROLLER));
  namespace = await createNamespace(admin, 'pods');
  restricted = await createNamespace(admin, 'restricted');
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await admin.patch(namespaces, { name: restricted }, { metadata: { labels } }, { type: 'merge' });
  for (const where of [namespace, restricted]) await makeAccounts(admin, where);
  mallory = stack.use(await clientWithRoles(admin, namespace, `mallory-${namespace}`));
  const privileged = pod({ containers: [{ ...HARMLESS, securityContext: { privileged: true } }] });
  const isRefused = async () => (await attempt(privileged)) !== '';
  stack.use(await enforcePolicies(admin, 'pods-policy.yaml', [namespace], isRefused));
  const odd = daemonPod(({ spec }) => spec?.volumes?.push({ name: 'odd', emptyDir: {} }));
  const isOdd = async () => (await attempt(odd, daemonSetController)) !== '';
  stack.use(await enforcePolicies(admin, 'daemon-shape-policy.yaml', [namespace], isOdd));
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

describe('the daemon’s pod', () => {
  test('is admitted as the operator makes it, from the controller of daemon sets only', async () => {
    expect(await attempt(daemonPod(), daemonSetController)).toBe('');
    for (const other of [admin, mallory, replicaSetController]) {
      expect(await attempt(daemonPod(), other)).toContain('controller of daemon sets only');
    }
  });

  test.each(mutations())('is not admitted that $what, from that controller either', async ({ change }) => {
    expect(await attempt(daemonPod(change), daemonSetController)).not.toBe('');
  });

  test('is admitted for a FileIntegrity with a long name', async () => {
    for (const name of ['x'.repeat(64), `${'y'.repeat(100)}.${'z'.repeat(100)}`]) {
      const { template } = daemonSetIn(namespace, name).spec ?? {};
      expect(await attempt(asPod(template), daemonSetController)).toBe('');
    }
  });

  test('runs as Kubernetes makes it of the daemon set, and nobody changes it', async () => {
    const node = `node-${namespace}`;
    const labels = { [namespace]: '', 'kubernetes.io/os': 'linux' };
    await admin.create(nodes, { metadata: { name: node, labels } });
    onTestFinished(() => admin.remove(nodes, { name: node }).then(() => {}));
    await admin.create(daemonSets, daemonSetIn(namespace));
    onTestFinished(() => admin.remove(daemonSets, { namespace, name: 'aide-worker' }).then(() => {}));
    let name = '';
    await eventually('there is a pod', async () => {
      const { items } = await admin.list(pods, { namespace, labelSelector: 'app=aide-worker' });
      name = items[0]?.metadata?.name ?? '';
      return name;
    });
    const ref = { namespace, name };
    const made = await admin.get(pods, ref);
    const change = (patch: object) => refusal(mallory.patch(pods, ref, patch, { type: 'merge' }));
    const [container] = made.spec?.containers ?? [];
    // Two policies refuse it, and the API server names either.
    const stays = /stays as it was made|no field that the operator does not give it/;
    expect(await change({ spec: { containers: [{ ...container, image: 'mallory/image' }] } })).toMatch(stays);
    expect(await change({ spec: { activeDeadlineSeconds: 1 } })).toMatch(stays);
    const tolerations = [...(made.spec?.tolerations ?? []), { key: 'any', operator: 'Exists' }];
    expect(await change({ spec: { tolerations } })).toMatch(stays);
    const kept = 'stay as Kubernetes’s controllers make them'.replace('’', "'");
    expect(await change({ metadata: { labels: { app: null } } })).toContain(kept);
    expect(await change({ metadata: { labels: { app: 'aide-other' } } })).toContain(kept);
    expect(await change({ metadata: { ownerReferences: null } })).toContain(kept);
    expect(await change({ metadata: { finalizers: ['mallory.example/stay'] } })).toContain(kept);
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const ephemeralContainers = [{ ...HARMLESS, name: 'debug', targetContainerName: 'daemon' }];
    const put = { method: 'PUT' as const };
    const body = { kind: 'Pod', apiVersion: 'v1', metadata: ref, spec: { ...made.spec, ephemeralContainers } };
    expect(await refusal(mallory.raw(`${path}/ephemeralcontainers`, { ...put, body }))).toMatch(
      /has one container, which confines itself|cannot update resource/,
    );
    expect(await refusal(admin.raw(`${path}/ephemeralcontainers`, { ...put, body }))).toContain(
      'has one container, which confines itself',
    );
    // What networks and others write of it, they write.
    expect(await change({ metadata: { annotations: { any: '' }, labels: { any: '' } } })).toBe('');
    await admin.remove(daemonSets, { namespace, name: 'aide-worker' });
    await eventually('it goes with its daemon set', async () => {
      const found = await admin.find(pods, ref);
      return found === undefined || found.metadata?.deletionTimestamp !== undefined;
    });
  });
});

describe('another pod in the operator’s namespace', () => {
  test('is admitted where it could run under the level restricted', async () => {
    expect(await attempt(pod({ containers: [HARMLESS] }), mallory)).toBe('');
    const { securityContext, ...rest } = HARMLESS;
    const { runAsNonRoot, seccompProfile, ...others } = securityContext;
    const all = { runAsNonRoot, seccompProfile };
    const spread = pod({ securityContext: all, containers: [{ ...rest, securityContext: others }] });
    expect(await attempt(spread, mallory)).toBe('');
  });

  test.each<[string, Partial<PodSpec>, string]>([
    ['a host path', { volumes: [{ name: 'root', hostPath: { path: '/' } }] }, 'Only the operator’s daemons'],
    ['a volume of NFS', { volumes: [{ name: 'nfs', nfs: { server: 'any', path: '/' } }] }, 'of the kinds'],
    ['the node’s IPC', { hostIPC: true }, 'shares no network'],
    ['no security context', { containers: [{ name: 'any', image: 'any' }] }, 'not privileged'],
    ['root', withContext({ runAsNonRoot: false }), 'does not run as root'],
    ['the user 0', withContext({ runAsUser: 0 }), 'does not run as root'],
    ['the user 0 for all', { securityContext: { runAsUser: 0 } }, 'does not run as root'],
    ['a capability', withContext({ capabilities: { drop: ['ALL'], add: ['BPF'] } }), 'no capability'],
    ['a type of SELinux', withContext({ seLinuxOptions: { type: 'spc_t' } }), 'profiles of AppArmor and SELinux'],
    ['no AppArmor', { securityContext: { appArmorProfile: { type: 'Unconfined' } } as object }, 'profiles of AppArmor'],
    ['no seccomp', withContext({ seccompProfile: { type: 'Unconfined' } }), 'seccomp profile'],
    ['a port of the node', { containers: [{ ...HARMLESS, ports: [{ containerPort: 1, hostPort: 1 }] }] }, 'no port'],
    ['an init container that is not so', { initContainers: [{ name: 'init', image: 'any' }] }, 'not privileged'],
  ])('is not admitted that has %s', async (_, change, reason) => {
    const sentence = await attempt(pod({ containers: [HARMLESS], ...change }), mallory);
    expect(sentence.replaceAll("'", '’')).toContain(reason);
  });

  test.each([
    ['app', 'aide-worker'],
    ['file-integrity.openshift.io/pod', ''],
    ['file-integrity.openshift.io/owner', 'worker'],
    ['name', 'file-integrity-operator'],
  ])('is not taken for a daemon or the operator by its label %s', async (label, value) => {
    const made = pod({ containers: [HARMLESS] });
    const metadata = { ...made.metadata, labels: { [label]: value } };
    expect(await attempt({ ...made, metadata }, mallory)).toContain('for their pods only');
  });
});

test('the operator’s pod is made by the controller of replica sets and administrators, as what may run there', async () => {
  const made = await operatorPod();
  expect(await attempt(made, replicaSetController)).toBe('');
  expect(await attempt(made, admin)).toBe('');
  for (const other of [mallory, daemonSetController]) {
    expect(await attempt(made, other)).toContain('controller of replica sets only');
  }
});

test('the operator’s pod is admitted where Pod Security enforces the level restricted, and a daemon’s is not', async () => {
  const metadata = { name: 'any', namespace: restricted };
  expect(await attempt({ ...(await operatorPod()), metadata })).toBe('');
  const sentence = await attempt({ ...daemonPod(), metadata });
  for (const what of ['hostPath', 'DAC_READ_SEARCH', 'runAsUser=0', 'seLinuxOptions']) expect(sentence).toContain(what);
  expect(sentence).not.toContain('privileged:');
});

async function attempt(object: Pod, by = admin): Promise<string> {
  const path = `/api/v1/namespaces/${object.metadata?.namespace}/pods?dryRun=All`;
  const body = { apiVersion: 'v1', kind: 'Pod', ...object };
  return await refusal(by.raw(path, { method: 'POST', body }));
}

function pod(spec: PodSpec): Pod {
  return { metadata: { name: 'any', namespace }, spec };
}

function withContext(fields: object): Partial<PodSpec> {
  return { containers: [{ ...HARMLESS, securityContext: { ...HARMLESS.securityContext, ...fields } }] };
}

function daemonPod(change: (template: PodTemplateSpec) => unknown = () => {}): Pod {
  const template = daemonSetIn(namespace).spec?.template ?? {};
  change(template);
  return asPod(template);
}

/** What a hand-made pod can have as well: a daemon set that it says it belongs to. */
function asPod({ metadata, spec }: PodTemplateSpec = {}): Pod {
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'aide-worker', uid: 'x', controller: true };
  return {
    metadata: { name: 'any', namespace, labels: metadata?.labels ?? {}, ownerReferences: [owner] },
    spec: spec ?? { containers: [] },
  };
}

async function operatorPod(): Promise<Pod> {
  const text = await readFile(new URL('../../deploy/operator/deployment.yaml', import.meta.url), 'utf8');
  const { spec } = parse(text) as { spec: { template: Pod } };
  return { ...spec.template, metadata: { name: 'any', namespace, labels: spec.template.metadata?.labels ?? {} } };
}
