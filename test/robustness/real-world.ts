import { setTimeout as delay } from 'node:timers/promises';
import { NAMESPACE } from '../../demo/stage.ts';
import type { ClusterNode } from '../../devcluster/cluster.ts';
import { nodeStatuses } from '../../src/api/group.ts';
import {
  HOLDOFF_ANNOTATION,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
} from '../../src/api/keys.ts';
import type { Outcome } from '../../src/api/protocol.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { observe } from '../../src/kube/watcher.ts';
import type { Integrity } from '../support/e2e-integrity.ts';
import type { E2eStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { differ, FileTimeline } from './file-timeline.ts';
import type { QuietNode, Recorder, Subject } from './history.ts';
import { observeAll } from './observer.ts';
import { createRandom, type Random } from './random.ts';

/** What is done to real nodes, with the real daemons. */
type RealStep =
  | { do: 'change' | 'restore'; node: string; file: number }
  | { do: 'reinit' | 'hold'; nodes: readonly string[] }
  | { do: 'reinit-on-failed' | 'release' | 'restart-operator' }
  | { do: 'delete-pod' | 'touch-trigger' | 'replace-database'; node: string };

const WEIGHTS: Readonly<Record<RealStep['do'], number>> = {
  change: 26,
  restore: 22,
  reinit: 8,
  'reinit-on-failed': 3,
  hold: 5,
  release: 9,
  'restart-operator': 3,
  'delete-pod': 5,
  'touch-trigger': 5,
  'replace-database': 4,
};

/** The same list for the same seed. */
export function makeRealSteps(seed: number, count: number, nodes: readonly [string, ...string[]]): RealStep[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => makeStep(random, nodes));
}

function makeStep(random: Random, nodes: readonly [string, ...string[]]): RealStep {
  const kind = random.weighted(WEIGHTS);
  switch (kind) {
    case 'change':
    case 'restore':
      return { do: kind, node: random.pick(nodes), file: random.integer(0, 4) };
    case 'reinit':
    case 'hold':
      return { do: kind, nodes: random.chance(0.4) ? [] : [random.pick(nodes)] };
    case 'reinit-on-failed':
    case 'release':
    case 'restart-operator':
      return { do: kind };
    default:
      return { do: kind, node: random.pick(nodes) };
  }
}

/** What was there over this time around a scan or a baseline counts, in milliseconds. */
const AROUND_MS = 300;
const QUIET_MS = 90_000;

/** Real nodes under one FileIntegrity: what is done to them, what their daemons say, and what is true of their files. */
export class RealWorld {
  readonly #stage: E2eStage;
  readonly #integrity: Integrity;
  readonly #nodes: readonly string[];
  readonly #recorder: Recorder;
  readonly #ended = new AbortController();
  readonly #observing: Promise<unknown>;
  readonly #timelines: ReadonlyMap<string, FileTimeline>;
  /** By digest: between which times the baseline was made, and on which node. */
  readonly #baselines = new Map<string, { from: number; to: number; node: string }>();
  /** By id: when a baseline was ordered. */
  readonly #orders = new Map<string, number>();
  readonly #heard = new Set<string>();
  readonly #waiting = new Map<string, Outcome>();
  #looked = 0;

  constructor(stage: E2eStage, integrity: Integrity, nodes: readonly string[], recorder: Recorder) {
    this.#stage = stage;
    this.#integrity = integrity;
    this.#nodes = nodes;
    this.#recorder = recorder;
    this.#timelines = new Map(nodes.map((node) => [node, new FileTimeline()]));
    const { signal } = this.#ended;
    const listen = async <T extends KubeObject>(resource: Resource<T>) => {
      const options = { namespace: NAMESPACE, labelSelector: `${OWNER_LABEL}=${integrity.name},${NODE_LABEL}`, signal };
      for await (const event of observe(stage.client, resource, options)) {
        const objects = event.type === 'restarted' ? event.objects : [event.object];
        if (event.type === 'deleted') continue;
        for (const { metadata: { annotations = {}, labels = {} } = {} } of objects) {
          // What is kept has the message's annotation too.
          const isMessage = LOG_LABEL in labels;
          if (resource.plural === 'leases' || isMessage) this.#hear(annotations[OUTCOME_ANNOTATION], isMessage);
        }
      }
    };
    const all = observeAll(stage.client, NAMESPACE, recorder, signal, integrity.name);
    this.#observing = Promise.all([all, listen(configMaps), listen(leases)]);
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#observing;
  }

