import { decide } from './decide.ts';
import { takeHeartbeat, takeRecord, takeRecovered, takeSending, takeTriggers } from './delivery.ts';
import { log } from './messages.ts';
import { takeBaseline, takeClosing, takeConfiguration, takeScan } from './results.ts';
import type { Event, Now, State, Step } from './state.ts';

/**
 * The daemon, whole: what it knows after an event, and what it does next. Pure. Every effect that takes time ends in
 * exactly one event, so at most one scan or baseline runs, one message is being sent, and one timer is set.
 */
export function step(state: State, event: Event, now: Now): Step {
  if (state.exited) return { state, effects: [] };
  const taken = take(state, event, now);
  const decided = decide(taken.state, now);
  return { state: decided.state, effects: [...taken.effects, ...decided.effects] };
}

function take(state: State, event: Event, now: Now): Step {
  switch (event.type) {
    case 'recovered':
      return takeRecovered(state, event.messages, event.damaged ?? [], now);
    case 'record':
      return takeRecord(state, event.record);
    case 'configured':
    case 'unconfigured':
      return takeConfiguration(state, event, now);
    case 'scanned':
      return takeScan(state, event.result, now);
    case 'closed':
      return takeClosing(state, event.result);
    case 'baselined':
      return takeBaseline(state, event.result, now);
    case 'stored':
    case 'busy':
    case 'unsent':
    case 'refused':
      return takeSending(state, event, now);
    case 'beaten':
    case 'unbeaten':
      return takeHeartbeat(state, event, now);
    case 'triggers':
      return takeTriggers(state, event.found, now);
    case 'wake': {
      const { wakeAt: _, ...rest } = state;
      return { state: rest, effects: [] };
    }
    case 'stop':
      return { state: { ...state, stopping: true }, effects: state.stopping ? [] : [log('stopping')] };
  }
}
