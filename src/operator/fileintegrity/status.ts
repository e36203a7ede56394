import { isDeepStrictEqual } from 'node:util';
import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import type { FileIntegrity, FileIntegrityStatus, Phase, ReinitOnce } from '../../api/fileintegrity.ts';
import { FORGET_ANNOTATION, HOLDOFF_ANNOTATION } from '../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { printable } from '../../lib/text.ts';
import { admissionEnforced, type Standing } from '../admission/standing.ts';
import { INTEGRITY_CONDITIONS, type Statement, sayAlready, stamp } from '../conditions.ts';
import { CANNOT_READ } from '../nodes/blind.ts';
import { isFailing } from '../nodes/failure.ts';
import { holdoffList } from '../orders/orders.ts';
import { countNodes, someNodes } from '../words.ts';
import { byReason, conditionOf, countStates, summarize, told } from './summary.ts';

/** What phase and conditions of a FileIntegrity are told by. */
export interface StatusWorld {
  readonly integrity: FileIntegrity;
  readonly daemonSet: DaemonSet | undefined;
  /** Whether the daemon set in the cluster is what the operator wants. */
  readonly daemonSetIsCurrent: boolean;
  /** Statuses of the watched nodes as they will be: with their new orders. */
  readonly statuses: readonly WatchedNode[];
  /** Of the nodes that were watched and are not selected any more. */
  readonly kept: readonly WatchedNode[];
  /** Nodes that the selector fits, and that were never watched because of their taints. */
  readonly notTolerated: readonly string[];
  /** Watched nodes, with a status or not. */
  readonly selected: number;
  /** Nodes that cannot be watched, because the name of their status belongs to something else. */
  readonly taken: readonly string[];
  /** The nodes that other FileIntegrities watch, too, by the other's name. */
  readonly shared: ReadonlyMap<string, readonly string[]>;
  /** What the operator leads without having read it, in a sentence. */
  readonly unread?: string;
  /** A re-init request is under way. */
  readonly reinit: boolean;
  readonly configuration: {
    readonly refused?: string;
    readonly missing?: string;
    /** What the user should know of a configuration that is in use. */
    readonly notes?: readonly string[];
    /** What was carried over in other words. */
    readonly remarks?: readonly string[];
    /** Rules that have nothing on any node. */
    readonly idle?: readonly string[];
    readonly description: string;
    /** What asks for more than is allowed. */
    readonly exceeded: readonly string[];
    /** What the spec asks for and cannot have, in a sentence. */
    readonly unheeded?: string;
  };
  /** The values of `re-init-once` that were taken up. */
  readonly reinitOnce: readonly ReinitOnce[];
  readonly admission?: Standing;
  readonly now: Date;
}

type WatchedNode = Pick<
  FileIntegrityNodeStatus,
  | 'nodeName'
  | 'lastResult'
  | 'results'
  | 'failure'
  | 'accepted'
  | 'freshness'
  | 'freshUntil'
  | 'baseline'
  | 'orders'
  | 'state'
  | 'status'
  | 'unselected'
>;

/** A status as the operator writes it: whole, with its own conditions and no others. */
export type OwnStatus = FileIntegrityStatus & Required<Pick<FileIntegrityStatus, 'phase' | 'nodes' | 'conditions'>>;

export function planStatus(world: StatusWorld): OwnStatus {
  const tally = count(world);
  const phase = tellPhase(world, tally);
  const stands = withUnknownHolds(world, ready(world, phase, tally));
  const valid = configurationValid(world);
  const wanted = [
    stands,
    progressing(world, phase, tally, stands),
    valid,
    ...summarize(world),
    exclusive(world),
    ...admission(world),
    ...stalled([stands, valid]),
  ];
  return statusOf(world.integrity, phase, world, wanted, world.now, world.reinitOnce);
}

/** Why nothing can be done for a FileIntegrity, and what is known all the same. */
export interface Trouble extends Pick<StatusWorld, 'admission' | 'now'> {
  readonly reason: string;
  readonly message: string;
}

/**
 * The status of a FileIntegrity for which nothing can be done. What its nodes say goes on to count; what else was known of
 * it before stays.
 */
export function planTrouble(
  integrity: FileIntegrity,
  statuses: readonly WatchedNode[],
  { reason, message, now, ...looked }: Trouble,
): OwnStatus {
  const nodes = {
    statuses: statuses.filter(({ unselected }) => !unselected),
    kept: statuses.filter(({ unselected }) => unselected),
    taken: [],
    notTolerated: [],
  };
  const stands: Statement = { type: 'Ready', status: 'False', reason, message };
  const said = [stands, ...summarize(nodes), ...admission(looked), ...stalled([stands])];
  const stays = (integrity.status?.conditions ?? []).filter(
    ({ type }) =>
      INTEGRITY_CONDITIONS.has(type) && type !== 'Stalled' && !said.some((statement) => statement.type === type),
  );
  return statusOf(integrity, 'Error', nodes, [...said, ...stays], now);
}

