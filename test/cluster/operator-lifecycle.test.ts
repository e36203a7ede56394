import { isDeepStrictEqual } from 'node:util';
import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { AIDE_CONF_LABEL, NODE_LABEL, OWNER_LABEL } from '../../src/api/keys.ts';
import {
  daemonSetName,
  departedName,
  failedName,
  labelValue,
  nodeStatusName,
  resultName,
} from '../../src/api/names.ts';
import { configMaps, daemonSets, leases, priorityClasses } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// One operator for all; each test has a FileIntegrity and a node of its own, so that they can run side by side.
let harness: OperatorHarness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const selecting = (name: string) => ({ [`${harness.namespace}/${name.slice(0, 9)}`]: '' });
const daemonSet = (name: string) =>
  harness.client.find(daemonSets, { namespace: harness.namespace, name: daemonSetName(name) });

async function daemonSetWhen(name: string, what: string, condition: (found: DaemonSet) => boolean): Promise<DaemonSet> {
  let last: DaemonSet | undefined;
  await eventually(`the daemon set of ${name} ${what}`, async () => {
    last = await daemonSet(name);
    return last !== undefined && condition(last);
  });
  if (!last) throw new Error('never');
  return last;
}

function change(name: string, spec: object): Promise<unknown> {
  const { namespace, client } = harness;
  return client.patch(fileIntegrities, { namespace, name }, { spec }, { type: 'merge' });
}

async function remove(name: string): Promise<void> {
  const { namespace, client } = harness;
  await client.remove(fileIntegrities, { namespace, name }, { propagation: 'Background' });
}

