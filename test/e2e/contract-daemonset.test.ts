import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { applyObject } from '../../demo/story.ts';
import { daemonSets } from '../../src/kube/resources.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

describe.skipIf(!canHaveNodes())('the daemons', () => {
  let stage: E2eStage;
  let integrity: Integrity | undefined;
  const daemonSet = (name: string) => stage.client.find(daemonSets, { namespace: NAMESPACE, name: `aide-${name}` });

  beforeAll(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await integrity?.[Symbol.asyncDispose]();
    integrity = undefined;
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test('4: no daemon set is made before initialDelay is over, counted from the creation', async () => {
    integrity = await createIntegrity(stage, 'delayed', { config: { initialDelay: 15 } });
    await integrity.phase('Pending');
    // A reconcile in between does not start the delay anew.
    await integrity.change({ debug: true });
    let made: Awaited<ReturnType<typeof daemonSet>>;
    await eventually('the daemon set is made', async () => {
      made = await daemonSet('delayed');
      return made;
    });
    const created = (await integrity.get()).metadata.creationTimestamp ?? '';
    const seconds = (Date.parse(made?.metadata?.creationTimestamp ?? '') - Date.parse(created)) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(14); // time stamps have whole seconds
    await integrity.phase('Active');
  });

  test('a memory limit that is too low is told with a code and what to do, and the daemon goes on', async () => {
    integrity = await createIntegrity(stage, 'tight', { resources: { limits: { memory: '30Mi' } } });
    const status = await integrity.condition('worker-1', 'Errored');
    expect(status.lastResult?.errorMessage).toContain('Raise the daemon’s memory limit or watch fewer files');
    const restarts = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}';
    const { stdout } = await stage.kubectl(['get', 'pods', '-n', NAMESPACE, '-l', 'app=aide-tight', '-o', restarts]);
    expect(new Set(stdout.split(' '))).toEqual(new Set(['0']));
    await integrity.change({ resources: { limits: { memory: '600Mi' } } });
    await integrity.condition('worker-1', 'Succeeded');
  });

  test('13, 14: changes of gracePeriod and debug reach the daemons, and restart none', async () => {
    integrity = await createIntegrity(stage, 'changing', { config: { gracePeriod: 3600 } });
    await integrity.condition('worker-1', 'Succeeded');
    const pods = async () =>
      (
        await stage.kubectl([
          'get',
          'pods',
          '-n',
          NAMESPACE,
          '-l',
          'app=aide-changing',
          '-o',
          'jsonpath={.items[*].metadata.uid}',
        ])
      ).stdout;
    const log = async () =>
      (await stage.kubectl(['logs', '-n', NAMESPACE, '-l', 'app=aide-changing', '--tail=-1', '--prefix'])).stdout;
    const before = await pods();
    expect(await log()).not.toContain('page cache');
    // With an hour between scans this one comes only because the change arrives.
    await integrity.change({ config: { gracePeriod: 10 }, debug: true });
    await integrity.nextScan('worker-1');
    await eventually('debug lines appear', async () => (await log()).includes('page cache'));
    await integrity.change({ debug: false });
    await eventually(
      'the change arrives',
      async () => (await integrity?.status('worker-1'))?.orders?.settings.debug === false,
    );
    await integrity.nextScan('worker-1');
    expect(await pods()).toBe(before);
  });

  test('16: tolerations bring the daemons onto tainted nodes, and without them no daemon is there', async () => {
    integrity = await createIntegrity(stage, 'tolerant', {
      nodeSelector: { 'kubernetes.io/hostname': 'control-plane' },
      tolerations: [],
    });
    await integrity.phase('Active');
    expect(await integrity.status('control-plane')).toBeUndefined();
    expect((await daemonSet('tolerant'))?.status?.desiredNumberScheduled).toBe(0);
    const key = 'node-role.kubernetes.io/control-plane';
    await integrity.change({ tolerations: [{ key, operator: 'Exists', effect: 'NoSchedule' }] });
    await integrity.condition('control-plane', 'Succeeded');
  });

  test('17: the daemons get the priority class of the spec', async () => {
    await applyObject(stage, {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'behaviour-17' },
      value: 1000,
      description: 'For a test.',
    });
    integrity = await createIntegrity(stage, 'important', { priorityClassName: 'behaviour-17' });
    await integrity.condition('worker-1', 'Succeeded');
    const { stdout } = await stage.kubectl([
      'get',
      'pods',
      '-n',
      NAMESPACE,
      '-l',
      'app=aide-important',
      '-o',
      'jsonpath={.items[*].spec.priority}',
    ]);
    expect(stdout).toBe('1000 1000');
    await stage.kubectl(['delete', 'priorityclass', 'behaviour-17']);
  });

  test('18: a priority class that does not exist is cleared from the spec, with a Warning event, and the daemons run', async () => {
    integrity = await createIntegrity(stage, 'unclassed', { priorityClassName: 'no-such-class' });
    await eventually('it is cleared', async () => !(await integrity?.get())?.spec.priorityClassName);
    await eventually('it is told', async () =>
      (await integrity?.events('PriorityClass'))?.join().includes('no-such-class'),
    );
    await integrity.condition('worker-1', 'Succeeded');
  });
});
