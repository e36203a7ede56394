import type { Pod, PodCondition } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { anIntegrity } from '../../../test/support/operator-worlds.ts';
import { aStatus } from '../../../test/support/result-worlds.ts';
import type { Change } from '../../kube/informer.ts';
import { ownerReference } from '../owner.ts';
import { DaemonPods, daemonOf, nodeOf, podKey, podKeyOf, sketchPod } from './daemon.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const set = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'aide-worker', uid: 'uid-of-set', controller: true };
const ready: PodCondition[] = [{ type: 'Ready', status: 'True' }];

function aPod(status: Pod['status'], changes: { metadata?: Pod['metadata']; spec?: Partial<Pod['spec']> } = {}): Pod {
  return {
    metadata: {
      name: 'aide-worker-x',
      namespace: 'fio',
      uid: 'uid-of-pod',
      labels: { [key('owner')]: 'worker', [key('pod')]: '', app: 'aide-worker' },
      ownerReferences: [set],
      ...changes.metadata,
    },
    spec: { nodeName: 'a', containers: [{ name: 'daemon' }], ...changes.spec },
    ...(status && { status }),
  };
}

const running = aPod({ phase: 'Running', conditions: ready });
const container = (state: object, lastState?: object): Pod =>
  aPod({
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [
      {
        name: 'daemon',
        image: 'i',
        imageID: 'd',
        ready: false,
        restartCount: 7,
        state,
        ...(lastState && { lastState }),
      },
    ],
  });
const affinity = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }],
    },
  },
};
const unscheduled = (message: string): Pod => {
  const { nodeName: _, ...spec } = running.spec ?? { containers: [] };
  const pod = aPod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message }] });
  return { ...pod, spec: { ...spec, affinity } };
};
const ending = aPod({ phase: 'Running', conditions: ready }, { metadata: { name: 'old', deletionTimestamp: 'now' } });
const why = (pod: Pod) => {
  const daemon = daemonOf([pod]);
  if ('why' in daemon) return `${daemon.is}: ${daemon.why}`;
  return daemon.is === 'running' && daemon.starved ? 'running, starved before' : daemon.is;
};

// What is kept of a pod must tell the same as the whole of it.
describe.each([
  ['a pod', (pod: Pod) => pod],
  ['a sketch of a pod', (pod: Pod) => sketchPod(structuredClone(pod))],
])('%s tells how the daemon is', (_, seen) => {
  test.each([
    ['running', running],
    [
      'starved: CrashLoopBackOff, it ended with status 137',
      container(
        { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } },
        { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      ),
    ],
    [
      'running, starved before',
      aPod({
        phase: 'Running',
        conditions: ready,
        containerStatuses: container({ running: {} }, { terminated: { exitCode: 137, reason: 'OOMKilled' } }).status
          ?.containerStatuses,
      } as Pod['status']),
    ],
    ['not running: Error, it ended with status 1', container({ terminated: { exitCode: 1, reason: 'Error' } })],
    ['not running: ImagePullBackOff', container({ waiting: { reason: 'ImagePullBackOff' } })],
    ['not running: its container is not ready', container({ running: { startedAt: 'x' } })],
    ['not running: Evicted', aPod({ phase: 'Failed', reason: 'Evicted' })],
    ['not running: it is starting', aPod({ phase: 'Pending' })],
    ['not running: it is being ended', ending],
    ['not running: \\x1b[2J', container({ waiting: { reason: '\u001b[2J' } })],
    ['not scheduled: 0/3 nodes are available: \\u202e', unscheduled('0/3 nodes are available: \u202e')],
    ['not scheduled: the scheduler has not looked at it yet', unscheduled('')],
  ])('%s', (told, pod) => {
    expect(why(seen(pod))).toBe(told);
  });

  test('and of which node', () => {
    expect([nodeOf(seen(running)), nodeOf(seen(unscheduled('no')))]).toEqual(['a', 'a']);
    expect(podKey(seen(unscheduled('no')))).toBe('fio/worker/a');
  });
});

test('what counts up in a pod does not change what is told of it', () => {
  const again = container({ waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } });
  const before = container({ waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } });
  expect(daemonOf([again])).toEqual(daemonOf([before]));
});

test('text of a pod is bounded', () => {
  expect(why(unscheduled('x'.repeat(10_000))).length).toBeLessThan(600);
  expect(why(container({ waiting: { reason: 'x'.repeat(10_000) } })).length).toBeLessThan(300);
});

test('a sketch of a pod that is well has next to nothing in it', () => {
  const heavy = { ...running, spec: { ...running.spec, containers: [{ name: 'daemon', image: 'x'.repeat(5000) }] } };
  expect(JSON.stringify(sketchPod(heavy)).length).toBeLessThan(600);
});

test('of several pods of a node the one that runs counts, then the one that is to come', () => {
  expect(daemonOf([ending, running])).toEqual({ is: 'running' });
  expect(daemonOf([ending, unscheduled('no')])).toMatchObject({ is: 'not scheduled' });
  expect(daemonOf([])).toEqual({ is: 'missing' });
});

describe('the daemons of all nodes', () => {
  const status = aStatus({
    metadata: { name: 'worker-a', namespace: 'fio', ownerReferences: [ownerReference(anIntegrity())] },
  });

  function listening() {
    let tell: (change: Change<Pod>) => void = () => {};
    const daemons = new DaemonPods({
      onChange(listener) {
        tell = listener;
        return () => {};
      },
    });
    return { daemons, tell: (change: Change<Pod>) => tell(change) };
  }

  test('are found by the status of the node', () => {
    const { daemons, tell } = listening();
    expect(podKeyOf(status)).toBe(podKey(running));
    expect(daemons.of(status)).toEqual({ is: 'missing' });
    tell({ type: 'applied', object: ending, previous: undefined });
    expect(daemons.of(status)).toMatchObject({ is: 'not running' });
    tell({ type: 'applied', object: running, previous: undefined });
    tell({ type: 'deleted', object: ending });
    expect(daemons.of(status)).toEqual({ is: 'running' });
    tell({ type: 'deleted', object: running });
    expect(daemons.of(status)).toEqual({ is: 'missing' });
  });

  test('are those of the daemon set: a pod that only has its labels does not count', () => {
    const { daemons, tell } = listening();
    const forged = aPod({ phase: 'Running', conditions: ready }, { metadata: { ownerReferences: [] } });
    tell({ type: 'applied', object: forged, previous: undefined });
    expect(daemons.of(status)).toEqual({ is: 'missing' });
  });
});
