import { Counter, Registry } from 'prom-client';
import type { BaselineReason } from '../../api/protocol.ts';
import { type Facts, registerGauges } from './gauges.ts';
import { boundedLabel } from './label.ts';
import { type Request, Requests } from './requests.ts';

const PREFIX = 'file_integrity_operator_';

/** What the operator counts. Names and labels are the contract's; `fileintegrity` on gauges of nodes is ours. */
export interface Meters {
  readonly registry: Registry;
  phase(phase: string): void;
  /** @param error a stable code */
  error(error: string): void;
  /** A node's hold began or ended. */
  hold(node: string, what: 'begins' | 'ends'): void;
  /** A re-initialisation was ordered of a node. */
  ordered(node: string, reason: BaselineReason, request: Request): void;
  /**
   * A node has carried one out.
   * @param pending the nodes that its request has still to do
   */
  carriedOut(node: string, request: Request, pending: () => Iterable<string>): void;
  /** @param error a stable code, for a scan that could not be done; the node says it, so it is not trusted */
  nodeStatus(node: string, condition: string, error: string | undefined): void;
  /** An event was told of a node. Counted are those of `NOTICES`: what somebody on the node did past the operator. */
  told(integrity: string, node: string, reason: string): void;
  daemonSet(operation: DaemonSetOperation): void;
  /** The node is gone from the cluster, and so are its counters: names of nodes that come and go do not add up. */
  forget(node: string): void;
}

type DaemonSetOperation = (typeof DAEMON_SET_OPERATIONS)[number];

const PHASES = ['Pending', 'Initializing', 'Active', 'Error'];
const NOTICES = ['UnorderedReinit', 'BaselineUnordered'];
const DAEMON_SET_OPERATIONS = ['update', 'delete', 'podkill'] as const;

/** @param facts for the gauges */
export function createMeters(facts: Facts): Meters {
  const registry = new Registry();
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[], collect?: () => void) =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [registry], ...(collect && { collect }) });
  const phases = counter('phase_total', 'Changes of a FileIntegrity to the phase.', ['phase']);
  const errors = counter('error_total', 'Reconciles that failed or that the user must help, by error.', ['error']);
  const perNode: { forget(node: string): void }[] = [];
  const nodeCounter = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly (L | 'node')[],
    collect?: () => void,
  ) => {
    const made = new NodeCounter<L>(counter(name, help, labelNames, collect));
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
  const notices = nodeCounter<'fileintegrity' | 'reason'>(
    'notice_total',
    'What was done on the node past the operator, by what it is.',
    ['node', 'fileintegrity', 'reason'],
    () => notices.keep(noticesOf(facts)),
  );
  const daemonSets = counter('daemonset_update_total', 'Operations on daemon sets.', ['operation']);
  const reinitSets = counter(
    'reinit_daemonset_update_total',
    'Re-initialisations ordered (update) and carried out (delete), each once, however many nodes it has.',
    ['operation'],
  );
  const requests = new Requests(() => reinitSets.inc({ operation: 'delete' }));
  registerGauges(registry, PREFIX, facts);
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
    ordered(node, reason, request) {
      if (reason === 'Initial') return;
      reinits.inc({ by: WHO_ASKED[reason], node });
      if (requests.ordered(request, node)) reinitSets.inc({ operation: 'update' });
    },
    carriedOut: (node, request, pending) => requests.carriedOut(request, node, pending),
    nodeStatus(node, condition, error) {
      statuses.inc({ condition, node });
      if (condition === 'Errored') statusErrors.inc({ error: statusErrorLabel(error), node });
    },
    told(fileintegrity, node, reason) {
      if (NOTICES.includes(reason)) notices.inc({ node, fileintegrity, reason });
    },
    daemonSet: (operation) => daemonSets.inc({ operation }),
    forget(node) {
      for (const each of perNode) each.forget(node);
      requests.forget(node);
    },
  };
}

/** Every node can have them. */
function* noticesOf(facts: Facts): Iterable<NodeLabels<'fileintegrity' | 'reason'>> {
  for (const { node, integrity: fileintegrity } of facts.nodes()) {
    for (const reason of NOTICES) yield { node, fileintegrity, reason };
  }
}

type NodeLabels<L extends string> = Readonly<Record<L | 'node', string>>;

/** A counter that knows which of its series are a node's: prom-client removes a series by all its labels only. */
class NodeCounter<L extends string> {
  readonly #counter: Counter<L | 'node'>;
  readonly #series = new Map<string, Map<string, NodeLabels<L>>>();

  constructor(counter: Counter<L | 'node'>) {
    this.#counter = counter;
  }

  inc(labels: NodeLabels<L>, by = 1): void {
    this.#counter.inc(labels, by);
    const ofNode = this.#series.get(labels.node) ?? new Map<string, NodeLabels<L>>();
    this.#series.set(labels.node, ofNode.set(JSON.stringify(labels), labels));
  }

  /** Has these series and no others: those that are not counted yet with 0, so that the first step is seen, too. */
  keep(wanted: Iterable<NodeLabels<L>>): void {
    const kept = new Map<string, Map<string, NodeLabels<L>>>();
    for (const labels of wanted) {
      const key = JSON.stringify(labels);
      if (!this.#series.get(labels.node)?.has(key)) this.inc(labels, 0);
      kept.set(labels.node, (kept.get(labels.node) ?? new Map()).set(key, labels));
    }
    for (const [node, series] of this.#series) {
      for (const [key, labels] of series) {
        if (kept.get(node)?.has(key)) continue;
        this.#counter.remove(labels);
        series.delete(key);
      }
      if (series.size === 0) this.#series.delete(node);
    }
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
