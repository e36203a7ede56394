import { describe, expect, test } from 'vitest';
import type { KeptFailure } from '../../../src/api/nodestatus.ts';
import type { BaselineClosing, BaselineReceipt, Orders } from '../../../src/api/protocol.ts';
import { FAILED, type Happened, type Happening, type KeptHappening, type MessageHappening } from '../history.ts';
import { checkAdmission } from './admission.ts';
import { checkBaselines } from './baselines.ts';
import { checkChain } from './chain.ts';
import { check } from './check.ts';
import { checkCounts } from './counts.ts';
import { checkFaults } from './faults.ts';
import { checkKept } from './kept.ts';
import {
  at,
  condition,
  heard,
  integrityOf,
  madeUp,
  quietAt,
  resultAt,
  SUBJECT,
  scanAt,
  statusOf,
  version,
} from './made-up.ts';
import { checkOperators } from './operators.ts';
import { checkSettled } from './settled.ts';
import { checkShown } from './shown.ts';
import { checkSight } from './sight.ts';
import { checkSilence } from './silence.ts';
import { checkSlots } from './slots.ts';
import { checkStanding } from './standing.ts';
import type { Violation } from './violation.ts';

const told = (violations: readonly Violation[]) => violations.map(({ message }) => message);

test('of a history in which all goes well there is nothing to tell', () => {
  const counts = { selected: 1, watched: 1, succeeded: 1, failed: 0, errored: 0, initializing: 0, held: 0, silent: 0 };
  const good = {
    state: 'Succeeded' as const,
    lastResult: resultAt(1),
    baseline: receipt('order-1', 'd1'),
    status: { conditions: [condition('Fresh', 'True', 'Scanned'), condition('Ready', 'True', 'Watched')] },
  };
  const integrities = [integrityOf({ nodes: { ...counts, unwatched: 0 } })];
  const history = madeUp(
    { type: 'baseline', ...SUBJECT, run: 'r', orderId: 'order-1', reason: 'Initial', digest: 'd1', at: at(0) },
    ...heard(scanAt(1)),
    version(2, { ...good, orders: ordersOf('order-1', 'Initial') }),
    quietAt(3, good, { integrities, healed: true }),
  );
  expect(check(history)).toEqual([]);
});

describe('sight', () => {
  const joined: Happening = { type: 'machine', node: 'node-1', machine: 'm1', what: 'joined' };
  const deleted: Happening = { type: 'status', change: 'deleted', rv: 3, uid: 's1', status: statusOf() };

  test('of a machine that is still there is lost with its status', () => {
    expect(told(checkSight(madeUp(joined, version(1, {}), deleted)))).toEqual([
      'node-1: its status went, and it is still there',
    ]);
    const left: Happening = { ...joined, what: 'left' };
    expect(checkSight(madeUp(joined, version(1, {}), left, deleted))).toEqual([]);
    expect(checkSight(madeUp(joined, version(1, {}), left, { ...joined, machine: 'm2' }, deleted))).toEqual([]);
  });

  test('of a node that is not selected any more is kept by its status and by the whole', () => {
    const says = (reason: string) => ({ status: { conditions: [condition('Ready', 'False', reason)] } });
    const integrities = (status: 'True' | 'False') => [integrityOf({ conditions: [condition('Ready', status, 'x')] })];
    const look = (reason: string, whole: 'True' | 'False') =>
      told(checkSight(madeUp(quietAt(1, says(reason), { integrities: integrities(whole) }, { selected: false }))));
    expect(look('Deselected', 'False')).toEqual([]);
    expect(look('DaemonMissing', 'True')).toEqual([
      'node-1 is not selected any more, and is shown as Ready DaemonMissing',
      'node-1 is not watched any more, and fleet is Ready',
    ]);
    const tainted = { selected: false, away: 'NotTolerated' } as const;
    const quiet = (reason: string) => quietAt(1, says(reason), { integrities: integrities('False') }, tainted);
    expect(checkSight(madeUp(quiet('NotTolerated')))).toEqual([]);
    expect(told(checkSight(madeUp(quiet('Deselected'))))).toEqual([
      'node-1 is not selected any more, and is shown as Ready Deselected',
    ]);
  });

  test('ends where somebody says so, of what is not watched only; what returns is compared with what was on record', () => {
    const forget = (node: string): Happening => ({ type: 'forget', nodes: [node] });
    const unselected = { reason: 'Deselected', message: '', since: at(0) } as const;
    const baseline = receipt('order-1', 'd1');
    const failure = { since: at(0), lastProbeTime: at(0) };
    const gone = (more: object): Happening => ({ ...deleted, status: statusOf({ baseline, ...more }) }) as Happening;
    const begin = [joined, version(1, {})];
    expect(checkSight(madeUp(...begin, forget('node-1'), gone({ unselected })))).toEqual([]);
    const lost = ['node-1: its status went, and it is still there'];
    expect(told(checkSight(madeUp(...begin, forget('node-2'), gone({ unselected }))))).toEqual(lost);
    expect(told(checkSight(madeUp(...begin, forget('node-1'), gone({}))))).toEqual(lost);

    const back = (more: object) => ({ ...version(9, more), uid: 's2' }) as Happening;
    const returns = (before: object, more: object, ...between: Happening[]) =>
      told(checkSight(madeUp(...begin, forget('node-1'), gone({ unselected, ...before }), ...between, back(more))));
    expect(returns({ failure }, { baseline, failure })).toEqual([]);
    expect(returns({ failure }, { baseline })).toEqual(['node-1 came back, and what was found is gone']);
    expect(returns({}, { baseline: receipt('order-9', 'd9') })).toEqual([
      'node-1 came back, and is compared with another baseline',
    ]);
    const other: Happening = { ...joined, machine: 'm2' };
    expect(returns({}, { baseline: receipt('order-9', 'd9') }, other)).toEqual([]);
  });
});

