import { createHash } from 'node:crypto';

/** What the digest of a kept failure is made over, beside the data of its config maps. */
export interface Link {
  /** 1 for the first Failed result of the node, and one more for each. */
  readonly sequence: number;
  /** The digest of the one before; empty for the first. */
  readonly previous: string;
  readonly integrity: string;
  readonly node: string;
  /** Id of the daemon's message. */
  readonly message: string;
  /** The daemon's word on the scan, as it came; empty where there was none. */
  readonly outcome: string;
  /** Of each config map, the first included: see `dataDigest`. */
  readonly parts: readonly string[];
}

/** SHA-256, hex, of one config map's data: of each key its name, the length of its value in bytes, and the value. */
export function dataDigest(data: Readonly<Record<string, string>> = {}): string {
  const keys = Object.keys(data).sort();
  return sha256(keys.map((key) => field(key, data[key] ?? '')).join(''));
}

/** SHA-256, hex, over a kept failure and the digest of the one before it: whoever changes one changes all behind it. */
export function linkDigest({ sequence, parts, ...texts }: Link): string {
  const fields: [name: string, value: string][] = [
    ['sequence', String(sequence)],
    ['previous', texts.previous],
    ['integrity', texts.integrity],
    ['node', texts.node],
    ['message', texts.message],
    ['outcome', texts.outcome],
    ...parts.map((digest): [string, string] => ['part', digest]),
  ];
  return sha256(fields.map(([name, value]) => field(name, value)).join(''));
}

/** With its length, so that no value can be taken for two. */
function field(name: string, value: string): string {
  return `${name} ${Buffer.byteLength(value)}\n${value}\n`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A kept failure that is on record, and what was found of it. */
export interface HistoryEntry {
  readonly sequence: number;
  /** As it is on record outside the kept failure. */
  readonly digest: string;
  /** What its config maps say of the one before, and the digest that they give; undefined when they are not there. */
  readonly found: { readonly previous: string; readonly digest: string } | undefined;
}

export interface HistoryBreak {
  readonly sequence: number;
  /** `unlinked`: it says another digest of the one before than that one has on record. */
  readonly fault: 'removed' | 'changed' | 'unlinked';
}

/** What does not hold of a chain of kept failures, newest first; nothing when all is as it was written. */
export function verifyHistory(entries: readonly HistoryEntry[]): HistoryBreak[] {
  return entries.flatMap((entry, index) => {
    const fault = faultOf(entry, entries[index + 1]);
    return fault ? [{ sequence: entry.sequence, fault }] : [];
  });
}

function faultOf(
  { sequence, digest, found }: HistoryEntry,
  before: HistoryEntry | undefined,
): HistoryBreak['fault'] | undefined {
  if (!found) return 'removed';
  if (found.digest !== digest) return 'changed';
  return before?.sequence === sequence - 1 && found.previous !== before.digest ? 'unlinked' : undefined;
}
