import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BaselineReceipt, Orders, Outcome, Verdict } from '../../api/protocol.ts';
import type { Message } from './outbox.ts';
import {
  type Effect,
  type Event,
  initialState,
  type NodeRecord,
  type Now,
  type ScanFacts,
  type State,
} from './state.ts';
import { step } from './step.ts';

const C1 = 'c1'.padEnd(64, '0');

/** What can happen around a daemon. Those that make no sense in a moment do nothing. */
type Move =
  | { do: 'wait'; seconds: number }
  | { do: 'order' | 'hold' | 'release' | 'configure' | 'acknowledge' | 'touch' | 'kill' }
  | { do: 'scanned'; verdict: Verdict; report: number; fault: boolean }
  | { do: 'closed'; verdict: Verdict; report: number; needless: boolean }
  | { do: 'baselined'; how: 'made' | 'failed' | 'lost' }
  | { do: 'sent'; how: 'stored' | 'unsent' }
  | { do: 'beaten'; how: 'beaten' | 'unbeaten' };

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ do: fc.constantFrom('order', 'hold', 'release', 'configure', 'acknowledge', 'touch', 'kill') }),
  fc.record({ do: fc.constant('acknowledge' as const) }),
  fc.record({
    do: fc.constant('scanned' as const),
    verdict: fc.constantFrom<Verdict>('Succeeded', 'Failed', 'Errored'),
    report: fc.integer({ min: 1, max: 2 }),
    fault: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('closed' as const),
    verdict: fc.constantFrom<Verdict>('Succeeded', 'Failed', 'Errored'),
    report: fc.integer({ min: 1, max: 2 }),
    needless: fc.boolean(),
  }),
  fc.record({ do: fc.constant('baselined' as const), how: fc.constantFrom('made', 'failed', 'lost') }),
  fc.record({ do: fc.constant('sent' as const), how: fc.constantFrom('stored', 'unsent') }),
  fc.record({ do: fc.constant('beaten' as const), how: fc.constantFrom('beaten', 'unbeaten') }),
);