describe('what is shown', () => {
  test('Succeeded by a scan that found something', () => {
    const scan = scanAt(1, { verdict: 'Failed', differences: 1 });
    expect(told(checkShown(madeUp(scan, version(2, { lastResult: resultAt(1) }))))).toEqual([
      'node-1 shows Succeeded by a scan that found changes',
    ]);
  });

  test('Succeeded that nobody said', () => {
    const nobody = ['node-1 shows Succeeded, which no scan said'];
    expect(told(checkShown(madeUp(scanAt(1), version(2, { lastResult: resultAt(5) }))))).toEqual(nobody);
    // The operator's clock said less when it looked.
    const ended = (second: number) => ({ startedAt: at(second), finishedAt: at(second) });
    const early = (second: number) => version(2, { lastResult: resultAt(5), lastScan: ended(second) });
    expect(checkShown(madeUp(scanAt(6), early(6)))).toEqual([]);
    expect(told(checkShown(madeUp(scanAt(7), early(6))))).toEqual(nobody);
    expect(told(checkShown(madeUp(scanAt(4), early(4))))).toEqual(nobody);
  });

  test('an older result after a newer one, unless that was forged', () => {
    const newer = version(2, { lastResult: resultAt(2, 'Failed') });
    const older = version(3, { lastResult: resultAt(1) });
    const goesBack = ['node-1 shows an older result after a newer one'];
    expect(told(checkShown(madeUp(scanAt(1), newer, older)))).toEqual(goesBack);
    // The report of a finding that waited, because the place of the messages was taken, makes nothing look better.
    const squat: Happening = { type: 'squat', by: 'user', taken: true, ...SUBJECT };
    const report = version(3, { lastResult: resultAt(1, 'Failed') });
    expect(checkShown(madeUp(squat, newer, report))).toEqual([]);
    expect(told(checkShown(madeUp(newer, report)))).toEqual(goesBack);
    expect(told(checkShown(madeUp(squat, scanAt(1), newer, older)))).toEqual(goesBack);
  });

  test('Succeeded at a quiet point, though the last scan found something; not so under cover of an update', () => {
    const scan = scanAt(1, { verdict: 'Failed', differences: 1 });
    const quiet = quietAt(3, { lastResult: resultAt(0) });
    expect(told(checkShown(madeUp(...heard(scanAt(0)), ...heard(scan), quiet)))).toEqual([
      'node-1 was scanned and found changed, and is Succeeded',
    ]);
    // One that came no further than a daemon's memory says nothing.
    expect(checkShown(madeUp(...heard(scanAt(0)), scan, quiet))).toEqual([]);
    const update: Happening = { type: 'update', node: 'node-1', machine: 'm1', what: 'begins' };
    expect(checkShown(madeUp(update, ...heard(scan), quiet))).toEqual([]);
  });

  test('Succeeded by a forged scan of a time that has not come is none of a scan’s, and covers no later one for long', () => {
    const forged = (second: number): Happening[] => [
      { type: 'intrusion', ...SUBJECT, how: 'forge-ahead', detail: `f ${at(second)}` },
    ];
    const ahead = { startedAt: at(0), finishedAt: at(40_000) };
    const shown = version(2, { lastResult: resultAt(5), lastScan: ahead });
    expect(checkShown(madeUp(...forged(40_000), shown))).toEqual([]);
    expect(told(checkShown(madeUp(...forged(50_000), shown)))).toEqual(['node-1 shows Succeeded, which no scan said']);
    const found = heard(scanAt(100, { verdict: 'Failed', differences: 1 }));
    const quiet = quietAt(103, { lastResult: resultAt(5), lastScan: ahead });
    const shownSo = (second: number) => {
      const [forgery] = madeUp(...forged(40_000));
      const later = madeUp(...found, quiet).map((event) => ({ ...event, n: event.n + 1 }));
      const shifted = later.map((event) => ({ ...event, time: event.time + second * 1000 }));
      return told(checkShown([forgery, ...shifted] as Happened[]));
    };
    expect(shownSo(30)).toEqual([]);
    expect(shownSo(100)).toEqual(['node-1 was scanned and found changed, and is Succeeded']);
  });

  test('other mounts than were found', () => {
    const scan = heard(scanAt(1, { verdict: 'Failed', differences: 1, mounts: 1 }));
    const quiet = (more: object) => quietAt(3, { lastResult: { ...resultAt(1, 'Failed'), ...more } });
    expect(checkShown(madeUp(...scan, quiet({ mountChanges: 1 })))).toEqual([]);
    expect(told(checkShown(madeUp(...scan, quiet({}))))).toEqual([
      'node-1 has 1 mounts that are otherwise, and 0 are told',
    ]);
  });

  test('Replaced at a quiet point, unless a machine of the name was there before', () => {
    const quiet = quietAt(3, { lastResult: { ...resultAt(0, 'Failed'), baselineFault: 'Replaced' } });
    expect(told(checkShown(madeUp(...heard(scanAt(1)), quiet)))).toHaveLength(1);
    const gone: Happening = { type: 'status', change: 'deleted', rv: 9, uid: 's1', status: statusOf() };
    expect(checkShown(madeUp(gone, ...heard(scanAt(1)), quiet))).toEqual([]);
  });

  test('Failed at a quiet point, though the last scan found nothing', () => {
    expect(told(checkShown(madeUp(...heard(scanAt(1)), quietAt(3, { lastResult: resultAt(0, 'Failed') }))))).toEqual([
      'node-1 was scanned and found unchanged, and is Failed',
    ]);
  });
});

