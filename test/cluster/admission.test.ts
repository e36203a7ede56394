import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  AIDE_CONF_LABEL,
  BASELINE_LABEL,
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FINDINGS_LABEL,
  HISTORY_LABEL,
  LOG_ERROR_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  RECORD_LABEL,
  REINIT_REQUEST_ANNOTATION,
  RESULT_LOG_LABEL,
  SET_ASIDE_LABEL,
  UPDATED_ANNOTATION,
} from '../../src/api/keys.ts';
import { failedName, labelValue, partName, resultName } from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { roleBindings, roles, serviceAccounts } from '../support/scraper.ts';

// Root on node-a has the daemon's token of node-a. What can it write?
const serviceAccount = 'file-integrity-daemon';
/** Long enough that its daemon set's name is shortened, and its label is not. */
const MEDIUM = `medium-${'w'.repeat(52)}`;
/** Long enough that it is shortened in labels; the whole of it is in the names of results. */
const LONG = `long-${'x'.repeat(90)}`;
/** Long enough that a result's name is shortened, too. */
const LONGEST = `longest-${'y'.repeat(240)}`;

let namespace: string;
let elsewhere: string;
let kubeconfig: string;
let admin: Client;
/** Owns the leases: what is owned by nothing that is there goes. */
let somebody: { name: string; uid: string };
let daemonOnA: Client;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  kubeconfig = inject('kubeconfig');
  admin = stack.use(createClient(await connectKubeconfig(kubeconfig)));
  namespace = await createNamespace(admin, 'admission');
  elsewhere = await createNamespace(admin, 'elsewhere');
  await admin.create(serviceAccounts, { metadata: { name: serviceAccount, namespace } });
  const { metadata } = await admin.create(serviceAccounts, { metadata: { name: 'somebody', namespace } });
  somebody = { name: 'somebody', uid: metadata?.uid ?? '' };
  for (const where of [namespace, elsewhere]) await giveMoreRights(where);
  daemonOnA = await as({ node: 'node-a' });
  const unbound = await as({});
  stack.use(
    await enforcePolicies(admin, 'daemon-policy.yaml', [namespace, elsewhere], async () => {
      const refused = await refusal(unbound.create(configMaps, message('probe')));
      if (refused === '') await admin.remove(configMaps, { namespace, name: resultName('worker', 'probe') });
      return refused !== '';
    }),
  );
});

afterAll(() => stack.disposeAsync());

