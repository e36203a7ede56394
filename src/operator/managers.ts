import type { ObjectMeta } from '../kube/types.ts';

/** What of an object's metadata a field manager is looked up for. */
export type Owned = 'annotations' | 'labels';

/**
 * The field manager that an annotation or a label is recorded for. It is what a client calls itself (a user agent, as a
 * rule), and no proof of who it was: the API server records which client wrote, not which user.
 */
export function managerOf({ managedFields }: ObjectMeta, what: Owned, key: string): string | undefined {
  for (const entry of managedFields ?? []) {
    const { manager, fieldsV1 } = entry as { manager?: unknown; fieldsV1?: Record<string, Record<string, unknown>> };
    const keys = fieldsV1?.['f:metadata']?.[`f:${what}`];
    if (typeof manager === 'string' && typeof keys === 'object' && keys && `f:${key}` in keys) return manager;
  }
  return undefined;
}

/**
 * The field manager that wrote last of those that are recorded for one of some fields, such as `data` and `aide.conf`; no
 * more a proof of who it was than `managerOf`.
 */
export function lastManagerOf(
  { managedFields }: ObjectMeta,
  within: readonly string[],
  fields: readonly string[],
): string | undefined {
  const owners = (managedFields ?? []).flatMap((entry) => {
    const { manager, time = '', fieldsV1 } = entry as { manager?: unknown; time?: string; fieldsV1?: unknown };
    const found = within.reduce<unknown>(
      (at, key) => (at as Record<string, unknown> | undefined)?.[`f:${key}`],
      fieldsV1,
    );
    if (typeof manager !== 'string' || typeof found !== 'object' || found === null) return [];
    return fields.some((field) => `f:${field}` in found) ? [{ manager, time: String(time) }] : [];
  });
  return owners.sort((one, other) => (one.time < other.time ? -1 : 1)).at(-1)?.manager;
}

/** Of what is recorded about field managers, those of some annotations and labels: the rest is the larger part of a node. */
export function onlyManagersOf(
  { managedFields }: ObjectMeta,
  wanted: (key: string) => boolean,
): NonNullable<ObjectMeta['managedFields']> {
  return (managedFields ?? []).flatMap((entry) => {
    const { manager, fieldsV1 } = entry as { manager?: string; fieldsV1?: Record<string, Record<string, unknown>> };
    const metadata = fieldsV1?.['f:metadata'] ?? {};
    const kept = Object.entries(metadata).flatMap(([part, keys]) => {
      if (part !== 'f:annotations' && part !== 'f:labels') return [];
      const names = Object.keys((keys ?? {}) as object).filter((key) => wanted(key.slice(2)));
      return names.length > 0 ? [[part, Object.fromEntries(names.map((name) => [name, {}]))]] : [];
    });
    return kept.length > 0
      ? [{ ...(manager && { manager }), fieldsV1: { 'f:metadata': Object.fromEntries(kept) } }]
      : [];
  });
}

/** When an object was last written, by the clock of the API server; undefined where nothing is recorded. */
export function writtenAt(metadata: ObjectMeta | undefined): string | undefined {
  const times = (metadata?.managedFields ?? []).map((entry) => (entry as { time?: unknown } | null)?.time);
  return times
    .filter((time) => typeof time === 'string')
    .sort()
    .at(-1);
}

/** Of what is recorded about field managers, when the last of them wrote. */
export function onlyTimeOf(metadata: ObjectMeta): NonNullable<ObjectMeta['managedFields']> {
  const time = writtenAt(metadata);
  return time === undefined ? [] : [{ time }];
}
