import { isDeepStrictEqual } from 'node:util';
import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Condition } from '../../api/condition.ts';
import type { FileIntegrity, FileIntegrityStatus, Phase } from '../../api/fileintegrity.ts';
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
  /** Nodes that cannot be watched, because the name of their status belongs to something else. */
  readonly taken: readonly string[];
  /** A re-init request is under way. */
  readonly reinit: boolean;
  readonly configuration: {
    readonly refused?: string;
    readonly missing?: string;
    /** What the user should know of a configuration that is in use. */
    readonly notes?: readonly string[];
    /** What was carried over in other words. */
    readonly remarks?: readonly string[];
    readonly description: string;
  };
  readonly now: Date;
}

/** A status as the operator writes it: whole, with its own conditions and no others. */
export type OwnStatus = FileIntegrityStatus & Required<Pick<FileIntegrityStatus, 'phase' | 'conditions'>>;

export function planStatus(world: StatusWorld): OwnStatus {
  const tally = count(world);
  const phase = tellPhase(world, tally);
  const wanted = [ready(world, phase, tally), progressing(world, phase, tally), configurationValid(world)];
  return statusOf(world.integrity, phase, wanted, world.now);
}

/** The status of a FileIntegrity for which nothing can be done. What was known of it before stays. */
export function planTrouble(integrity: FileIntegrity, reason: string, message: string, now: Date): OwnStatus {
  const standing = (integrity.status?.conditions ?? []).filter(({ type }) => type !== 'Ready' && OWN_TYPES.has(type));
  const ready = { type: 'Ready', status: 'False', reason, message } as const;
  return statusOf(integrity, 'Error', [ready, ...standing], now);
}

const OWN_TYPES: ReadonlySet<string> = new Set(['Ready', 'Progressing', 'ConfigurationValid']);

function statusOf(
  { metadata: { generation }, status }: FileIntegrity,
  phase: Phase,
  statements: readonly Statement[],
  now: Date,
): OwnStatus {
  return {
    phase,
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: statements.map((statement) => stamp(statement, status?.conditions ?? [], generation, now)),
  };
}

/** Whether a status says all this already. Conditions of others do not count. */
export function says(actual: FileIntegrityStatus, wanted: OwnStatus): boolean {
  const own = (actual.conditions ?? []).filter(({ type }) => OWN_TYPES.has(type));
  const inOrder = (conditions: readonly Condition[]) =>
    [...conditions].sort((one, other) => (one.type < other.type ? -1 : 1));
  return (
    actual.phase === wanted.phase &&
    actual.observedGeneration === wanted.observedGeneration &&
    isDeepStrictEqual(inOrder(own), inOrder(wanted.conditions))
  );
}

interface Tally {
  readonly errored: readonly string[];
  /** Nodes whose baseline order is not carried out, held ones left out: they cannot. */
  readonly initializing: readonly string[];
  /** Nodes whose last scan could not be done, and that have a newer baseline: the next scan will tell. */
  readonly unproven: readonly string[];
  readonly failed: readonly string[];
  readonly held: readonly string[];
}

function count({ statuses }: StatusWorld): Tally {
  const names = (which: (status: StatusWorld['statuses'][number]) => boolean) =>
    statuses.filter(which).map(({ nodeName }) => nodeName);
  return {
    errored: names((status) => isErrored(status) && !isStale(status)),
    initializing: names((status) => isPending(status) && !status.orders?.hold),
    unproven: names((status) => isErrored(status) && isStale(status) && !isPending(status) && !status.orders?.hold),
    failed: names((status) => status.lastResult?.condition === 'Failed'),
    held: names((status) => status.orders?.hold !== undefined),
  };
}

function isErrored({ lastResult }: Pick<FileIntegrityNodeStatus, 'lastResult'>): boolean {
  return lastResult?.condition === 'Errored';
}

function isPending({ orders, baseline }: Pick<FileIntegrityNodeStatus, 'orders' | 'baseline'>): boolean {
  return orders !== undefined && baseline?.orderId !== orders.baseline.id;
}