describe('the daemon on node-a', () => {
  test('sends its message, once, with all that a message carries', async () => {
    const annotations = {
      [OUTCOME_ANNOTATION]: '{}',
      [LOG_ERROR_ANNOTATION]: 'no',
      [COMPRESSED_ANNOTATION]: '',
      [FILES_ADDED_ANNOTATION]: '1',
      [PARTS_ANNOTATION]: '2',
    };
    const data = { integritylog: 'a', 'report.json': '{}' };
    const sent = await daemonOnA.create(configMaps, { ...message('node-a', { annotations }), data });
    expect(await refusal(daemonOnA.replace(configMaps, { ...sent, data: {} }))).toContain('the operator does');
    expect(await refusal(daemonOnA.remove(configMaps, refOf(sent)))).toContain('the operator does');
    await admin.remove(configMaps, refOf(sent));
    await daemonOnA.create(configMaps, message('node-a', { labels: { [BASELINE_LABEL]: '' } }));
    await admin.remove(configMaps, refOf(sent));
  });

  test('creates, writes again and deletes further parts of its message', async () => {
    const created = await daemonOnA.create(configMaps, part('node-a', 2));
    await daemonOnA.replace(configMaps, { ...created, data: { 'report.json': '[]' } });
    expect(await daemonOnA.remove(configMaps, refOf(created))).toBe(true);
  });

  test('sends messages of a FileIntegrity with a long name', async () => {
    for (const integrity of [MEDIUM, LONG, LONGEST]) {
      const daemon = await as({ node: 'node-a', integrity });
      const sent = await daemon.create(configMaps, message('node-a', { integrity }));
      const further = await daemon.create(configMaps, part('node-a', 12, integrity));
      expect(await refusal(daemon.create(configMaps, message('node-b', { integrity })))).toMatch(/node-a/);
      await admin.remove(configMaps, refOf(sent));
      await admin.remove(configMaps, refOf(further));
    }
  });

  test('sends no message as node-b', async () => {
    expect(await refusal(daemonOnA.create(configMaps, message('node-b')))).toContain('aide-<FileIntegrity>-node-a');
    expect(await refusal(daemonOnA.create(configMaps, part('node-b', 2)))).toContain('aide-<FileIntegrity>-node-a');
  });

  test('sends no message in its own name that says it is of node-b', async () => {
    const forged = message('node-a', { labels: { [NODE_LABEL]: 'node-b' } });
    expect(await refusal(daemonOnA.create(configMaps, forged))).toContain('must be node-a');
  });

  test('does not change or delete a message or a part of node-b', async () => {
    for (const map of [message('node-b'), part('node-b', 2)]) {
      const other = await admin.create(configMaps, map);
      const forged = { ...other, data: { integritylog: 'nothing to see' } };
      expect(await refusal(daemonOnA.replace(configMaps, forged))).toContain(`not ${other.metadata?.name}`);
      expect(await refusal(daemonOnA.remove(configMaps, refOf(other)))).toContain(`not ${other.metadata?.name}`);
    }
  });

  test('does not take over what lies under a name of its own', async () => {
    const labels = { [OWNER_LABEL]: 'worker', [NODE_LABEL]: 'node-b', [PART_LABEL]: '7' };
    const metadata = { name: partName(resultName('worker', 'node-a'), 7), namespace };
    const squatted = await admin.create(configMaps, { metadata: { ...metadata, labels } });
    const forged = { ...squatted, metadata: { ...metadata, labels: { ...labels, [NODE_LABEL]: 'node-a' } } };
    expect(await refusal(daemonOnA.replace(configMaps, forged))).toContain('may not take over');
    expect(await refusal(daemonOnA.remove(configMaps, refOf(squatted)))).toContain('must be node-a');
  });

  test('speaks for no FileIntegrity but its pod’s', async () => {
    expect(await refusal(daemonOnA.create(configMaps, message('node-a', { integrity: 'other' })))).toContain(
      'may not speak for the FileIntegrity other',
    );
    // `worker` is how this one begins.
    expect(await refusal(daemonOnA.create(configMaps, message('node-a', { integrity: 'worker-abcde' })))).toContain(
      'may not speak for the FileIntegrity worker-abcde',
    );
  });

  test('does not overwrite or delete a kept failure, not even of its own node', async () => {
    for (const name of [failedName('worker', 'node-a'), `${failedName('worker', 'node-a')}.3`]) {
      const kept = await admin.create(configMaps, {
        ...message('node-a'),
        metadata: { name, namespace, labels: { ...owned('node-a'), [RESULT_LOG_LABEL]: '', [HISTORY_LABEL]: '' } },
      });
      expect(await refusal(daemonOnA.replace(configMaps, { ...kept, data: {} }))).toContain(`not ${name}`);
      expect(await refusal(daemonOnA.remove(configMaps, refOf(kept)))).toContain(`not ${name}`);
    }
  });

  test.each([RESULT_LOG_LABEL, HISTORY_LABEL, FINDINGS_LABEL, SET_ASIDE_LABEL, RECORD_LABEL, AIDE_CONF_LABEL, 'any'])(
    'puts no label %s on a message',
    async (label) => {
      const forged = message('node-a', { labels: { [label]: '' } });
      expect(await refusal(daemonOnA.create(configMaps, forged))).toContain('carries the labels');
      const forgedPart = part('node-a', 2);
      Object.assign(forgedPart.metadata?.labels ?? {}, { [label]: '' });
      expect(await refusal(daemonOnA.create(configMaps, forgedPart))).toContain('carries the labels');
    },
  );

  test.each(['file-integrity.openshift.io/message', UPDATED_ANNOTATION, REINIT_REQUEST_ANNOTATION, 'any'])(
    'puts no annotation %s on a message',
    async (annotation) => {
      const forged = message('node-a', { annotations: { [annotation]: '' } });
      expect(await refusal(daemonOnA.create(configMaps, forged))).toContain('carries the annotations');
    },
  );

  test('makes no message that is a part, no part that is a message, and no part without a bound', async () => {
    const both = message('node-a', { labels: { [PART_LABEL]: '2' } });
    expect(await refusal(daemonOnA.create(configMaps, both))).not.toBe('');
    const unnumbered = part('node-a', 3);
    unnumbered.metadata = { ...unnumbered.metadata, labels: { ...owned('node-a'), [PART_LABEL]: '2' } };
    expect(await refusal(daemonOnA.create(configMaps, unnumbered))).toContain(`not ${unnumbered.metadata?.name}`);
    for (const number of [1, 0, 100, 1000]) {
      const metadata = { name: `${resultName('worker', 'node-a')}-${number}`, namespace };
      const labels = { ...owned('node-a'), [PART_LABEL]: String(number) };
      expect(await refusal(daemonOnA.create(configMaps, { metadata: { ...metadata, labels } }))).toContain('2 to 99');
    }
    const unlabelled = { ...message('node-a'), metadata: { ...message('node-a').metadata, labels: owned('node-a') } };
    expect(await refusal(daemonOnA.create(configMaps, unlabelled))).toContain('carries the label log');
  });

  test('makes nothing that cannot be removed, and nothing that goes with something else', async () => {
    const { metadata, ...rest } = message('node-a');
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' };
    const forgeries: ConfigMap[] = [
      { ...rest, metadata: { ...metadata, finalizers: ['example.com/stays'] } },
      { ...rest, metadata: { ...metadata, ownerReferences: [owner] } },
      { ...rest, metadata, immutable: true },
    ];
    for (const forged of forgeries) {
      expect(await refusal(daemonOnA.create(configMaps, forged))).toContain('no owner, no finalizer');
    }
  });

  test('writes no other data and no other config map', async () => {
    const withKey = { ...message('node-a'), data: { 'aide.conf': '' } };
    expect(await refusal(daemonOnA.create(configMaps, withKey))).toContain('integritylog and report.json only');
    const binary = { ...message('node-a'), binaryData: { other: 'AAAA' } };
    expect(await refusal(daemonOnA.create(configMaps, binary))).toContain('integritylog and report.json only');
    for (const name of ['worker', 'anything', `aide-worker-reinit-${'0'.repeat(8)}`]) {
      const other = { metadata: { name, namespace, labels: { [AIDE_CONF_LABEL]: '', [OWNER_LABEL]: 'worker' } } };
      expect(await refusal(daemonOnA.create(configMaps, other))).toContain(`not ${name}`);
      const there = await admin.create(configMaps, other);
      expect(await refusal(daemonOnA.replace(configMaps, { ...there, data: { a: '' } }))).toContain(`not ${name}`);
      expect(await refusal(daemonOnA.remove(configMaps, refOf(there)))).toContain(`not ${name}`);
      await admin.remove(configMaps, refOf(there));
    }
  });

  test('writes nothing in another namespace', async () => {
    const foreign = message('node-a');
    foreign.metadata = { ...foreign.metadata, namespace: elsewhere };
    expect(await refusal(daemonOnA.create(configMaps, foreign))).toContain('in its own namespace only');
  });

  test('renews the heartbeat of its own node, and neither makes nor removes one', async () => {
    expect(await refusal(daemonOnA.create(leases, heartbeat('node-a')))).toContain('made and removed by the operator');
    const lease = await admin.create(leases, heartbeat('node-a'));
    const patch = {
      metadata: { annotations: { [OUTCOME_ANNOTATION]: '{}' } },
      spec: { renewTime: '2026-01-01T00:00:00.000000Z' },
    };
    const renewed = await daemonOnA.patch(leases, refOf(lease), patch, { type: 'merge' });
    expect(renewed.spec?.renewTime).toBe(patch.spec.renewTime);
    expect(await refusal(daemonOnA.remove(leases, refOf(lease)))).toContain('made and removed by the operator');
  });

  test.each([
    ['the holder', { spec: { holderIdentity: 'x' } }, 'the time only'],
    ['the duration', { spec: { leaseDurationSeconds: 5 } }, 'the time only'],
    ['the owner', { metadata: { ownerReferences: null } }, 'the time only'],
    ['a finalizer', { metadata: { finalizers: ['example.com/stays'] } }, 'the time only'],
    ['another annotation', { metadata: { annotations: { any: '' } } }, 'its outcome only'],
    ['an annotation that is there', { metadata: { annotations: { there: null } } }, 'its outcome only'],
    ['a label', { metadata: { labels: { any: '' } } }, 'nor change labels'],
  ])('changes of its heartbeat not %s', async (_, patch, reason) => {
    const lease = await admin.apply(leases, heartbeat('node-a'), { fieldManager: 'test' });
    expect(await refusal(daemonOnA.patch(leases, refOf(lease), patch, { type: 'merge' }))).toContain(reason);
  });

  test('does not renew the heartbeat of node-b', async () => {
    const lease = await admin.create(leases, heartbeat('node-b'));
    const forged = { metadata: { annotations: { [OUTCOME_ANNOTATION]: '{}' } } };
    const attempt = daemonOnA.patch(leases, refOf(lease), forged, { type: 'merge' });
    expect(await refusal(attempt)).toContain('not aide-worker-node-b');
  });
});

