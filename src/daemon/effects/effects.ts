import { explain } from '../../lib/errors.ts';
import { carryOutBaseline } from '../baselines/baseline.ts';
import { closeBaseline } from '../baselines/closing.ts';
import { forgetMessages, keepMessage } from '../disk/spool.ts';
import type { Log } from '../log.ts';
import type { Effect, Event } from '../machine/state.ts';
import { scan } from '../scans/scan.ts';
import type { Workbench } from '../scans/workbench.ts';
import { findConfiguration, loadConfiguration } from '../sources/configuration.ts';
import { beat } from './heartbeat.ts';
import { type Sender, sendMessage } from './send.ts';

export interface EffectsOptions {
  /** What works on those files of the node; see `Orders.files`. */
  bench: (files: string) => Workbench;
  /** Where the node's root is seen. */
  hostRoot: string;
  /** Where the effective configuration is put. */
  configuration: string;
  log: Log;
  sender: Sender;
  post: (event: Event) => void;
  /** Told when an effect ended in no event, which is a mistake of the daemon's. */
  fail: (error: unknown) => void;
  /** Called each time that AIDE has run, and waited for before it runs again. */
  afterAide?: () => Promise<void>;
  /** Called when nothing has run for a while, until the next effect. */
  quiet?: () => void;
  /** Ends what still runs when the daemon ends. */
  signal: AbortSignal;
}

export interface Effects {
  perform(effect: Effect): void;
  /** Numbers of kept messages go on after this one. */
  numberMessagesAfter(last: number): void;
  /** Waits until everything has ended. */
  settle(): Promise<void>;
}

/** Long enough for the operator's answer to a message. */
const QUIET_MS = 3000;

/** Longest time that setTimeout takes. */
const TIMER_LIMIT = 2 ** 31 - 1;

/** Carries out the effects of a step. Each that takes time ends in one event; none throws. */
export function createEffects(options: EffectsOptions): Effects {
  const {
    bench,
    hostRoot,
    configuration: configurationFile,
    log,
    sender,
    post,
    fail,
    afterAide,
    quiet,
    signal,
  } = options;
  const { outbox } = sender;
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let task = new AbortController();
  let number = 0;
  // The outbox is written in the order of the effects.
  let disk: Promise<void> = Promise.resolve();
  let afterwards: Promise<void> = Promise.resolve();

  const rests = () => (quiet === undefined ? undefined : setTimeout(quiet, QUIET_MS));
  let rest = rests();

  const start = (work: () => Promise<Event | undefined>) => {
    clearTimeout(rest);
    const end = () => {
      running.delete(done);
      clearTimeout(rest);
      if (running.size === 0) rest = rests();
    };
    const done = work().then(
      (event) => {
        end();
        if (event !== undefined) post(event);
      },
      (error: unknown) => {
        end();
        fail(error);
      },
    );
    running.add(done);
  };
  const write = (work: () => Promise<void>) => {
    disk = disk.then(work).catch((error: unknown) => log.info(`the outbox could not be written: ${explain(error)}`));
  };
  /** Has AIDE work. What follows it is not waited for: its outcome is on its way meanwhile. */
  const startAide = (work: () => Promise<Event>) => {
    start(async () => {
      await afterwards;
      const event = await work();
      const hasRun = event.type !== 'closed' || event.result.kind !== 'needless';
      if (afterAide !== undefined && hasRun) {
        start(async () => {
          afterwards = afterAide();
          await afterwards;
          return undefined;
        });
      }
      return event;
    });
  };
  const newTask = () => {
    task = new AbortController();
    return AbortSignal.any([task.signal, signal]);
  };

  const perform = (effect: Effect): void => {
    switch (effect.type) {
      case 'log':
        log.info(effect.text);
        break;
      case 'timer':
        clearTimeout(timer);
        if (effect.at !== undefined) {
          const delay = Math.min(TIMER_LIMIT, Math.max(0, effect.at - performance.now()));
          timer = setTimeout(post, delay, { type: 'wake' });
        }
        break;
      case 'configure': {
        const { configuration } = effect;
        const { client, namespace } = sender;
        start(async () => {
          const result = await loadConfiguration(client, namespace, configuration, configurationFile, signal);
          return { ...result, digest: configuration.digest };
        });
        break;
      }
      case 'scan': {
        const ends = newTask();
        const { id, files, baseline } = effect;
        const wanted = { id, ...(baseline !== undefined && { baseline }) };
        startAide(async () => ({ type: 'scanned', result: await scan(bench(files), wanted, ends) }));
        break;
      }
      case 'close': {
        const { id, order, files, configuration, baseline } = effect;
        const { client, namespace } = sender;
        const ends = newTask();
        const wanted = {
          id,
          order,
          configurationDigest: configuration.digest,
          ...(baseline !== undefined && { baseline }),
          earlier: (digest: string) =>
            findConfiguration(client, namespace, configuration, digest, configurationFile, ends),
          hostRoot,
        };
        startAide(async () => ({ type: 'closed', result: await closeBaseline(bench(files), wanted, ends) }));
        break;
      }
      case 'baseline': {
        const { order, files, configurationDigest, settings, closing } = effect;
        const ends = newTask();
        const wanted = {
          order,
          configurationDigest,
          maxBackups: settings.maxBackups,
          ...(closing !== undefined && { closing }),
        };
        startAide(async () => ({ type: 'baselined', result: await carryOutBaseline(bench(files), wanted, ends) }));
        break;
      }
      case 'cancel':
        task.abort();
        break;
      case 'keep': {
        number += 1;
        const mine = number;
        write(() => keepMessage(outbox, effect.message, mine));
        break;
      }
      case 'forget':
        write(() => forgetMessages(outbox, effect.ids));
        break;
      case 'send': {
        const { message } = effect;
        start(async () => ({ ...(await sendMessage(sender, message, signal)), id: message.outcome.id }));
        break;
      }
      case 'beat': {
        const { outcome } = effect;
        start(async () => ({ ...(await beat(sender, outcome, new Date(), signal)), id: outcome.id }));
        break;
      }
      case 'exit':
        clearTimeout(timer);
        break;
    }
  };

  return {
    perform,
    numberMessagesAfter: (last) => {
      number = last;
    },
    settle: async () => {
      await Promise.all(running);
      await disk;
      clearTimeout(rest);
    },
  };
}