/**
 * The last result is older than the baseline, or than the order to make one: what it says may be over. With the baseline,
 * both times are by the node's clock.
 */
function isStale(status: Pick<FileIntegrityNodeStatus, 'orders' | 'baseline' | 'lastResult'>): boolean {
  const since = isPending(status) ? status.orders?.baseline.requestedAt : status.baseline?.createdAt;
  return Date.parse(status.lastResult?.lastProbeTime ?? '') < Date.parse(since ?? '');
}

function tellPhase(world: StatusWorld, tally: Tally): Phase {
  if (!world.daemonSet) return 'Pending';
  if (world.configuration.refused !== undefined || tally.errored.length > 0) return 'Error';
  return isUnderWay(world, tally) ? 'Initializing' : 'Active';
}

function isUnderWay(world: StatusWorld, { initializing, unproven }: Tally): boolean {
  return world.reinit || initializing.length > 0 || unproven.length > 0 || !isRolledOut(world);
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
  const no = (reason: string, message: string): Statement => ({ type, status: 'False', reason, message });
  if (world.taken.length > 0) {
    const message = `Not watched, because the names of their node statuses belong to something else: ${some(world.taken)}.`;
    return no('NameTaken', message);
  }
  switch (phase) {
    case 'Active':
      if (world.selected === 0) return no('NoNodes', 'No node is selected: nothing is watched.');
      return { type, status: 'True', reason: 'Active', message: watched(world, tally) };
    case 'Error': {
      if (world.configuration.refused !== undefined) {
        return no('Error', 'The configuration was refused; see the condition ConfigurationValid.');
      }
      const { errored } = tally;
      return no('Error', `${errored.length} of ${nodes(world.selected)} could not be scanned: ${some(errored)}.`);
    }
    case 'Initializing':
    case 'Pending':
      return no(phase, whyNotYet(world, phase, tally));
  }
}

/** A node that is held is not scanned: that must not look like a node without findings. */
function watched({ selected }: StatusWorld, { failed, held }: Tally): string {
  const all = `${selected === 1 ? 'The one node is' : `All ${selected} nodes are`} watched.`;
  const found = failed.length > 0 ? ` Changed files: ${some(failed)}.` : '';
  const idle = held.length > 0 ? ` Held, and not scanned: ${some(held)}.` : '';
  return `${all}${found}${idle}`;
}

function progressing(world: StatusWorld, phase: Phase, tally: Tally): Statement {
  const type = 'Progressing';
  if (phase !== 'Pending' && !isUnderWay(world, tally))
    return { type, status: 'False', reason: 'Settled', message: 'Nothing is under way.' };
  const reason = phase === 'Pending' ? 'Pending' : 'Initializing';
  return { type, status: 'True', reason, message: whyNotYet(world, phase, tally) };
}

function whyNotYet(world: StatusWorld, phase: Phase, tally: Tally): string {
  if (phase === 'Pending') return 'There is no daemon set yet.';
  if (tally.initializing.length > 0) {
    return `The baseline is still to be made on ${tally.initializing.length} of ${nodes(world.selected)}: ${some(tally.initializing)}.`;
  }
  if (!isRolledOut(world)) {
    const count = world.daemonSet?.status?.numberReady ?? 0;
    return `The daemon is ready and up to date on ${count} of ${nodes(world.selected)}.`;
  }
  if (tally.unproven.length > 0) return `The scan after the new baseline is still to come: ${some(tally.unproven)}.`;
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
  const { description, notes = [], remarks = [] } = configuration;
  const warnings = notes.length > 0 ? ` To be known of it: ${notes.join('. ')}.` : '';
  const changes = remarks.length > 0 ? ` Carried over in other words: ${remarks.join('. ')}.` : '';
  const reason = notes.length > 0 ? 'Warnings' : 'Valid';
  return { type, status: 'True', reason, message: `${description}${warnings}${changes}` };
}

function nodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
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
