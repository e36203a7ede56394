import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { FIELD_MANAGER, RECORD_KEY } from '../../api/keys.ts';
import { departedName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { keyOf } from '../../kube/informer.ts';
import { configMaps } from '../../kube/resources.ts';
import { integrityNameOf } from '../owner.ts';
import type { Tools } from '../tools.ts';
import { type DepartedNode, departedMap, departedOf, mergeDeparted, readDeparted } from './departed.ts';

/** Nodes of one FileIntegrity whose statuses went and that are written nowhere yet: more are not kept. */
const UNWRITTEN_LIMIT = 10_000;

type Integrity = { readonly namespace: string; readonly name: string };

/**
 * Keeps what is on record of nodes whose statuses go, whoever removes them: the operator itself, the garbage collector with
 * their FileIntegrity, or somebody by hand.
 */
export class Departures {
  readonly #tools: Pick<Tools, 'client' | 'stores'>;
  /** By FileIntegrity, then by node. */
  readonly #unwritten = new Map<string, Map<string, DepartedNode>>();
  /** What was read, with the version of what it was read from. */
  readonly #read = new Map<string, { version: string; nodes: readonly DepartedNode[] }>();

  constructor(tools: Pick<Tools, 'client' | 'stores'>) {
    this.#tools = tools;
    tools.stores.statuses.onChange(({ type, object }) => {
      if (type === 'deleted') this.#note(object, new Date());
    });
  }

  /** Notes the statuses that a FileIntegrity which is gone leaves behind. */
  noteAll({ namespace, name }: Integrity, now: Date): void {
    for (const status of this.#tools.stores.statuses.list()) {
      if (status.metadata.namespace === namespace && integrityNameOf(status) === name) this.#note(status, now);
    }
  }

  unwritten({ namespace, name }: Integrity): DepartedNode[] {
    return [...(this.#unwritten.get(`${namespace}/${name}`)?.values() ?? [])];
  }

  /** What is on record of departed nodes, written or not. */
  async read(integrity: Integrity, keepMs: number, now: Date, signal: AbortSignal): Promise<Map<string, DepartedNode>> {
    return mergeDeparted(await this.#written(integrity, signal), this.unwritten(integrity), keepMs, now);
  }

  /** Writes down what is new; what is there already stays as it is. */
  async write(
    integrity: Integrity,
    nodes: readonly DepartedNode[],
    keepMs: number,
    now: Date,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name } = integrity;
    const { client } = this.#tools;
    const there = await client.find(configMaps, { namespace, name: departedName(name) }, { signal });
    const merged = mergeDeparted(readDeparted(there, name), nodes, keepMs, now);
    const desired = departedMap({ namespace, name }, [...merged.values()]);
    const isSaid = there ? there.data?.[RECORD_KEY] === desired.data?.[RECORD_KEY] : merged.size === 0;
    const written = isSaid ? there : await client.apply(configMaps, desired, { fieldManager: FIELD_MANAGER, signal });
    this.#remember(`${namespace}/${departedName(name)}`, written, name);
    const key = `${namespace}/${name}`;
    const waiting = this.#unwritten.get(key);
    for (const each of nodes) if (waiting?.get(each.node) === each) waiting.delete(each.node);
    if (waiting?.size === 0) this.#unwritten.delete(key);
  }

  async #written({ namespace, name }: Integrity, signal: AbortSignal): Promise<readonly DepartedNode[]> {
    const { client, stores } = this.#tools;
    const key = `${namespace}/${departedName(name)}`;
    const version = stores.configMaps.get(key)?.metadata?.resourceVersion;
    const known = this.#read.get(key);
    // It is in no store for a moment after it was written.
    if (version === undefined || version === known?.version) return known?.nodes ?? [];
    const found = await client.find(configMaps, { namespace, name: departedName(name) }, { signal });
    return this.#remember(key, found, name);
  }

  #remember(key: string, configMap: ConfigMap | undefined, name: string): readonly DepartedNode[] {
    const nodes = readDeparted(configMap, name);
    this.#read.set(key, { version: configMap?.metadata?.resourceVersion ?? '', nodes });
    return nodes;
  }

  #note(status: FileIntegrityNodeStatus, now: Date): void {
    const name = integrityNameOf(status);
    const [departed] = departedOf(status, 'removed', now);
    if (name === undefined || !departed) return;
    const key = keyOf({ metadata: { namespace: status.metadata.namespace ?? '', name } });
    const waiting = this.#unwritten.get(key) ?? new Map<string, DepartedNode>();
    if (waiting.size < UNWRITTEN_LIMIT) waiting.set(departed.node, departed);
    this.#unwritten.set(key, waiting);
  }
}