function statusOf(
  { metadata: { generation }, status }: FileIntegrity,
  phase: Phase,
  nodes: Pick<StatusWorld, 'statuses' | 'kept' | 'taken' | 'notTolerated'>,
  statements: readonly Statement[],
  now: Date,
  reinitOnce: readonly ReinitOnce[] = status?.reinitOnce ?? [],
): OwnStatus {
  const freshUntil = tellFreshUntil(nodes, status?.freshUntil, now);
  return {
    phase,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(freshUntil !== undefined && { freshUntil }),
    nodes: countStates(nodes),
    ...(reinitOnce.length > 0 && { reinitOnce: [...reinitOnce] }),
    conditions: statements.map((statement) => stamp(statement, status?.conditions ?? [], now, generation)),
  };
}

/**
 * Until when what is said of all nodes counts: the earliest of theirs; undefined while one has none. A scan of any node could
 * change it. What was written before is right as long as it is no later, and is replaced when half of what can be gained is:
 * a few writes in the time that a scan counts, however many nodes there are.
 */
function tellFreshUntil(
  { statuses, taken }: Pick<StatusWorld, 'statuses' | 'taken'>,
  standing: string | undefined,
  now: Date,
): string | undefined {
  const times = statuses.map(({ freshUntil }) => Date.parse(freshUntil ?? ''));
  if (taken.length > 0 || times.length === 0 || times.some(Number.isNaN)) return undefined;
  const earliest = times.reduce((one, other) => Math.min(one, other));
  const before = Date.parse(standing ?? '');
  const isEnough = before <= earliest && before - now.getTime() > earliest - before;
  return isEnough ? standing : new Date(earliest).toISOString();
}

/** When it is to be looked whether a later time can be written; undefined: not before something else happens. */
export function nextFreshUntil({ freshUntil }: Pick<OwnStatus, 'freshUntil'>, now: Date): Date | undefined {
  const left = Date.parse(freshUntil ?? '') - now.getTime();
  return left > 0 ? new Date(now.getTime() + Math.max(left / 2, 1000)) : undefined;
}