describe('reports', () => {
  const failed = (what: MessageHappening['what'], more: Partial<MessageHappening> = {}): MessageHappening => ({
    type: 'message',
    ...SUBJECT,
    run: 'r',
    id: 'r-1',
    kind: 'scan',
    verdict: 'Failed',
    what,
    ...more,
  });
  const kept: KeptHappening = {
    type: 'kept',
    change: 'applied',
    rv: 1,
    name: 'aide-fleet-node-1-failed',
    node: 'node-1',
    kind: 'failed',
    message: 'r-1',
  };

  test('acknowledged and not kept', () => {
    const history = madeUp(failed('queued'), failed('spooled'), failed('acknowledged'));
    expect(told(checkKept(history))).toEqual(['node-1: a Failed result was acknowledged and not kept']);
    expect(checkKept(madeUp(failed('queued'), kept, failed('acknowledged')))).toEqual([]);
  });

  test('acknowledged and not kept, since it is kept already', () => {
    const failure = {
      sequence: 1,
      digest: 'd',
      configMapName: 'failed',
      lastProbeTime: at(0),
      times: 2,
      lastSeen: at(4),
    };
    const again = (digest: string): Happening =>
      version(4, {
        acknowledged: 'r-1',
        lastResult: { ...resultAt(4), condition: 'Failed', failureDigest: 'd' },
        failures: [{ ...failure, digest }],
      });
    const before: Happening = { ...kept, message: 'r-0', link: { sequence: 1, digest: 'd', previous: '' } };
    const told = (...more: Happening[]) => checkKept(madeUp(failed('queued'), ...more, failed('acknowledged')));
    expect(told(before, again('d'))).toEqual([]);
    expect(told(before, again('e'))).toHaveLength(1);
    expect(told(again('d'))).toHaveLength(1);
  });

  test('given up for something that says less', () => {
    const by = (verdict: 'Failed' | 'Succeeded', waiting = 1) =>
      madeUp(failed('queued'), failed('superseded', { by: { kind: 'scan', verdict, waiting } }));
    expect(told(checkKept(by('Succeeded')))).toEqual(['node-1: a Failed result was given up for something else']);
    expect(checkKept(by('Failed'))).toEqual([]);
    expect(checkKept(by('Succeeded', 32))).toEqual([]);
  });

  test('never acknowledged, though all is well at the end', () => {
    const healed = quietAt(5, {}, { healed: true });
    expect(told(checkKept(madeUp(failed('queued'), failed('spooled'), healed)))).toEqual([
      'node-1: a Failed result was never acknowledged',
    ]);
    // One that was in memory only is found again by the next scan.
    expect(checkKept(madeUp(failed('queued'), healed))).toEqual([]);
    const erased: Happening = { type: 'intrusion', ...SUBJECT, how: 'delete-outbox', detail: 'r-1' };
    expect(checkKept(madeUp(failed('queued'), failed('spooled'), erased, healed))).toEqual([]);
  });
});