describe('names that meet', () => {
  test('part 2 of node w and the message of node w-2: the second one there is not touched', async () => {
    const [onW, onW2] = [await as({ node: 'w' }), await as({ node: 'w-2' })];
    const sent = await onW2.create(configMaps, message('w-2'));
    expect(await refusal(onW.replace(configMaps, part('w', 2)))).toContain('may not take over');
    expect(await refusal(onW.remove(configMaps, refOf(sent)))).not.toBe('');
    await admin.remove(configMaps, refOf(sent));
    const lying = await onW.create(configMaps, part('w', 2));
    expect(await refusal(onW2.remove(configMaps, refOf(lying)))).not.toBe('');
    expect(await refusal(onW2.replace(configMaps, message('w-2')))).not.toBe('');
    // That it is a part of node w's is what its labels say: the operator sees whose it is, and node w-2 waits.
    expect(lying.metadata?.labels).toMatchObject({ [NODE_LABEL]: 'w', [PART_LABEL]: '2' });
  });

  test('FileIntegrity a on node b-c and a-b on node c: each is who its labels say', async () => {
    const onBc = await as({ node: 'b-c', integrity: 'a' });
    const sent = await onBc.create(configMaps, message('b-c', { integrity: 'a' }));
    expect(sent.metadata?.name).toBe(resultName('a-b', 'c'));
    const onC = await as({ node: 'c', integrity: 'a-b' });
    const forged = { ...sent, metadata: message('c', { integrity: 'a-b' }).metadata };
    expect(await refusal(onC.replace(configMaps, forged))).not.toBe('');
    expect(await refusal(onC.remove(configMaps, refOf(sent)))).not.toBe('');
    // And neither may say that it is the other.
    await admin.remove(configMaps, refOf(sent));
    expect(await refusal(onBc.create(configMaps, message('c', { integrity: 'a-b' })))).not.toBe('');
    expect(await refusal(onC.create(configMaps, message('b-c', { integrity: 'a' })))).not.toBe('');
  });
});

