import { carryOutBaseline } from '../baselines/baseline.ts';
import { closeBaseline } from '../baselines/closing.ts';
import { forgetMessages, keepMessage } from '../disk/spool.ts';
import type { Effect, Event } from '../machine/state.ts';
import type { AideSetup } from '../scans/aide-setup.ts';
import { scan } from '../scans/scan.ts';
import { findConfiguration, loadConfiguration } from '../sources/configuration.ts';
import { beat } from './heartbeat.ts';
import { type MessageRoute, sendMessage } from './send.ts';

type EffectOf<Type extends Effect['type']> = Extract<Effect, { type: Type }>;

/**
 * Carries out effects of this type, until the signal aborts. Comes to the one event that the state machine waits for; to none
 * only where nobody waits any more. Never throws.
 */
type Handler<Type extends Effect['type']> = (effect: EffectOf<Type>, signal: AbortSignal) => Promise<Event | undefined>;

/** What is done with AIDE: one at a time. */
export interface AideHandlers {
  scan: Handler<'scan'>;
  close: Handler<'close'>;
  baseline: Handler<'baseline'>;
}

/** What is done with the API server and with the outbox on the node's disk. */
export interface MessageHandlers {
  configure: Handler<'configure'>;
  send: Handler<'send'>;
  beat: Handler<'beat'>;
  /** `number`: the message's place among those on the disk. */
  keep(effect: EffectOf<'keep'>, number: number): Promise<void>;
  forget(effect: EffectOf<'forget'>): Promise<void>;
}

/** How each effect that takes time is carried out. Who plays a daemon replaces those that it plays. */
export interface Handlers extends AideHandlers, MessageHandlers {}

export interface MessageHandlerOptions {
  route: MessageRoute;
  /** Where the effective configuration is put. */
  configuration: string;
  /** The node's clock. */
  now: () => Date;
}

export function messageHandlers({ route, configuration, now }: MessageHandlerOptions): MessageHandlers {
  const { client, namespace, outbox } = route;
  return {
    async configure({ configuration: wanted }, signal) {
      const result = await loadConfiguration(client, namespace, wanted, configuration, signal);
      return { ...result, digest: wanted.digest };
    },
    async send({ message }, signal) {
      return { ...(await sendMessage(route, message, signal)), id: message.outcome.id };
    },
    async beat({ outcome }, signal) {
      return { ...(await beat(route, outcome, now(), signal)), id: outcome.id };
    },
    keep: ({ message }, number) => keepMessage(outbox, message, number),
    forget: ({ ids }) => forgetMessages(outbox, ids),
  };
}

export interface AideHandlerOptions {
  /** What AIDE is run with for node files whose names begin so; see `Orders.files`. */
  setupFor: (files: string) => AideSetup;
  route: MessageRoute;
}

export function aideHandlers({ setupFor, route }: AideHandlerOptions): AideHandlers {
  return {
    async scan({ id, files, baseline }, signal) {
      const wanted = { id, ...(baseline !== undefined && { baseline }) };
      return { type: 'scanned', result: await scan(setupFor(files), wanted, signal) };
    },
    async close({ id, order, files, configuration, baseline }, signal) {
      const { client, namespace } = route;
      const own = setupFor(files);
      const wanted = {
        id,
        order,
        configurationDigest: configuration.digest,
        ...(baseline !== undefined && { baseline }),
        earlier: (digest: string) =>
          findConfiguration(client, namespace, configuration, digest, own.configuration, signal),
        hostRoot: own.hostRoot,
      };
      return { type: 'closed', result: await closeBaseline(own, wanted, signal) };
    },
    async baseline({ order, files, configurationDigest, settings, closing }, signal) {
      const wanted = {
        order,
        configurationDigest,
        maxBackups: settings.maxBackups,
        ...(closing !== undefined && { closing }),
      };
      return { type: 'baselined', result: await carryOutBaseline(setupFor(files), wanted, signal) };
    },
  };
}