/** A FileIntegrity and a node of its own. */
async function create(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<string> {
  const node = await harness.addNode({ labels: { ...selecting(name), pool: 'x' } });
  await harness.createIntegrity(name, { nodeSelector: selecting(name), ...spec });
  return node;
}

/** The same, and the node has its baseline and a scan without findings. */
async function active(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<string> {
  const node = await create(name, spec);
  await harness.daemon(name, node).makeBaseline();
  await harness.daemon(name, node).report({ verdict: 'Succeeded' });
  await harness.phaseWhen(name, 'Active');
  return node;
}

describe.concurrent('the initial delay', () => {
  test('is counted from the creation, however often the FileIntegrity is looked at, and no daemon set is made before', async () => {
    const one = await create('delayed', { config: { initialDelay: 5 } });
    const created = await harness.integrity('delayed');
    const end = Date.parse(created.metadata.creationTimestamp ?? '') + 5000;
    await harness.phaseWhen('delayed', 'Pending');
    for (let round = 0; Date.now() < end - 1500; round++) {
      await harness.annotate('delayed', { round: String(round) });
      expect(await daemonSet('delayed')).toBeUndefined();
      expect(await harness.status('delayed', one)).toBeUndefined();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const made = await daemonSetWhen('delayed', 'is made', () => true);
    // The API server's times have whole seconds.
    expect(Date.parse(made.metadata?.creationTimestamp ?? '')).toBeGreaterThanOrEqual(end);
    await harness.phaseWhen('delayed', 'Initializing');
    await remove('delayed');
  });
});

describe.concurrent('a FileIntegrity', () => {
  test('with an empty node selector is the same as with none: its daemon set is written once', async () => {
    const one = await create('every', { nodeSelector: {} });
    await harness.statusWhen('every', one, 'has orders', ({ orders }) => orders !== undefined);
    const made = await daemonSetWhen('every', 'is there', () => true);
    for (const round of ['1', '2']) {
      await harness.annotate('every', { 'file-integrity.openshift.io/holdoff': one, round });
      await harness.statusWhen('every', one, 'is held', ({ orders }) => orders?.hold !== undefined);
      await harness.annotate('every', { 'file-integrity.openshift.io/holdoff': null });
      await harness.statusWhen('every', one, 'is released', ({ orders }) => orders?.hold === undefined);
    }
    const { metadata, spec } = (await daemonSet('every')) ?? {};
    expect(metadata?.generation).toBe(made.metadata?.generation);
    expect(spec?.template.spec?.nodeSelector).toBeUndefined();
    await remove('every');
  });

  test('takes tolerations, debug, maxBackups, gracePeriod and resources as they change', async () => {
    const one = await active('changes');
    const before = await daemonSet('changes');
    await change('changes', { debug: true, config: { gracePeriod: 7, maxBackups: 0 } });
    await harness.statusWhen('changes', one, 'has the settings', ({ orders }) => orders?.settings.debug === true);
    expect((await harness.status('changes', one))?.orders?.settings).toEqual({
      gracePeriod: 10,
      maxBackups: 0,
      debug: true,
    });
    expect((await daemonSet('changes'))?.metadata?.generation).toBe(before?.metadata?.generation);

    const tolerations = [{ key: 'mine', operator: 'Exists', effect: 'NoSchedule' }];
    await change('changes', { tolerations, resources: { limits: { memory: '1Gi', cpu: 1 } } });
    const { spec } = await daemonSetWhen(
      'changes',
      'is another',
      ({ metadata }) => metadata?.generation !== before?.metadata?.generation,
    );
    expect(spec?.template.spec?.tolerations).toEqual(tolerations);
    expect(spec?.template.spec?.containers[0]?.resources).toEqual({ limits: { memory: '1Gi', cpu: '1' } });
    await harness.phaseWhen('changes', 'Active');
    const { status, metadata } = await harness.integrity('changes');
    expect(status?.observedGeneration).toBe(metadata.generation);
    expect(new Set(status?.conditions?.map(({ observedGeneration }) => observedGeneration))).toEqual(
      new Set([metadata.generation]),
    );
    const { generation } = metadata;
    await harness.statusWhen(
      'changes',
      one,
      'speaks of the new spec',
      (seen) => seen.observedGeneration === generation,
    );
    await remove('changes');
  });

  test('does not watch a node whose taint it does not tolerate, and says so of one that it watched', async () => {
    const tainted = await harness.addNode({
      labels: selecting('taints'),
      taints: [{ key: 'mine', effect: 'NoSchedule', value: 'yes' }],
    });
    await active('taints');
    expect(await harness.status('taints', tainted)).toBeUndefined();
    await change('taints', { tolerations: [{ key: 'mine', operator: 'Equal', value: 'yes', effect: 'NoSchedule' }] });
    await harness.daemon('taints', tainted).makeBaseline();
    await change('taints', { nodeSelector: { ...selecting('taints'), pool: 'x' } });
    await harness.nodeSays('taints', tainted, 'Ready', 'False SpecChanged');
    await eventually('it is told', async () => (await harness.told('NodeNotWatched')).join().includes(tainted));
    await harness.removeNode(tainted);
    await remove('taints');
  });

  test('with a priority class gives it to the daemons; one that does not exist is cleared, with an event', async () => {
    const { client, namespace } = harness;
    const known = `class-${namespace}`;
    await client.create(priorityClasses, { metadata: { name: known }, value: 1000 });
    try {
      await active('priority', { priorityClassName: known });
      expect((await daemonSet('priority'))?.spec?.template.spec?.priorityClassName).toBe(known);
      await change('priority', { priorityClassName: 'nobody-has-it' });
      await eventually(
        'the class is cleared',
        async () => (await harness.integrity('priority')).spec.priorityClassName === undefined,
      );
      await daemonSetWhen('priority', 'has none', ({ spec }) => !spec?.template.spec?.priorityClassName);
      await eventually('it is told', async () =>
        (await harness.told('PriorityClass')).includes(
          'The priority class nobody-has-it does not exist. The daemons go without one.',
        ),
      );
    } finally {
      await client.remove(priorityClasses, { name: known });
      await remove('priority');
    }
  });

  test('whose daemon set the API server refuses is in Error and says why, until it is mended', async () => {
    await active('refused');
    await change('refused', { resources: { limits: { memory: '1Mi' }, requests: { memory: '2Mi' } } });
    const { status } = await harness.phaseWhen('refused', 'Error');
    expect(status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Refused',
      message: expect.stringContaining('resources.requests'),
    });
    await eventually('it is told', async () => (await harness.told('Refused')).join().includes('resources.requests'));
    await harness.integritySays('refused', 'Stalled', 'True Refused');
    await change('refused', { resources: null });
    await harness.phaseWhen('refused', 'Active');
    await remove('refused');
  });

  test('with a name too long for a label has all that another has', async () => {
    const name = `${'long-name.'.repeat(9)}x`;
    const one = await active(name);
    const { metadata } = await daemonSetWhen(name, 'is there', () => true);
    expect(metadata?.labels?.[OWNER_LABEL]).toBe(labelValue(name));
    const status = await harness.status(name, one);
    expect(status?.metadata.name).toBe(nodeStatusName(name, one));
    expect(status?.metadata.labels).toMatchObject({ [OWNER_LABEL]: labelValue(name), [NODE_LABEL]: one });
    await remove(name);
  });
});

describe.concurrent('what was changed by hand', () => {
  test('of daemon set, node status and lease is put right again', async () => {
    const { client, namespace } = harness;
    const one = await active('mended');
    const set = { namespace, name: daemonSetName('mended') };
    const status = { namespace, name: nodeStatusName('mended', one) };
    const lease = { namespace, name: resultName('mended', one) };
    const before = (await client.get(nodeStatuses, status)).orders;

    await client.patch(daemonSets, set, { metadata: { ownerReferences: null } }, { type: 'merge' });
    await daemonSetWhen('mended', 'has its owner', ({ metadata }) => metadata?.ownerReferences?.length === 1);
    const image = { spec: { template: { spec: { containers: [{ name: 'daemon', image: 'evil' }] } } } };
    await client.patch(daemonSets, set, image, { type: 'merge' });
    await daemonSetWhen('mended', 'has its image', ({ spec }) =>
      Boolean(spec?.template.spec?.containers[0]?.image?.startsWith('registry.example/')),
    );

    const hold = { reason: 'Annotation', message: 'by hand', since: new Date().toISOString() };
    await client.patch(nodeStatuses, status, { orders: { hold } }, { type: 'merge' });
    await harness.statusWhen('mended', one, 'has its orders', ({ orders }) => orders?.hold === undefined);
    await client.patch(nodeStatuses, status, { metadata: { ownerReferences: null } }, { type: 'merge' });
    await harness.statusWhen('mended', one, 'is owned', ({ metadata }) => metadata.ownerReferences?.length === 1);
    expect((await client.get(nodeStatuses, status)).orders).toEqual(before);

    await client.remove(leases, lease);
    await eventually('the lease is there', () => client.find(leases, lease));
    await remove('mended');
  });

  test('to a node status that was deleted: it is made again, and its daemon keeps its baseline', async () => {
    const { client, namespace } = harness;
    const one = await active('deleted');
    await client.remove(nodeStatuses, { namespace, name: nodeStatusName('deleted', one) });
    await harness.statusWhen('deleted', one, 'has orders', ({ orders }) => orders?.baseline.reason === 'Initial');
    await harness.daemon('deleted', one).makeBaseline();
    await harness.phaseWhen('deleted', 'Active');
    await remove('deleted');
  });
});

describe('nodes that come and go', () => {
  test('are watched when they join; one that leaves loses its status, its lease and its message', async () => {
    const { client, namespace } = harness;
    const one = await active('grows');
    const two = await harness.addNode({ labels: selecting('grows') });
    await harness.daemon('grows', two).makeBaseline();
    const ref = { namespace, name: resultName('grows', two) };
    await eventually('the lease is there', () => client.find(leases, ref));
    await harness.stop();
    await harness.daemon('grows', two).send(harness.daemon('grows', two).scan({}));
    await harness.removeNode(two);
    harness.start();
    await eventually('the status is gone', async () => (await harness.status('grows', two)) === undefined);
    await eventually('the lease is gone', async () => (await client.find(leases, ref)) === undefined);
    await eventually('the message is gone', async () => (await client.find(configMaps, ref)) === undefined);
    expect((await harness.status('grows', one))?.lastResult?.condition).toBe('Succeeded');
    await remove('grows');
  });
});

describe('a FileIntegrity that is deleted', () => {
  test('takes all with it but the kept failures and the record of its nodes, a message that comes too late included', async () => {
    const { client, namespace } = harness;
    const one = await active('gone');
    const counts = { added: 1, changed: 0, removed: 0 };
    const parts = [{ integritylog: 'YQ==' }, { integritylog: 'Yg==' }];
    await harness.daemon('gone', one).report({ verdict: 'Failed', exitStatus: 1, counts }, parts);
    await remove('gone');
    const late = harness.daemon('gone', one);
    await eventually('the status is gone', async () => (await harness.status('gone', one)) === undefined);
    await late.send(late.scan({}));
    const labelSelector = `${OWNER_LABEL}=gone`;
    const left = async () => {
      const all = await Promise.all([
        client.list(configMaps, { namespace, labelSelector }),
        client.list(leases, { namespace, labelSelector }),
        client.list(daemonSets, { namespace, labelSelector }),
      ]);
      return all.flatMap(({ items }) => items.map(({ metadata }) => metadata?.name)).sort();
    };
    const kept = failedName('gone', one);
    const stays = [kept, `${kept}-2`, departedName('gone')].sort();
    let names: (string | undefined)[] = [];
    // The record may come after the message has: as many as stay are there meanwhile, too.
    await eventually('only the kept failure and the record are left', async () => {
      names = await left();
      return isDeepStrictEqual(names, stays);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${names.join(', ')}`);
    });
  });

  test('while the operator was away leaves no message behind either', async () => {
    const { client, namespace } = harness;
    const one = await active('away');
    await harness.stop();
    const daemon = harness.daemon('away', one);
    await daemon.send(daemon.scan({}), [{ integritylog: 'YQ==' }, { integritylog: 'Yg==' }]);
    await remove('away');
    await eventually('the status is gone', async () => (await harness.status('away', one)) === undefined);
    harness.start();
    await eventually('the message and its part are gone', async () => {
      const { items } = await client.list(configMaps, { namespace, labelSelector: `${OWNER_LABEL}=away` });
      return items.every(({ metadata }) => metadata?.name === departedName('away'));
    });
  });

  test('and made again under its name has what was found, and its effective configuration is there', async () => {
    const { client, namespace } = harness;
    const one = await active('again');
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('again', one).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    const old = await harness.integrity('again');
    await remove('again');
    await harness.createIntegrity('again', { nodeSelector: selecting('again') });
    const { uid } = (await harness.integrity('again')).metadata;
    expect(uid).not.toBe(old.metadata.uid);
    const status = await harness.statusWhen('again', one, 'is the new one’s', ({ metadata, orders }) =>
      Boolean(orders && metadata.ownerReferences?.every((owner) => owner.uid === uid)),
    );
    expect(status.orders?.baseline.reason).toBe('Initial');
    await harness.daemon('again', one).makeBaseline();
    await harness.daemon('again', one).report({ verdict: 'Succeeded' });
    await harness.phaseWhen('again', 'Active');
    await eventually('the configuration is the new one’s', async () => {
      const found = await client.find(configMaps, { namespace, name: 'again' });
      return (
        found?.metadata?.labels?.[AIDE_CONF_LABEL] === '' &&
        found.metadata.ownerReferences?.every((owner) => owner.uid === uid)
      );
    });
    expect((await harness.told('NameTaken')).join()).toBe('');
  });
});