describe('baselines', () => {
  const record = (rv: number, more: object = {}): Happening => {
    const said = { reason: 'Demand', nodes: [], withoutFindings: ['node-1'], ...more };
    return { type: 'record', change: 'applied', rv, name: 'aide-fleet-reinit-1', text: JSON.stringify(said) };
  };
  const first = version(1, { orders: ordersOf('order-1', 'Initial'), baseline: receipt('order-1', 'd1') });
  const second = version(3, { orders: ordersOf('order-2', 'Demand'), baseline: receipt('order-1', 'd1') });
  const compared = { ...receipt('order-2', 'd2'), closing: { scan: 'scan-9' } };
  const done = version(4, { orders: ordersOf('order-2', 'Demand'), baseline: compared });

  test('one that takes the place of another without a comparison', () => {
    const unseen = version(4, { orders: ordersOf('order-2', 'Demand'), baseline: receipt('order-2', 'd2') });
    expect(told(checkBaselines(madeUp(first, record(2), second, unseen)))).toEqual([
      'node-1: a baseline took the place of another, and nothing was compared before',
    ]);
  });

  test('one that a forged receipt of an order that stands names, and nobody is told that nothing was compared', () => {
    const forged: Happening = { type: 'intrusion', ...SUBJECT, how: 'forge-receipt-again', detail: 'm order-2 d9' };
    const taken = (closing: BaselineClosing) =>
      version(4, { orders: ordersOf('order-2', 'Demand'), baseline: { ...receipt('order-2', 'd9'), closing } });
    const all = (closing: BaselineClosing) =>
      told(checkBaselines(madeUp(first, record(2), second, forged, taken(closing))));
    expect(all({ uncompared: 'Nothing is known.', at: at(4) })).toEqual([]);
    expect(all({ at: at(4) })).toEqual([
      'node-1: a baseline took the place of another, and nothing was compared before',
    ]);
  });

  test('an order without a record, with one that came later, and with one that is of something else', () => {
    expect(checkBaselines(madeUp(first, record(2), second, done))).toEqual([]);
    const withFindings = { withoutFindings: [], nodes: [{ node: 'node-1', order: 'order-2' }] };
    expect(checkBaselines(madeUp(first, record(2, withFindings), second, done))).toEqual([]);
    const without = ['node-1: the order order-2 (Demand) went out without a record of what it erases'];
    expect(told(checkBaselines(madeUp(first, second, done)))).toEqual(without);
    expect(told(checkBaselines(madeUp(first, record(2, { withoutFindings: ['node-2'] }), second, done)))).toEqual(
      without,
    );
    expect(told(checkBaselines(madeUp(first, record(2, { reason: 'Failed' }), second, done)))).toEqual(without);
    expect(told(checkBaselines(madeUp(record(0), first, second, done)))).toEqual(without);
    expect(told(checkBaselines(madeUp(first, second, record(9), done)))).toEqual([
      'node-1: the order order-2 (Demand) went out before its record was written',
    ]);
  });

  test('one that nobody ordered, two for one order, and one that is gone', () => {
    const orders = ordersOf('order-1', 'Initial');
    const closing = { scan: 'scan-9' };
    const unordered = version(2, { orders, baseline: { ...receipt('order-9', 'd9'), closing } });
    expect(told(checkBaselines(madeUp(first, unordered)))).toEqual([
      'node-1: a baseline that nobody ordered is on record',
    ]);
    const second = version(2, { orders, baseline: { ...receipt('order-1', 'd9'), closing } });
    expect(told(checkBaselines(madeUp(first, second)))).toEqual(['node-1: two baselines were taken in for one order']);
    expect(told(checkBaselines(madeUp(first, version(2, { orders }))))).toEqual([
      'node-1: the baseline on record is gone',
    ]);
  });

  test('of a status that a list brought, only what was seen is judged; a forged receipt is none of an order all the same', () => {
    const orders = ordersOf('order-2', 'Demand');
    const listed: Happening = {
      type: 'status',
      change: 'listed',
      rv: 5,
      uid: 's2',
      status: statusOf({ orders, baseline: receipt('order-0', 'd0') }),
    };
    expect(checkBaselines(madeUp(record(4), listed))).toEqual([]);
    const forged: Happening = { type: 'intrusion', ...SUBJECT, how: 'forge-receipt-unordered', detail: 'm order-0 d0' };
    expect(told(checkBaselines(madeUp(record(4), forged, listed)))).toEqual([
      'node-1: a baseline that nobody ordered is on record',
    ]);
  });

  test('a machine of the name of another may begin with a first baseline, though another order has followed', () => {
    const anew = (rv: number, more: object) => ({ ...version(rv, more), uid: 's2' }) as Happening;
    const begins = [
      anew(5, { orders: ordersOf('order-3', 'Initial'), baseline: receipt('order-1', 'd1') }),
      record(6),
      anew(7, { orders: ordersOf('order-4', 'Demand'), baseline: receipt('order-1', 'd1') }),
      anew(8, { orders: ordersOf('order-4', 'Demand'), baseline: receipt('order-3', 'd3') }),
    ];
    expect(checkBaselines(madeUp(first, ...begins))).toEqual([]);
    const other = anew(8, { orders: ordersOf('order-4', 'Demand'), baseline: receipt('order-4', 'd4') });
    expect(told(checkBaselines(madeUp(first, ...begins.slice(0, 3), other)))).toEqual([
      'node-1: a baseline took the place of another, and nothing was compared before',
    ]);
  });
});

