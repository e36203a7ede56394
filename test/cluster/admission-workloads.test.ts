import type { DaemonSet, Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { daemonSets, namespaces, pods } from '../../src/kube/resources.ts';
import type { Resource } from '../../src/kube/types.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { containerOf, daemonSetIn, mutations } from '../support/daemon-shape.ts';
import { clientOfOperator, clientWithRoles, makeAccounts, makeActAsRole } from '../support/edit-user.ts';
import { eventually } from '../support/eventually.ts';
import { accountName, clientOf } from '../support/impersonate.ts';
import { createNamespace } from '../support/namespace.ts';

// Who may have pods made with the accounts of the operator and its daemons.
const IMAGE = 'registry.example/fio:1';
const deployments = apps<Deployment>('Deployment', 'deployments');
const replicaSets = apps<ReplicaSet>('ReplicaSet', 'replicasets');

let namespace: string;
let admin: Client;
let operator: Client;
/** Has the role `edit` in the namespace. */
let mallory: Client;
/** The same, and may act as the operator. */
let keeper: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
  namespace = await createNamespace(admin, 'workloads');
  await makeAccounts(admin, namespace);
  mallory = stack.use(await clientWithRoles(admin, namespace, `mallory-${namespace}`));
  await makeActAsRole(admin, `act-as-${namespace}`);
  keeper = stack.use(await clientWithRoles(admin, namespace, `keeper-${namespace}`, ['edit', `act-as-${namespace}`]));
  operator = stack.use(await clientOfOperator(admin, namespace));
  await admin.create(deployments, deployment());
  const annotations = { 'file-integrity.openshift.io/daemon-image': IMAGE };
  await admin.patch(namespaces, { name: namespace }, { metadata: { annotations } }, { type: 'merge' });
  const odd = daemonSet(({ spec }) => spec?.volumes?.push({ name: 'odd', emptyDir: {} }));
  const isRefused = (by: Client, object: DaemonSet, why: string) => async () => (await make(by, object)).includes(why);
  const enforce = async (file: string, ...refused: Parameters<typeof isRefused>) => {
    stack.use(await enforcePolicies(admin, file, [namespace], isRefused(...refused)));
  };
  await enforce('workloads-policy.yaml', mallory, daemonSet(), 'by the operator only');
  await enforce('daemon-shape-policy.yaml', admin, odd, 'volumes');
});

afterAll(() => stack.disposeAsync());

describe('a daemon set with the daemons’ account', () => {
  test('is written and removed by the operator only, and by who may act as it', async () => {
    expect(await make(mallory, daemonSet())).toContain('by the operator only');
    const zzz = daemonSet(() => {}, 'zzz');
    expect(await make(mallory, zzz)).toContain('by the operator only');
    await operator.apply(daemonSets, daemonSet(), APPLY);
    const ref = { namespace, name: 'aide-worker' };
    for (const patch of [
      { spec: { template: { spec: { containers: [{ name: 'daemon', image: 'mallory/image' }] } } } },
      { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: '100%' } } } },
      { metadata: { finalizers: ['mallory.example/stay'] } },
    ]) {
      const attempt = mallory.patch(daemonSets, ref, patch, { type: 'merge' });
      expect(await refusal(attempt)).toMatch(/by the operator only|Daemons run the image|has one container/);
    }
    expect(await refusal(mallory.remove(daemonSets, ref))).toContain('by the operator only');
    const restarted = { spec: { template: { metadata: { annotations: { restarted: 'now' } } } } };
    await keeper.patch(daemonSets, ref, restarted, { type: 'merge' });
    await operator.apply(daemonSets, daemonSet(), APPLY);
    expect(await operator.remove(daemonSets, ref)).toBe(true);
  });

  test('goes with its owner', async () => {
    const { metadata } = await admin.create(pods, {
      metadata: { name: 'owner', namespace },
      spec: { containers: [{ name: 'any', image: 'any' }], nodeSelector: { [namespace]: 'none' } },
    });
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'owner', uid: metadata?.uid ?? '' };
    const owned = daemonSet();
    await operator.create(daemonSets, { ...owned, metadata: { ...owned.metadata, ownerReferences: [owner] } });
    await admin.remove(pods, { namespace, name: 'owner' }, { propagation: 'Foreground' });
    const ref = { namespace, name: 'aide-worker' };
    await eventually('it is gone', async () => !(await admin.find(daemonSets, ref)));
  });

  test('is not written by the operator’s account without its pod', async () => {
    await using impersonated = await clientOf(accountName(namespace, 'file-integrity-operator'));
    expect(await make(impersonated, daemonSet())).toContain('by the operator only');
  });

  test.each(mutations())('is not written that $what, by the operator and administrators either', async (mutation) => {
    const changed = daemonSet(mutation.change);
    for (const by of [operator, admin]) expect(await make(by, changed)).toMatch(oneOf(mutation.said, OTHERWISE));
  });

  test('has the image that the namespace names, where it names one', async () => {
    const withImage = (image: string) => daemonSet((template) => Object.assign(containerOf(template), { image }));
    expect(await make(operator, withImage(IMAGE))).toBe('');
    for (const image of ['mallory/image', `${IMAGE}0`]) {
      expect(await make(operator, withImage(image))).toContain(`of the namespace names, ${IMAGE}`);
    }
    const name = (image: string | null) => {
      const annotations = { 'file-integrity.openshift.io/daemon-image': image };
      return admin.patch(namespaces, { name: namespace }, { metadata: { annotations } }, { type: 'merge' });
    };
    await name(null);
    await eventually('any will do', async () => (await make(operator, withImage('another'))) === '');
    await name(IMAGE);
    await eventually('it is checked', async () => (await make(operator, withImage('another'))) !== '');
    const annotations = { 'file-integrity.openshift.io/daemon-image': 'mallory/image' };
    const attempt = mallory.patch(namespaces, { name: namespace }, { metadata: { annotations } }, { type: 'merge' });
    expect(await refusal(attempt)).toContain('cannot patch resource "namespaces"');
  });
});

