import { describe, expect, test } from 'vitest';
import type { Orders } from '../../api/protocol.ts';
import type { Message } from './outbox.ts';
import { type Effect, type Event, initialState, type NodeRecord, type Now, type State } from './state.ts';
import { step } from './step.ts';

const orders: Orders = {
  settings: { gracePeriod: 60, maxBackups: 5, debug: false },
  configuration: { name: 'worker', key: 'aide.conf', digest: 'c1' },
  baseline: { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' },
};
const hold = { reason: 'Annotation', message: 'held by an annotation', since: '2026-01-01T00:00:00Z' } as const;
const recorded = { orderId: 'order-1', digest: 'd0', entries: 5 };
const done: NodeRecord = { orders, baseline: recorded };

const D1 = 'd1'.padEnd(64, '0');
const receipt = {
  orderId: 'order-1',
  digest: D1,
  entries: 7,
  configurationDigest: 'c1'.padEnd(64, '0'),
  aideVersion: '0.19.1',
  bootId: 'b',
  reason: 'Initial',
  createdAt: '2026-01-01T00:00:00Z',
} as const;

const time = { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:00Z' };
const succeeded: Event = {
  type: 'scanned',
  result: { kind: 'ended', facts: { verdict: 'Succeeded', ...time, exitStatus: 0 } },
};
const failed = (fingerprint = 'f1'): Event => ({
  type: 'scanned',
  result: {
    kind: 'ended',
    facts: { verdict: 'Failed', ...time, exitStatus: 4, counts: { added: 0, changed: 1, removed: 0 } },
    report: { compressed: false, log: 'x.log' },
    fingerprint,
  },
});

/** There was no baseline that the ordered one would replace. */
const needless: Event = { type: 'closed', result: { kind: 'needless' } };
/** The comparison before a new baseline, in one walk with the new database, or by the old configuration. */
const closed = (scanned: Event = failed(), walk: { successor?: string } = { successor: 'd2' }): Event => {
  if (scanned.type !== 'scanned' || scanned.result.kind !== 'ended') throw new Error('never');
  return { type: 'closed', result: { ...scanned.result, configurationDigest: 'c1', ...walk } };
};

/** A daemon with a clock that the test turns. */
class Play {
  state: State = initialState('node-a', 'run');
  mono = 0;

  at(seconds: number): this {
    this.mono = seconds * 1000;
    return this;
  }

  tell(...events: Event[]): Effect[] {
    return events.flatMap((event) => {
      const now: Now = { wall: 0, mono: this.mono, random: 0 };
      const next = step(this.state, event, now);
      this.state = next.state;
      return next.effects;
    });
  }

  ring(seconds: number): Effect[] {
    return this.at(seconds).tell({ type: 'wake' });
  }
}

/** A daemon that knows these orders and has their configuration. */
function ready(record: NodeRecord = done): Play {
  const play = new Play();
  play.tell({ type: 'recovered', messages: [] }, { type: 'record', record }, { type: 'configured', digest: 'c1' });
  return play;
}

function kinds(effects: Effect[]): string[] {
  return effects.map(({ type }) => type).filter((type) => type !== 'log' && type !== 'timer');
}

function sent(effects: Effect[]): string | undefined {
  return effects.find((effect) => effect.type === 'send')?.message.outcome.id;
}

/** The operator takes in a message. */
function acknowledge(play: Play, id: string, record = done): Effect[] {
  return play.tell({ type: 'stored', id }, { type: 'record', record: { ...record, acknowledged: id } });
}

/** A daemon whose last scan, with this result, is known to the operator. */
function settled(result: Event): Play {
  const play = ready();
  const id = sent(play.tell(result)) ?? '';
  acknowledge(play, id);
  return play;
}

describe('starting', () => {
  test('does nothing before the API server has answered', () => {
    expect(kinds(new Play().tell({ type: 'recovered', messages: [] }))).toEqual([]);
  });

  test('waits without orders, and says so once', () => {
    const play = new Play();
    const lines = play
      .tell({ type: 'recovered', messages: [] }, { type: 'record', record: {} }, { type: 'record', record: {} })
      .filter(({ type }) => type === 'log');
    expect(lines).toEqual([{ type: 'log', text: 'waiting for orders of the operator' }]);
  });

  test('loads the configuration before anything else', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] });
    expect(kinds(play.tell({ type: 'record', record: { orders } }))).toEqual(['configure']);
  });

  test('carries out the order first, and then scans at once', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: { orders } });
    expect(kinds(play.tell({ type: 'configured', digest: 'c1' }))).toEqual(['close']);
    expect(kinds(play.tell(needless))).toEqual(['baseline']);
    expect(kinds(play.tell({ type: 'baselined', result: { kind: 'made', receipt } }))).toEqual([
      'keep',
      'send',
      'scan',
    ]);
  });

  test('scans at once when the API server has the receipt of the order', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: done });
    expect(kinds(play.tell({ type: 'configured', digest: 'c1' }))).toEqual(['scan']);
  });

  test('does not carry out an order again whose receipt still waits on the disk', () => {
    const play = new Play();
    const message = { outcome: { kind: 'baseline', id: 'old-1', node: 'node-a', receipt } } as const;
    play.tell({ type: 'recovered', messages: [message] });
    const effects = play.tell({ type: 'record', record: { orders } }, { type: 'configured', digest: 'c1' });
    expect(kinds(effects)).toEqual(['send', 'configure', 'scan']);
  });

  test('does not send again what was acknowledged while it was away', () => {
    const play = new Play();
    const message = { outcome: { kind: 'baseline', id: 'old-1', node: 'node-a', receipt } } as const;
    play.tell({ type: 'recovered', messages: [message] });
    const effects = play.tell({ type: 'record', record: { ...done, acknowledged: 'old-1' } });
    expect(kinds(effects)).toEqual(['forget', 'configure']);
  });
});