describe('silence', () => {
  const fresh = [condition('Fresh', 'True', 'Scanned'), condition('Ready', 'True', 'Watched')];
  const stale = [condition('Fresh', 'False', 'Late'), condition('Ready', 'True', 'Watched')];

  test('Fresh or Succeeded though nothing was heard for too long', () => {
    const status = { state: 'Succeeded' as const, status: { conditions: fresh } };
    expect(told(checkSilence(madeUp(...heard(scanAt(0)), quietAt(60, status))))).toEqual([
      'node-1 was last scanned 60 s ago, and is shown as Succeeded and Fresh',
    ]);
    expect(
      told(checkSilence(madeUp(...heard(scanAt(0)), quietAt(60, { ...status, status: { conditions: stale } })))),
    ).toHaveLength(1);
    expect(
      checkSilence(madeUp(...heard(scanAt(0)), quietAt(60, { state: 'Silent', status: { conditions: stale } }))),
    ).toEqual([]);
    expect(checkSilence(madeUp(...heard(scanAt(0)), quietAt(10, status)))).toEqual([]);
  });

  test('a forged time that has not come counts from its coming', () => {
    const forged: Happening = { type: 'intrusion', ...SUBJECT, how: 'forge-ahead', detail: `f ${at(40_000)}` };
    const status = { state: 'Succeeded' as const, status: { conditions: fresh } };
    expect(checkSilence(madeUp(forged, quietAt(10, status)))).toEqual([]);
    expect(told(checkSilence(madeUp(forged, quietAt(60, status))))).toHaveLength(1);
  });

  test('held and not shown so, and the other way round', () => {
    const orders = {
      ...ordersOf('order-1', 'Initial'),
      hold: { reason: 'Annotation', message: '', since: at(0) },
    } as const;
    expect(
      told(
        checkSilence(
          madeUp(...heard(scanAt(0)), quietAt(5, { state: 'Succeeded', orders, status: { conditions: fresh } })),
        ),
      ),
    ).toEqual(['node-1 is held, and is shown as Succeeded, Ready Watched']);
    const held = [condition('Ready', 'False', 'Held')];
    expect(
      told(checkSilence(madeUp(...heard(scanAt(0)), quietAt(5, { state: 'Held', status: { conditions: held } })))),
    ).toEqual(['node-1 is not held, and is shown as held']);
    expect(
      checkSilence(madeUp(...heard(scanAt(0)), quietAt(5, { state: 'Held', orders, status: { conditions: held } }))),
    ).toEqual([]);
  });

  test('Ready though the daemon does not run', () => {
    const quiet = quietAt(5, { state: 'Succeeded', status: { conditions: fresh } }, {}, { daemon: 'down' });
    expect(told(checkSilence(madeUp(...heard(scanAt(0)), quiet)))).toEqual([
      'The daemon of node-1 does not run, and it is shown as Ready Watched',
    ]);
  });

  test('a node without a status', () => {
    expect(told(checkSilence(madeUp(quietAt(5, {}, { statuses: [] }))))).toEqual([
      'node-1 is to be watched and has no status',
    ]);
  });
});

