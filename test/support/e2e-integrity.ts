import { expect } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { applyObject } from '../../demo/story.ts';
import type { FileIntegrity, FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { API_VERSION, fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { nodeStatusName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { daemonSets } from '../../src/kube/resources.ts';
import type { E2eStage } from './e2e-stage.ts';
import { eventually } from './eventually.ts';

/** The label of the shared workers. */
const WORKER = { 'node-role.kubernetes.io/worker': '' };

/** Long enough for a re-baseline and a scan of a node on a loaded machine, in milliseconds. */
const PATIENCE_MS = 150_000;

/** A FileIntegrity of the shared cluster, as a user handles it. */
export interface Integrity {
  readonly name: string;
  get(): Promise<FileIntegrity>;
  /** `kubectl patch --type merge` of the spec. */
  change(spec: object): Promise<void>;
  /** `kubectl annotate`; without a value the annotation is removed. */
  annotate(key: string, value?: string): Promise<void>;
  status(node: string): Promise<FileIntegrityNodeStatus | undefined>;
  /** Waits until the phase is this one. */
  phase(phase: string): Promise<void>;
  /** Waits for the result of a scan that began after this call, and returns the status with it. */
  nextScan(node: string): Promise<FileIntegrityNodeStatus>;
  /** Waits until the last result of the node is this one. */
  condition(node: string, condition: string): Promise<FileIntegrityNodeStatus>;
  /** Waits until the node is held for this reason. */
  held(node: string, reason: string): Promise<void>;
  /** The messages of its events with this reason. */
  events(reason: string): Promise<string[]>;
  /** Deletes it and waits until its daemons are gone. What they left on the nodes stays. */
  remove(): Promise<void>;
  /** The same, and removes what they left on the nodes. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a FileIntegrity for the workers with the shortest pause between scans, unless the spec says otherwise. */
export async function createIntegrity(
  stage: E2eStage,
  name: string,
  spec: Partial<FileIntegritySpecInput> = {},
): Promise<Integrity> {
  await applyObject(stage, {
    apiVersion: API_VERSION,
    kind: fileIntegrities.kind,
    metadata: { namespace: NAMESPACE, name },
    spec: { nodeSelector: WORKER, ...spec, config: { gracePeriod: 10, ...spec.config } },
  });
  return openIntegrity(stage, name);
}

/** A FileIntegrity that is there already. */
export function openIntegrity(stage: E2eStage, name: string): Integrity {
  const { client } = stage;
  const ref = { namespace: NAMESPACE, name };
  const target = ['-n', NAMESPACE, `fileintegrity/${name}`];
  const integrity: Integrity = {
    name,
    get: () => client.get(fileIntegrities, ref),
    async change(change) {
      await stage.kubectl(['patch', ...target, '--type=merge', '-p', JSON.stringify({ spec: change })]);
    },
    async annotate(key, value) {
      const argument = value === undefined ? `${key}-` : `${key}=${value}`;
      await stage.kubectl(['annotate', '--overwrite', ...target, argument]);
    },
    status: (node) => client.find(nodeStatuses, { namespace: NAMESPACE, name: nodeStatusName(name, node) }),
    async phase(phase) {
      await eventually(`${name} is ${phase}`, async () => (await integrity.get()).status?.phase === phase, PATIENCE_MS);
    },
    async nextScan(node) {
      const asked = Date.now();
      let found: FileIntegrityNodeStatus | undefined;
      const isNew = async () => {
        found = await integrity.status(node);
        return Date.parse(found?.lastScan?.startedAt ?? '') >= asked;
      };
      await eventually(`${node} is scanned again`, isNew, PATIENCE_MS);
      return must(found);
    },
    async condition(node, condition) {
      let found: FileIntegrityNodeStatus | undefined;
      const isSo = async () => {
        found = await integrity.status(node);
        return found?.lastResult?.condition === condition;
      };
      await eventually(`${node} is ${condition}`, isSo, PATIENCE_MS);
      return must(found);
    },
    async held(node, reason) {
      const isHeld = async () => (await integrity.status(node))?.orders?.hold?.reason === reason;
      await eventually(`${node} is held: ${reason}`, isHeld);
    },
    async events(reason) {
      const selector = `--field-selector=reason=${reason},involvedObject.name=${name}`;
      const { stdout } = await stage.kubectl([
        'get',
        'events',
        '-n',
        NAMESPACE,
        selector,
        '-o',
        'jsonpath={range .items[*]}{.message}{"\\n"}{end}',
      ]);
      return stdout.trim().split('\n');
    },
    async remove() {
      await stage.kubectl(['delete', ...target, '--ignore-not-found']);
      await eventually(`the daemons of ${name} are gone`, () => isWithoutPods(stage, name), PATIENCE_MS);
    },
    async [Symbol.asyncDispose]() {
      await integrity.remove();
      const clear = 'rm -rf /etc/kubernetes/aide.*';
      for (const node of stage.cluster.nodes.values()) expect((await node.exec(['sh', '-c', clear])).code).toBe(0);
    },
  };
  return integrity;
}

async function isWithoutPods(stage: E2eStage, name: string): Promise<boolean> {
  const found = await stage.client.find(daemonSets, { namespace: NAMESPACE, name: `aide-${name}` });
  if (found !== undefined) return false;
  const { stdout } = await stage.kubectl(['get', 'pods', '-n', NAMESPACE, '-l', `app=aide-${name}`, '-o', 'name']);
  return stdout.trim() === '';
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('never: it was waited for');
  return value;
}
