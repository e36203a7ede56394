import type { Condition } from '../../api/condition.ts';
import type { NodeCounts } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Statement } from '../conditions.ts';
import { countNodes, someNodes } from '../words.ts';

/** What the nodes of a FileIntegrity are, as their statuses say it. */
export interface SummaryWorld {
  readonly statuses: readonly SummedNode[];
  /** Of the nodes that were watched and are not selected any more. */
  readonly kept: readonly SummedNode[];
  /** Nodes that were never watched, because of their taints. */
  readonly notTolerated: readonly string[];
  /** Nodes that are selected and cannot be watched. */
  readonly taken: readonly string[];
}

type SummedNode = Pick<FileIntegrityNodeStatus, 'nodeName' | 'state' | 'status' | 'unselected' | 'lastResult'>;

/** How many nodes are in which state. One of which nothing is said yet has its baseline still to come. */
export function countStates({ statuses, kept, taken, notTolerated }: SummaryWorld): NodeCounts {
  const states = [
    ...statuses.map(({ state = 'Initializing' }) => (state === 'Unwatched' ? 'Initializing' : state)),
    ...kept.map(({ state }) => (state === 'Failed' ? state : 'Unwatched')),
  ];
  const count = (wanted: (typeof states)[number]) => states.filter((state) => state === wanted).length;
  return {
    selected: statuses.length + taken.length,
    watched: statuses.filter((status) => conditionOf(status, 'Ready')?.status === 'True').length,
    succeeded: count('Succeeded'),
    failed: count('Failed'),
    errored: count('Errored'),
    initializing: count('Initializing'),
    held: count('Held'),
    silent: count('Silent'),
    unwatched: count('Unwatched') + taken.length,
    deselected: kept.length,
    notTolerated: notTolerated.length,
  };
}

/** What the conditions of the nodes come to: False when one node's is, else Unknown when one node's is, else True. */
export function summarize(world: SummaryWorld): Statement[] {
  return [
    withUnseen(
      world,
      summary(world, 'IntegrityHeld', {
        reasons: [...BASELINE_FAULTS, 'Changed', 'Errored', 'PartlyUnseen', 'NotScanned'],
        allWell: ['NoChanges', 'no difference from the baseline was found'],
        unsaid: 'NotScanned',
        taken: 'Unknown',
      }),
    ),
    summary(world, 'Fresh', {
      reasons: [...NOT_WATCHED, 'Late', 'Errored', 'HeldTooLong', 'SuspendedTooLong', 'Held', 'Suspended'],
      allWell: ['Scanned', 'the newest scan is recent enough'],
      unsaid: 'NotScanned',
      // What is not watched is silent.
      taken: 'False',
    }),
    summary(world, 'BaselineTrusted', {
      reasons: [...BASELINE_FAULTS, 'Pending', 'Adopted'],
      allWell: ['Recorded', 'the receipt of the baseline is on record'],
      unsaid: 'Pending',
      taken: 'Unknown',
    }),
  ];
}

/** What is not seen and was not at the baseline stays in sight where all is well but for that. */
function withUnseen({ statuses }: SummaryWorld, statement: Statement): Statement {
  const nodes = statuses.filter(({ lastResult }) => lastResult?.unseen).map(({ nodeName }) => nodeName);
  if (statement.status !== 'True' || nodes.length === 0) return statement;
  const message = `${statement.message} Not all could be read, as at the baseline, on ${countNodes(nodes.length)}: ${someNodes(nodes)}.`;
  return { ...statement, message };
}

const BASELINE_FAULTS = ['BaselineReplaced', 'BaselineMissing', 'BaselineDamaged', 'BaselineUnordered'];
const NOT_WATCHED = [
  'NameTaken',
  'Deselected',
  'NotTolerated',
  'DaemonMissing',
  'DaemonNotScheduled',
  'DaemonNotRunning',
  'DaemonOutOfMemory',
  'NodeNotReady',
];

interface Summary {
  /** In the order in which they are named; the first one there is the reason of the whole. */
  readonly reasons: readonly string[];
  /** Reason and words when it is True of every node. */
  readonly allWell: readonly [string, string];
  /** The reason of a node of which nothing is said yet. */
  readonly unsaid: string;
  /** What it is of nodes that cannot be watched. */
  readonly taken: Statement['status'];
}

function summary({ statuses, kept, taken }: SummaryWorld, type: string, words: Summary): Statement {
  const counted = [...statuses, ...kept.filter((status) => counts(status, type))];
  const nodes = [
    ...counted.map((status) => {
      const { status: value, reason } = conditionOf(status, type) ?? { status: 'Unknown', reason: words.unsaid };
      return { node: status.nodeName, value, reason };
    }),
    ...taken.map((node) => ({ node, value: words.taken, reason: 'NameTaken' })),
  ];
  if (nodes.length === 0) return { type, status: 'Unknown', reason: 'NoNodes', message: 'No node is watched.' };
  const status = (['False', 'Unknown'] as const).find((value) => nodes.some((node) => node.value === value)) ?? 'True';
  if (status === 'True') {
    const [reason, sentence] = words.allWell;
    return { type, status, reason, message: `${countNodes(nodes.length)}: ${sentence}.` };
  }
  const groups = byReason(
    nodes.filter(({ value }) => value === status),
    words.reasons,
  );
  return { type, status, reason: groups[0]?.[0] ?? status, message: `${told(groups, nodes.length)}.` };
}

/** A node that the FileIntegrity does not ask for any more need not be well; but what was found on it does not go so. */
function counts(status: SummedNode, type: string): boolean {
  if (status.unselected?.reason !== 'SpecChanged') return true;
  return type === 'IntegrityHeld' && conditionOf(status, type)?.status === 'False';
}

/** `2 of 5 nodes: Late (a), Held (b)` */
export function told(groups: readonly [reason: string, nodes: readonly string[]][], total: number): string {
  const count = groups.reduce((sum, [, nodes]) => sum + nodes.length, 0);
  return `${count} of ${countNodes(total)}: ${groups.map(([reason, nodes]) => `${reason} (${someNodes(nodes)})`).join(', ')}`;
}

/** The nodes by reason, in the order of `reasons`; others behind them. */
export function byReason(
  nodes: readonly { readonly node: string; readonly reason: string }[],
  reasons: readonly string[],
): [reason: string, nodes: string[]][] {
  const groups = Map.groupBy(nodes, ({ reason }) => reason);
  const place = (reason: string) => (reasons.includes(reason) ? reasons.indexOf(reason) : reasons.length);
  return [...groups]
    .map(([reason, members]): [string, string[]] => [reason, members.map(({ node }) => node)])
    .sort(([one], [other]) => place(one) - place(other) || (one < other ? -1 : 1));
}

/** The conditions of statuses by type, as the store has them: of a fleet they are asked for thousands of times. */
const BY_TYPE = new WeakMap<object, ReadonlyMap<string, Condition>>();

export function conditionOf({ status }: Pick<FileIntegrityNodeStatus, 'status'>, type: string): Condition | undefined {
  const { conditions } = status ?? {};
  if (!conditions) return undefined;
  const known = BY_TYPE.get(conditions) ?? new Map(conditions.map((condition) => [condition.type, condition]));
  BY_TYPE.set(conditions, known);
  return known.get(type);
}
