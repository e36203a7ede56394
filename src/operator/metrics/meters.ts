import { Counter, Gauge, Registry } from 'prom-client';
import type { BaselineReason } from '../../api/outcome.ts';

const prefix = (name: string) => `file_integrity_operator_${name}`;

/** What the operator counts. Names and labels are the contract's; `fileintegrity` on `node_failed` is ours. */
export interface Meters {
  readonly registry: Registry;
  phase(phase: string): void;
  error(error: string): void;
  /** A node's hold began or ended. */
  hold(node: string, what: 'begins' | 'ends'): void;
  /** A re-initialisation was ordered. */
  ordered(node: string, reason: BaselineReason): void;
  /** A re-initialisation was carried out. */
  carriedOut(): void;
  nodeStatus(node: string, condition: string, error: string | undefined): void;
  daemonSet(operation: 'update' | 'delete' | 'podkill'): void;
}

/** One FileIntegrity's node as `node_failed` shows it. */
export interface NodeVerdict {
  readonly integrity: string;
  readonly node: string;
  readonly failed: boolean;
}

/** @param verdicts the nodes as they are now, asked for at each scrape: right from the first one after a restart. */
export function createMeters(verdicts: () => Iterable<NodeVerdict>): Meters {
  const registry = new Registry();
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: prefix(name), help, labelNames, registers: [registry] });
  const phases = counter('phase_total', 'Changes of a FileIntegrity to the phase.', ['phase']);
  const errors = counter('error_total', 'Reconciles that failed, by error.', ['error']);
  const pauses = counter('pause_total', 'Holds of the node that began.', ['node']);
  const unpauses = counter('unpause_total', 'Holds of the node that ended.', ['node']);
  const reinits = counter('reinit_total', 'Re-initialisations ordered, by what asked for them.', ['by', 'node']);
  const statuses = counter('node_status_total', 'Changes of a node to the condition.', ['condition', 'node']);
  const statusErrors = counter('node_status_error_total', 'Scans of the node that could not be done.', [
    'error',
    'node',
  ]);
  const daemonSets = counter('daemonset_update_total', 'Operations on daemon sets.', ['operation']);
  const reinitSets = counter(
    'reinit_daemonset_update_total',
    'Re-initialisations ordered (update) and carried out (delete).',
    ['operation'],
  );
  new Gauge({
    name: prefix('node_failed'),
    help: '1 while the last result of the node is Failed.',
    labelNames: ['node', 'fileintegrity'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { integrity, node, failed } of verdicts())
        this.set({ node, fileintegrity: integrity }, failed ? 1 : 0);
    },
  });
  return {
    registry,
    phase: (phase) => phases.inc({ phase }),
    error: (error) => errors.inc({ error }),
    hold: (node, what) => (what === 'begins' ? pauses : unpauses).inc({ node }),
    ordered(node, reason) {
      if (reason === 'Initial') return;
      reinits.inc({ by: WHO_ASKED[reason], node });
      reinitSets.inc({ operation: 'update' });
    },
    carriedOut: () => reinitSets.inc({ operation: 'delete' }),
    nodeStatus(node, condition, error) {
      statuses.inc({ condition, node });
      if (error !== undefined) statusErrors.inc({ error, node });
    },
    daemonSet: (operation) => daemonSets.inc({ operation }),
  };
}

const WHO_ASKED: Readonly<Record<Exclude<BaselineReason, 'Initial'>, string>> = {
  Demand: 'demand',
  Failed: 'demand',
  Configuration: 'config',
  NodeUpdate: 'node',
};