const time = { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:00Z' };

/** A node with its disk, an operator and an API server around one daemon, and what must always hold. */
class World {
  state: State;
  orders: Orders = {
    settings: { gracePeriod: 60, maxBackups: 5, debug: false },
    configuration: { name: 'worker', key: 'aide.conf', digest: C1 },
    baseline: { id: 'order-1', reason: 'Initial', requestedAt: time.startedAt },
  };
  mono = 0;
  runs = 0;
  /** The status in the API server. */
  acknowledged: string | undefined;
  baseline: NodeRecord['baseline'];
  /** What lies in the slot. */
  slot: Outcome | undefined;
  /** The outbox on the disk. */
  disk: Message[] = [];
  /** What the operator took in, in order. */
  folded: Outcome[] = [];
  /** Scans that ended and counted, in order. */
  scanned: string[] = [];
  /** How often each order was carried out. */
  made = new Map<string, number>();
  /** Order of the comparison that was found to be needless. */
  needless: string | undefined;
  working: Extract<Effect, { type: 'scan' | 'close' | 'baseline' }> | undefined;
  cancelled = false;
  sending: Message | undefined;
  beating: Outcome | undefined;
  configuring: string | undefined;

  constructor() {
    this.state = this.start();
  }

  start(): State {
    this.runs += 1;
    return initialState('node-a', `run${this.runs}`);
  }

  begin(): void {
    this.tell({ type: 'recovered', messages: [...this.disk] });
    this.record();
  }

  record(): void {
    const { orders, acknowledged, baseline } = this;
    this.tell({
      type: 'record',
      record: { orders, ...(acknowledged && { acknowledged }), ...(baseline && { baseline }) },
    });
  }

  tell(event: Event): void {
    const now: Now = { wall: 0, mono: this.mono, random: 0.5 };
    const next = step(this.state, event, now);
    this.state = next.state;
    for (const effect of next.effects) this.perform(effect);
  }

  perform(effect: Effect): void {
    switch (effect.type) {
      case 'scan':
      case 'close':
      case 'baseline':
        if (effect.type === 'baseline') this.expectCompared(effect);
        expect(this.working, 'one scan or baseline at a time').toBeUndefined();
        expect(this.orders.hold, 'nothing starts while held').toBeUndefined();
        this.working = effect;
        this.cancelled = false;
        break;
      case 'cancel':
        expect(this.working, 'only what runs is cancelled').toBeDefined();
        this.cancelled = true;
        break;
      case 'keep':
        this.disk.push(effect.message);
        break;
      case 'forget':
        this.disk = this.disk.filter(({ outcome }) => !effect.ids.includes(outcome.id));
        break;
      case 'send':
        expect(this.sending, 'one message is being sent').toBeUndefined();
        this.sending = effect.message;
        break;
      case 'beat':
        expect(this.beating, 'one heartbeat is being sent').toBeUndefined();
        this.beating = effect.outcome;
        break;
      case 'configure':
        expect(this.configuring).toBeUndefined();
        this.configuring = effect.configuration.digest;
        break;
      default:
    }
  }

  /** No new baseline before the operator has what it accepts. */
  expectCompared({ order, closing }: Extract<Effect, { type: 'baseline' }>): void {
    if (closing === undefined) expect(this.needless, 'compared, or nothing to compare with').toBe(order.id);
    else {
      const told = this.folded.find(({ id }) => id === closing.scan);
      expect(told, 'the operator has it').toMatchObject({ kind: 'scan', closes: order.id, verdict: closing.verdict });
    }
  }

  make(move: Move): void {
    switch (move.do) {
      case 'wait':
        this.mono += move.seconds * 1000;
        this.tell({ type: 'wake' });
        break;
      case 'order':
        this.orders = { ...this.orders, baseline: { ...this.orders.baseline, id: `order-${this.mono}` } };
        this.record();
        break;
      case 'hold':
        this.orders = { ...this.orders, hold: { reason: 'Annotation', message: 'x', since: time.startedAt } };
        this.record();
        break;
      case 'release': {
        const { hold: _, ...orders } = this.orders;
        this.orders = orders;
        this.record();
        break;
      }
      case 'configure':
        if (this.configuring === undefined) return;
        this.tell({ type: 'configured', digest: this.take('configuring') ?? '' });
        break;
      case 'scanned':
        this.endScan(move);
        break;
      case 'closed':
        this.endClosing(move);
        break;
      case 'baselined':
        this.endBaseline(move.how);
        break;
      case 'sent':
        this.endSending(move.how);
        break;
      case 'beaten':
        this.endBeat(move.how);
        break;
      case 'acknowledge':
        this.operate();
        break;
      case 'touch':
        this.tell({ type: 'triggers', found: [{ path: '/run/aide.reinit', removed: true }] });
        break;
      case 'kill':
        this.working = undefined;
        this.sending = undefined;
        this.beating = undefined;
        this.configuring = undefined;
        this.state = this.start();
        this.begin();
        break;
    }
  }

  take<Key extends 'configuring' | 'sending' | 'beating' | 'working'>(key: Key): this[Key] {
    const value = this[key];
    this[key] = undefined as this[Key];
    return value;
  }

  endScan({ verdict, report, fault }: Extract<Move, { do: 'scanned' }>): void {
    if (this.working?.type !== 'scan') return;
    this.working = undefined;
    const failed = verdict === 'Failed' && { report: { compressed: false, log: 'x' }, fingerprint: `f${report}` };
    const facts = { verdict, ...time, ...(failed && fault && { baselineFault: 'Replaced' as const }) };
    if (!this.cancelled) this.scanned.push(wordOf(facts));
    this.tell({ type: 'scanned', result: { kind: 'ended', facts, ...failed } });
  }

  endClosing({ verdict, report, needless }: Extract<Move, { do: 'closed' }>): void {
    if (this.working?.type !== 'close') return;
    const { id, order } = this.working;
    this.working = undefined;
    if (needless) {
      if (!this.cancelled) this.needless = order.id;
      this.tell({ type: 'closed', result: { kind: 'needless' } });
      return;
    }
    const failed = verdict === 'Failed' && { report: { compressed: false, log: 'x' }, fingerprint: `f${report}` };
    const result = { kind: 'ended', facts: { verdict, ...time }, configurationDigest: C1, ...failed } as const;
    const { cancelled } = this;
    this.tell({ type: 'closed', result });
    // The same again, after an attempt at the baseline that failed, is not told.
    if (!cancelled && this.state.closing?.facts?.scan === id) this.scanned.push(verdict);
  }

  endBaseline(how: 'made' | 'failed' | 'lost'): void {
    if (this.working?.type !== 'baseline') return;
    const { order } = this.working;
    this.working = undefined;
    if (this.cancelled) {
      this.tell({ type: 'baselined', result: { kind: 'stopped' } });
    } else if (how === 'made') {
      this.made.set(order.id, (this.made.get(order.id) ?? 0) + 1);
      const receipt: BaselineReceipt = {
        orderId: order.id,
        digest: 'd'.repeat(64),
        entries: 1,
        configurationDigest: C1,
        aideVersion: '0.19.1',
        bootId: 'b',
        reason: order.reason,
        createdAt: time.startedAt,
      };
      this.tell({ type: 'baselined', result: { kind: 'made', receipt } });
    } else if (how === 'lost') {
      this.tell({ type: 'baselined', result: { kind: 'lost' } });
    } else {
      this.scanned.push('Errored');
      const facts = { verdict: 'Errored', ...time, errorCode: 'X', errorMessage: 'x' } as const;
      this.tell({ type: 'baselined', result: { kind: 'failed', facts } });
    }
  }

  endSending(how: 'stored' | 'unsent'): void {
    const message = this.take('sending');
    if (message === undefined) return;
    const { id } = message.outcome;
    if (this.slot !== undefined && this.slot.id !== id) {
      this.tell({ type: 'busy', id, squatted: false });
      return;
    }
    // An answer that is lost on its way: stored all the same.
    this.slot = message.outcome;
    this.tell(how === 'stored' ? { type: 'stored', id } : { type: 'unsent', id, message: 'away' });
  }

  endBeat(how: 'beaten' | 'unbeaten'): void {
    const outcome = this.take('beating');
    if (outcome === undefined) return;
    if (how === 'beaten') this.folded.push(outcome);
    this.tell(
      how === 'beaten' ? { type: how, id: outcome.id } : { type: how, id: outcome.id, message: 'x', missing: false },
    );
  }

  /** The operator takes in what lies in the slot; what it has acknowledged already is only deleted. */
  operate(): void {
    const outcome = this.slot;
    if (outcome === undefined) return;
    this.slot = undefined;
    if (outcome.id !== this.acknowledged) {
      this.folded.push(outcome);
      this.acknowledged = outcome.id;
      if (outcome.kind === 'baseline') this.baseline = outcome.receipt;
    }
    this.record();
  }

  /** All goes well from here on, until there is nothing left to do but to wait for the next scan. */
  calm(): void {
    this.make({ do: 'release' });
    for (let round = 0; round < 300; round += 1) {
      this.make({ do: 'configure' });
      this.make({ do: 'closed', verdict: 'Succeeded', report: 1, needless: false });
      this.make({ do: 'baselined', how: 'made' });
      if (this.working?.type === 'scan' && round < 250) {
        this.make({ do: 'scanned', verdict: 'Succeeded', report: 1, fault: false });
      }
      this.make({ do: 'sent', how: 'stored' });
      this.make({ do: 'beaten', how: 'beaten' });
      this.make({ do: 'acknowledge' });
      this.make({ do: 'wait', seconds: 10 });
    }
  }
}

/** The verdict, and whether it was found against the recorded baseline. */
function wordOf({ verdict, baselineFault }: Pick<ScanFacts, 'verdict' | 'baselineFault'>): string {
  return `${verdict}${baselineFault ?? ''}`;
}

/** A list in which a value does not follow itself. */
function runsOf<T>(values: readonly T[]): T[] {
  return values.filter((value, index) => index === 0 || value !== values[index - 1]);
}

const isScan = (outcome: Outcome) => outcome.kind === 'scan';

test('whatever happens, the operator hears each change of verdict in order, and each order is carried out once', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const world = new World();
      world.begin();
      for (const each of moves) world.make(each);
      world.calm();
      expect(runsOf(world.folded.filter(isScan).map(wordOf))).toEqual(runsOf(world.scanned));
      expect([...world.made.values()].filter((times) => times !== 1)).toEqual([]);
      expect(world.baseline?.orderId).toBe(world.orders.baseline.id);
      expect(new Set(world.folded.map(({ id }) => id)).size).toBe(world.folded.length);
      expect(world.disk).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});