describe('the interval', () => {
  test('counts from the end of a scan', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    expect(kinds(play.ring(159))).toEqual([]);
    expect(kinds(play.ring(160))).toEqual(['scan']);
  });

  test('follows a new gracePeriod without a restart', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    const sooner = { ...done, orders: { ...orders, settings: { ...orders.settings, gracePeriod: 20 } } };
    expect(play.at(105).tell({ type: 'record', record: sooner })).toContainEqual({ type: 'timer', at: 120_000 });
    expect(kinds(play.ring(120))).toEqual(['scan']);
  });

  test('is at least 10 s', () => {
    const never = { ...done, orders: { ...orders, settings: { ...orders.settings, gracePeriod: 0 } } };
    const play = ready(never);
    play.at(100).tell(succeeded);
    expect(kinds(play.ring(109))).toEqual([]);
    expect(kinds(play.ring(110))).toEqual(['scan']);
  });

  test('a clock that is set back changes nothing', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    const { effects } = step(play.state, { type: 'wake' }, { wall: -1e12, mono: 160_000, random: 0 });
    expect(kinds(effects)).toEqual(['scan']);
  });
});

describe('a hold', () => {
  const held = { ...done, orders: { ...orders, hold } };

  test('starts no scan and no baseline', () => {
    const order = { ...orders, hold, baseline: { ...orders.baseline, id: 'order-2' } };
    const play = new Play();
    const effects = play.tell(
      { type: 'recovered', messages: [] },
      { type: 'record', record: { ...done, orders: order } },
      { type: 'wake' },
    );
    expect(kinds(effects)).toEqual([]);
  });

  test('stops a running scan and drops what it came to', () => {
    const play = ready();
    expect(kinds(play.tell({ type: 'record', record: held }))).toEqual(['cancel']);
    expect(kinds(play.tell(failed()))).toEqual(['forget']);
    expect(play.state.outbox.queue).toEqual([]);
  });

  test('scans at once when it is released', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    play.tell({ type: 'record', record: held });
    expect(kinds(play.at(101).tell({ type: 'record', record: done }))).toEqual(['scan']);
  });

  test('a baseline that was ordered meanwhile comes before the scan', () => {
    const play = ready(held);
    const order = { ...orders, baseline: { ...orders.baseline, id: 'order-2' } };
    expect(kinds(play.tell({ type: 'record', record: { ...done, orders: order } }))).toEqual(['close']);
    expect(kinds(play.tell(needless))).toEqual(['baseline']);
    const made = play.tell({
      type: 'baselined',
      result: { kind: 'made', receipt: { ...receipt, orderId: 'order-2' } },
    });
    expect(kinds(made)).toEqual(['keep', 'send', 'scan']);
  });
});

