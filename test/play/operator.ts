import { nodeStatuses } from '../../src/api/group.ts';
import { LOG_LABEL, OUTCOME_ANNOTATION, PARTS_ANNOTATION } from '../../src/api/keys.ts';
import { nodeStatusName, partName, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { BaselineOrder, Hold, Orders, Outcome } from '../../src/api/protocol.ts';
import type { Client } from '../../src/kube/client.ts';
import { configMaps, leases } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';

export const INTEGRITY = 'worker';
export const NODE = 'node-a';

/** The operator's side of the protocol by plain writes to the API server, for one node. */
export interface PlayedOperator {
  /** Makes the node status with the first orders, the configuration and the lease. */
  begin(configuration: { text: string; digest: string }, orders?: Pick<Orders, 'files'>): Promise<void>;
  /** With `files` the order comes with a change of them. */
  order(baseline: Pick<BaselineOrder, 'id'> & Partial<BaselineOrder> & Pick<Orders, 'files'>): Promise<void>;
  /** With `previous` the text that the node's baseline goes by stays beside it. */
  configure(configuration: { text: string; digest: string }, more?: { previous: string }): Promise<void>;
  /** Writes it, and dies before the orders name it. */
  publish(text: string, more: { previous: string }): Promise<void>;
  hold(): Promise<void>;
  release(): Promise<void>;
  settings(settings: Partial<Orders['settings']>): Promise<void>;
  /** Waits for a message, and takes it in when `fold` is left out: writes down its id, then deletes it. */
  message(what: string, options?: { fold?: false }): Promise<Outcome>;
  /** Takes in a message that was waited for. */
  fold(outcome: Outcome): Promise<void>;
  /** The message in the slot, if there is one. */
  slot(): Promise<Outcome | undefined>;
  /** Waits until the lease says something else than before. */
  heartbeat(): Promise<Outcome>;
  /** Waits for a message, which it takes in, or a renewed lease: which it is depends on how soon the last one was taken in. */
  word(what: string): Promise<Outcome>;
}

export function playOperator(client: Client, namespace: string): PlayedOperator {
  const ref = { namespace, name: nodeStatusName(INTEGRITY, NODE) };
  const slotRef = { namespace, name: resultName(INTEGRITY, NODE) };
  let lastBeat: string | undefined;

  const patch = async (object: object) => {
    await client.patch(nodeStatuses, ref, object, { type: 'merge' });
  };
  const setConfiguration = async ({ text }: { text: string }, more: { previous?: string } = {}) => {
    await client.apply(
      configMaps,
      { metadata: { namespace, name: INTEGRITY }, data: { 'aide.conf': text, ...more } },
      { fieldManager: 'test' },
    );
  };
  const slot = async () => {
    const found = await client.find(configMaps, slotRef);
    const text = found?.metadata?.annotations?.[OUTCOME_ANNOTATION];
    if (found !== undefined && found.metadata?.labels?.[LOG_LABEL] !== '') throw new Error('The log label is missing');
    return text === undefined ? undefined : (JSON.parse(text) as Outcome);
  };

  const operator: PlayedOperator = {
    async begin({ text, digest }, orders = {}) {
      await setConfiguration({ text });
      await client.create(leases, { metadata: slotRef, spec: { holderIdentity: NODE } });
      const status: FileIntegrityNodeStatus = {
        metadata: { ...ref },
        nodeName: NODE,
        orders: {
          settings: { gracePeriod: 900, maxBackups: 5, debug: false },
          configuration: { name: INTEGRITY, key: 'aide.conf', digest },
          baseline: { id: 'order-1', reason: 'Initial', requestedAt: new Date().toISOString() },
          ...orders,
        },
      };
      await client.create(nodeStatuses, status);
    },
    order({ files, ...baseline }) {
      const order = { reason: 'Demand', requestedAt: new Date().toISOString(), ...baseline };
      return patch({ orders: { baseline: order, ...(files !== undefined && { files }) } });
    },
    publish: (text, more) => setConfiguration({ text }, more),
    async configure({ text, digest }, more) {
      await setConfiguration({ text }, more);
      await patch({ orders: { configuration: { digest } } });
    },
    async hold() {
      const hold: Hold = { reason: 'Annotation', message: 'held by a test', since: new Date().toISOString() };
      await patch({ orders: { hold } });
    },
    release: () => patch({ orders: { hold: null } }),
    settings: (settings) => patch({ orders: { settings } }),
    async message(what, { fold = true } = {}) {
      let outcome: Outcome | undefined;
      await eventually(`the daemon tells ${what}`, async () => {
        outcome = await slot().catch(() => undefined);
        return outcome;
      });
      if (outcome === undefined) throw new Error('never');
      if (fold) await operator.fold(outcome);
      return outcome;
    },
    async fold(outcome) {
      await patch({
        acknowledged: outcome.id,
        ...(outcome.kind === 'baseline' && { baseline: outcome.receipt }),
      });
      const head = await client.get(configMaps, slotRef);
      const parts = Number(head.metadata?.annotations?.[PARTS_ANNOTATION] ?? '1');
      for (let number = parts; number >= 1; number -= 1) {
        await client.remove(configMaps, { namespace, name: partName(slotRef.name, number) });
      }
    },
    slot,
    async heartbeat() {
      let text: string | undefined;
      await eventually('the lease is renewed', async () => {
        const lease = await client.get(leases, slotRef);
        text = lease.metadata?.annotations?.[OUTCOME_ANNOTATION];
        return text !== undefined && text !== lastBeat && lease.spec?.renewTime !== undefined;
      });
      lastBeat = text;
      return JSON.parse(text ?? '') as Outcome;
    },
    async word(what) {
      let isMessage = false;
      let outcome: Outcome | undefined;
      await eventually(`the daemon tells ${what}`, async () => {
        outcome = await slot().catch(() => undefined);
        isMessage = outcome !== undefined;
        if (isMessage) return true;
        const text = (await client.get(leases, slotRef)).metadata?.annotations?.[OUTCOME_ANNOTATION];
        if (text === undefined || text === lastBeat) return false;
        lastBeat = text;
        outcome = JSON.parse(text) as Outcome;
        return true;
      });
      if (outcome === undefined) throw new Error('never: it was waited for');
      if (isMessage) await operator.fold(outcome);
      return outcome;
    },
  };
  return operator;
}
