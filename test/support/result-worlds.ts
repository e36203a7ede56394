import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineReceipt, Outcome, ScanOutcome } from '../../src/api/protocol.ts';
import { HEARTBEAT_ANNOTATION, planResults } from '../../src/operator/results/verdict/plan.ts';
import type { ResultsPlan, ResultsWorld } from '../../src/operator/results/verdict/types.ts';
import { aNode, minutesBefore, NOW } from './operator-worlds.ts';

// Builders for the tests of what is made of the daemons' messages: FileIntegrity worker, node a.

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const CONFIGURATION = 'c'.repeat(64);
export const DIGEST = 'd'.repeat(64);

export function aScan(changes: Partial<ScanOutcome> = {}): ScanOutcome {
  return {
    kind: 'scan',
    id: 'scan-1',
    node: 'a',
    verdict: 'Succeeded',
    startedAt: minutesBefore(2),
    finishedAt: minutesBefore(1),
    exitStatus: 0,
    baselineDigest: DIGEST,
    configurationDigest: CONFIGURATION,
    ...changes,
  };
}

export function aReceipt(changes: Partial<BaselineReceipt> = {}): BaselineReceipt {
  return {
    orderId: 'order-1',
    digest: DIGEST,
    entries: 100,
    configurationDigest: CONFIGURATION,
    aideVersion: '0.19.1',
    bootId: 'boot',
    reason: 'Initial',
    createdAt: minutesBefore(30),
    ...changes,
  };
}

/** The temporary config map with a message, or with what a daemon of the earlier operator wrote. */
export function aSlot(
  message: Outcome | string | undefined,
  metadata: { annotations?: Record<string, string>; labels?: Record<string, string>; name?: string } = {},
  data: Record<string, string> = {},
): ConfigMap {
  const text = typeof message === 'object' ? JSON.stringify(message) : message;
  return {
    metadata: {
      name: metadata.name ?? 'aide-worker-a',
      namespace: 'fio',
      uid: 'uid-of-slot',
      creationTimestamp: minutesBefore(1),
      labels: { [key('owner')]: 'worker', [key('node')]: 'a', [key('log')]: '', ...metadata.labels },
      annotations: { ...(text !== undefined && { [key('outcome')]: text }), ...metadata.annotations },
    },
    data,
  };
}

export function aStatus(changes: Partial<FileIntegrityNodeStatus> = {}): FileIntegrityNodeStatus {
  return {
    metadata: { name: 'worker-a', namespace: 'fio', uid: 'uid-of-status', resourceVersion: '7', ...changes.metadata },
    nodeName: 'a',
    orders: {
      settings: { gracePeriod: 900, maxBackups: 5, debug: false },
      configuration: { name: 'worker', key: 'aide.conf', digest: CONFIGURATION },
      baseline: { id: 'order-1', reason: 'Initial', requestedAt: minutesBefore(60) },
    },
    baseline: aReceipt(),
    ...changes,
  };
}

export function aResultsWorld(changes: Partial<ResultsWorld> = {}): ResultsWorld {
  return {
    now: NOW,
    integrity: 'worker',
    status: aStatus(),
    node: aNode('a'),
    slot: undefined,
    parts: [],
    lease: undefined,
    hasMachineConfigs: true,
    ...changes,
  };
}

export function aLease(scan: ScanOutcome): NonNullable<ResultsWorld['lease']> {
  return {
    metadata: {
      name: 'aide-worker-a',
      annotations: { [key('outcome')]: JSON.stringify(scan) },
      labels: { [key('owner')]: 'worker', [key('node')]: 'a' },
      ownerReferences: [{ apiVersion: '', kind: 'FileIntegrityNodeStatus', name: 'worker-a', uid: 'uid-of-status' }],
    },
  };
}

/** The world after its plan was carried out: the status has the fields, the message is gone. */
export function afterResults(world: ResultsWorld, plan: ResultsPlan = planResults(world)): ResultsWorld {
  const { heartbeat, ...fields } = plan.fields ?? {};
  const annotations = {
    ...world.status.metadata.annotations,
    ...(heartbeat !== undefined && { [HEARTBEAT_ANNOTATION]: heartbeat }),
  };
  // What goes is not in the fields any more: they are written as a whole.
  const { failure: _, ...standing } = world.status;
  const before = plan.fields ? standing : world.status;
  const status = { ...before, ...fields, metadata: { ...world.status.metadata, annotations } };
  return { ...world, status, slot: plan.remove ? undefined : world.slot, parts: plan.remove ? [] : world.parts };
}

/** A node whose last result is that of this scan, taken in from its config map. */
export function aWorldAfter(scan: ScanOutcome): ResultsWorld {
  return afterResults(aResultsWorld({ slot: aSlot(scan) }));
}