describe('a baseline', () => {
  test('waits for the running scan, whose findings are the record of what it erases', () => {
    const play = ready();
    const order = { ...orders, baseline: { ...orders.baseline, id: 'order-2' } };
    expect(kinds(play.tell({ type: 'record', record: { ...done, orders: order } }))).toEqual([]);
    expect(kinds(play.tell(failed()))).toEqual(['keep', 'send', 'close']);
  });

  test('that fails is reported, holds back scans and is tried again after the grace period', () => {
    const play = ready({ orders });
    play.tell(needless);
    const facts = { verdict: 'Errored', ...time, errorCode: 'AIDE_WRITE_ERROR', errorMessage: 'disk full' } as const;
    const effects = play.at(10).tell({ type: 'baselined', result: { kind: 'failed', facts } });
    expect(kinds(effects)).toEqual(['keep', 'send']);
    expect(kinds(play.ring(69)).filter((kind) => kind !== 'send')).toEqual([]);
    expect(kinds(play.ring(70)).filter((kind) => kind !== 'send')).toEqual(['close']);
  });

  test('that failed is tried at once with a mended configuration', () => {
    const play = ready({ orders });
    play.tell(needless);
    const facts = { verdict: 'Errored', ...time, errorCode: 'AIDE_CONFIGURATION_ERROR', errorMessage: 'x' } as const;
    play.tell({ type: 'baselined', result: { kind: 'failed', facts } });
    const mended = { ...orders, configuration: { ...orders.configuration, digest: 'c2' } };
    expect(kinds(play.tell({ type: 'record', record: { orders: mended } }))).toEqual(['configure']);
    expect(kinds(play.tell({ type: 'configured', digest: 'c2' }))).toEqual(['close']);
  });

  test('is made again when the node status was lost', () => {
    const play = ready({ orders });
    play.tell(needless, { type: 'baselined', result: { kind: 'made', receipt } });
    acknowledge(play, play.state.outbox.queue[0]?.outcome.id ?? '');
    play.tell(succeeded);
    play.tell({ type: 'record', record: {} });
    expect(kinds(play.tell({ type: 'record', record: { orders } }))).toContain('close');
    expect(kinds(play.tell(needless))).toContain('baseline');
  });
});

