import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { PART_LABEL } from '../../../api/keys.ts';
import { isKept } from '../../../evidence/kept.ts';
import type { Informer } from '../../../kube/informer.ts';
import { firstName } from './slot.ts';

/** Finds the parts of a node's message without looking at those of all the others. */
export class Inbox {
  /** By `namespace/name` of the first config map, then by number. */
  readonly #parts = new Map<string, Map<number, ConfigMap>>();

  constructor(configMaps: Pick<Informer<ConfigMap>, 'onChange'>) {
    configMaps.onChange(({ type, object }) => {
      const part = placeOf(object);
      if (!part) return;
      const { key, number } = part;
      const there = this.#parts.get(key) ?? new Map<number, ConfigMap>();
      if (type === 'deleted') there.delete(number);
      else there.set(number, object);
      if (there.size > 0) this.#parts.set(key, there);
      else this.#parts.delete(key);
    });
  }

  /** @param key `namespace/name` of the first config map, which need not be there */
  partsOf(key: string): ReadonlyMap<number, ConfigMap> {
    return this.#parts.get(key) ?? new Map();
  }
}

function placeOf(object: ConfigMap): { key: string; number: number } | undefined {
  const { namespace, name, labels = {} } = object.metadata ?? {};
  const text = labels[PART_LABEL] ?? '';
  const first = firstName(object);
  if (!/^[1-9]\d{0,8}$/.test(text) || first === name || isKept(object)) return undefined;
  return { key: `${namespace}/${first}`, number: Number(text) };
}
