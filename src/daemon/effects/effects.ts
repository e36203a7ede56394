import { explain } from '../../lib/errors.ts';
import type { Log } from '../log.ts';
import type { Effect, Event } from '../machine/state.ts';
import type { Handlers } from './handlers.ts';

export interface EffectsOptions {
  handlers: Handlers;
  log: Log;
  post: (event: Event) => void;
  /** Told when an effect ended in no event, which is a mistake of the daemon's. */
  fail: (error: unknown) => void;
  /** Calls `ring` once at that moment of the monotonic clock; the function that it returns cancels that. Default: setTimeout. */
  alarm?: (at: number, ring: () => void) => () => void;
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

/** Has the effects of a step carried out. Each that takes time ends in one event; none throws. */
export function createEffects(options: EffectsOptions): Effects {
  const { handlers, log, post, fail, alarm = systemAlarm, afterAide, quiet, signal } = options;
  const running = createRunning(post, fail, quiet);
  let cancelAlarm = () => {};
  let task = new AbortController();
  let number = 0;
  // The outbox is written in the order of the effects.
  let disk: Promise<void> = Promise.resolve();
  let afterwards: Promise<void> = Promise.resolve();

  const write = (work: () => Promise<void>) => {
    disk = disk.then(work).catch((error: unknown) => log.info(`the outbox could not be written: ${explain(error)}`));
  };
  /** Starts AIDE. `afterAide` runs behind it and does not hold up its event, only the next start. */
  const startAide = (work: (ends: AbortSignal) => Promise<Event | undefined>) => {
    task = new AbortController();
    const ends = AbortSignal.any([task.signal, signal]);
    running.start(async () => {
      await afterwards;
      const event = await work(ends);
      const hasRun = event !== undefined && (event.type !== 'closed' || event.result.kind !== 'needless');
      if (afterAide !== undefined && hasRun) {
        running.start(async () => {
          afterwards = afterAide();
          await afterwards;
          return undefined;
        });
      }
      return event;
    });
  };

  const perform = (effect: Effect): void => {
    switch (effect.type) {
      case 'log':
        log.info(effect.text);
        break;
      case 'timer':
        cancelAlarm();
        cancelAlarm = effect.at === undefined ? () => {} : alarm(effect.at, () => post({ type: 'wake' }));
        break;
      case 'configure':
        running.start(() => handlers.configure(effect, signal));
        break;
      case 'scan':
        startAide((ends) => handlers.scan(effect, ends));
        break;
      case 'close':
        startAide((ends) => handlers.close(effect, ends));
        break;
      case 'baseline':
        startAide((ends) => handlers.baseline(effect, ends));
        break;
      case 'cancel':
        task.abort();
        break;
      case 'keep': {
        number += 1;
        const mine = number;
        write(() => handlers.keep(effect, mine));
        break;
      }
      case 'forget':
        write(() => handlers.forget(effect));
        break;
      case 'send':
        running.start(() => handlers.send(effect, signal));
        break;
      case 'beat':
        running.start(() => handlers.beat(effect, signal));
        break;
      case 'exit':
        cancelAlarm();
        break;
    }
  };

  return {
    perform,
    numberMessagesAfter: (last) => {
      number = last;
    },
    settle: async () => {
      await running.settle();
      await disk;
      running.close();
    },
  };
}

/** What runs now. `quiet` is called when nothing has run for a while. */
function createRunning(post: (event: Event) => void, fail: (error: unknown) => void, quiet: (() => void) | undefined) {
  const running = new Set<Promise<void>>();
  const rests = () => (quiet === undefined ? undefined : setTimeout(quiet, QUIET_MS));
  let rest = rests();
  return {
    start(work: () => Promise<Event | undefined>): void {
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
    },
    async settle(): Promise<void> {
      await Promise.all(running);
    },
    close(): void {
      clearTimeout(rest);
    },
  };
}

function systemAlarm(at: number, ring: () => void): () => void {
  const timer = setTimeout(ring, Math.min(TIMER_LIMIT, Math.max(0, at - performance.now())));
  return () => clearTimeout(timer);
}