describe('what a new baseline accepts', () => {
  const order = { ...orders.baseline, id: 'order-2', reason: 'Demand' } as const;
  const record: NodeRecord = { ...done, orders: { ...orders, baseline: order } };
  /** A daemon with a new order, whose comparison has ended so. */
  const compared = (event: Event = closed()) => {
    const play = ready(record);
    return { play, effects: play.tell(event) };
  };
  const baselineOf = (effects: Effect[]) => effects.find((effect) => effect.type === 'baseline');

  test('is compared with the recorded one before', () => {
    const play = ready();
    play.tell(succeeded);
    const [effect] = play.tell({ type: 'record', record }).filter(({ type }) => type === 'close');
    expect(effect).toMatchObject({ order: { id: 'order-2' }, baseline: { digest: 'd0', entries: 5 } });
  });

  test('is told, and the baseline is made when the operator has it, however long that takes', () => {
    const { play, effects } = compared();
    expect(kinds(effects)).toEqual(['keep', 'send']);
    const id = sent(effects) ?? '';
    expect(effects.find(({ type }) => type === 'send')).toMatchObject({ message: { outcome: { closes: 'order-2' } } });
    play.tell({ type: 'stored', id });
    for (const seconds of [1, 60, 3600]) {
      expect(kinds(play.ring(seconds)).filter((kind) => kind !== 'send')).toEqual([]);
      play.tell({ type: 'stored', id });
    }
    const next = play.tell({ type: 'record', record: { ...record, acknowledged: id } });
    expect(kinds(next)).toEqual(['forget', 'baseline']);
    expect(baselineOf(next)?.closing).toMatchObject({ scan: id, verdict: 'Failed', successor: 'd2' });
  });

  test('is told in full also when it is what the operator knows already', () => {
    const play = settled(succeeded);
    play.ring(100);
    play.tell(succeeded, { type: 'record', record });
    expect(kinds(play.tell(closed(succeeded)))).toEqual(['keep', 'send']);
  });

  test('waits behind what was found before, which it does not supersede', () => {
    const play = ready();
    play.tell(failed('f1'));
    play.tell({ type: 'record', record });
    play.tell(closed(failed('f2')), { type: 'triggers', found: [{ path: '/run/aide.reinit', removed: true }] });
    const waiting = play.state.outbox.queue.map(({ outcome }) => outcome.kind === 'scan' && outcome.closes);
    expect(waiting).toEqual([undefined, 'order-2', false]);
  });

  test.each<[string, NodeRecord, string[]]>([
    ['another order', { ...record, orders: { ...orders, baseline: { ...order, id: 'order-3' } } }, ['close']],
    [
      'another configuration',
      { ...record, orders: { ...orders, baseline: order, configuration: { ...orders.configuration, digest: 'c2' } } },
      ['configure'],
    ],
  ])('is compared again for %s that comes before it is made', (_, changed, expected) => {
    const { play, effects } = compared();
    const next = play.tell({ type: 'record', record: { ...changed, acknowledged: sent(effects) ?? '' } });
    expect(kinds(next)).toEqual(['forget', ...expected]);
    if (expected[0] === 'configure') {
      expect(kinds(play.tell({ type: 'configured', digest: 'c2' }))).toEqual(['close']);
    }
  });

  test('is compared again after a hold, during which the node is changed on purpose', () => {
    const { play, effects } = compared();
    const id = sent(effects) ?? '';
    const orderHeld = { ...record, orders: { ...orders, baseline: order, hold }, acknowledged: id };
    expect(kinds(play.tell({ type: 'record', record: orderHeld }))).toEqual(['forget']);
    expect(kinds(play.tell({ type: 'record', record: { ...record, acknowledged: id } }))).toEqual(['close']);
  });

  test('is forgotten when a hold ends the comparison', () => {
    const play = ready(record);
    const held = { ...record, orders: { ...orders, baseline: order, hold } };
    expect(kinds(play.tell({ type: 'record', record: held }))).toEqual(['cancel']);
    expect(kinds(play.tell(closed()))).toEqual(['forget']);
    expect(play.state.outbox.queue).toEqual([]);
  });

  test('is not told again by an attempt that comes to the same, since a full disk would fill the record', () => {
    const { play, effects } = compared();
    const id = sent(effects) ?? '';
    play.tell({ type: 'stored', id }, { type: 'record', record: { ...record, acknowledged: id } });
    const facts = { verdict: 'Errored', ...time, errorCode: 'AIDE_WRITE_ERROR', errorMessage: 'disk full' } as const;
    const failure = sent(play.tell({ type: 'baselined', result: { kind: 'failed', facts } })) ?? '';
    acknowledge(play, failure, record);
    expect(kinds(play.ring(70))).toEqual(['close']);
    const again = play.tell(closed(failed(), { successor: 'd3' }));
    expect(kinds(again)).toEqual(['forget', 'baseline']);
    expect(baselineOf(again)?.closing).toMatchObject({ scan: id, successor: 'd3' });
    play.tell({ type: 'baselined', result: { kind: 'failed', facts } });
    play.ring(300);
    expect(kinds(play.tell(closed(failed('f2'))))).toContain('keep');
  });

  test('is compared again at once when the database that was written meanwhile is lost, and then with pauses', () => {
    const { play, effects } = compared();
    acknowledge(play, sent(effects) ?? '', record);
    const lost: Event = { type: 'baselined', result: { kind: 'lost' } };
    expect(kinds(play.tell(lost))).toEqual(['close']);
    expect(kinds(play.tell(closed()))).toEqual(['forget', 'baseline']);
    expect(kinds(play.tell(lost))).toEqual([]);
  });
});

