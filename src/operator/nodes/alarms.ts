import type { Condition } from '../../api/condition.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import type { NodeStatusFields } from '../../api/nodestatus.ts';
import type { Hold } from '../../api/protocol.ts';
import type { ObjectMeta } from '../../kube/types.ts';
import { countNodes, someNodes } from '../words.ts';

/** What has become of a node that somebody should hear of. */
export interface Alarm {
  /** Of the event. */
  readonly reason: keyof typeof SENTENCES;
  /** The condition's reason, and who is behind it; the same for all nodes of one event. */
  readonly why: string;
}

const SENTENCES = {
  NodeNotFresh: 'No scan is recent enough',
  NodeHeldTooLong: 'Held for longer than spec.holdLimit allows',
  FreshForLong: 'A scan counts for longer than a day',
} as const;

/** What is new in a node's conditions and worth a warning. What a scan found is told where it is taken in. */
export function alarmsOf(
  before: readonly Condition[] | undefined,
  after: readonly Condition[],
  hold: Hold | undefined,
): Alarm[] {
  const was = (type: string) => before?.find((condition) => condition.type === type);
  return after.flatMap(({ type, status, reason }): Alarm[] => {
    if (status !== 'False') return [];
    if (type === 'Ready') {
      const isNews = reason.endsWith('TooLong') && was(type)?.reason !== reason;
      return isNews ? [{ reason: 'NodeHeldTooLong', why: `${reason}, by ${hold?.owner ?? 'unknown'}` }] : [];
    }
    return type === 'Fresh' && was(type)?.status !== 'False' ? [{ reason: 'NodeNotFresh', why: reason }] : [];
  });
}

/** From when until when a scan counts. */
type Lasting = Pick<NodeStatusFields, 'freshness' | 'freshUntil'>;

const LONG_MS = 24 * 60 * 60 * 1000;

/** That a scan counts for longer than a day from now on: a node looks fresh all that time, whatever becomes of it. */
export function lastsLong(before: Lasting, after: Lasting): Alarm[] {
  const [was, is] = [lastingMs(before), lastingMs(after)];
  // That of a node whose scans take long varies.
  if (!(is > LONG_MS) || is <= Math.max(LONG_MS, 1.25 * was)) return [];
  const hour = 60 * 60 * 1000;
  const until = new Date(Math.ceil(Date.parse(after.freshUntil ?? '') / hour) * hour).toISOString();
  return [{ reason: 'FreshForLong', why: `until ${until.slice(0, 16)}Z` }];
}

function lastingMs({ freshness, freshUntil }: Lasting): number {
  const ms = Date.parse(freshUntil ?? '') - Date.parse(freshness?.since ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}

/** Tells the alarms that come close together as one, with the nodes in it: a thousand nodes make no thousand events. */
export class Alarms {
  readonly #tell: (integrity: FileIntegrity, reason: string, message: string) => void;
  readonly #waitMs: number;
  readonly #groups = new Map<string, { integrity: FileIntegrity; alarm: Alarm; nodes: Set<string> }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param waitMs how long the first of a group waits for others */
  constructor(tell: (integrity: FileIntegrity, reason: string, message: string) => void, waitMs: number) {
    this.#tell = tell;
    this.#waitMs = waitMs;
  }

  add(integrity: FileIntegrity, node: string, alarms: readonly Alarm[]): void {
    for (const alarm of alarms) {
      const key = JSON.stringify([uidOf(integrity), alarm.reason, alarm.why]);
      const group = this.#groups.get(key) ?? { integrity, alarm, nodes: new Set<string>() };
      group.nodes.add(node);
      this.#groups.set(key, group);
      this.#timer ??= setTimeout(() => this.flush(), this.#waitMs);
    }
  }

  /** Tells all that waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { integrity, alarm, nodes } of this.#groups.values()) {
      const names = [...nodes];
      const message = `${SENTENCES[alarm.reason]} (${alarm.why}), on ${countNodes(names.length)}: ${someNodes(names)}.`;
      this.#tell(integrity, alarm.reason, message);
    }
    this.#groups.clear();
  }
}

function uidOf({ metadata }: { metadata: ObjectMeta }): string {
  return metadata.uid ?? '';
}