describe('the chain of failures', () => {
  const failure = (sequence: number, digest: string): KeptFailure => ({
    sequence,
    digest,
    configMapName: sequence === 3 ? 'failed' : `failed.${sequence}`,
    lastProbeTime: at(0),
  });
  const kept = (name: string, sequence: number, digest: string, previous: string): Happening => ({
    type: 'kept',
    change: 'applied',
    rv: 1,
    name,
    node: 'node-1',
    kind: 'failed',
    message: 'm',
    link: { sequence, digest, previous },
  });
  const chain = [failure(3, 'c'), failure(2, 'b'), failure(1, 'a')];
  const maps = ['failed', 'failed.2', 'failed.1'];

  test('a hole, a report that is gone, a link that does not hold', () => {
    const good = [kept('failed', 3, 'c', 'b'), kept('failed.2', 2, 'b', 'a'), kept('failed.1', 1, 'a', '')];
    const quiet = (failures: KeptFailure[], configMaps = maps) => quietAt(9, { failures }, { configMaps });
    expect(checkChain(madeUp(...good, quiet(chain)))).toEqual([]);
    expect(told(checkChain(madeUp(...good, quiet([failure(3, 'c'), failure(1, 'a')]))))).toContain(
      'node-1: failure 3 comes behind failure 1',
    );
    const text = JSON.stringify({ nodes: [{ node: 'node-1', keptFailure: { sequence: 1 } }] });
    const record: Happening = { type: 'record', change: 'applied', rv: 5, name: 'r', text };
    expect(checkChain(madeUp(...good, record, quiet([failure(3, 'c'), failure(1, 'a')])))).toEqual([]);
    expect(told(checkChain(madeUp(...good, quiet(chain, ['failed', 'failed.1']))))).toEqual([
      'node-1: failure 2 is on record, and its report is gone',
    ]);
    expect(told(checkChain(madeUp(kept('failed', 3, 'c', 'x'), quiet(chain))))).toEqual([
      'node-1: failure 3 is not linked to the one before',
    ]);
    expect(told(checkChain(madeUp(kept('failed', 3, 'x', 'b'), quiet(chain))))).toEqual([
      'node-1: failure 3 has another digest on record than its report says',
    ]);
  });

  test('a past that changes', () => {
    const before = version(1, { failures: chain });
    expect(told(checkChain(madeUp(before, version(2, { failures: [failure(3, 'x')] }))))).toEqual([
      'node-1: failure 3 has another digest than before',
    ]);
    expect(told(checkChain(madeUp(before, version(2, { failures: [failure(2, 'b')] }))))).toEqual([
      'node-1: failure 3 is on record no more',
    ]);
  });
});

test('counts that do not add up, or say something else than the nodes', () => {
  const counts = {
    selected: 1,
    watched: 1,
    succeeded: 0,
    failed: 0,
    errored: 0,
    initializing: 0,
    held: 0,
    silent: 0,
    unwatched: 0,
  };
  const quiet = (nodes: object, conditions: ReturnType<typeof condition>[] = []) =>
    quietAt(
      5,
      { state: 'Failed', lastResult: resultAt(1, 'Failed') },
      { integrities: [integrityOf({ nodes: { ...counts, ...nodes }, conditions })] },
    );
  const held = [condition('IntegrityHeld', 'False', 'Changed')];
  expect(checkCounts(madeUp(quiet({ failed: 1 }, held)))).toEqual([]);
  expect(told(checkCounts(madeUp(quiet({ failed: 1, silent: 1 }, held))))).toEqual([
    'fleet: 2 nodes in all states, and 1 are selected, or were',
    'fleet: 1 nodes are silent, and 0 say so',
  ]);
  expect(told(checkCounts(madeUp(quiet({ failed: 1 }, [condition('IntegrityHeld', 'True', 'NoChanges')]))))).toEqual([
    'fleet: IntegrityHeld is True, and its nodes say otherwise',
  ]);
});

test('a database that an intruder replaced, and that the next scan or the status does not tell of', () => {
  const made: Happening = {
    type: 'baseline',
    ...SUBJECT,
    run: 'r',
    orderId: 'order-1',
    reason: 'Initial',
    digest: 'd1',
    at: at(0),
  };
  const intrusion: Happening = { type: 'intrusion', ...SUBJECT, how: 'replace-database' };
  const seen = scanAt(3, { verdict: 'Failed', fault: 'Replaced' });
  expect(told(checkFaults(madeUp(made, intrusion, scanAt(3))))).toEqual([
    'node-1: replace-database, and the next scan did not see it',
  ]);
  const lastResult = resultAt(3, 'Failed');
  expect(told(checkFaults(madeUp(made, intrusion, ...heard(seen), quietAt(5, { lastResult }))))).toEqual([
    'node-1: the baseline is Replaced, and the status does not say so',
  ]);
  const shown = quietAt(5, { lastResult: { ...lastResult, baselineFault: 'Replaced' } });
  expect(checkFaults(madeUp(made, intrusion, ...heard(seen), shown))).toEqual([]);
  const gone: Happening = { type: 'status', change: 'deleted', rv: 9, uid: 's1', status: statusOf() };
  expect(checkFaults(madeUp(made, intrusion, ...heard(seen), gone, quietAt(5, { lastResult })))).toEqual([]);
});

