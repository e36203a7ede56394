import { createHash, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  BASELINE_LABEL,
  COMPRESSED_ANNOTATION,
  INTEGRITY_LOG_KEY,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  REPORT_JSON_KEY,
} from '../../src/api/keys.ts';
import { labelValue, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { Outcome, ScanOutcome } from '../../src/api/protocol.ts';

/** The receipt of the baseline that a node's orders ask for. */
export function receiptOf({ nodeName: node, orders }: FileIntegrityNodeStatus): Outcome {
  const { id: orderId = '', reason = 'Initial' } = orders?.baseline ?? {};
  const receipt = {
    orderId,
    digest: sha256(`${node} ${orderId}`),
    entries: 20_000,
    configurationDigest: orders?.configuration.digest ?? '',
    aideVersion: '0.19.1',
    bootId: randomUUID(),
    reason,
    createdAt: new Date().toISOString(),
  };
  return { kind: 'baseline', id: randomUUID(), node, receipt };
}

/** A scan of a node against the baseline on record. */
export function scanOf(status: FileIntegrityNodeStatus, verdict: 'Succeeded' | 'Failed'): ScanOutcome {
  const now = new Date().toISOString();
  return {
    kind: 'scan',
    id: randomUUID(),
    node: status.nodeName,
    verdict,
    startedAt: now,
    finishedAt: now,
    exitStatus: verdict === 'Succeeded' ? 0 : 4,
    entries: 20_000,
    baselineDigest: status.baseline?.digest ?? '',
    configurationDigest: status.orders?.configuration.digest ?? '',
    ...(verdict === 'Failed' && { counts: { added: 0, changed: 2, removed: 0 } }),
  };
}

/** A daemon's message, with reports where it has found something. */
export function messageOf(namespace: string, integrity: string, outcome: Outcome): ConfigMap {
  const isFailed = outcome.kind === 'scan' && outcome.verdict === 'Failed';
  return {
    metadata: {
      name: resultName(integrity, outcome.node),
      namespace,
      labels: {
        [OWNER_LABEL]: labelValue(integrity),
        [NODE_LABEL]: labelValue(outcome.node),
        [LOG_LABEL]: '',
        ...(outcome.kind === 'baseline' && { [BASELINE_LABEL]: '' }),
      },
      annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(outcome), ...(isFailed && { [COMPRESSED_ANNOTATION]: '' }) },
    },
    data: isFailed ? REPORTS : {},
  };
}

/** Two changed files, as AIDE tells of them. */
const DETAILS = Array.from({ length: 2 }, (_, index) => ({
  path: `/hostroot/etc/file-${index}`,
  change: 'f   ...    .C..',
}));
const REPORTS = {
  [INTEGRITY_LOG_KEY]: packed(
    `AIDE found differences between database and filesystem!!\n\n${DETAILS.map(({ change, path }) => `${change}: ${path}`).join('\n')}\n`,
  ),
  [REPORT_JSON_KEY]: packed(
    JSON.stringify({
      outline: 'AIDE found differences between database and filesystem!!',
      number_of_entries: { total: 20_000, added: 0, removed: 0, changed: 2 },
      changed_entries: Object.fromEntries(DETAILS.map(({ path, change }) => [path, change])),
    }),
  ),
};

function packed(text: string): string {
  return gzipSync(text).toString('base64');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