describe('what an earlier daemon left', () => {
  const odd: unknown[] = [
    { outcome: { kind: 'baseline', id: 'old-1', node: 'node-a' } },
    { outcome: { kind: 'baseline', id: 'old-2', node: 'node-a', receipt: null } },
    { outcome: { kind: 'scan', id: 'old-3', node: 'node-a' }, report: 1 },
    { outcome: null },
    null,
  ];

  test('and is no message is as if it were not there, and the daemon works', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: odd as Message[] });
    const effects = play.tell({ type: 'record', record: done }, { type: 'configured', digest: 'c1' });
    expect(effects.filter(({ type }) => type === 'scan')).toHaveLength(1);
    expect(effects.filter(({ type }) => type === 'send')).toEqual([]);
  });

  test('and was damaged is told of, once', () => {
    const play = new Play();
    const damaged = Array.from({ length: 100 }, (_, at) => `${at}-old.message.json`);
    play.tell({ type: 'recovered', messages: [], damaged });
    const sent = play.tell({ type: 'record', record: done }).find(({ type }) => type === 'send');
    expect(sent).toMatchObject({ message: { outcome: { kind: 'notice', notice: 'ResultsDamaged' } } });
    const { message } = (sent as { message: { outcome: { message: string } } }).message.outcome;
    expect(message).toContain('100 results');
    expect(message).toContain('0-old.message.json');
    expect(message.length).toBeLessThan(500);
  });
});

describe('the database that a scan must find', () => {
  const scanOf = (effects: Effect[]) => effects.find((effect) => effect.type === 'scan')?.baseline;

  test('is the one that the operator recorded', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: done });
    expect(scanOf(play.tell({ type: 'configured', digest: 'c1' }))).toEqual({ digest: 'd0', entries: 5 });
  });

  test('is the newest, while its receipt is on its way', () => {
    const order = { ...orders, baseline: { ...orders.baseline, id: 'order-2' } };
    const play = ready({ ...done, orders: order });
    const made = { kind: 'made', receipt: { ...receipt, orderId: 'order-2', digest: 'd2' } } as const;
    play.tell(needless);
    expect(scanOf(play.tell({ type: 'baselined', result: made }))).toMatchObject({ digest: 'd2', entries: 7 });
  });

  test('is that of a receipt which an earlier daemon left', () => {
    const play = new Play();
    const message = { outcome: { kind: 'baseline', id: 'old-1', node: 'node-a', receipt } } as const;
    play.tell({ type: 'recovered', messages: [message] });
    const effects = play.tell({ type: 'record', record: { orders } }, { type: 'configured', digest: 'c1' });
    expect(scanOf(effects)).toMatchObject({ digest: D1, entries: 7 });
  });
});

describe('the files that the orders name', () => {
  const filesOf = (effects: Effect[]) =>
    effects.flatMap((effect) => (effect.type === 'scan' || effect.type === 'baseline' ? [effect.files] : []));

  test('are the usual ones unless they say otherwise', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: { orders } });
    play.tell({ type: 'configured', digest: 'c1' });
    const effects = play.tell(needless);
    expect(filesOf([...effects, ...play.tell({ type: 'baselined', result: { kind: 'made', receipt } })])).toEqual([
      'aide',
      'aide',
    ]);
  });

  test('go with each scan and baseline, and with a change of them', () => {
    const other = { ...orders, files: 'aide.worker' };
    const play = ready({ ...done, orders: other });
    const baseline = { ...orders.baseline, id: 'order-2' };
    const moved = { ...done, orders: { ...orders, files: 'aide.other', baseline } };
    expect(filesOf(play.tell(failed(), { type: 'record', record: moved }, needless))).toEqual(['aide.other']);
    const made = { kind: 'made', receipt: { ...receipt, orderId: 'order-2' } } as const;
    expect(filesOf(play.tell({ type: 'baselined', result: made }))).toEqual(['aide.other']);
  });

  test('that it does not write keep it from working, which it says once', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    const refused = { refused: 'the orders name other files' };
    const effects = play.tell({ type: 'record', record: refused }, { type: 'record', record: refused });
    expect(effects.filter(({ type }) => type === 'log')).toEqual([{ type: 'log', text: refused.refused }]);
    expect(kinds([...effects, ...play.ring(1000)])).toEqual([]);
    expect(kinds(play.tell({ type: 'record', record: done }))).toContain('scan');
  });
});