test('a token of the daemons that names no node writes nothing', async () => {
  const unbound = await as({});
  expect(await refusal(unbound.create(configMaps, message('node-a')))).toContain('bound to its pod');
});

test('other accounts are not bound by the policy', async () => {
  const other = await as({ serviceAccount: 'somebody', node: 'node-a' });
  await other.create(configMaps, { metadata: { name: 'any', namespace }, data: { any: 'thing' } });
  await admin.create(configMaps, { metadata: { name: 'thing', namespace }, data: { any: 'thing' } });
});

async function as(owner: { node?: string; integrity?: string; serviceAccount?: string }): Promise<Client> {
  return stack.use(await clientAs(kubeconfig, admin, { namespace, serviceAccount, ...owner }));
}

/** More than the daemons' own role gives, so that it is the policy and not RBAC that refuses. */
async function giveMoreRights(where: string): Promise<void> {
  await admin.create(roles, {
    metadata: { name: 'more', namespace: where },
    rules: [{ apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'leases'], verbs: ['*'] }],
  });
  await admin.create(roleBindings, {
    metadata: { name: 'more', namespace: where },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'more' },
    subjects: [serviceAccount, 'somebody'].map((name) => ({ kind: 'ServiceAccount', name, namespace })),
  });
}

function owned(node: string, integrity = 'worker') {
  return { [OWNER_LABEL]: labelValue(integrity), [NODE_LABEL]: labelValue(node) };
}

interface Extra {
  integrity?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

type Message = ConfigMap & { metadata: ObjectMeta };

function message(node: string, { integrity = 'worker', labels, annotations = {} }: Extra = {}): Message {
  const all = { ...owned(node, integrity), [LOG_LABEL]: '', ...labels };
  const metadata = { name: resultName(integrity, node), namespace, labels: all, annotations };
  return { metadata, data: { integritylog: 'a' } };
}

function part(node: string, number: number, integrity = 'worker'): Message {
  const labels = { ...owned(node, integrity), [PART_LABEL]: String(number) };
  const metadata = { name: partName(resultName(integrity, node), number), namespace, labels };
  return { metadata: { ...metadata, annotations: { [COMPRESSED_ANNOTATION]: '' } }, data: { 'report.json': '' } };
}

function heartbeat(node: string) {
  const name = resultName('worker', node);
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ServiceAccount', ...somebody }];
  const metadata = { name, namespace, labels: owned(node), annotations: { there: '' }, ownerReferences };
  return { metadata, spec: { holderIdentity: node } };
}

function refOf({ metadata }: { metadata?: ObjectMeta }): { namespace: string; name: string } {
  return { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
}