describe('a workload that is no daemon set', () => {
  test.each(others('file-integrity-daemon'))('does not use the daemons’ account: %s', async (_, path, body) => {
    for (const by of [mallory, operator, admin]) {
      // Templates are not in the roles edit and admin.
      expect(await post(by, path(), body())).toMatch(/Only daemon sets|cannot create resource "podtemplates"/);
    }
  });

  test.each(others('file-integrity-operator'))('does not use the operator’s account: %s', async (_, path, body) => {
    const sentence = await post(mallory, path(), body());
    expect(sentence).toMatch(
      /Only deployments and their replica sets|by who may act-as|cannot create resource "podtemplates"/,
    );
  });

  test('may use any other account, and does not change to one of ours', async () => {
    const own = { ...deployment('own'), spec: { ...deployment('own').spec } } as Deployment;
    const template = own.spec?.template as PodTemplateSpec;
    Object.assign(template.spec ?? {}, { serviceAccountName: 'default', nodeSelector: { [namespace]: 'none' } });
    await mallory.create(deployments, own);
    for (const serviceAccountName of ['file-integrity-operator', 'file-integrity-daemon']) {
      const patch = { spec: { template: { spec: { serviceAccountName } } } };
      const attempt = mallory.patch(deployments, { namespace, name: 'own' }, patch, { type: 'merge' });
      expect(await refusal(attempt)).toMatch(/may act-as|Only daemon sets/);
      // The field that Kubernetes had before this one.
      const old = { spec: { template: { spec: { serviceAccountName: null, serviceAccount: serviceAccountName } } } };
      const again = mallory.patch(deployments, { namespace, name: 'own' }, old, { type: 'merge' });
      expect(await refusal(again)).toMatch(/may act-as|Only daemon sets/);
    }
    expect(await mallory.remove(deployments, { namespace, name: 'own' })).toBe(true);
  });
});