describe('a database that is not the one on record', () => {
  const fault = (errorMessage = 'It was replaced.', fingerprint = 'f1'): Event => ({
    type: 'scanned',
    result: {
      kind: 'ended',
      facts: { verdict: 'Failed', ...time, exitStatus: 0, baselineFault: 'Replaced', errorMessage },
      report: { compressed: false, log: 'x.log' },
      fingerprint,
    },
  });

  test('is told, and again only as a heartbeat', () => {
    const play = settled(fault());
    play.ring(100);
    const effects = play.tell(fault());
    expect(kinds(effects)).toEqual(['forget', 'beat']);
    expect(effects.find(({ type }) => type === 'beat')).toMatchObject({ outcome: { baselineFault: 'Replaced' } });
    play.ring(200);
    expect(kinds(play.tell(fault('It was replaced.', 'f2')))).toEqual(['keep', 'send']);
  });

  test('makes no baseline', () => {
    const play = settled(fault());
    expect(kinds(play.ring(100))).toEqual(['scan']);
  });

  test('does not take the place of a finding against the recorded one that still waits, nor that of it', () => {
    const play = ready();
    play.tell(failed());
    for (const event of [failed('f2'), fault(), fault('It was replaced.', 'f2'), failed('f3')]) {
      play.ring(play.mono / 1000 + 100);
      play.tell(event);
    }
    const waiting = play.state.outbox.queue.map(({ outcome }) => outcome.kind === 'scan' && outcome.baselineFault);
    expect(waiting).toEqual([undefined, undefined, 'Replaced', undefined]);
  });
});

describe('the configuration', () => {
  test('is asked for again, with growing pauses, and reported when it stays wrong', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: done });
    const wrong = { type: 'unconfigured', digest: 'c1', code: 'CONFIGURATION_MISMATCH', message: 'x' } as const;
    for (let attempt = 1; attempt < 5; attempt += 1) {
      expect(kinds(play.tell({ ...wrong, transient: false }))).toEqual([]);
      expect(kinds(play.ring(play.mono / 1000 + 2 ** attempt))).toEqual(['configure']);
    }
    expect(kinds(play.tell({ ...wrong, transient: false }))).toEqual(['keep', 'send']);
  });

  test('is not reported as wrong while the API server is away', () => {
    const play = new Play();
    play.tell({ type: 'recovered', messages: [] }, { type: 'record', record: done });
    for (let attempt = 0; attempt < 20; attempt += 1) {
      play.tell({ type: 'unconfigured', digest: 'c1', code: 'X', message: 'x', transient: true });
      play.ring(play.mono / 1000 + 100);
    }
    expect(play.state.outbox.queue).toEqual([]);
  });

  test('that is loaded is enough to go on while the API server is away', () => {
    const play = ready();
    play.at(100).tell(succeeded);
    expect(kinds(play.ring(160))).toEqual(['scan']);
  });
});

