import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** How a reconcile ended, in controller-runtime's words. */
export type ReconcileResult = 'success' | 'requeue_after' | 'error';

/**
 * How the operator itself fares: what says nothing about any node, and may be read in the clear. The names are those of
 * Prometheus' client libraries and of controller-runtime, so that dashboards for Go operators show this one too.
 */
export interface RuntimeMeters {
  readonly registry: Registry;
  reconciled(controller: string, result: ReconcileResult, seconds: number): void;
}

export interface RuntimeFacts {
  /** Controllers that run, with the keys that wait in each. */
  readonly controllers: Iterable<{ readonly name: string; readonly depth: number }>;
  readonly isLeading: boolean;
}

// controller-runtime's go from 5 ms to 60 s, in 26 steps; these are enough to see what is slow.
const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** @param facts as they are now, asked for at each scrape */
export function createRuntimeMeters(facts: () => RuntimeFacts): RuntimeMeters {
  const registry = new Registry();
  const registers = [registry];
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles, by controller and result.',
    labelNames: ['controller', 'result'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of reconciles, by controller.',
    labelNames: ['controller'] as const,
    buckets: SECONDS,
    registers,
  });
  new Gauge({
    name: 'workqueue_depth',
    help: 'Keys that wait to be reconciled, by controller.',
    labelNames: ['name'] as const,
    registers,
    collect() {
      this.reset();
      for (const { name, depth } of facts().controllers) this.set({ name }, depth);
    },
  });
  new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process leads.',
    labelNames: ['name'] as const,
    registers,
    collect() {
      this.set({ name: 'file-integrity-operator' }, facts().isLeading ? 1 : 0);
    },
  });
  registerProcess(registry);
  return {
    registry,
    reconciled(controller, result, duration) {
      reconciles.inc({ controller, result });
      seconds.observe({ controller }, duration);
    },
  };
}

/**
 * What is cheap to read. prom-client's own set watches the event loop and the garbage collector all the time, which costs
 * an idle operator more than its work does.
 */
function registerProcess(registry: Registry): void {
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time used, in seconds.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedAt = Math.round(performance.timeOrigin / 1000);
  gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.', () => startedAt);
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => getHeapStatistics().used_heap_size);
  gauge('nodejs_heap_size_total_bytes', 'Heap in all.', () => getHeapStatistics().total_heap_size);
}
