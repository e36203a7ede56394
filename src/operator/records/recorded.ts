import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { OWNER_LABEL, RECORD_KEY, RECORD_LABEL } from '../../api/keys.ts';
import { labelValue } from '../../api/names.ts';
import { keyOf } from '../../kube/informer.ts';
import { configMaps } from '../../kube/resources.ts';
import type { Tools } from '../tools.ts';
import { DEPARTED, kindOf } from './record.ts';

/** The numbers of kept failures that a record refers to, by node. */
type References = ReadonlyMap<string, readonly number[]>;

/** Why a kept failure is on record: a person asked for it, or a node was updated, which it can bring about itself. */
type Why = 'asked' | 'update';

/**
 * Which kept failures the records of a FileIntegrity refer to. A record never changes: each is read once, when something is to
 * go for the first time, and of it no more is kept than the numbers.
 */
export class RecordedFailures {
  readonly #tools: Pick<Tools, 'client' | 'stores'>;
  /** By the record's `namespace/name`, and its uid. */
  readonly #read = new Map<string, Promise<References>>();

  constructor(tools: Pick<Tools, 'client' | 'stores'>) {
    this.#tools = tools;
    tools.stores.configMaps.onChange(({ type, object }) => {
      if (type === 'deleted') this.#read.delete(idOf(object));
    });
  }

  /** The numbers of the kept failures of a node that the records of this FileIntegrity refer to. */
  async of(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    node: string,
    signal: AbortSignal,
  ): Promise<Map<number, Why>> {
    const numbers = new Map<number, Why>();
    for (const record of [...this.#tools.stores.configMaps.list()]) {
      const { labels = {}, namespace: where } = record.metadata ?? {};
      if (where !== namespace || !(RECORD_LABEL in labels) || labels[OWNER_LABEL] !== labelValue(name)) continue;
      const kind = kindOf(record);
      if (kind === DEPARTED) continue;
      for (const number of (await this.#of(record, name, signal)).get(node) ?? []) {
        if (kind === '') numbers.set(number, 'asked');
        else if (!numbers.has(number)) numbers.set(number, 'update');
      }
    }
    return numbers;
  }

  /** Nodes that ask at once wait for the same reading. */
  #of(record: ConfigMap, integrity: string, signal: AbortSignal): Promise<References> {
    const id = idOf(record);
    const known = this.#read.get(id);
    if (known) return known;
    const { name = '', namespace = '' } = record.metadata ?? {};
    const reading = this.#tools.client
      .find(configMaps, { namespace, name }, { signal })
      .then((found) => referencesIn(found?.data?.[RECORD_KEY], integrity));
    this.#read.set(id, reading);
    reading.catch(() => this.#read.delete(id));
    return reading;
  }
}

function idOf(record: ConfigMap): string {
  return `${keyOf(record)} ${record.metadata?.uid}`;
}

interface Reference {
  readonly node?: unknown;
  readonly keptFailure?: { readonly sequence?: unknown };
  readonly accepted?: { readonly kept?: { readonly sequence?: unknown } };
}

/**
 * What a record refers to. What cannot be read refers to nothing.
 * @param integrity whose record it has to be, if that counts
 */
export function referencesIn(text: string | undefined, integrity?: string): References {
  const references = new Map<string, number[]>();
  try {
    const { fileIntegrity, nodes } = JSON.parse(text ?? '') as { fileIntegrity?: unknown; nodes?: unknown };
    // Names that are cut for a label can meet.
    if ((integrity !== undefined && fileIntegrity !== integrity) || !Array.isArray(nodes)) return references;
    for (const { node, keptFailure, accepted } of nodes as readonly Reference[]) {
      const numbers = [keptFailure?.sequence, accepted?.kept?.sequence].filter((each) => typeof each === 'number');
      if (typeof node === 'string' && numbers.length > 0) references.set(node, numbers);
    }
  } catch {
    // no record of this operator
  }
  return references;
}