describe('quiet scans', () => {
  test('a Succeeded after an acknowledged Succeeded is a heartbeat', () => {
    const play = settled(succeeded);
    play.ring(100);
    expect(kinds(play.tell(succeeded))).toEqual(['beat']);
  });

  test('a Failed with the same report is a heartbeat and needs no report', () => {
    const play = settled(failed());
    play.ring(100);
    expect(kinds(play.tell(failed()))).toEqual(['forget', 'beat']);
  });

  test('a Failed with the same counts and another report is a message', () => {
    const play = settled(failed('f1'));
    play.ring(100);
    expect(kinds(play.tell(failed('f2')))).toEqual(['keep', 'send']);
  });

  test('a heartbeat that has no lease becomes a message', () => {
    const play = settled(succeeded);
    play.ring(100);
    const beat = play.tell(succeeded).find(({ type }) => type === 'beat');
    const id = beat?.type === 'beat' ? beat.outcome.id : '';
    const effects = play.tell({ type: 'unbeaten', id, message: 'not found', missing: true });
    expect(kinds(effects)).toEqual(['keep', 'send']);
    expect(effects).toContainEqual(
      expect.objectContaining({
        type: 'send',
        message: expect.objectContaining({ outcome: expect.objectContaining({ again: true }) }),
      }),
    );
  });

  test('a Failed that follows takes the place of a heartbeat that could not be sent', () => {
    const play = settled(succeeded);
    play.ring(100);
    const beat = play.tell(succeeded).find(({ type }) => type === 'beat');
    const id = beat?.type === 'beat' ? beat.outcome.id : '';
    play.tell({ type: 'unbeaten', id, message: 'away', missing: false });
    play.ring(200);
    expect(kinds(play.tell(failed()))).toEqual(['keep', 'send']);
    expect(kinds(play.ring(201))).toEqual([]);
  });

  test('a new node status is told the verdict in full', () => {
    const play = settled(succeeded);
    play.tell({ type: 'record', record: {} }, { type: 'record', record: done });
    play.ring(100);
    expect(kinds(play.tell(succeeded))).toEqual(['keep', 'send']);
  });
});

describe('sending', () => {
  test('is repeated until it is stored, and looked after until it is acknowledged', () => {
    const play = ready();
    const id = sent(play.tell(failed())) ?? '';
    play.tell({ type: 'unsent', id, message: 'away' });
    expect(sent(play.ring(1))).toBe(id);
    play.tell({ type: 'stored', id });
    expect(sent(play.ring(30))).toBeUndefined();
    expect(sent(play.ring(1000))).toBe(id); // it was deleted by hand, perhaps
    acknowledge(play, id);
    expect(play.state.outbox.queue).toEqual([]);
  });

  test('says in the place of a report that there is none', () => {
    const play = ready();
    const facts = { verdict: 'Failed', ...time, exitStatus: 4, errorMessage: 'AIDE wrote no report.' } as const;
    const effects = play.tell({ type: 'scanned', result: { kind: 'ended', facts, fingerprint: 'x' } });
    expect(effects.find(({ type }) => type === 'send')).toMatchObject({
      message: { withoutReport: 'AIDE wrote no report.', outcome: { verdict: 'Failed' } },
    });
  });

  test('goes on without the report when the API server refuses the message', () => {
    const play = ready();
    const id = sent(play.tell(failed())) ?? '';
    const again = play.tell({ type: 'refused', id, message: 'too large' }).find(({ type }) => type === 'send');
    expect(again).toMatchObject({
      message: { withoutReport: 'The report could not be sent: too large', outcome: { verdict: 'Failed', id } },
    });
  });

  test('whose place is taken by what is no message is told by the heartbeat, and again with each scan, until it is free', () => {
    const play = ready();
    play.tell(failed());
    const squatted = (id: string) => play.tell({ type: 'busy', id, squatted: true });
    const beats = (effects: Effect[]) => effects.flatMap((effect) => (effect.type === 'beat' ? [effect.outcome] : []));
    const waiting = play.state.outbox.queue[0]?.outcome.id ?? '';
    const [told] = beats(squatted(waiting));
    expect(told).toMatchObject({ kind: 'scan', verdict: 'Failed', slotTaken: true });
    expect(told?.id).not.toBe(waiting);
    play.tell({ type: 'beaten', id: told?.id ?? '' });
    expect(beats([...play.ring(2), ...squatted(waiting)])).toEqual([]);
    play.ring(61);
    const [again] = beats(play.tell(failed('f2')));
    expect(again).toMatchObject({ verdict: 'Failed', slotTaken: true });
    play.tell({ type: 'beaten', id: again?.id ?? '' }, { type: 'stored', id: waiting });
    expect(play.state.slotTaken).toBeUndefined();
    play.tell({ type: 'record', record: { ...done, acknowledged: waiting } });
    expect(play.state.outbox.queue).toHaveLength(1);
  });

  test('whose place is taken by a message that the operator has still to take in says nothing of it', () => {
    const play = ready();
    play.tell(failed());
    const id = play.state.outbox.queue[0]?.outcome.id ?? '';
    expect(kinds(play.tell({ type: 'busy', id, squatted: false }))).toEqual([]);
  });

  test('whose place is taken, when no scan waits, is told as a notice; without a lease it stays where it is', () => {
    const play = ready({ orders });
    play.tell(needless, { type: 'baselined', result: { kind: 'made', receipt } });
    const id = play.state.outbox.queue[0]?.outcome.id ?? '';
    const effects = play.tell({ type: 'busy', id, squatted: true });
    const beat = effects.find((effect) => effect.type === 'beat');
    expect(beat).toMatchObject({ outcome: { kind: 'notice', notice: 'SlotTaken' } });
    play.tell({ type: 'unbeaten', id: beat?.outcome.id ?? '', message: 'no lease', missing: true });
    expect(play.state.outbox.queue.map(({ outcome }) => outcome.id)).toEqual([id]);
  });

  test('waits for the message before it', () => {
    const play = ready();
    const first = sent(play.tell(failed())) ?? '';
    play.tell({ type: 'stored', id: first });
    play.ring(100); // a scan, and a look whether the message is still there
    expect(sent(play.tell(succeeded, { type: 'stored', id: first }))).toBeUndefined();
    const effects = play.tell({ type: 'record', record: { ...done, acknowledged: first } });
    expect(sent(effects)).toBe('run-2');
  });
});

