import { DEFAULT_HOLD_LIMIT_SECONDS, type FileIntegrity, type NodeCounts } from '../../api/fileintegrity.ts';
import { type FileIntegrityNodeStatus, NODE_STATES, type NodeState } from '../../api/nodestatus.ts';
import type { BaselineFault } from '../../api/protocol.ts';
import { bounded } from '../bounds.ts';
import { INTEGRITY_CONDITIONS } from '../conditions.ts';
import { baselineFaultOf, isFailing } from '../nodes/failure.ts';

/** One FileIntegrity's node as the gauges show it. */
export interface NodeFacts {
  readonly integrity: string;
  readonly node: string;
  /** Its last result is Failed. */
  readonly failed: boolean;
  /** It has findings that no scan has found gone, and nobody has accepted. */
  readonly stands: boolean;
  /** When its newest result was obtained; undefined before the first. */
  readonly scannedAt: Date | undefined;
  readonly state: NodeState;
  /** Undefined while the first scan is to come and not overdue. */
  readonly fresh: boolean | undefined;
  /** The receipt of its baseline is on record, and nothing speaks against it. */
  readonly trusted: boolean;
  readonly fault: BaselineFault | undefined;
  /** How much the last scan did not see; undefined where there was none, or it could not be done. */
  readonly unseen: { readonly count: number; readonly sinceBaseline: number } | undefined;
  /** It was watched and is not any more, though its FileIntegrity did not change. */
  readonly unwatched: boolean;
  readonly hold: { readonly reason: string; readonly owner: string | undefined; readonly since: Date } | undefined;
}

/** What the newest conditions of a node say, and whether that still counts: an operator that hangs must not look well. */
export function nodeFactsOf(status: FileIntegrityNodeStatus, integrity: string, now: Date): NodeFacts {
  const { nodeName: node, lastResult, state, freshUntil, orders, unselected } = status;
  const isUnasked = unselected?.reason === 'SpecChanged';
  const { conditions = [] } = status.status ?? {};
  const said = (wanted: string) => conditions.find(({ type }) => type === wanted)?.status;
  const isOver = Date.parse(freshUntil ?? '') <= now.getTime();
  const hold = unselected ? undefined : orders?.hold;
  return {
    integrity,
    node,
    failed: lastResult?.condition === 'Failed',
    stands: isFailing(status),
    scannedAt: lastResult && new Date(lastResult.lastProbeTime),
    state: state ?? 'Initializing',
    unwatched: unselected !== undefined && !isUnasked,
    fresh: isUnasked ? undefined : { True: !isOver, False: false, Unknown: undefined }[said('Fresh') ?? 'Unknown'],
    trusted: said('BaselineTrusted') === 'True',
    fault: baselineFaultOf(status),
    unseen: lastResult && lastResult.condition !== 'Errored' ? (lastResult.unseen ?? SEES_ALL) : undefined,
    hold: hold && { reason: hold.reason, owner: hold.owner, since: timeOf(hold.since) },
  };
}

const SEES_ALL = { count: 0, sinceBaseline: 0 };

/** A hold of which nobody knows since when has lasted for ever. */
function timeOf(text: string): Date {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? new Date(0) : time;
}

/** A FileIntegrity as the gauges show it. */
export interface IntegrityFacts {
  readonly integrity: string;
  readonly holdLimitSeconds: number;
  /** By type; those that are the operator's. */
  readonly conditions: readonly (readonly [type: string, status: string])[];
  /** How many nodes, by what they are. */
  readonly nodes: readonly (readonly [state: string, count: number])[];
}

const COUNTS: Readonly<Record<keyof NodeCounts, string>> = {
  selected: 'Selected',
  watched: 'Watched',
  deselected: 'Deselected',
  notTolerated: 'NotTolerated',
  ...(Object.fromEntries(NODE_STATES.map((state) => [state.toLowerCase(), state])) as Record<
    Lowercase<NodeState>,
    NodeState
  >),
};

/** @param longestPause see `bounded` */
export function integrityFactsOf({ metadata, spec, status }: FileIntegrity, longestPause: number): IntegrityFacts {
  const { conditions = [], nodes } = status ?? {};
  const known = conditions.filter(({ type }) => INTEGRITY_CONDITIONS.has(type));
  const counts = Object.entries(COUNTS) as [keyof NodeCounts, string][];
  return {
    integrity: metadata.name ?? '',
    // One that was stored before there was a limit has none.
    holdLimitSeconds: bounded(spec, longestPause).spec.holdLimit ?? DEFAULT_HOLD_LIMIT_SECONDS,
    conditions: known.map(({ type, status: says }) => [type, says] as const),
    nodes: nodes === undefined ? [] : counts.map(([field, state]) => [state, nodes[field] ?? 0] as const),
  };
}
