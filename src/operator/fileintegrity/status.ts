import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Condition, FileIntegrity, FileIntegrityStatus, Phase } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';

/** What phase and conditions of a FileIntegrity are told by. */
export interface StatusWorld {
  readonly integrity: FileIntegrity;
  readonly daemonSet: DaemonSet | undefined;
  /** Whether the daemon set in the cluster is what the operator wants. */
  readonly daemonSetIsCurrent: boolean;
  /** Statuses of the watched nodes as they will be: with their new orders. */
  readonly statuses: readonly Pick<FileIntegrityNodeStatus, 'nodeName' | 'lastResult' | 'baseline' | 'orders'>[];
  /** Watched nodes, with a status or not. */
  readonly selected: number;
  /** A re-init request is under way. */
  readonly reinit: boolean;
  readonly configuration: {
    readonly refused?: string;
    readonly missing?: string;
    /** What the user should know of a configuration that is in use. */
    readonly notes?: readonly string[];
    readonly description: string;
  };
  readonly now: Date;
}

export function planStatus(world: StatusWorld): FileIntegrityStatus {
  const tally = count(world);
  const phase = tellPhase(world, tally);
  const standing = world.integrity.status?.conditions ?? [];
  const generation = world.integrity.metadata.generation;
  const wanted = [ready(world, phase, tally), progressing(world, phase, tally), configurationValid(world)];
  return {
    phase,
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: [
      ...wanted.map((condition) => stamp(condition, standing, generation, world.now)),
      // Conditions of others stay as they are.
      ...standing.filter(({ type }) => wanted.every((condition) => condition.type !== type)),
    ],
  };
}

interface Tally {
  readonly errored: readonly string[];
  /** Nodes whose baseline order is not carried out, held ones left out: they cannot. */
  readonly initializing: readonly string[];
  readonly failed: readonly string[];
  readonly held: readonly string[];
}

function count({ statuses }: StatusWorld): Tally {
  const names = (which: (status: StatusWorld['statuses'][number]) => boolean) =>
    statuses.filter(which).map(({ nodeName }) => nodeName);
  return {
    errored: names((status) => status.lastResult?.condition === 'Errored' && !(isPending(status) && isStale(status))),
    initializing: names((status) => isPending(status) && !status.orders?.hold),
    failed: names((status) => status.lastResult?.condition === 'Failed'),
    held: names((status) => status.orders?.hold !== undefined),
  };
}

function isPending({ orders, baseline }: Pick<FileIntegrityNodeStatus, 'orders' | 'baseline'>): boolean {
  return orders !== undefined && baseline?.orderId !== orders.baseline.id;
}

/** The last result is older than the baseline order: what it says may be over. */
function isStale({ orders, lastResult }: Pick<FileIntegrityNodeStatus, 'orders' | 'lastResult'>): boolean {
  return Date.parse(lastResult?.lastProbeTime ?? '') < Date.parse(orders?.baseline.requestedAt ?? '');
}

function tellPhase(world: StatusWorld, tally: Tally): Phase {
  if (!world.daemonSet) return 'Pending';
  if (world.configuration.refused !== undefined || tally.errored.length > 0) return 'Error';
  if (world.reinit || tally.initializing.length > 0 || !isRolledOut(world)) return 'Initializing';
  return 'Active';
}

function isRolledOut({ daemonSet, daemonSetIsCurrent, selected }: StatusWorld): boolean {
  const status = daemonSet?.status;
  if (!status || !daemonSetIsCurrent) return false;
  return (
    (status.observedGeneration ?? 0) >= (daemonSet.metadata?.generation ?? 0) &&
    (status.updatedNumberScheduled ?? 0) >= status.desiredNumberScheduled &&
    status.numberReady >= Math.max(status.desiredNumberScheduled, selected)
  );
}

type Statement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

function ready(world: StatusWorld, phase: Phase, tally: Tally): Statement {
  const type = 'Ready';
  switch (phase) {
    case 'Active':
      return { type, status: 'True', reason: 'Active', message: `All ${world.selected} nodes are watched.` };
    case 'Error': {
      const message =
        world.configuration.refused === undefined
          ? `${tally.errored.length} of ${world.selected} nodes could not be scanned: ${some(tally.errored)}.`
          : 'The configuration was refused; see the condition ConfigurationValid.';
      return { type, status: 'False', reason: 'Error', message };
    }
    case 'Initializing':
    case 'Pending':
      return { type, status: 'False', reason: phase, message: whyNotYet(world, phase, tally) };
  }
}

function progressing(world: StatusWorld, phase: Phase, tally: Tally): Statement {
  const type = 'Progressing';
  const underWay = phase === 'Pending' || world.reinit || tally.initializing.length > 0 || !isRolledOut(world);
  if (!underWay) return { type, status: 'False', reason: 'Settled', message: 'Nothing is under way.' };
  const reason = phase === 'Pending' ? 'Pending' : 'Initializing';
  return { type, status: 'True', reason, message: whyNotYet(world, phase, tally) };
}

function whyNotYet(world: StatusWorld, phase: Phase, tally: Tally): string {
  if (phase === 'Pending') return 'There is no daemon set yet.';
  if (tally.initializing.length > 0) {
    return `${tally.initializing.length} of ${world.selected} nodes have still to make their baseline: ${some(tally.initializing)}.`;
  }
  if (!isRolledOut(world)) {
    return `${world.daemonSet?.status?.numberReady ?? 0} of ${world.selected} daemons are ready and up to date.`;
  }
  return `A re-initialisation waits for nodes that are held: ${some(tally.held)}.`;
}

function configurationValid({ configuration }: StatusWorld): Statement {
  const type = 'ConfigurationValid';
  if (configuration.refused !== undefined) {
    const message = `${configuration.refused} ${configuration.description}`;
    return { type, status: 'False', reason: 'Refused', message };
  }
  if (configuration.missing !== undefined) {
    const message = `${configuration.missing} ${configuration.description}`;
    return { type, status: 'False', reason: 'Missing', message };
  }
  if (configuration.notes && configuration.notes.length > 0) {
    const message = `${configuration.description} To be known of it: ${configuration.notes.join('. ')}.`;
    return { type, status: 'True', reason: 'Warnings', message };
  }
  return { type, status: 'True', reason: 'Valid', message: configuration.description };
}

function some(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** Puts the time to a condition: that of the last change of its status. */
function stamp(
  statement: Statement,
  standing: readonly Condition[],
  generation: number | undefined,
  now: Date,
): Condition {
  const before = standing.find(({ type }) => type === statement.type);
  const isSame = before?.status === statement.status;
  return {
    ...statement,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: isSame ? before.lastTransitionTime : now.toISOString(),
  };
}