test('a failure that ends without being judged', () => {
  const failure = { since: at(1), lastProbeTime: at(1), baselineDigest: 'd1' };
  const orders = ordersOf('order-1', 'Initial');
  const failed = {
    orders,
    state: 'Failed' as const,
    lastResult: resultAt(1, 'Failed'),
    results: [resultAt(1, 'Failed')],
    failure,
  };
  const scanned = (baselineDigest: string) => ({
    orders,
    state: 'Succeeded' as const,
    lastResult: resultAt(3),
    results: [resultAt(1, 'Failed'), resultAt(3)],
    lastScan: { startedAt: at(3), finishedAt: at(3), baselineDigest },
  });
  const check = (...versions: Parameters<typeof version>[1][]) =>
    told(checkStanding(madeUp(...versions.map((each, index) => version(index, each)))));
  expect(check(failed, scanned('d1'))).toEqual([]);
  const ended = 'node-1: a failure ended without a scan of the same baseline, or an acceptance';
  expect(check(failed, scanned('d2'))).toEqual([ended]);
  const errored = {
    orders,
    state: 'Errored' as const,
    lastResult: resultAt(2, 'Errored'),
    results: [resultAt(2, 'Errored')],
  };
  expect(check(failed, errored)).toEqual([ended]);
  expect(check({ ...failed, ...errored })).toEqual(['node-1: a failure stands, and it is shown as Errored']);
  const { failure: _, ...bare } = failed;
  expect(check(bare)).toEqual(['node-1: the last result is Failed, and no failure stands']);
  const accepted = (order: string) => ({
    ...bare,
    accepted: [{ ...failure, acceptedAt: at(2), order, reason: 'Demand' as const, who: 'alice' }],
  });
  expect(check(failed, accepted('order-1'))).toEqual([]);
  expect(check(failed, accepted('order-9'))).toEqual(['node-1: a failure was accepted by what nobody ordered']);
});

describe('admission', () => {
  const policy = (what: 'away' | 'back'): Happening => ({ type: 'policy', binding: 'b', what });
  const enforced = (status: 'True' | 'False') =>
    integrityOf({ conditions: [condition('AdmissionEnforced', status, 'x')] });
  const period = { from: at(1), until: at(3), faults: ['binding b is missing'] };
  const quiet = (status: 'True' | 'False', policiesAway: string[], admission: object[]) =>
    quietAt(5, {}, { integrities: [enforced(status)], policiesAway, admission: admission as [typeof period] });

  test('that is True while a policy is away, or said to be', () => {
    const [away] = madeUp(policy('away'));
    const says = (second: number): Happened[] => {
      const happening: Happening = { type: 'integrity', change: 'applied', rv: 1, integrity: enforced('True') };
      return madeUp(happening).map((event) => ({ ...event, n: 1, time: event.time + second * 1000 }));
    };
    expect(checkAdmission([away, ...says(5)] as Happened[])).toEqual([]);
    expect(told(checkAdmission([away, ...says(15)] as Happened[]))).toEqual([
      'AdmissionEnforced became True, and b was away for 15 s',
    ]);
    const open = [{ ...period, until: undefined }];
    expect(checkAdmission(madeUp(policy('away'), quiet('False', ['b'], open)))).toEqual([]);
    expect(told(checkAdmission(madeUp(policy('away'), quiet('True', ['b'], open))))).toEqual([
      'AdmissionEnforced is True, and away are: b',
    ]);
    expect(told(checkAdmission(madeUp(quiet('False', [], []))))).toEqual([
      'AdmissionEnforced is False, and away are: none',
    ]);
  });

  test('that was away and is not on record', () => {
    const both = [policy('away'), policy('back')];
    expect(checkAdmission(madeUp(...both, quiet('True', [], [period])))).toEqual([]);
    const lost = ['b was away, which is not on record'];
    expect(told(checkAdmission(madeUp(...both, quiet('True', [], []))))).toEqual(lost);
    const other = { ...period, faults: ['c is missing'] };
    expect(told(checkAdmission(madeUp(...both, quiet('True', [], [other]))))).toEqual(lost);
    const later = { ...period, from: at(100), until: at(103) };
    expect(told(checkAdmission(madeUp(...both, quiet('True', [], [later]))))).toEqual(lost);
  });
});

