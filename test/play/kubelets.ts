import { setTimeout as delay } from 'node:timers/promises';
import type { Node, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Client } from '../../src/kube/client.ts';
import { nodes, pods } from '../../src/kube/resources.ts';

/** What a kubelet does with the daemons' pods. */
export type KubeletPlay = 'run' | 'wait' | 'crash';

export interface Kubelets {
  readonly own: ReadonlySet<string>;
  readonly lost: ReadonlySet<string>;
  readonly plays: ReadonlyMap<string, KubeletPlay>;
}

/** The kubelet of a node reports that it is ready, or is silent. */
export async function beReady(client: Client, name: string, status: 'True' | 'Unknown' = 'True'): Promise<void> {
  const condition = { type: 'Ready', status, lastHeartbeatTime: now(), reason: 'Played', message: '' };
  const nodeInfo = {
    osImage: 'Debian GNU/Linux 13 (trixie)',
    kernelVersion: '6.12.0',
    kubeletVersion: 'v1.36.3',
    architecture: 'amd64',
    bootID: 'boot',
    containerRuntimeVersion: 'containerd://2.4.2',
    kubeProxyVersion: '',
    machineID: 'machine',
    operatingSystem: 'linux',
    systemUUID: 'system',
  };
  const change: Partial<Node> = {
    status: { conditions: [condition], nodeInfo, allocatable: { cpu: '8', memory: '16Gi', pods: '110' } },
  };
  await client.patch(nodes, { name }, change, { type: 'merge', subresource: 'status' });
}

/** Keeps the nodes ready and has every daemon's pod run, but for what a test wants otherwise. */
export async function playKubelets(
  client: Client,
  namespace: string,
  { own, lost, plays }: Kubelets,
  signal: AbortSignal,
): Promise<void> {
  let reported = Date.now();
  while (!signal.aborted) {
    const there = [...own].filter((name) => !lost.has(name));
    // The node controller gives a kubelet 50 s, and a machine under load makes rounds long.
    if (Date.now() - reported > 8000) {
      reported = Date.now();
      await Promise.all(there.map((name) => beReady(client, name).catch(() => {})));
    }
    const all = await client.list(pods, { namespace }).catch(() => undefined);
    for (const pod of all?.items ?? []) {
      const { name = '', deletionTimestamp, uid = '' } = pod.metadata ?? {};
      if (deletionTimestamp) {
        await client
          .raw(`/api/v1/namespaces/${namespace}/pods/${name}`, {
            method: 'DELETE',
            body: { gracePeriodSeconds: 0, preconditions: { uid } },
          })
          .catch(() => {});
        continue;
      }
      const node = pod.spec?.nodeName;
      const status = node === undefined || lost.has(node) ? undefined : statusUnder(plays.get(node) ?? 'run');
      // The node controller marks the pods of a node as not ready whose kubelet it did not hear in time.
      if (status === undefined || isWritten(pod.status, status)) continue;
      const change = { status };
      await client.patch(pods, { namespace, name }, change, { type: 'merge', subresource: 'status' }).catch(() => {});
    }
    await delay(100, undefined, { signal }).catch(() => {});
  }
}

function isWritten(actual: PodStatus | undefined, wanted: PodStatus): boolean {
  const ready = ({ conditions }: PodStatus) => conditions?.find(({ type }) => type === 'Ready')?.status;
  return actual?.reason === wanted.reason && ready(actual ?? {}) === ready(wanted);
}

/** What a kubelet writes of a daemon's pod. Its `reason` is none that Kubernetes knows: it says that this was written. */
function statusUnder(play: KubeletPlay): PodStatus | undefined {
  const container = { name: 'daemon', image: 'x', imageID: '', ready: false, restartCount: 1 };
  const ready = (status: 'True' | 'False') => [{ type: 'Ready', status, lastTransitionTime: now() }];
  switch (play) {
    case 'wait':
      return undefined;
    case 'run': {
      const state = { running: { startedAt: now() } };
      const containerStatuses = [{ ...container, ready: true, state }];
      return { phase: 'Running', reason: 'PlayedRun', conditions: ready('True'), containerStatuses };
    }
    case 'crash': {
      const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } };
      const lastState = { terminated: { exitCode: 1, reason: 'Error' } };
      const containerStatuses = [{ ...container, state, lastState }];
      return { phase: 'Running', reason: 'PlayedCrash', conditions: ready('False'), containerStatuses };
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