  async act(step: RealStep): Promise<void> {
    const { kubectl } = this.#stage;
    this.#lookAtStatuses();
    switch (step.do) {
      case 'change':
        return await this.#write(step.node, step.file, `changed by step ${this.#recorder.step}\n`);
      case 'restore':
        return await this.#write(step.node, step.file, undefined);
      case 'reinit':
        return await this.#integrity.annotate(REINIT_ANNOTATION, step.nodes.join());
      case 'reinit-on-failed':
        return await this.#integrity.annotate(REINIT_ON_FAILED_ANNOTATION, '');
      case 'hold':
        return await this.#integrity.annotate(HOLDOFF_ANNOTATION, step.nodes.join());
      case 'release':
        return await this.#integrity.annotate(HOLDOFF_ANNOTATION);
      case 'restart-operator':
        await kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', 'name=file-integrity-operator', '--wait=false']);
        return;
      case 'delete-pod': {
        const field = `--field-selector=spec.nodeName=${step.node}`;
        const label = `app=aide-${this.#integrity.name}`;
        await kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', label, field, '--wait=false']);
        return;
      }
      case 'touch-trigger':
        await this.#node(step.node).writeFile('/etc/kubernetes/aide.reinit', '');
        this.#tell(step.node, step.do);
        return;
      case 'replace-database': {
        // One that lacks an entry.
        const script = 'cd /etc/kubernetes && zcat aide.db.gz | sed "/[/]etc[/]issue.net /d" | gzip > /tmp/db.gz';
        const moved = await this.#node(step.node).exec(['sh', '-c', `${script} && cp /tmp/db.gz aide.db.gz`]);
        if (moved.code === 0) this.#tell(step.node, step.do);
        return;
      }
    }
  }

  /** Waits until all that was asked for is done and every node has been scanned after that, and writes it down. */
  async quiet(healed: boolean): Promise<void> {
    await this.#integrity.annotate(HOLDOFF_ANNOTATION);
    let unsettled: string | undefined;
    const isSettled = async () => {
      unsettled = await this.#unsettled().catch((error: unknown) => String(error));
      return unsettled === undefined;
    };
    await eventually('all is done', isSettled, QUIET_MS).catch(() => {});
    const asked = Date.now();
    const scanned = async () => (await this.#statuses()).every((status) => began(status.lastScan?.startedAt) >= asked);
    await eventually('every node is scanned', scanned, QUIET_MS).catch(() => {
      unsettled ??= 'not every node is scanned';
    });
    await delay(2000); // the FileIntegrity is planned once a second
    this.#lookAtStatuses();
    const statuses = await this.#statuses();
    const integrity = await this.#integrity.get();
    const maps = await this.#stage.client.list(configMaps, { namespace: NAMESPACE, labelSelector: OWNER_LABEL });
    for (const { metadata } of [...statuses, integrity]) delete metadata.managedFields;
    const now = Date.now();
    this.#recorder.record({
      type: 'quiet',
      ...(unsettled !== undefined && { unsettled }),
      healed,
      now,
      nodes: statuses.map(({ nodeName, baseline }): QuietNode => {
        const digest = baseline?.digest ?? '';
        const differences = this.#differences(nodeName, digest, now, now);
        const common = { ...this.#subject(nodeName), daemon: 'runs', selected: true, digest } as const;
        return differences === undefined ? common : { ...common, differences };
      }),
      statuses,
      integrities: [integrity],
      configMaps: maps.items.map(({ metadata }) => metadata?.name ?? ''),
    });
  }