describe('an outbox that is full', () => {
  /** Scans of changing verdict while the operator is away, and a new baseline somewhere among them. */
  function long(flips: number): Play {
    const play = ready();
    for (let flip = 0; flip < flips; flip += 1) {
      if (flip === 20) {
        const order = { ...orders, baseline: { ...orders.baseline, id: 'order-2' } };
        play.tell(succeeded, { type: 'record', record: { ...done, orders: order } });
        const made = { ...receipt, orderId: 'order-2', digest: 'd2' };
        play.tell(needless, { type: 'baselined', result: { kind: 'made', receipt: made } });
      }
      play.tell(flip % 2 === 0 ? failed() : succeeded);
      play.ring(play.mono / 1000 + 100);
    }
    return play;
  }

  test('gives up scans without findings first', () => {
    const verdicts = long(60).state.outbox.queue.map(({ outcome }) => outcome.kind === 'scan' && outcome.verdict);
    expect(verdicts).toHaveLength(32);
    expect(verdicts.filter((verdict) => verdict === 'Failed').length).toBeGreaterThanOrEqual(29);
  });

  test('never gives up the newest receipt, without which the operator would wait for ever', () => {
    const kinds = long(200).state.outbox.queue.map(({ outcome }) => outcome.kind);
    expect(kinds.filter((kind) => kind === 'baseline')).toHaveLength(1);
  });
});

describe('trigger files', () => {
  test('are reported and not carried out', () => {
    const play = settled(succeeded);
    const effects = play.tell({ type: 'triggers', found: [{ path: '/run/aide.reinit', removed: true }] });
    expect(kinds(effects)).toEqual(['keep', 'send']);
    expect(effects.find(({ type }) => type === 'send')).toMatchObject({
      message: { outcome: { kind: 'notice', notice: 'UnorderedReinit' } },
    });
  });

  test('that cannot be removed are reported once', () => {
    const play = settled(succeeded);
    const found: Event = { type: 'triggers', found: [{ path: '/run/aide.reinit', removed: false }] };
    expect(kinds(play.tell(found))).toContain('keep');
    expect(kinds(play.tell(found))).toEqual([]);
    play.tell({ type: 'triggers', found: [] });
    expect(kinds(play.tell(found))).toContain('keep');
  });
});

describe('stopping', () => {
  test('ends at once when nothing runs', () => {
    const play = ready();
    play.tell(succeeded);
    expect(kinds(play.tell({ type: 'stop' }))).toEqual(['exit']);
  });

  test('ends AIDE first, and tells of no scan that it ended itself', () => {
    const play = ready();
    expect(kinds(play.tell({ type: 'stop' }))).toEqual(['cancel']);
    expect(kinds(play.tell({ type: 'scanned', result: { kind: 'stopped' } }))).toEqual(['forget', 'exit']);
    expect(kinds(play.tell({ type: 'wake' }))).toEqual([]);
  });
});
