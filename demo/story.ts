import { fileURLToPath } from 'node:url';
import type { ClusterNode } from '../devcluster/cluster.ts';
import type { FileChange } from '../src/aide/report-types.ts';
import { API_VERSION, fileIntegrities, nodeStatuses } from '../src/api/group.ts';
import { OWNER_LABEL, REINIT_ANNOTATION } from '../src/api/keys.ts';
import { labelValue } from '../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../src/api/nodestatus.ts';
import type { Verdict } from '../src/api/protocol.ts';
import * as findings from '../src/evidence/report.ts';
import { FioError } from '../src/lib/errors.ts';
import { sleep } from '../src/lib/signal.ts';
import { explainWait } from './diagnosis.ts';
import { NAMESPACE, type Stage } from './stage.ts';

// The steps of the story: npm run demo tells them, test/e2e/story.test.ts asserts them.

/** What `kubectl apply -k` takes. */
const MANIFESTS = fileURLToPath(new URL('../deploy', import.meta.url));

/** Installs the operator as a user does, and waits until it runs. May be done again. */
export async function installOperator(stage: Stage): Promise<void> {
  stage.tell.step('Install the operator: kubectl apply -k deploy');
  await stage.kubectl(['apply', '-k', stage.manifests ?? MANIFESTS]);
  for (const { plural, group } of [fileIntegrities, nodeStatuses]) {
    await stage.kubectl(['wait', '--for=condition=Established', `crd/${plural}.${group}`, '--timeout=60s']);
  }
  try {
    const rollout = ['rollout', 'status', 'deployment/file-integrity-operator', '--timeout=180s'];
    await stage.kubectl([...rollout, '-n', NAMESPACE]);
  } catch (error) {
    stage.signal.throwIfAborted();
    throw new FioError('DEMO_NOT_SEEN', `The operator does not run. ${await explainWait(stage)}`, { cause: error });
  }
}

/** A FileIntegrity with the shortest pause between scans, because a person waits. */
export function fileIntegrity(name: string, nodeSelector: Record<string, string>): object {
  return {
    apiVersion: API_VERSION,
    kind: fileIntegrities.kind,
    metadata: { name, namespace: NAMESPACE },
    spec: { nodeSelector, config: { gracePeriod: 10 } },
  };
}

/** `kubectl apply` of one object. */
export async function applyObject(stage: Stage, object: object): Promise<void> {
  await stage.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
}

/** The node statuses of a FileIntegrity. */
export async function statusesOf(stage: Stage, integrity: string): Promise<FileIntegrityNodeStatus[]> {
  const labelSelector = `${OWNER_LABEL}=${labelValue(integrity)}`;
  const { items } = await stage.client.list(nodeStatuses, {
    namespace: NAMESPACE,
    labelSelector,
    signal: stage.signal,
  });
  return items;
}

/**
 * Waits until the newest result of each of these nodes is this one.
 * @throws FioError `DEMO_NOT_SEEN` with what can be seen of the reason.
 */
export async function waitForCondition(
  stage: Stage,
  integrity: string,
  nodes: readonly string[],
  condition: Verdict,
  seconds = 240,
): Promise<FileIntegrityNodeStatus[]> {
  const what = `${nodes.join(' and ')} ${nodes.length === 1 ? 'is' : 'are'} ${condition}`;
  stage.tell.note(`Waiting until ${what}`);
  return await wait(stage, what, seconds, async () => {
    const statuses = await statusesOf(stage, integrity);
    const found = nodes.map((name) => statuses.find(({ nodeName }) => nodeName === name));
    const isSo = found.every((status) => status?.lastResult?.condition === condition);
    return isSo ? found.filter((status) => status !== undefined) : undefined;
  });
}

/** Waits until the FileIntegrity is Active and has no request for a new baseline any more. */
export async function waitForActive(stage: Stage, integrity: string, seconds = 240): Promise<void> {
  await wait(stage, `the FileIntegrity ${integrity} is Active`, seconds, async () => {
    const found = await stage.client.get(
      fileIntegrities,
      { namespace: NAMESPACE, name: integrity },
      { signal: stage.signal },
    );
    const isAsked = found.metadata.annotations?.[REINIT_ANNOTATION] !== undefined;
    return found.status?.phase === 'Active' && !isAsked ? true : undefined;
  });
}

/**
 * What the intruder does to a file of each kind. All are watched by the default configuration. All are in a folder that
 * the nodes write to anyway: in one that is as in the image, the first change also changes the folder's link count, since
 * a node's root is an overlay.
 */
export const MISCHIEF = {
  added: '/etc/not-here-before',
  changed: '/etc/issue',
  removed: '/etc/issue.net',
} as const;

/** Changes a file of the node, adds one and removes one. Returns what puts them back. */
export async function changeNode(stage: Stage, node: ClusterNode): Promise<() => Promise<void>> {
  const { added, changed, removed } = MISCHIEF;
  stage.tell.step(`Play an intruder on ${node.name}: change ${changed}, add ${added}, remove ${removed}`);
  const [changedText, removedText] = [await node.readFile(changed), await node.readFile(removed)];
  await node.writeFile(changed, `${changedText}A line of the intruder.\n`);
  await node.writeFile(added, '#!/bin/sh\necho Hello\n');
  await node.removeFile(removed);
  return async () => {
    await node.writeFile(changed, changedText);
    await node.removeFile(added);
    await node.writeFile(removed, removedText);
  };
}

/** The files that a node's kept failure names. */
export async function readFindings(stage: Stage, status: FileIntegrityNodeStatus): Promise<readonly FileChange[]> {
  return await findings.readFindings(stage.client, status, stage.signal);
}

/** Asks for new baselines of these nodes, of all unless told, as a user does: by the annotation. */
export async function askForReinit(stage: Stage, integrity: string, nodes: readonly string[] = []): Promise<void> {
  const annotation = `${REINIT_ANNOTATION}=${nodes.join(',')}`;
  stage.tell.step(
    `Accept what is there as the new baseline: kubectl annotate fileintegrity ${integrity} ${annotation}`,
  );
  await stage.kubectl(['annotate', '--overwrite', '-n', NAMESPACE, `fileintegrity/${integrity}`, annotation]);
}

/** The backups of database and log in the node's /etc/kubernetes. */
export async function backupsOn(node: ClusterNode): Promise<string[]> {
  const { stdout } = await node.exec(['ls', '-1', '/etc/kubernetes']);
  return stdout.split('\n').filter((name) => name.includes('.backup-'));
}

async function wait<T>(stage: Stage, what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + seconds * 1000; ; await sleep(500, stage.signal)) {
    stage.signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() < end) continue;
    throw new FioError('DEMO_NOT_SEEN', `${seconds} s were not enough until ${what}. ${await explainWait(stage)}`);
  }
}