describe('places of messages', () => {
  const squat: Happening = { type: 'squat', by: 'user', taken: true, ...SUBJECT };
  const policy = (what: 'away' | 'back'): Happening => ({ type: 'policy', binding: 'file-integrity-names', what });
  const message = (what: 'queued' | 'sent'): Happening => {
    return { type: 'message', ...SUBJECT, run: 'r', id: 'm', kind: 'scan', verdict: 'Failed', what };
  };
  const waits = (seconds: number): Happening[] => {
    return Array.from({ length: seconds }, () => ({ type: 'note', text: '' }) as const);
  };

  test('that are taken though a policy is in force', () => {
    const taken = ['node-1: user took the place of its messages, and a policy refuses that'];
    expect(told(checkSlots(madeUp(squat)))).toEqual(taken);
    expect(checkSlots(madeUp({ ...squat, taken: false }))).toEqual([]);
    expect(checkSlots(madeUp(policy('away'), ...waits(30), squat))).toEqual([]);
    expect(checkSlots(madeUp(policy('away'), policy('back'), squat))).toEqual([]);
    expect(told(checkSlots(madeUp(policy('away'), policy('back'), ...waits(30), squat)))).toEqual(taken);
    const killed: Happening = { type: 'step', done: { do: 'kill-api-server' } };
    expect(checkSlots(madeUp(killed, ...waits(5), squat))).toEqual([]);
  });

  test('that are still taken when a message has waited', () => {
    const quiet = quietAt(9, {}, { squatted: ['node-1'] });
    expect(checkSlots(madeUp(policy('away'), message('queued'), squat, quiet))).toEqual([]);
    expect(told(checkSlots(madeUp(policy('away'), squat, message('queued'), quiet)))).toEqual([
      'node-1: what took the place of its message is still there',
    ]);
  });

  test('with parts of no message: above the number, in a report, or still there after the next message', () => {
    const orphan = (number: number): Happening => {
      return { type: 'intrusion', ...SUBJECT, how: 'orphan-part', detail: `${number} aide-fleet-node-1-${number}` };
    };
    expect(told(checkSlots(madeUp(orphan(100))))).toEqual(['node-1: a part 100 was made, and a policy refuses that']);
    const kept = { type: 'kept', change: 'applied', rv: 1, name: 'x', node: 'node-1', kind: 'failed', message: 'm' };
    expect(checkSlots(madeUp(kept as Happening))).toEqual([]);
    expect(told(checkSlots(madeUp({ ...kept, orphaned: true } as Happening)))).toEqual([
      'node-1: a report was kept with a part that belongs to no message',
    ]);
    const quiet = quietAt(20, {}, { parts: ['aide-fleet-node-1-2'] });
    expect(checkSlots(madeUp(message('sent'), orphan(2), quiet))).toEqual([]);
    expect(told(checkSlots(madeUp(orphan(2), ...waits(5), message('sent'), quiet)))).toEqual([
      'node-1: a part without a message is still there after the next message',
    ]);
  });
});

test('an operator that ends by itself, unless it does not lead any more', () => {
  const ended = (said: string): Happening => ({ type: 'operator', what: 'ended', said });
  expect(told(checkOperators(madeUp(ended('1: Lost (KUBE_LEADERSHIP_LOST)'), ended('1: TypeError'))))).toEqual([
    'An operator ended by itself: 1: TypeError',
  ]);
});

test('a world that does not settle, and nodes that are not what their files say', () => {
  expect(told(checkSettled(madeUp(quietAt(5, {}, { unsettled: 'node-1 sends' }))))).toEqual([
    'Not settled: node-1 sends',
  ]);
  const baseline = receipt('order-1', 'd1');
  const quiet = (state: 'Failed' | 'Succeeded', differences: number) =>
    quietAt(5, { state, baseline }, { healed: true }, { differences });
  expect(checkSettled(madeUp(quiet('Succeeded', 0)))).toEqual([]);
  expect(told(checkSettled(madeUp(quiet('Succeeded', 1))))).toEqual(['node-1 is Succeeded; by its files it is Failed']);
  expect(told(checkSettled(madeUp(quiet('Failed', 1), quiet('Failed', 1))))).toEqual([
    'node-1 is Failed after a new baseline of every node',
  ]);
  const step: Happening = { type: 'step', done: { do: 'release' }, note: `${FAILED}Error: no` };
  expect(told(checkSettled(madeUp(step)))).toEqual(['A step went wrong: failed: Error: no']);
  const lost = quietAt(5, {}, { healed: true, statuses: [] });
  expect(told(checkSettled(madeUp(lost)))).toEqual(['node-1 has no status']);
  expect(statusOf().nodeName).toBe(SUBJECT.node);
});

function receipt(orderId: string, digest: string): BaselineReceipt {
  const facts = { entries: 1, configurationDigest: 'c', aideVersion: '0.19.1', bootId: 'b' };
  return { orderId, digest, ...facts, reason: 'Initial', createdAt: at(0) };
}

function ordersOf(id: string, reason: Orders['baseline']['reason']): Orders {
  return {
    settings: { gracePeriod: 10, maxBackups: 5, debug: false },
    configuration: { name: 'fleet', key: 'aide.conf', digest: 'c' },
    baseline: { id, reason, requestedAt: at(0) },
  };
}
