import { Counter, Gauge, Registry } from 'prom-client';
import type { BaselineReason } from '../../api/outcome.ts';
import { boundedLabel } from './label.ts';

const prefix = (name: string) => `file_integrity_operator_${name}`;

/** What the operator counts. Names and labels are the contract's; `fileintegrity` on gauges of nodes is ours. */
export interface Meters {
  readonly registry: Registry;
  phase(phase: string): void;
  /** @param error a stable code */
  error(error: string): void;
  /** A node's hold began or ended. */
  hold(node: string, what: 'begins' | 'ends'): void;
  /** A re-initialisation was ordered. */
  ordered(node: string, reason: BaselineReason): void;
  /** A re-initialisation was carried out. */
  carriedOut(): void;
  /** @param error a stable code, for a scan that could not be done; the node says it, so it is not trusted */
  nodeStatus(node: string, condition: string, error: string | undefined): void;
  daemonSet(operation: DaemonSetOperation): void;
  /** The node is gone from the cluster, and so are its counters: names of nodes that come and go do not add up. */
  forget(node: string): void;
}

/** One FileIntegrity's node as the gauges show it. */
export interface NodeVerdict {
  readonly integrity: string;
  readonly node: string;
  readonly failed: boolean;
  /** When its newest scan ended; undefined before the first. */
  readonly scannedAt: Date | undefined;
}

type DaemonSetOperation = (typeof DAEMON_SET_OPERATIONS)[number];

const PHASES = ['Pending', 'Initializing', 'Active', 'Error'];
const DAEMON_SET_OPERATIONS = ['update', 'delete', 'podkill'] as const;

/** @param verdicts the nodes as they are now, asked for at each scrape: right from the first one after a restart. */
export function createMeters(verdicts: () => Iterable<NodeVerdict>): Meters {
  const registry = new Registry();
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: prefix(name), help, labelNames, registers: [registry] });
  const phases = counter('phase_total', 'Changes of a FileIntegrity to the phase.', ['phase']);
  const errors = counter('error_total', 'Reconciles that failed or that the user must help, by error.', ['error']);
  const perNode: { forget(node: string): void }[] = [];
  const nodeCounter = <L extends string>(name: string, help: string, labelNames: readonly (L | 'node')[]) => {
    const made = new NodeCounter<L>(counter(name, help, labelNames));
    perNode.push(made);
    return made;
  };
  const pauses = nodeCounter('pause_total', 'Holds of the node that began.', ['node']);
  const unpauses = nodeCounter('unpause_total', 'Holds of the node that ended.', ['node']);
  const reinits = nodeCounter('reinit_total', 'Re-initialisations ordered, by what asked for them.', ['by', 'node']);
  const statuses = nodeCounter('node_status_total', 'Changes of a node to the condition.', ['condition', 'node']);
  const statusErrors = nodeCounter('node_status_error_total', 'Changes of a node to Errored, by error.', [
    'error',
    'node',
  ]);
  const daemonSets = counter('daemonset_update_total', 'Operations on daemon sets.', ['operation']);
  const reinitSets = counter(
    'reinit_daemonset_update_total',
    'Re-initialisations ordered (update) and carried out (delete).',
    ['operation'],
  );
  registerNodeGauges(registry, verdicts);
  // What can be counted is known: a counter that begins at 0 shows its first step, too.
  for (const phase of PHASES) phases.inc({ phase }, 0);
  for (const operation of DAEMON_SET_OPERATIONS) daemonSets.inc({ operation }, 0);
  for (const operation of ['update', 'delete']) reinitSets.inc({ operation }, 0);

  const errorLabel = boundedLabel();
  const statusErrorLabel = boundedLabel();
  return {
    registry,
    phase: (phase) => phases.inc({ phase }),
    error: (error) => errors.inc({ error: errorLabel(error) }),
    hold: (node, what) => (what === 'begins' ? pauses : unpauses).inc({ node }),
    ordered(node, reason) {
      if (reason === 'Initial') return;
      reinits.inc({ by: WHO_ASKED[reason], node });
      reinitSets.inc({ operation: 'update' });
    },
    carriedOut: () => reinitSets.inc({ operation: 'delete' }),
    nodeStatus(node, condition, error) {
      statuses.inc({ condition, node });
      if (condition === 'Errored') statusErrors.inc({ error: statusErrorLabel(error), node });
    },
    daemonSet: (operation) => daemonSets.inc({ operation }),
    forget(node) {
      for (const each of perNode) each.forget(node);
    },
  };
}

function registerNodeGauges(registry: Registry, verdicts: () => Iterable<NodeVerdict>): void {
  const gauge = (name: string, help: string, value: (verdict: NodeVerdict) => number | undefined) =>
    new Gauge({
      name: prefix(name),
      help,
      labelNames: ['node', 'fileintegrity'],
      registers: [registry],
      collect() {
        this.reset();
        for (const verdict of verdicts()) {
          const number = value(verdict);
          if (number !== undefined) this.set({ node: verdict.node, fileintegrity: verdict.integrity }, number);
        }
      },
    });
  gauge('node_failed', '1 while the last result of the node is Failed.', ({ failed }) => (failed ? 1 : 0));
  gauge(
    'node_last_scan_timestamp_seconds',
    'When the newest scan of the node ended.',
    ({ scannedAt }) => scannedAt && scannedAt.getTime() / 1000,
  );
}

type NodeLabels<L extends string> = Readonly<Record<L | 'node', string>>;

/** A counter that knows which of its series are a node's: prom-client removes a series by all its labels only. */
class NodeCounter<L extends string> {
  readonly #counter: Counter<L | 'node'>;
  readonly #series = new Map<string, Map<string, NodeLabels<L>>>();

  constructor(counter: Counter<L | 'node'>) {
    this.#counter = counter;
  }

  inc(labels: NodeLabels<L>): void {
    this.#counter.inc(labels);
    const ofNode = this.#series.get(labels.node) ?? new Map<string, NodeLabels<L>>();
    this.#series.set(labels.node, ofNode.set(JSON.stringify(labels), labels));
  }

  forget(node: string): void {
    for (const labels of this.#series.get(node)?.values() ?? []) this.#counter.remove(labels);
    this.#series.delete(node);
  }
}

const WHO_ASKED: Readonly<Record<Exclude<BaselineReason, 'Initial'>, string>> = {
  Demand: 'demand',
  Failed: 'demand',
  Configuration: 'config',
  NodeUpdate: 'node',
};