/** Whether a status says all this already. Conditions of others do not count. */
export function says(actual: FileIntegrityStatus, wanted: OwnStatus): boolean {
  return (
    actual.phase === wanted.phase &&
    actual.observedGeneration === wanted.observedGeneration &&
    actual.freshUntil === wanted.freshUntil &&
    isDeepStrictEqual(actual.reinitOnce, wanted.reinitOnce) &&
    isDeepStrictEqual(actual.nodes, wanted.nodes) &&
    sayAlready(actual.conditions, wanted.conditions, INTEGRITY_CONDITIONS)
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
  const names = (which: (status: WatchedNode) => boolean) => statuses.filter(which).map(({ nodeName }) => nodeName);
  return {
    errored: names((status) => isErrored(status) && !isStale(status)),
    initializing: names((status) => isPending(status) && !status.orders?.hold),
    unproven: names((status) => isErrored(status) && isStale(status) && !isPending(status) && !status.orders?.hold),
    failed: names(isFailing),
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

function isUnderWay(world: StatusWorld, tally: Tally): boolean {
  return isChanging(world, tally) || !isRolledOut(world);
}

/** Something is on its way to the nodes that is not there yet. */
function isChanging(world: StatusWorld, { initializing, unproven }: Tally): boolean {
  return world.reinit || initializing.length > 0 || unproven.length > 0 || !isUpToDate(world);
}

function isRolledOut(world: StatusWorld): boolean {
  const status = world.daemonSet?.status;
  if (!status || !isUpToDate(world)) return false;
  return status.numberReady >= Math.max(status.desiredNumberScheduled, world.selected);
}

/** Every daemon that there is was made of the newest daemon set. */
function isUpToDate({ daemonSet, daemonSetIsCurrent }: StatusWorld): boolean {
  const status = daemonSet?.status;
  if (!status || !daemonSetIsCurrent) return false;
  return (
    (status.observedGeneration ?? 0) >= (daemonSet.metadata?.generation ?? 0) &&
    (status.updatedNumberScheduled ?? 0) >= status.desiredNumberScheduled
  );
}

/** So long a node may be without its daemon while that is started or replaced. */
const ROLLOUT_MS = 120_000;

/** The nodes that nobody watches though nobody holds them. A hold is said elsewhere, and makes no FileIntegrity un-Ready. */
function unwatched({ statuses }: Pick<StatusWorld, 'statuses'>) {
  return statuses.flatMap((status) => {
    const ready = conditionOf(status, 'Ready');
    if (status.orders?.hold || ready?.status === 'True') return [];
    return [{ node: status.nodeName, reason: ready?.reason ?? 'NotSeen', since: ready?.lastTransitionTime }];
  });
}

/** When the next node has been without its daemon for longer than a roll-out takes; undefined: none. */
export function nextLost({ statuses, now }: Pick<StatusWorld, 'statuses' | 'now'>): Date | undefined {
  const times = unwatched({ statuses }).map(({ since }) => Date.parse(since ?? '') + ROLLOUT_MS);
  const next = Math.min(...times.filter((time) => time > now.getTime()));
  return Number.isFinite(next) ? new Date(next) : undefined;
}

function ready(world: StatusWorld, phase: Phase, tally: Tally): Statement {
  const type = 'Ready';
  const no = (reason: string, message: string): Statement => ({ type, status: 'False', reason, message });
  if (world.unread !== undefined) return no(CANNOT_READ, world.unread);
  if (world.taken.length > 0) {
    const message = `Not watched, because the names of their node statuses belong to something else: ${someNodes(world.taken)}.`;
    return no('NameTaken', message);
  }
  if (phase === 'Error') {
    if (world.configuration.refused !== undefined) {
      return no('Error', 'The configuration was refused; see the condition ConfigurationValid.');
    }
    const { errored } = tally;
    return no(
      'Error',
      `${errored.length} of ${countNodes(world.selected)} could not be scanned: ${someNodes(errored)}.`,
    );
  }
  if (phase === 'Pending') return no(phase, whyNotYet(world, phase, tally));
  const missing = unwatched(world);
  const lost = missing.filter(({ since }) => Date.parse(since ?? '') + ROLLOUT_MS <= world.now.getTime());
  const dropped = droppedOf(world.kept);
  if (lost.length + dropped.length > 0) {
    const which = told(byReason([...lost, ...dropped], []), world.selected + dropped.length);
    return no('NodesNotWatched', `${which}.${dropped.length > 0 ? NOBODY_ASKED : ''}`);
  }
  if (isChanging(world, tally) || missing.length > 0) return no('Initializing', whyNotYet(world, phase, tally));
  if (world.selected === 0) return no('NoNodes', `No node is selected: nothing is watched.${leftOut(world)}`);
  // A node that is held is said elsewhere; but of a whole of which nothing is watched nobody may read that all is well.
  if (tally.held.length === world.selected) return no('NodesHeld', watched(world, tally));
  return { type, status: 'True', reason: 'Active', message: watched(world, tally) };
}

/** A node that is held is not scanned: that must not look like a node without findings. */
function watched(world: StatusWorld, { failed, held }: Tally): string {
  const { statuses, selected } = world;
  const count = statuses.length - held.length;
  const all =
    count === selected
      ? `${count === 1 ? 'The one node is' : `All ${count} nodes are`} watched.`
      : `${count} of ${countNodes(selected)} watched.`;
  const found = failed.length > 0 ? ` Changed files: ${someNodes(failed)}.` : '';
  const idle = held.length > 0 ? ` Held, and not scanned: ${someNodes(held)}.` : '';
  return `${all}${found}${idle}${leftOut(world)}`;
}

/** What is said of an annotation `holdoff` that names an unknown node, as far as a message of `Ready` says it. */
export function unknownHoldsIn(message: string): string | undefined {
  const at = message.indexOf(UNKNOWN_HOLDS);
  return at < 0 ? undefined : message.slice(at);
}

const UNKNOWN_HOLDS = `The annotation ${HOLDOFF_ANNOTATION} names what is no node that is watched: `;

/** Whoever holds a node that is not there has mistyped another's name, which goes on. */
function withUnknownHolds({ integrity, statuses }: StatusWorld, statement: Statement): Statement {
  const list = holdoffList(integrity);
  if (!list || list.all) return statement;
  const known = new Set(statuses.map(({ nodeName }) => nodeName));
  const unknown = [...list.names].filter((name) => !known.has(name)).map((name) => printable(name, 63));
  if (unknown.length === 0) return statement;
  return { ...statement, message: `${statement.message} ${UNKNOWN_HOLDS}${someNodes(unknown)}.` };
}

const NOBODY_ASKED =
  ' Some were watched and are not selected any more, which the FileIntegrity did not ask for: put labels and taints right, ' +
  `or say that it is right by the annotation ${FORGET_ANNOTATION}.`;

/** The nodes that dropped out of sight without a change of the FileIntegrity. */
function droppedOf(kept: readonly WatchedNode[]) {
  return kept.flatMap(({ nodeName: node, unselected }) =>
    unselected && unselected.reason !== 'SpecChanged' ? [{ node, reason: unselected.reason }] : [],
  );
}

function leftOut({ notTolerated }: StatusWorld): string {
  if (notTolerated.length === 0) return '';
  return ` Not watched, because the tolerations do not admit them: ${countNodes(notTolerated.length)} (${someNodes(notTolerated)}).`;
}

/** What keeps it from being Ready and is not there yet is under way: the two say the same. */
function progressing(world: StatusWorld, phase: Phase, tally: Tally, stands: Statement): Statement {
  const type = 'Progressing';
  if (phase !== 'Pending' && !isUnderWay(world, tally) && stands.reason !== 'Initializing')
    return { type, status: 'False', reason: 'Settled', message: 'Nothing is under way.' };
  const reason = phase === 'Pending' ? 'Pending' : 'Initializing';
  return { type, status: 'True', reason, message: whyNotYet(world, phase, tally) };
}

function whyNotYet(world: StatusWorld, phase: Phase, tally: Tally): string {
  if (phase === 'Pending') return 'There is no daemon set yet.';
  if (tally.initializing.length > 0) {
    return `The baseline is still to be made on ${tally.initializing.length} of ${countNodes(world.selected)}: ${someNodes(tally.initializing)}.`;
  }
  const missing = unwatched(world);
  if (missing.length > 0) return `Not watched yet: ${told(byReason(missing, []), world.selected)}.`;
  if (!isRolledOut(world)) {
    const count = world.daemonSet?.status?.numberReady ?? 0;
    return `The daemon is ready and up to date on ${count} of ${countNodes(world.selected)}.`;
  }
  if (tally.unproven.length > 0)
    return `The scan after the new baseline is still to come: ${someNodes(tally.unproven)}.`;
  return `A re-initialisation waits for nodes that are held: ${someNodes(tally.held)}.`;
}

function configurationValid({ configuration }: StatusWorld): Statement {
  const type = 'ConfigurationValid';
  const { exceeded, unheeded } = configuration;
  const beyond = exceeded.length > 0 ? ` More than is allowed: ${exceeded.join('; ')}.` : '';
  const bounds = unheeded === undefined ? beyond : `${beyond} ${unheeded}`;
  if (configuration.refused !== undefined) {
    const message = `${configuration.refused} ${configuration.description}${bounds}`;
    return { type, status: 'False', reason: 'Refused', message };
  }
  if (configuration.missing !== undefined) {
    const message = `${configuration.missing} ${configuration.description}${bounds}`;
    return { type, status: 'False', reason: 'Missing', message };
  }
  const { description, notes = [], remarks = [], idle = [] } = configuration;
  const warnings = notes.length > 0 ? ` To be known of it: ${notes.join('. ')}.` : '';
  const changes = remarks.length > 0 ? ` Carried over in other words: ${remarks.join('. ')}.` : '';
  const without = idle.length > 0 ? ` On no node is there anything for: ${idle.join('. ')}.` : '';
  const reason = notes.length > 0 || bounds !== '' ? 'Warnings' : 'Valid';
  return { type, status: 'True', reason, message: `${description}${warnings}${changes}${without}${bounds}` };
}

/** Two on one node are no fault, but each of them costs it a scan. */
function exclusive({ shared }: StatusWorld): Statement {
  const type = 'Exclusive';
  if (shared.size === 0) {
    const message = 'No other FileIntegrity of the namespace watches its nodes.';
    return { type, status: 'True', reason: 'NoOther', message };
  }
  const others = [...shared].sort(([one], [other]) => (one < other ? -1 : 1));
  const named = others.slice(0, 5).map(([other, nodes]) => `${other} (${someNodes(nodes)})`);
  const more = others.length > 5 ? ` and ${others.length - 5} more` : '';
  const message = `Other FileIntegrities watch some of its nodes, too, and their scans take turns: ${named.join(', ')}${more}.`;
  return { type, status: 'False', reason: 'NodesShared', message };
}

/** It is the same for all of them, and none can be well without it. */
function admission({ admission: standing }: Pick<StatusWorld, 'admission'>): Statement[] {
  return standing ? [admissionEnforced(standing)] : [];
}

/** What only a person can put right. */
const NEEDS_A_PERSON: ReadonlySet<string> = new Set(['NameTaken', 'SpecInvalid', 'Refused', CANNOT_READ]);

/** There only while it is True: kstatus takes any other condition of that name for none. */
function stalled(statements: readonly Statement[]): Statement[] {
  const cause = statements.find(({ status, reason }) => status === 'False' && NEEDS_A_PERSON.has(reason));
  return cause ? [{ ...cause, type: 'Stalled', status: 'True' }] : [];
}