  async #unsettled(): Promise<string | undefined> {
    const { metadata, status } = await this.#integrity.get();
    const asked = Object.keys(metadata.annotations ?? {}).filter((key) => key.includes('re-init'));
    if (asked.length > 0) return `${asked.join()} is not taken up`;
    if (status?.phase !== 'Active') return `the phase is ${status?.phase}`;
    for (const { nodeName, orders, baseline } of await this.#statuses()) {
      if (orders?.hold) return `${nodeName} is held`;
      if (orders?.baseline.id !== baseline?.orderId) return `${nodeName} has not carried out its order`;
    }
    return undefined;
  }

  async #statuses() {
    const { client } = this.#stage;
    const labelSelector = `${OWNER_LABEL}=${this.#integrity.name}`;
    return (await client.list(nodeStatuses, { namespace: NAMESPACE, labelSelector })).items;
  }

  async #write(node: string, file: number, text: string | undefined): Promise<void> {
    const path = `/etc/history-${file}`;
    const done = this.#timelines.get(node)?.begin(path, text);
    if (text === undefined) await this.#node(node).removeFile(path);
    else await this.#node(node).writeFile(path, text);
    done?.();
    const what = text === undefined ? 'reverted' : 'planted';
    this.#recorder.record({ type: 'files', node, machine: node, what, paths: [path] });
  }

  /** A daemon's word, by message or heartbeat. */
  #hear(text: string | undefined, isMessage: boolean): void {
    if (text === undefined) return;
    this.#lookAtStatuses();
    const outcome = JSON.parse(text) as Outcome;
    if (this.#heard.has(outcome.id) || !this.#nodes.includes(outcome.node)) return;
    this.#heard.add(outcome.id);
    if (outcome.kind !== 'scan') return;
    const { id, node, startedAt, finishedAt, verdict, baselineFault: fault, baselineDigest = '' } = outcome;
    const from = Date.parse(startedAt) - AROUND_MS;
    const differences = this.#differences(node, baselineDigest, from, Date.parse(finishedAt) + AROUND_MS);
    this.#recorder.record({
      type: 'scan',
      ...this.#subject(node),
      run: 'real',
      id,
      startedAt,
      finishedAt,
      verdict,
      ...(differences !== undefined && { differences }),
      ...(fault && { fault }),
    });
    const what = isMessage ? 'sent' : 'heartbeat';
    const common = { ...this.#subject(node), run: 'real', id, verdict, ...(fault && { fault }) };
    this.#recorder.record({ type: 'message', kind: 'scan', ...common, what });
    if (isMessage) this.#waiting.set(id, outcome);
  }

  /** What the statuses have said since the last look: baselines that were made, messages that were taken in. */
  #lookAtStatuses(): void {
    const { events } = this.#recorder;
    for (; this.#looked < events.length; this.#looked += 1) {
      const event = events[this.#looked];
      if (event?.type !== 'status') continue;
      const { nodeName: node, baseline, orders, acknowledged = '' } = event.status;
      if (orders) this.#orders.set(`${node} ${orders.baseline.id}`, Date.parse(orders.baseline.requestedAt));
      if (baseline && !this.#baselines.has(baseline.digest)) {
        const from = this.#orders.get(`${node} ${baseline.orderId}`) ?? 0;
        this.#baselines.set(baseline.digest, { from, to: Date.parse(baseline.createdAt), node });
        const { orderId, reason, digest, createdAt: at } = baseline;
        this.#recorder.record({ type: 'baseline', ...this.#subject(node), run: 'real', orderId, reason, digest, at });
      }
      const outcome = this.#waiting.get(acknowledged);
      this.#waiting.delete(acknowledged);
      if (outcome?.kind !== 'scan') continue;
      const message = { type: 'message', ...this.#subject(node), run: 'real', id: outcome.id, kind: 'scan' } as const;
      this.#recorder.record({ ...message, verdict: outcome.verdict, what: 'acknowledged' });
    }
  }

  /** Undefined when it cannot be told. */
  #differences(node: string, digest: string, from: number, to: number): number | undefined {
    const baseline = this.#baselines.get(digest);
    const timeline = this.#timelines.get(node);
    if (baseline?.node !== node || timeline === undefined) return undefined;
    const before = timeline.during(baseline.from - AROUND_MS, baseline.to + AROUND_MS);
    const now = timeline.during(from, to);
    return before && now && differ(before, now);
  }

  #tell(node: string, how: string): void {
    this.#recorder.record({ type: 'intrusion', how, ...this.#subject(node) });
  }

  #subject(node: string): Subject {
    return { integrity: this.#integrity.name, node, machine: node };
  }

  #node(name: string): ClusterNode {
    return this.#stage.node(name);
  }
}

function began(startedAt: string | undefined): number {
  return Date.parse(startedAt ?? '1970-01-01T00:00:00Z');
}
