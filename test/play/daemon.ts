import { createHash, randomUUID } from 'node:crypto';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  FILES_CHANGED_ANNOTATION,
  FILES_REMOVED_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
} from '../../src/api/keys.ts';
import { labelValue, partName, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineReceipt, Outcome, ScanOutcome } from '../../src/api/protocol.ts';
import type { Client } from '../../src/kube/client.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';

/** Where a daemon is played: a namespace of a real API server, with a real operator. */
export interface DaemonStage {
  readonly client: Client;
  readonly namespace: string;
  status(integrity: string, node: string): Promise<FileIntegrityNodeStatus | undefined>;
  /** Waits for the status to be such. */
  statusWhen(
    integrity: string,
    node: string,
    what: string,
    condition: (status: FileIntegrityNodeStatus) => boolean,
  ): Promise<FileIntegrityNodeStatus>;
}

/** Says what a daemon says, as the protocol has it. */
export interface PlayedDaemon {
  /** Carries out the standing baseline order and waits for the acknowledgement, as a daemon that compares nothing before. */
  makeBaseline(receipt?: Partial<BaselineReceipt>): Promise<void>;
  /** The same after a comparison with the baseline before that came to this. */
  replaceBaseline(closing: Partial<ScanOutcome>, reports?: readonly Record<string, string>[]): Promise<void>;
  /** Reports a scan and waits for the acknowledgement. */
  report(scan: Partial<ScanOutcome>, reports?: readonly Record<string, string>[]): Promise<ScanOutcome>;
  /** Writes a message and waits for nothing. */
  send(outcome: Outcome, reports?: readonly Record<string, string>[], extra?: Partial<KubeMetadata>): Promise<void>;
  beat(scan: Partial<ScanOutcome>): Promise<ScanOutcome>;
  scan(scan: Partial<ScanOutcome>): ScanOutcome;
}

interface KubeMetadata {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** @param baselines receipts of the baselines that were made, by name of the node's messages */
export function playDaemon(
  stage: DaemonStage,
  integrity: string,
  node: string,
  baselines: Map<string, Pick<BaselineReceipt, 'digest' | 'configurationDigest'>>,
): PlayedDaemon {
  const { client, namespace } = stage;
  const name = resultName(integrity, node);
  const acknowledged = (id: string) =>
    stage.statusWhen(integrity, node, `acknowledges ${id}`, (status) => status.acknowledged === id);
  const slotIsFree = () =>
    eventually(`${name} is free`, async () => !(await client.find(configMaps, { namespace, name })));

  const daemon: PlayedDaemon = {
    async makeBaseline(receipt = {}) {
      const { orders } = await stage.statusWhen(integrity, node, 'has orders', (status) => status.orders !== undefined);
      if (!orders) return;
      const id = randomUUID();
      const made = { digest: sha256(id), configurationDigest: orders.configuration.digest };
      baselines.set(name, made);
      await daemon.send({
        kind: 'baseline',
        id,
        node,
        receipt: {
          orderId: orders.baseline.id,
          ...made,
          entries: 100,
          aideVersion: '0.19.1',
          bootId: 'boot',
          reason: orders.baseline.reason,
          createdAt: now(),
          ...receipt,
        },
      });
      await acknowledged(id);
    },
    async replaceBaseline(closing, reports) {
      const id = (await stage.status(integrity, node))?.orders?.baseline.id ?? '';
      const { id: scan, verdict } = await daemon.report({ ...closing, closes: id }, reports);
      await daemon.makeBaseline({ closing: { scan, verdict } });
    },
    async report(scan, reports) {
      const outcome = daemon.scan(scan);
      await daemon.send(outcome, reports);
      await acknowledged(outcome.id);
      return outcome;
    },
    async send(outcome, reports = [{}], extra = {}) {
      await slotIsFree();
      for (let number = reports.length; number >= 1; number--) {
        const map = messageMap(stage, integrity, node, outcome, reports, number);
        Object.assign(map.metadata?.labels ?? {}, extra.labels);
        Object.assign(map.metadata?.annotations ?? {}, extra.annotations);
        await client.create(configMaps, map);
      }
    },
    async beat(scan) {
      const outcome = daemon.scan(scan);
      const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) } };
      await client.patch(leases, { namespace, name }, { metadata, spec: { renewTime: micro() } }, { type: 'merge' });
      return outcome;
    },
    scan: (scan) => ({
      kind: 'scan',
      id: randomUUID(),
      node,
      verdict: 'Succeeded',
      startedAt: now(),
      finishedAt: now(),
      exitStatus: 0,
      ...comparedWith(baselines.get(name)),
      ...scan,
    }),
  };
  return daemon;
}

/** What AIDE read: the baseline that was made last. */
function comparedWith(baseline: Pick<BaselineReceipt, 'digest' | 'configurationDigest'> | undefined) {
  if (!baseline) return { configurationDigest: sha256('configuration') };
  return { baselineDigest: baseline.digest, configurationDigest: baseline.configurationDigest };
}

function messageMap(
  { namespace }: DaemonStage,
  integrity: string,
  node: string,
  outcome: Outcome,
  reports: readonly Record<string, string>[],
  number: number,
): ConfigMap {
  const counts = outcome.kind === 'scan' ? outcome.counts : undefined;
  return {
    metadata: {
      name: partName(resultName(integrity, node), number),
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(integrity),
        [NODE_LABEL]: labelValue(node),
        ...(number === 1 ? { [LOG_LABEL]: '' } : { [PART_LABEL]: String(number) }),
      },
      annotations: {
        ...(reports.length > 1 && { [COMPRESSED_ANNOTATION]: '' }),
        ...(number === 1 && { [OUTCOME_ANNOTATION]: JSON.stringify(outcome) }),
        ...(number === 1 && reports.length > 1 && { [PARTS_ANNOTATION]: String(reports.length) }),
        ...(counts && {
          [FILES_ADDED_ANNOTATION]: String(counts.added),
          [FILES_CHANGED_ANNOTATION]: String(counts.changed),
          [FILES_REMOVED_ANNOTATION]: String(counts.removed),
        }),
      },
    },
    data: reports[number - 1] ?? {},
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function now(): string {
  return new Date().toISOString();
}

/** As a Lease wants it: MicroTime. */
function micro(): string {
  return now().replace('Z', '000Z');
}