test('the operator’s Deployment is written and removed by who may act as it only; Kubernetes makes of it what it makes', async () => {
  const ref = { namespace, name: 'file-integrity-operator' };
  let replicaSet = '';
  await eventually('there is a replica set', async () => {
    const { items } = await admin.list(replicaSets, { namespace, labelSelector: 'name=file-integrity-operator' });
    replicaSet = items[0]?.metadata?.name ?? '';
    return replicaSet;
  });
  await eventually('there is a pod', async () => {
    const { items } = await admin.list(pods, { namespace, labelSelector: 'name=file-integrity-operator' });
    return items.length > 0;
  });
  const image = { spec: { template: { spec: { containers: [{ name: 'operator', image: 'mallory/image' }] } } } };
  for (const [resource, name] of [
    [deployments, ref.name],
    [replicaSets, replicaSet],
  ] as const) {
    const where = { namespace, name };
    expect(await refusal(mallory.patch(resource as Resource, where, image, { type: 'merge' }))).toContain('act-as');
    expect(await refusal(mallory.remove(resource, where))).toContain('may act-as');
  }
  await keeper.patch(deployments, ref, { metadata: { annotations: { any: '' } } }, { type: 'merge' });
  await eventually('a change is rolled out', async () => {
    await keeper.patch(
      deployments,
      ref,
      { spec: { template: { metadata: { annotations: { any: 'x' } } } } },
      { type: 'merge' },
    );
    const { items } = await admin.list(replicaSets, { namespace, labelSelector: 'name=file-integrity-operator' });
    return items.length > 1;
  });
  expect(await keeper.remove(deployments, ref)).toBe(true);
});

/** What the API server itself refuses, and what the policy of images says first. */
const OTHERWISE = /is invalid|Daemons run the image/;
const APPLY = { fieldManager: 'operator' };

function apps<T extends object>(kind: string, plural: string): Resource<T> {
  return { group: 'apps', version: 'v1', kind, plural, namespaced: true } as Resource<T>;
}

function daemonSet(change: (template: PodTemplateSpec) => unknown = () => {}, integrity = 'worker'): DaemonSet {
  const made = daemonSetIn(namespace, integrity, IMAGE);
  if (made.spec) change(made.spec.template);
  return made;
}

async function make(by: Client, object: DaemonSet): Promise<string> {
  return await post(by, 'apis/apps/v1/', { apiVersion: 'apps/v1', kind: 'DaemonSet', ...object }, 'daemonsets');
}

async function post(by: Client, path: string, body: object, plural = ''): Promise<string> {
  const to = plural === '' ? path : `/${path}namespaces/${namespace}/${plural}`;
  return await refusal(by.raw(`${to}?dryRun=All`, { method: 'POST', body }));
}

function oneOf(...expressions: RegExp[]): RegExp {
  return new RegExp(expressions.map(({ source }) => source).join('|'));
}

function deployment(name = 'file-integrity-operator'): Deployment {
  const labels = { name };
  const containers = [{ name: 'operator', image: IMAGE }];
  const spec = { serviceAccountName: 'file-integrity-operator', nodeSelector: { [namespace]: 'none' }, containers };
  return {
    metadata: { name, namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

/** Each kind of workload that Kubernetes has, but daemon sets, as whoever may `edit` makes it. */
function others(serviceAccountName: string): [string, () => string, () => object][] {
  const template = (restartPolicy: string) => ({
    metadata: { labels: { app: 'any' } },
    spec: { serviceAccountName, restartPolicy, containers: [{ name: 'any', image: 'any' }] },
  });
  const selector = { matchLabels: { app: 'any' } };
  const kinds: [string, string, string, object][] = [
    ['apps/v1', 'Deployment', 'deployments', { spec: { selector, template: template('Always') } }],
    ['apps/v1', 'ReplicaSet', 'replicasets', { spec: { selector, template: template('Always') } }],
    [
      'apps/v1',
      'StatefulSet',
      'statefulsets',
      { spec: { selector, serviceName: 'any', template: template('Always') } },
    ],
    ['batch/v1', 'Job', 'jobs', { spec: { template: template('Never') } }],
    [
      'batch/v1',
      'CronJob',
      'cronjobs',
      { spec: { schedule: '@hourly', jobTemplate: { spec: { template: template('Never') } } } },
    ],
    ['v1', 'ReplicationController', 'replicationcontrollers', { spec: { template: template('Always') } }],
    ['v1', 'PodTemplate', 'podtemplates', { template: template('Always') }],
  ];
  if (serviceAccountName === 'file-integrity-operator')
    kinds.push(['apps/v1', 'DaemonSet', 'daemonsets', { spec: { selector, template: template('Always') } }]);
  return kinds.map(([apiVersion, kind, plural, rest]) => [
    kind,
    () => `/${apiVersion === 'v1' ? 'api' : 'apis'}/${apiVersion}/namespaces/${namespace}/${plural}`,
    () => ({ apiVersion, kind, metadata: { name: 'any', namespace }, ...rest }),
  ]);
}
