import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { aNode, machineConfigured, minutesBefore, NOW } from '../../../../test/support/operator-worlds.ts';
import {
  afterResults,
  aLease,
  aReceipt,
  aResultsWorld,
  aScan,
  aSlot,
  aStatus,
  aWorldAfter,
  DIGEST,
} from '../../../../test/support/result-worlds.ts';
import type { FileIntegrityNodeStatus } from '../../../api/nodestatus.ts';
import type { BaselineReceipt, ScanOutcome, UnseenRecord } from '../../../api/protocol.ts';
import { formatMemory, MEMORY_ANNOTATION, type NodeMemory } from '../../nodes/memory.ts';
import { UPDATING_LABEL } from '../../nodes/update.ts';
import { fieldsOf, planResults, verdictOf } from './plan.ts';
import type { ResultsPlan, ResultsWorld } from './types.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const counts = { added: 1, changed: 2, removed: 3 };
const failed = (changes: Partial<ScanOutcome> = {}) => aScan({ verdict: 'Failed', exitStatus: 7, counts, ...changes });
const errored = (errorMessage = 'no.') => aScan({ verdict: 'Errored', exitStatus: 18, errorMessage });
const withSlot = (world: ResultsWorld, message: Parameters<typeof aSlot>[0]) => ({ ...world, slot: aSlot(message) });
const told = (world: ResultsWorld) => planResults(world).events.map(({ type, message }) => `${type} ${message}`);

describe('a scan’s message', () => {
  test('without findings becomes the last result, is told of, acknowledged and removed', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(aScan()) }));
    expect(plan.fields).toMatchObject({
      lastResult: { condition: 'Succeeded', lastProbeTime: minutesBefore(1) },
      results: [{ condition: 'Succeeded' }],
      lastScan: { exitStatus: 0, observedAt: NOW.toISOString() },
      acknowledged: 'scan-1',
    });
    expect(plan.keep).toBeUndefined();
    expect(plan.remove).toEqual({ name: 'aide-worker-a', uid: 'uid-of-slot', parts: [] });
    expect(plan.events.map(({ message }) => message)).toEqual(['no changes to node a']);
  });

  test('with findings is kept, and the result says where and how many', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(failed()) }));
    expect(plan.keep).toMatchObject({ scan: { id: 'scan-1', counts }, to: 'aide-worker-a-failed', parts: 1 });
    expect(plan.fields?.lastResult).toEqual({
      lastProbeTime: minutesBefore(1),
      condition: 'Failed',
      resultConfigMapName: 'aide-worker-a-failed',
      resultConfigMapNamespace: 'fio',
      filesAdded: 1,
      filesChanged: 2,
      filesRemoved: 3,
    });
    expect(told(aResultsWorld({ slot: aSlot(failed()) }))).toEqual([
      'Warning node a has changed! a:1,c:2,r:3 log:fio/aide-worker-a-failed',
    ]);
  });

  test('of a scan that could not be done has the reason and keeps nothing, also when a log lies beside it', () => {
    const annotations = { [key('log-errormsg')]: 'no.' };
    const plan = planResults(aResultsWorld({ slot: aSlot(errored(), { annotations }, { integritylog: '' }) }));
    expect(plan.fields?.lastResult).toMatchObject({ condition: 'Errored', errorMessage: 'no.' });
    expect(plan.fields?.lastResult).not.toHaveProperty('resultConfigMapName');
    expect(plan.keep).toBeUndefined();
    expect(plan.events.map(({ message }) => message)).toEqual(['node a has an error! no.']);
  });

  test('with an empty log is taken in and acknowledged like any other', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(failed(), {}, { integritylog: '' }) }));
    expect(plan).toMatchObject({ keep: { parts: 1 }, fields: { acknowledged: 'scan-1' } });
    expect(plan.remove).toBeDefined();
  });

  test('that cannot be read makes the node Errored and is acknowledged by its id', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(JSON.stringify({ ...aScan(), node: 'b' })) }));
    expect(plan.fields).toMatchObject({ lastResult: { condition: 'Errored' }, acknowledged: 'scan-1' });
    expect(plan.remove).toBeDefined();
  });

  test('that compared before another order than the one that stands says nothing of the baseline to come', () => {
    const closes = (id: string) => withSlot(aResultsWorld(), failed({ closes: id }));
    const standing = aStatus().orders?.baseline.id ?? '';
    expect(planResults(closes(standing)).fields?.closing).toMatchObject({ order: standing, verdict: 'Failed' });
    expect(planResults(closes('another')).fields).not.toHaveProperty('closing');
  });

  test('of a scan before the one that found something makes nothing look better, though its message comes later', () => {
    // A heartbeat has told the newest result, because the place of the messages was taken; the others come in their turn.
    const later = failed({ startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1) });
    const world = aWorldAfter(later);
    const plan = planResults(withSlot(world, aScan({ id: 'earlier' })));
    expect(plan.fields).toMatchObject({
      acknowledged: 'earlier',
      lastResult: { condition: 'Failed' },
      lastScan: { finishedAt: later.finishedAt },
    });
    expect(plan.fields?.failure).toEqual(world.status.failure);
    expect(plan.events).toEqual([]);
    expect(plan.remove).toBeDefined();
    // A finding counts whenever it comes.
    expect(planResults(withSlot(world, failed({ id: 'earlier' }))).keep).toBeDefined();
  });

  test('that is acknowledged already is removed, and nothing else is done', () => {
    const world = aWorldAfter(failed());
    expect(planResults(withSlot(world, failed()))).toEqual({
      events: [],
      remove: { name: 'aide-worker-a', uid: 'uid-of-slot', parts: [] },
    });
  });

  test('of a clock that is ahead is not fresher than now', () => {
    const slot = aSlot(aScan({ finishedAt: '2099-01-01T00:00:00Z' }));
    expect(planResults(aResultsWorld({ slot })).fields?.lastResult?.lastProbeTime).toBe(NOW.toISOString());
  });

  test('without anything new plans nothing', () => {
    expect(planResults(aWorldAfter(aScan()))).toEqual({ events: [] });
  });
});

describe('results', () => {
  test('have the newest of each condition, and a failure stays readable after a re-init', () => {
    const scans = [
      aScan({ id: '1' }),
      failed({ id: '2', finishedAt: minutesBefore(0.5) }),
      { ...errored(), finishedAt: minutesBefore(0.4) },
      aScan({ id: '4', finishedAt: minutesBefore(0.3) }),
    ];
    const world = scans.reduce((before, scan) => afterResults(withSlot(before, scan)), aResultsWorld());
    expect(world.status.results?.map(({ condition }) => condition)).toEqual(['Failed', 'Errored', 'Succeeded']);
    expect(world.status.lastResult?.condition).toBe('Succeeded');
    expect(world.status.results?.[0]).toMatchObject({ filesAdded: 1, resultConfigMapName: 'aide-worker-a-failed' });
  });
});

describe('events', () => {
  test.each([
    ['no findings again', aScan(), aScan({ id: '2' }), 0],
    ['the same findings again', failed(), failed({ id: '2' }), 0],
    ['findings with other counts', failed(), failed({ id: '2', counts: { ...counts, added: 9 } }), 1],
    ['findings that are gone', failed(), aScan({ id: '2' }), 1],
    ['another error', errored(), aScan({ id: '2', verdict: 'Errored', errorMessage: 'other.' }), 0],
    ['an error after findings', failed(), aScan({ id: '2', verdict: 'Errored' }), 1],
  ])('tell of %s: %#', (_, first, second, count) => {
    expect(planResults(withSlot(aWorldAfter(first), second)).events).toHaveLength(count);
  });
});

describe('a report in parts', () => {
  const announced = (parts: number) => aSlot(failed(), { annotations: { [key('parts')]: String(parts) } });

  test('is kept whole, and all its parts are removed', () => {
    const plan = planResults(aResultsWorld({ slot: announced(3), parts: [2, 3] }));
    expect(plan.keep).toMatchObject({ parts: 3 });
    expect(plan.keep).not.toHaveProperty('announced');
    expect(plan.remove?.parts).toEqual([2, 3]);
  });

  test('of which a part is missing is kept as far as it goes, holds nothing up, and the result says so', () => {
    const plan = planResults(aResultsWorld({ slot: announced(4), parts: [2, 4] }));
    expect(plan.keep).toMatchObject({ parts: 2, announced: 4 });
    expect(plan.fields?.lastResult).toMatchObject({
      condition: 'Failed',
      filesAdded: 1,
      errorMessage: 'The report is incomplete: part 3 of 4 was not there.',
    });
    expect(plan.remove?.parts).toEqual([2, 4]);
  });

  test('that is incomplete stays said so, and where, when a heartbeat says the findings again', () => {
    const before = afterResults(aResultsWorld({ slot: announced(4), parts: [2, 4] }));
    const beat = failed({ id: 'beat', startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1) });
    const after = afterResults({ ...before, lease: aLease(beat) });
    expect(after.status.lastResult).toEqual({ ...before.status.lastResult, lastProbeTime: minutesBefore(0.1) });
  });

  test('that is kept gives way to no message that says the same again without one, and to any other', () => {
    const before = aWorldAfter(failed());
    const later = { startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1) };
    const again = planResults({ ...before, slot: aSlot(failed({ id: 'again', again: true, ...later })) });
    expect(again).not.toHaveProperty('keep');
    expect(again.remove).toBeDefined();
    expect(again.events).toEqual([]);
    expect(again.fields).toMatchObject({
      acknowledged: 'again',
      lastResult: { ...before.status.lastResult, lastProbeTime: minutesBefore(0.1) },
      lastScan: { finishedAt: minutesBefore(0.1) },
    });
    expect(planResults({ ...before, slot: aSlot(failed({ id: 'whole', ...later })) }).keep).toBeDefined();
    const more = failed({ id: 'more', again: true, ...later, counts: { added: 9, changed: 0, removed: 0 } });
    expect(planResults({ ...before, slot: aSlot(more) }).keep).toBeDefined();
  });

  test('that announces parts which nobody wrote costs no more than those that are there', () => {
    const plan = planResults(aResultsWorld({ slot: announced(99) }));
    expect(plan.keep).toMatchObject({ parts: 1, announced: 99 });
    expect(plan.remove?.parts).toEqual([]);
  });
});

describe('a receipt', () => {
  const other = 'e'.repeat(64);
  const received = (receipt: BaselineReceipt) => aSlot({ kind: 'baseline', id: 'b', node: 'a', receipt });
  /** Node a has the order `standing`; before it, it had `earlier`, the newest first. */
  const ordered = (standing: string, earlier: readonly string[], changes: Partial<FileIntegrityNodeStatus> = {}) => {
    const status = aStatus(changes);
    const annotations = { [MEMORY_ANNOTATION]: formatMemory({ orders: earlier }) ?? '' };
    const { orders } = aStatus();
    const baseline = { id: standing, reason: 'Demand', requestedAt: minutesBefore(5) } as const;
    return {
      ...status,
      metadata: { ...status.metadata, annotations },
      ...(orders && { orders: { ...orders, baseline } }),
    };
  };

  test.each([
    ['the standing order', 'order-3'],
    ['an earlier order', 'order-2'],
  ])('of %s becomes the baseline, and the first of those on record', (_, orderId) => {
    const receipt = aReceipt({ orderId, digest: other });
    const plan = planResults(
      aResultsWorld({ status: ordered('order-3', ['order-2', 'order-1']), slot: received(receipt) }),
    );
    expect(plan.fields).toMatchObject({ baseline: receipt, baselines: [receipt, aReceipt()], acknowledged: 'b' });
    expect(plan.events.map(({ reason }) => reason)).toEqual(['BaselineAccepted']); // by a daemon that compares nothing
    expect(plan.keep).toBeUndefined();
  });

  describe('after a comparison with the baseline before', () => {
    const counts = { added: 0, changed: 4, removed: 0 };
    const closing = (changes: Partial<ScanOutcome> = {}) =>
      aScan({ id: 'close', verdict: 'Failed', counts, closes: 'order-2', baselineDigest: DIGEST, ...changes });
    const taken = (scan: ScanOutcome, changes: Partial<FileIntegrityNodeStatus> = {}) => {
      const status = { ...ordered('order-2', ['order-1']), ...changes };
      return afterResults(aResultsWorld({ status, slot: aSlot(scan) }));
    };
    const receive = (world: ResultsWorld, said: BaselineReceipt['closing']) => {
      const receipt = aReceipt({ orderId: 'order-2', digest: other, ...(said && { closing: said }) });
      const plan = planResults({ ...world, slot: received(receipt) });
      return { closing: plan.fields?.baseline?.closing, fields: plan.fields, events: plan.events };
    };

    test('has what was found as a failure, before it can be accepted', () => {
      const plan = planResults(aResultsWorld({ status: ordered('order-2', ['order-1']), slot: aSlot(closing()) }));
      expect(plan.keep).toMatchObject({ to: 'aide-worker-a-failed' });
      expect(plan.fields).toMatchObject({
        lastResult: { condition: 'Failed', filesChanged: 4 },
        closing: { order: 'order-2', scan: 'close', verdict: 'Failed', counts },
      });
    });

    test('links it, and tells who accepted what', () => {
      const { closing: linked, fields, events } = receive(taken(closing()), { scan: 'close' });
      expect(linked).toEqual({
        scan: 'close',
        verdict: 'Failed',
        counts,
        kept: { configMapName: 'aide-worker-a-failed' },
        at: NOW.toISOString(),
      });
      expect(fields).not.toHaveProperty('closing');
      expect(events).toMatchObject([
        {
          type: 'Warning',
          reason: 'BaselineAccepted',
          message:
            'node a: the new baseline (Demand) accepts what differed from the one before: a:0,c:4,r:0 log:fio/aide-worker-a-failed',
        },
      ]);
    });

    test('that found nothing has that on record, and tells nothing', () => {
      const quiet = receive(taken(closing({ verdict: 'Succeeded' })), { scan: 'close' });
      expect(quiet.closing).toEqual({ scan: 'close', verdict: 'Succeeded', at: NOW.toISOString() });
      expect(quiet.events).toEqual([]);
    });

    test('takes the daemon’s word for the time in which nobody looked, and for nothing else', () => {
      const gap = { from: minutesBefore(3), to: minutesBefore(2) };
      const lie = { scan: 'close', verdict: 'Succeeded', gap, kept: { configMapName: 'x' } } as const;
      expect(receive(taken(closing()), lie).closing).toEqual({
        scan: 'close',
        verdict: 'Failed',
        counts,
        gap,
        kept: { configMapName: 'aide-worker-a-failed' },
        at: NOW.toISOString(),
      });
    });

    test.each([
      ['could not be done', closing({ verdict: 'Errored', errorMessage: 'AIDE is ill.' }), 'AIDE is ill.'],
      ['was with another database', closing({ baselineFault: 'Missing', errorMessage: 'It is gone.' }), 'It is gone.'],
    ])('that %s says so', (_, scan, why) => {
      const { closing: linked, events } = receive(taken(scan), { scan: 'close' });
      expect(linked).toMatchObject({ verdict: scan.verdict, uncompared: why });
      const standing = scan.verdict === 'Failed' ? [{ type: 'Warning', reason: 'FailureAccepted' }] : [];
      expect(events).toMatchObject([{ type: 'Warning', message: expect.stringContaining(why) }, ...standing]);
    });

    test.each<[string, ScanOutcome, BaselineReceipt['closing'], string]>([
      ['of which nothing is said', aScan(), undefined, 'The daemon told of no comparison'],
      ['that is not on record', aScan(), { scan: 'close' }, 'The comparison that the receipt names is not on record.'],
      ['for another order', closing({ closes: 'order-1' }), { scan: 'close' }, 'is not on record'],
      ['other than the one that the receipt names', closing(), { scan: 'another' }, 'is not on record'],
    ])('%s: counts as none', (_, scan, said, why) => {
      const { closing: linked, events } = receive(taken(scan), said);
      expect(linked).toEqual({ uncompared: expect.stringContaining(why), at: NOW.toISOString() });
      const standing = scan.verdict === 'Failed' ? [{ type: 'Warning', reason: 'FailureAccepted' }] : [];
      expect(events).toMatchObject([{ type: 'Warning', reason: 'BaselineAccepted' }, ...standing]);
    });

    test('is set aside while the node is updated, and linked all the same', () => {
      const memory = formatMemory({ configuration: 'y', updated: { from: 'x', to: 'y' }, orders: ['order-1'] }) ?? '';
      const status = ordered('order-2', ['order-1']);
      const metadata = { ...status.metadata, annotations: { [MEMORY_ANNOTATION]: memory } };
      const world = { ...taken(closing(), { metadata }), node: machineConfigured(aNode('a'), 'y', 'y', 'Done') };
      expect(world.status.lastResult).toBeUndefined();
      const { closing: linked, events } = receive(world, { scan: 'close' });
      expect(linked).toMatchObject({ counts, kept: { configMapName: 'aide-worker-a-set-aside', setAside: true } });
      expect(events.map(({ reason }) => reason)).toEqual(['BaselineAccepted']);
    });
  });

  test('is one of the last ten that are on record', () => {
    const baselines = Array.from({ length: 10 }, (_, index) => aReceipt({ orderId: `old-${index}` }));
    const status = ordered('order-3', [], { baselines });
    const { fields } = planResults(aResultsWorld({ status, slot: received(aReceipt({ orderId: 'order-3' })) }));
    expect(fields?.baselines?.map(({ orderId }) => orderId)).toEqual([
      'order-3',
      ...baselines.slice(0, 9).map(({ orderId }) => orderId),
    ]);
  });

  test.each([
    ['names no order', aReceipt({ orderId: 'made-up', digest: other }), 'no order of that id was given'],
    ['is a second one for its order', aReceipt({ digest: other }), 'its order was carried out already'],
    ['is for an order before that of the baseline', aReceipt({ orderId: 'order-0' }), 'its order was given before'],
  ])('that %s is not taken in: the node is Failed, and says why', (_, receipt, why) => {
    const world = aResultsWorld({ status: ordered('order-2', ['order-1', 'order-0']), slot: received(receipt) });
    const plan = planResults(world);
    expect(plan.fields).toMatchObject({
      baseline: aReceipt(),
      lastResult: {
        condition: 'Failed',
        baselineFault: 'Unordered',
        errorMessage: expect.stringContaining(why),
        resultConfigMapName: 'aide-worker-a-failed',
      },
      acknowledged: 'b',
    });
    expect(plan.fields?.baselines).toBeUndefined();
    expect(plan.keep).toMatchObject({ scan: { id: 'b' }, to: 'aide-worker-a-failed' });
    expect(plan.events.map(({ reason }) => reason)).toEqual(['NodeIntegrityStatus', 'BaselineUnordered']);
    expect(plan.remove).toBeDefined();
    // It is told of each time, also where it changes nothing any more.
    const again = { ...afterResults(world, plan), slot: aSlot({ kind: 'baseline', id: 'c', node: 'a', receipt }) };
    expect(planResults(again).events.map(({ reason }) => reason)).toEqual(['BaselineUnordered']);
  });

  test('that is there already changes nothing', () => {
    const world = aResultsWorld({ slot: received(aReceipt({ createdAt: minutesBefore(1) })) });
    expect(planResults(world)).toMatchObject({ fields: { baseline: aReceipt(), acknowledged: 'b' }, events: [] });
  });

  test('that is the first and is refused leaves no scan that counts behind it', () => {
    const { baseline: _, ...bare } = ordered('order-2', []);
    const refused = afterResults(aResultsWorld({ status: bare, slot: received(aReceipt({ orderId: 'made-up' })) }));
    const scanned = planResults(withSlot(refused, aScan({ baselineDigest: DIGEST })));
    expect(scanned.fields?.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Unordered' });
  });
});

test('a notice is told of as a warning, and the newest ten stay in the status', () => {
  const notice = (id: string) =>
    aSlot({ kind: 'notice', id, node: 'a', notice: 'UnorderedReinit', at: minutesBefore(1), message: 'A \u001bfile.' });
  const plan = planResults(aResultsWorld({ slot: notice('n') }));
  expect(plan).toMatchObject({
    fields: {
      acknowledged: 'n',
      notices: [{ at: minutesBefore(1), reason: 'UnorderedReinit', message: 'A \\x1bfile.' }],
    },
    events: [{ type: 'Warning', reason: 'UnorderedReinit', message: 'node a: A \\x1bfile.' }],
  });
  let world = aResultsWorld();
  for (let count = 0; count < 12; count++) world = afterResults({ ...world, slot: notice(`n-${count}`) });
  expect(world.status.notices).toHaveLength(10);
});

describe('a message in the place of another node’s', () => {
  const foreign = aSlot(failed(), { labels: { [key('node')]: 'b' } });

  test('is removed and told of, and says nothing of the node', () => {
    const plan = planResults(aResultsWorld({ slot: foreign }));
    expect(plan).toEqual({
      events: [
        {
          type: 'Warning',
          reason: 'ResultRefused',
          message:
            'A message in the place of those of node a was removed and counts for no node. By its labels it is of another: FileIntegrity worker, node b.',
        },
      ],
      remove: { name: 'aide-worker-a', uid: 'uid-of-slot', parts: [] },
    });
  });

  test('keeps no heartbeat of the node from being taken in', () => {
    const lease = aLease(aScan({ startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1) }));
    const plan = planResults({ ...aResultsWorld({ slot: foreign }), lease });
    expect(plan.fields?.lastResult?.condition).toBe('Succeeded');
    expect(plan.fields).not.toHaveProperty('acknowledged');
  });

  test('that is a kept report, since names can meet, is left alone', () => {
    const annotations = { [key('message')]: 'x' };
    expect(planResults(aResultsWorld({ slot: aSlot(undefined, { annotations }) }))).toEqual({ events: [] });
  });
});

describe('a scan that could not be done', () => {
  const world = (errorCode: string | undefined, errorMessage = 'AIDE was killed.') =>
    aResultsWorld({
      slot: aSlot(aScan({ ...errored(errorMessage), ...(errorCode !== undefined && { errorCode }) })),
    });

  test('says the code by which its error is documented, in result and event', () => {
    const plan = planResults(world('AIDE_KILLED'));
    expect(plan.fields?.lastResult).toMatchObject({
      errorCode: 'AIDE_KILLED',
      errorMessage: 'AIDE_KILLED: AIDE was killed.',
    });
    expect(plan.events.map(({ message }) => message)).toEqual(['node a has an error! AIDE_KILLED: AIDE was killed.']);
    expect(planResults(aResultsWorld({ slot: aSlot('{') })).fields?.lastResult?.errorMessage).toMatch(
      /^OUTCOME_UNREADABLE: The result of the scan could not be read/,
    );
  });

  test.each([
    ['no code', undefined],
    ['what is none', 'a b: c'],
    ['a long one', 'A'.repeat(64)],
  ])('with %s has its sentence alone', (_, code) => {
    const { lastResult } = planResults(world(code)).fields ?? {};
    expect(lastResult?.errorMessage).toBe('AIDE was killed.');
    expect(lastResult).not.toHaveProperty('errorCode');
  });

  test('again is no other result, and names its code once', () => {
    const before = afterResults(world('AIDE_KILLED', 'AIDE_KILLED: AIDE was killed.'));
    expect(before.status.lastResult?.errorMessage).toBe('AIDE_KILLED: AIDE was killed.');
    const again = aScan({
      ...errored('AIDE was killed.'),
      errorCode: 'AIDE_KILLED',
      id: 'beat',
      finishedAt: NOW.toISOString(),
    });
    expect(planResults({ ...before, lease: aLease(again) })).toMatchObject({
      events: [],
      fields: { lastResult: { ...before.status.lastResult, lastProbeTime: NOW.toISOString() } },
    });
  });
});

describe('a heartbeat', () => {
  const beat = (changes: Partial<ScanOutcome> = {}) =>
    aScan({ id: 'beat-1', startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1), ...changes });
  const withBeat = (world: ResultsWorld, scan: ScanOutcome) => ({ ...world, lease: aLease(scan) });

  test('that says the same again moves the time of the last result, and nothing else', () => {
    const before = aWorldAfter(failed());
    const world = afterResults(withBeat(before, beat({ ...failed(), id: 'beat-1', finishedAt: minutesBefore(0.1) })));
    expect(world.status.lastResult).toEqual({ ...before.status.lastResult, lastProbeTime: minutesBefore(0.1) });
    expect(world.status.results).toHaveLength(1);
    expect(planResults(world)).toEqual({ events: [] });
  });

  test('is taken in once', () => {
    const world = withBeat(aWorldAfter(aScan()), beat());
    expect(planResults(world).fields).toMatchObject({ heartbeat: 'beat-1' });
    expect(planResults(afterResults(world))).toEqual({ events: [] });
  });

  test('that says something else, later than the last scan, is believed: silence must not look like the last result', () => {
    const unreadable = afterResults(aResultsWorld({ slot: aSlot('{') }));
    const world = withBeat(unreadable, beat());
    expect(planResults(world).fields?.lastResult?.condition).toBe('Succeeded');
    expect(told(world)).toEqual(['Normal no changes to node a']);
    expect(planResults(withBeat(aWorldAfter(aScan()), beat({ verdict: 'Failed', counts }))).fields).toMatchObject({
      lastResult: { condition: 'Failed', filesAdded: 1 },
    });
  });

  test('that is older than the last scan, or than the baseline, says nothing any more', () => {
    const old = { startedAt: minutesBefore(20), finishedAt: minutesBefore(19) };
    expect(planResults(withBeat(aWorldAfter(failed()), beat(old)))).toEqual({ events: [] });
    const world = aWorldAfter(aScan());
    const rebased = { ...world, status: { ...world.status, baseline: aReceipt({ createdAt: minutesBefore(0.15) }) } };
    const before = { baselineDigest: 'b'.repeat(64), verdict: 'Failed', counts } as const;
    expect(planResults(withBeat(rebased, beat(before)))).toEqual({ events: [] });
  });

  test('that is seen behind a later message sets no time back, though it says the same', () => {
    const old = { startedAt: minutesBefore(20), finishedAt: minutesBefore(19) };
    expect(planResults(withBeat(aWorldAfter(aScan()), beat(old)))).toEqual({ events: [] });
    expect(planResults(withBeat(aWorldAfter(failed()), beat({ ...failed(), ...old, id: 'beat-1' })))).toEqual({
      events: [],
    });
  });

  test('of a scan before a receipt that nobody ordered does not make up for it, and the next scan does', () => {
    const receipt = aReceipt({ orderId: 'made-up', createdAt: minutesBefore(0.5) });
    const refused = afterResults({
      ...aWorldAfter(aScan()),
      slot: aSlot({ kind: 'baseline', id: 'b', node: 'a', receipt }),
    });
    const earlier = beat({ startedAt: minutesBefore(0.8), finishedAt: minutesBefore(0.7) });
    expect(planResults(withBeat(refused, earlier))).toEqual({ events: [] });
    expect(planResults(withBeat(refused, beat())).fields?.lastResult?.condition).toBe('Succeeded');
  });

  test('that comes with a newer message is not taken in after it', () => {
    const world = withBeat(withSlot(aWorldAfter(aScan({ id: '0' })), failed()), beat());
    const after = afterResults(world);
    expect(after.status.lastResult?.condition).toBe('Failed');
    expect(planResults(after)).toEqual({ events: [] });
  });

  test('in the lease of an earlier status of the node says nothing of this one', () => {
    const lease = aLease(beat());
    const [owner] = lease.metadata?.ownerReferences ?? [];
    if (owner) owner.uid = 'another';
    expect(planResults({ ...aResultsWorld(), lease })).toEqual({ events: [] });
  });
});

describe('a scan that was compared with another baseline than the receipt names', () => {
  const scan = (changes: Partial<ScanOutcome> = {}) => aScan({ baselineDigest: 'e'.repeat(64), ...changes });
  const untrusted = {
    condition: 'Failed',
    baselineFault: 'Replaced',
    errorMessage: expect.stringContaining('another baseline'),
  };

  test('is no proof: the node is Failed, what is known of it is kept, and both are told of', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(scan()) }));
    expect(plan.fields?.lastResult).toMatchObject({ ...untrusted, resultConfigMapName: 'aide-worker-a-failed' });
    expect(plan.keep).toMatchObject({ scan: { baselineFault: 'Replaced' }, to: 'aide-worker-a-failed' });
    expect(plan.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning NodeIntegrityStatus',
      'Warning BaselineUntrusted',
    ]);
  });

  test('and has findings is Failed for both', () => {
    const { fields } = planResults(aResultsWorld({ slot: aSlot(failed({ baselineDigest: 'e'.repeat(64) })) }));
    expect(fields?.lastResult).toMatchObject({ ...untrusted, filesAdded: 1 });
  });

  test('by heartbeat is the same, is kept with what is known of it, and said again changes no result', () => {
    const lease = (id: string, minutes: number) =>
      aLease(scan({ id, startedAt: minutesBefore(minutes), finishedAt: minutesBefore(minutes) }));
    const first = { ...aWorldAfter(aScan()), lease: lease('beat-1', 0.5) };
    expect(planResults(first)).toMatchObject({
      keep: { scan: { id: 'beat-1' }, to: 'aide-worker-a-failed' },
      fields: { lastResult: untrusted, heartbeat: 'beat-1' },
    });
    expect(planResults(first).keep?.from).toBeUndefined();
    const second = planResults({ ...afterResults(first), lease: lease('beat-2', 0.2) });
    expect(second).toMatchObject({ events: [], fields: { lastResult: untrusted, heartbeat: 'beat-2' } });
    expect(second.keep).toBeUndefined();
  });

  test('because it began before that baseline was made, is as good as ever', () => {
    const baseline = aReceipt({ createdAt: minutesBefore(1.5) });
    const earlier = aReceipt({ orderId: 'order-0', digest: 'e'.repeat(64), createdAt: minutesBefore(50) });
    const told = (status: FileIntegrityNodeStatus) =>
      planResults(aResultsWorld({ status, slot: aSlot(scan()) })).fields?.lastResult?.condition;
    expect(told(aStatus({ baseline, baselines: [baseline, earlier] }))).toBe('Succeeded');
    // What was never on record is none that was before.
    expect(told(aStatus({ baseline, baselines: [baseline] }))).toBe('Errored');
  });

  test('but not the one with the right baseline', () => {
    const slot = aSlot(scan({ baselineDigest: DIGEST }));
    expect(planResults(aResultsWorld({ slot })).fields?.lastResult?.condition).toBe('Succeeded');
  });
});

describe('a scan that found mounts otherwise than at the baseline', () => {
  const none = { added: 0, changed: 0, removed: 0 };
  const mounted = (mountChanges: number, id = 'scan-1') =>
    failed({ id, counts: none, mountChanges, exitStatus: 0, errorMessage: '/etc is a mount now.' });

  test('is Failed, says how many, is kept, and a warning names them', () => {
    const plan = planResults(aResultsWorld({ slot: aSlot(mounted(2)) }));
    expect(plan.fields?.lastResult).toMatchObject({
      condition: 'Failed',
      mountChanges: 2,
      filesChanged: 0,
      errorMessage: '/etc is a mount now.',
      resultConfigMapName: 'aide-worker-a-failed',
    });
    expect(plan.events.map(({ type, reason, message }) => `${type} ${reason} ${message}`)).toEqual([
      'Warning NodeIntegrityStatus node a has changed! a:0,c:0,r:0 log:fio/aide-worker-a-failed',
      'Warning MountsChanged node a: /etc is a mount now.',
    ]);
  });

  test('said again by heartbeat is no news, with more of them it is', () => {
    const first = aWorldAfter(mounted(1));
    const again = planResults({ ...first, lease: aLease(mounted(1, 'beat-1')) });
    expect(again).toMatchObject({ events: [], fields: { heartbeat: 'beat-1', lastResult: { mountChanges: 1 } } });
    const more = aSlot(mounted(2, 'scan-2'));
    expect(planResults({ ...first, slot: more }).events.map(({ reason }) => reason)).toContain('MountsChanged');
  });

  test('is one without files’ changes only where the daemon says Failed', () => {
    const slot = aSlot(aScan({ mountChanges: 3 }));
    expect(planResults(aResultsWorld({ slot })).fields?.lastResult).not.toHaveProperty('mountChanges');
  });
});

describe('a scan that did not see all', () => {
  const record = (...paths: string[]): UnseenRecord => ({
    count: paths.length,
    digest: createHash('sha256').update(paths.join()).digest('hex'),
    paths: paths.map((path) => ({ path, what: 'Content' })),
  });
  const withBaseline = (unseen: UnseenRecord) => aResultsWorld({ status: aStatus({ baseline: aReceipt({ unseen }) }) });
  const news = (plan: ResultsPlan) => plan.events.map(({ type, reason }) => `${type} ${reason}`);
  const beat = (world: ResultsWorld, scan: Partial<ScanOutcome>) => ({ ...world, lease: aLease(aScan(scan)) });

  test('is held against what the receipt of its baseline says, and only what is new is news', () => {
    const world = { ...withBaseline(record('/a')), slot: aSlot(aScan({ unseen: record('/a') })) };
    const first = planResults(world);
    expect(first.fields?.lastResult).toMatchObject({ condition: 'Succeeded', unseen: { count: 1, sinceBaseline: 0 } });
    expect(news(first)).toEqual(['Normal NodeIntegrityStatus']);
    const next = { ...afterResults(world, first), slot: aSlot(aScan({ id: 'scan-2', unseen: record('/a', '/b') })) };
    const second = planResults(next);
    expect(second.fields?.lastResult).toMatchObject({
      unseen: { count: 2, sinceBaseline: 1, paths: [{ path: '/b' }, { path: '/a' }] },
    });
    expect(second.events.map(({ type, reason, message }) => `${type} ${reason} ${message}`)).toEqual([
      'Warning NodePartlyUnseen node a: AIDE could not read 2 paths, at least 1 of them new since the baseline: ' +
        '/b (content), /a (content). It may have changed, and no scan would tell.',
    ]);
    expect(planResults(beat(afterResults(next, second), { id: 'beat', unseen: record('/a', '/b') })).events).toEqual(
      [],
    );
  });

  test('is news at each that is more, and none where one is less', () => {
    const world = { ...withBaseline(record()), slot: aSlot(aScan({ unseen: record('/a', '/b') })) };
    const first = afterResults(world);
    expect(news(planResults(beat(first, { id: 'x', unseen: record('/a') })))).toEqual([]);
    expect(news(planResults(beat(first, { id: 'x', unseen: record('/a', '/b', '/c') })))).toEqual([
      'Warning NodePartlyUnseen',
    ]);
    const seen = planResults(beat(first, { id: 'x' }));
    expect(seen.fields?.lastResult).not.toHaveProperty('unseen');
  });

  test('counts as since the baseline where nobody knows what was not seen then', () => {
    const slot = aSlot(aScan({ unseen: record('/a') }));
    expect(planResults(aResultsWorld({ slot })).fields?.lastResult?.unseen).toMatchObject({ sinceBaseline: 1 });
  });

  test('ends no failure, which one that saw all does', () => {
    const world = withBaseline(record());
    const failing = afterResults({ ...world, slot: aSlot(failed({ id: 'scan-1' })) });
    const blind = afterResults({ ...failing, slot: aSlot(aScan({ id: 'scan-2', unseen: record('/a') })) });
    expect(blind.status).toMatchObject({ lastResult: { condition: 'Succeeded' }, failure: { filesChanged: 2 } });
    const sighted = afterResults({ ...blind, slot: aSlot(aScan({ id: 'scan-3' })) });
    expect(sighted.status.failure).toBeUndefined();
  });

  test('and found the same differences is the same failure, with what it sees now', () => {
    const world = withBaseline(record());
    const failing = afterResults({ ...world, slot: aSlot(failed({ id: 'scan-1' })) });
    const { keep, fields, events } = planResults({
      ...failing,
      lease: aLease(failed({ id: 'beat-1', unseen: record('/a') })),
    });
    expect(keep).toBeUndefined();
    expect(fields?.lastResult).toMatchObject({
      resultConfigMapName: 'aide-worker-a-failed',
      unseen: { sinceBaseline: 1 },
    });
    expect(events.map(({ reason }) => reason)).toEqual(['NodePartlyUnseen']);
  });

  test('and could not be done says nothing of it', () => {
    const slot = aSlot(aScan({ verdict: 'Errored', errorMessage: 'x.', unseen: record('/a') }));
    expect(planResults(aResultsWorld({ slot })).fields?.lastResult).not.toHaveProperty('unseen');
  });

  test('goes on to be held against the record where its database is recognised', () => {
    const known = aReceipt({ unseen: record('/a') });
    const slot = aSlot({
      kind: 'baseline',
      id: 'b',
      node: 'a',
      receipt: aReceipt({ orderId: 'order-2', adopted: true }),
    });
    const orders = aStatus().orders;
    const baseline = { id: 'order-2', reason: 'Initial', requestedAt: minutesBefore(5) } as const;
    const status = aStatus({ baseline: known, ...(orders && { orders: { ...orders, baseline } }) });
    const { fields } = planResults(aResultsWorld({ status, slot }));
    expect(fields?.baseline).toMatchObject({ orderId: 'order-2', unseen: record('/a') });
    expect(fields?.baselines?.[0]?.unseen?.paths).toEqual([]);
  });
});

describe('a receipt with mounts', () => {
  test('is the baseline with all of them, and one of those on record without their list', () => {
    const mount = { path: '/etc', type: 'ext4', root: '/', device: '8:1' };
    const mounts = { count: 1, digest: 'f'.repeat(64), mounts: [mount] };
    const receipt = aReceipt({ mounts });
    const { baseline: _, ...bare } = aStatus();
    const slot = aSlot({ kind: 'baseline', id: 'b', node: 'a', receipt });
    expect(planResults(aResultsWorld({ status: bare, slot })).fields).toMatchObject({
      baseline: { mounts },
      baselines: [{ mounts: { count: 1, digest: mounts.digest, mounts: [] } }],
    });
  });
});

describe('a scan whose daemon itself found a fault of the baseline', () => {
  test.each(['Replaced', 'Missing', 'Damaged', 'Unordered'] as const)('is Failed: %s', (baselineFault) => {
    for (const verdict of ['Failed', 'Errored', 'Succeeded'] as const) {
      const slot = aSlot(aScan({ verdict, baselineFault, errorMessage: 'gone.' }));
      const { lastResult } = planResults(aResultsWorld({ slot })).fields ?? {};
      expect(lastResult).toMatchObject({ condition: 'Failed', baselineFault });
      expect(lastResult?.errorMessage).not.toBe('');
    }
  });

  test('counts while its node is updated, too: an update does not touch the database', () => {
    const slot = aSlot(failed({ baselineFault: 'Missing' }));
    const node = machineConfigured(aNode('a'), 'x', 'y', 'Working');
    expect(planResults(aResultsWorld({ node, slot })).fields?.lastResult?.condition).toBe('Failed');
  });
});

describe('findings on a node that is being updated', () => {
  const during = (memory: NodeMemory, changes: Partial<ResultsWorld> = {}): ResultsWorld => {
    const text = formatMemory(memory) ?? '';
    const status = aStatus({ metadata: { ...aStatus().metadata, annotations: { [MEMORY_ANNOTATION]: text } } });
    return aResultsWorld({ status, slot: aSlot(failed()), ...changes });
  };
  const update = { source: 'MachineConfig', from: 'x', to: 'y', since: minutesBefore(5) } as const;
  const node = (current: string, desired: string, state: string) =>
    machineConfigured(aNode('a'), current, desired, state);
  const setAside =
    'Warning node a has changed while it was updated from x to y, which is not counted! a:1,c:2,r:3 log:fio/aide-worker-a-set-aside';

  test.each([
    ['while the update lasts', during({ configuration: 'x', update }, { node: node('x', 'y', 'Working') })],
    ['when the hold is not ordered yet', during({ configuration: 'x' }, { node: node('x', 'y', 'Working') })],
    ['when it ended unseen', during({ configuration: 'x' }, { node: node('y', 'y', 'Done') })],
    ['when it has just ended', during({ configuration: 'x', update }, { node: node('y', 'y', 'Done') })],
  ])('do not count, but are kept and told of: %s', (_, world) => {
    const plan = planResults(world);
    expect(plan.fields).toMatchObject({ acknowledged: 'scan-1', lastScan: { exitStatus: 7 } });
    expect(plan.fields?.lastResult).toBeUndefined();
    expect(plan.keep).toMatchObject({ to: 'aide-worker-a-set-aside', label: key('set-aside') });
    expect(told(world)).toEqual([setAside]);
    expect(plan.remove).toBeDefined();
  });

  test('do not count until the new baseline is there, whatever ordered it', () => {
    const memory = { configuration: 'y', updated: { from: 'x', to: 'y' } };
    const world = during(memory, { node: node('y', 'y', 'Done') });
    const ordered = {
      ...world,
      status: {
        ...world.status,
        orders: {
          ...aStatus().orders,
          baseline: { id: 'order-2', reason: 'Demand', requestedAt: minutesBefore(1) },
        },
      },
    } as ResultsWorld;
    expect(told(ordered)).toEqual([setAside]);
    const baselined = { ...ordered, status: { ...ordered.status, baseline: aReceipt({ orderId: 'order-2' }) } };
    expect(planResults(baselined).fields?.lastResult?.condition).toBe('Failed');
  });

  test('leave an earlier failure as it stands, with its report', () => {
    const before = aWorldAfter(failed({ id: '0', counts: { added: 9, changed: 9, removed: 9 } }));
    const world = { ...withSlot(before, failed()), node: node('x', 'y', 'Working') };
    expect(afterResults(world).status.lastResult).toMatchObject({ condition: 'Failed', filesAdded: 9 });
  });

  test('count when the node is held by annotation only', () => {
    const status = aStatus();
    const hold = { reason: 'Annotation', message: '', since: minutesBefore(5) } as const;
    const held = { ...status, ...(status.orders && { orders: { ...status.orders, hold } }) };
    expect(planResults(aResultsWorld({ status: held, slot: aSlot(failed()) })).fields?.lastResult?.condition).toBe(
      'Failed',
    );
  });

  test('said again by heartbeat do not count either', () => {
    const world = { ...aWorldAfter(aScan()), node: node('x', 'y', 'Working') };
    const lease = aLease(failed({ id: 'beat', startedAt: minutesBefore(0.2), finishedAt: minutesBefore(0.1) }));
    const plan = planResults({ ...world, lease });
    expect(plan.fields).toMatchObject({ heartbeat: 'beat', lastResult: { condition: 'Succeeded' } });
    expect(plan.events).toEqual([]);
  });

  test('that there are none counts', () => {
    const world = during({ configuration: 'x', update }, { node: node('x', 'y', 'Working'), slot: aSlot(aScan()) });
    expect(planResults(world).fields?.lastResult?.condition).toBe('Succeeded');
  });
});

describe('when a scan was taken in', () => {
  const observedAt = (world: ResultsWorld) => planResults(world).fields?.lastScan?.observedAt;
  const slotOf = (creationTimestamp: string) => {
    const slot = aSlot(aScan({ finishedAt: minutesBefore(-5) }));
    return aResultsWorld({ slot: { ...slot, metadata: { ...slot.metadata, creationTimestamp } } });
  };
  const beatOf = (time: string) => {
    const lease = aLease(aScan({ id: 'beat', finishedAt: minutesBefore(-5) }));
    return aResultsWorld({ lease: { ...lease, metadata: { ...lease.metadata, managedFields: [{ time }] } } });
  };

  test.each([
    ['message', slotOf],
    ['heartbeat', beatOf],
  ])('is now, by the operator’s clock; a %s that waited for an operator is as old as its coming', (_, worldOf) => {
    expect(observedAt(worldOf(minutesBefore(0.9)))).toBe(NOW.toISOString());
    expect(observedAt(worldOf(minutesBefore(-9)))).toBe(NOW.toISOString());
    expect(observedAt(worldOf(minutesBefore(30)))).toBe(minutesBefore(30));
  });
});

describe('a scan that says that nothing has changed', () => {
  const result = (slot: ReturnType<typeof aSlot>, changes: Partial<FileIntegrityNodeStatus> = {}) =>
    planResults(aResultsWorld({ slot, status: aStatus(changes) })).fields?.lastResult;
  const unproven = (why: string) => ({
    condition: 'Errored',
    errorMessage: expect.stringContaining(`which is not proven: it ${why}`),
  });
  const without = ({ baselineDigest: _, ...scan }: ScanOutcome): ScanOutcome => scan;

  test('and not compared with what is Errored, with a code', () => {
    const world = aResultsWorld({ slot: aSlot(without(aScan())) });
    expect(planResults(world).fields?.lastResult).toMatchObject(unproven('says not which database'));
    expect(planResults(world).events).toMatchObject([{ type: 'Warning', errorCode: 'SCAN_UNPROVEN' }]);
  });

  test('while no baseline is on record is Errored', () => {
    expect(result(aSlot(aScan()), { baseline: undefined as never })).toMatchObject(
      unproven('was compared with a database of which no receipt is on record'),
    );
  });

  test('by another configuration than that of its baseline is Errored', () => {
    const slot = aSlot(aScan({ configurationDigest: 'b'.repeat(64) }));
    expect(result(slot)).toMatchObject(unproven('went by another configuration (bbbbbbbbbbbbbbbb…)'));
  });

  test('by heartbeat is the same, and no newer than the result before it', () => {
    const times = { startedAt: minutesBefore(0.3), finishedAt: minutesBefore(0.2) };
    const world = { ...aWorldAfter(aScan()), lease: aLease(without(aScan({ id: 'beat', ...times }))) };
    const after = afterResults(world).status;
    expect(after.lastResult).toMatchObject(unproven('says not which database'));
    expect(after.freshness).toEqual(world.status.freshness);
  });

  test('in an earlier operator’s words counts as the last result and proves nothing', () => {
    expect(result(aSlot(undefined))).toMatchObject({ condition: 'Succeeded', unproven: true });
    const after = afterResults(withSlot(aWorldAfter(failed()), undefined)).status;
    expect(after.lastResult).toMatchObject({ condition: 'Succeeded', unproven: true });
    expect(after.failure).toMatchObject({ filesAdded: 1 });
    // The same word with its proof is another one.
    const proven = afterResults(withSlot(aResultsWorld({ status: after }), aScan({ id: '3' }))).status;
    expect(proven.lastResult).not.toHaveProperty('unproven');
    expect(proven.failure).toBeUndefined();
  });
});

describe('a failure', () => {
  const found = {
    since: NOW.toISOString(),
    lastProbeTime: minutesBefore(1),
    baselineDigest: DIGEST,
    configMapName: 'aide-worker-a-failed',
    filesAdded: 1,
    filesChanged: 2,
    filesRemoved: 3,
  };
  const next = (world: ResultsWorld, message: Parameters<typeof aSlot>[0], changes: Partial<ResultsWorld> = {}) =>
    afterResults({ ...withSlot(world, message), ...changes });
  const receipt = (changes: Partial<BaselineReceipt> = {}) =>
    ({
      kind: 'baseline',
      id: 'receipt-2',
      node: 'a',
      receipt: aReceipt({ orderId: 'order-2', digest: 'e'.repeat(64), reason: 'Demand', ...changes }),
    }) as const;
  const ordered = (world: ResultsWorld, more: object = {}): ResultsWorld => {
    const { orders } = world.status;
    const baseline = {
      id: 'order-2',
      reason: 'Demand',
      requestedAt: NOW.toISOString(),
      who: 'alice',
      ...more,
    } as const;
    return { ...world, status: { ...world.status, ...(orders && { orders: { ...orders, baseline } }) } };
  };
  const laterOn = (world: ResultsWorld): ResultsWorld => ({ ...world, now: new Date(NOW.getTime() + 60_000) });

  test('stands from the first scan that found it, with the baseline that it stands against', () => {
    expect(aWorldAfter(failed()).status.failure).toEqual(found);
  });

  test('stands with the newest findings, since the first', () => {
    const again = failed({ id: '2', finishedAt: minutesBefore(0.5), counts: { added: 9, changed: 0, removed: 0 } });
    const after = next(laterOn(aWorldAfter(failed())), again).status.failure;
    expect(after).toMatchObject({ since: found.since, lastProbeTime: minutesBefore(0.5), filesAdded: 9 });
  });

  test('stands through a scan that could not be done', () => {
    const { status } = next(aWorldAfter(failed()), aScan({ id: '2', verdict: 'Errored', errorMessage: 'AIDE died.' }));
    expect(status.lastResult?.condition).toBe('Errored');
    expect(status.failure).toEqual(found);
  });

  test('stands while its node is updated, whatever is found and set aside then', () => {
    const node = machineConfigured(aNode('a'), 'x', 'y', 'Working');
    expect(next(aWorldAfter(failed()), failed({ id: '2' }), { node }).status.failure).toEqual(found);
  });

  test('ends with a scan that finds no difference from the same baseline', () => {
    expect(next(aWorldAfter(failed()), aScan({ id: '2' })).status).not.toHaveProperty('failure');
    const lease = aLease(aScan({ id: 'b', startedAt: minutesBefore(0.3), finishedAt: minutesBefore(0.2) }));
    expect(afterResults({ ...aWorldAfter(failed()), lease }).status).not.toHaveProperty('failure');
  });

  test('does not end with a scan that finds none from another one', () => {
    const world = aWorldAfter(failed());
    const earlier = aReceipt({ orderId: 'order-0', digest: 'e'.repeat(64), createdAt: minutesBefore(50) });
    const status = { ...world.status, baselines: [aReceipt({ createdAt: minutesBefore(1.5) }), earlier] };
    const old = aScan({ id: '2', baselineDigest: earlier.digest, startedAt: minutesBefore(40) });
    const after = next({ ...world, status }, old).status;
    expect([after.lastResult?.condition, after.failure]).toEqual(['Succeeded', found]);
  });

  test('that a new baseline accepts is kept with who asked for that, and told in a warning', () => {
    const world = withSlot(ordered(aWorldAfter(failed())), receipt());
    const { fields, events } = planResults(world);
    expect(fields).not.toHaveProperty('failure');
    expect(fields?.accepted).toEqual([
      { ...found, acceptedAt: NOW.toISOString(), order: 'order-2', reason: 'Demand', who: 'alice' },
    ]);
    expect(events).toMatchObject([
      { type: 'Warning', reason: 'BaselineAccepted', message: expect.stringContaining('without a comparison') },
      {
        type: 'Warning',
        reason: 'FailureAccepted',
        message:
          `node a: a new baseline (Demand, asked for by alice) accepts the failure that stands since ${found.since}: ` +
          '1 added, 2 changed, 3 removed log:fio/aide-worker-a-failed',
      },
    ]);
  });

  test('that was found after the baseline was ordered is accepted, and that is said', () => {
    const world = withSlot(ordered(aWorldAfter(failed()), { requestedAt: minutesBefore(5) }), receipt());
    expect(told(world)).toEqual([
      expect.stringContaining('without a comparison'),
      expect.stringContaining(', found when the baseline was ordered already: 1 added'),
    ]);
  });

  test('is not accepted by a database that the node had already', () => {
    const { baseline: _, ...bare } = aStatus();
    const world = aResultsWorld({ status: bare as FileIntegrityNodeStatus });
    const after = next(next(world, failed()), receipt({ orderId: 'order-1', reason: 'Initial', adopted: true })).status;
    expect(after.baseline?.adopted).toBe(true);
    expect(after).not.toHaveProperty('accepted');
    expect(after.failure).toEqual(found);
  });

  test('accepted is followed by a new one, against the new baseline', () => {
    const accepted = afterResults(withSlot(ordered(aWorldAfter(failed())), receipt({ createdAt: minutesBefore(0.9) })));
    const again = failed({ id: '2', startedAt: minutesBefore(0.5), baselineDigest: 'e'.repeat(64) });
    const after = next(laterOn(accepted), again).status;
    expect(after.failure).toMatchObject({ since: minutesBefore(-1), baselineDigest: 'e'.repeat(64) });
    expect(after.accepted).toHaveLength(1);
  });

  test('of a status that an earlier version wrote stands all the same', () => {
    const { failure: _, freshness: __, ...old } = aWorldAfter(failed()).status;
    const after = next({ ...aResultsWorld(), status: old }, aScan({ id: '2', verdict: 'Errored' })).status;
    expect(after.failure).toEqual({ ...found, since: found.lastProbeTime });
  });
});

describe('how long a node’s scans take', () => {
  const scanOf = (id: string, minutes: number, now = NOW): ScanOutcome => {
    const finishedAt = new Date(now.getTime() + minutes * 60_000).toISOString();
    return aScan({ id, startedAt: now.toISOString(), finishedAt });
  };
  const secondAfter = (seconds: number, first: ResultsWorld, minutes: number) => {
    const now = new Date(NOW.getTime() + seconds * 1000);
    const slot = aSlot(scanOf('2', minutes, now));
    const metadata = { ...slot.metadata, creationTimestamp: now.toISOString() };
    return afterResults({ ...first, slot: { ...slot, metadata }, now }).status.freshness?.scanSeconds;
  };

  test('is never more than twice what was usual by one word of the node', () => {
    const first = aWorldAfter(scanOf('1', 12 * 60));
    expect(first.status.freshness).toEqual({ since: NOW.toISOString(), scanSeconds: 600 });
    expect(secondAfter(24 * 3600, first, 12 * 60)).toBe(1200);
  });

  test('is never longer than the time between two arrivals', () => {
    expect(secondAfter(90, aWorldAfter(scanOf('1', 5)), 5)).toBe(90);
  });

  test('and a time to come hide no heartbeat that comes after it', () => {
    const first = aWorldAfter(aScan({ startedAt: '2031-01-01T00:00:00Z', finishedAt: '2033-01-01T00:00:00Z' }));
    const lease = aLease(failed({ id: 'beat', startedAt: minutesBefore(-1), finishedAt: minutesBefore(-2) }));
    const beatAt = (time: string) => ({
      ...first,
      lease: { ...lease, metadata: { ...lease.metadata, managedFields: [{ time }] } },
    });
    expect(planResults(beatAt(minutesBefore(-2))).fields?.lastResult?.condition).toBe('Failed');
    expect(planResults(beatAt(NOW.toISOString()))).toEqual({ events: [] });
  });
});

describe('a finding whose report takes long to keep', () => {
  const earlier = { sequence: 1, digest: 'x', configMapName: 'aide-worker-a-failed', lastProbeTime: minutesBefore(9) };
  const slot = aSlot(aScan({ verdict: 'Failed', counts }));
  const world = aResultsWorld({ slot, status: aStatus({ failures: [earlier] }) });
  const verdict = (of: ResultsWorld) => verdictOf(fieldsOf(of.status), planResults(of));
  const noted = (of: ResultsWorld) => ({ ...afterResults(of, verdict(of)), slot: of.slot });

  test('counts and is told before that, and its message stays', () => {
    const { fields, events, keep, remove } = verdict(world);
    expect(keep).toBeUndefined();
    expect(remove).toBeUndefined();
    expect(fields).toMatchObject({
      unkept: 'scan-1',
      lastResult: { condition: 'Failed', filesChanged: 2, errorMessage: 'The report is still to be kept.' },
      failure: { filesChanged: 2 },
      failures: [earlier],
    });
    expect(fields).not.toHaveProperty('acknowledged');
    expect(fields?.failure).not.toHaveProperty('configMapName');
    expect(events).toHaveLength(1);
  });

  test('is written and told once, whatever time goes by, and then kept', () => {
    const after = noted(world);
    const later = { ...after, now: new Date(NOW.getTime() + 60_000) };
    expect(verdict(later)).toEqual({ events: [] });
    const plan = planResults(later);
    expect(plan).toMatchObject({
      keep: { isLight: false },
      fields: { acknowledged: 'scan-1' },
      events: [],
      remove: {},
    });
    expect(plan.fields).not.toHaveProperty('unkept');
    expect(plan.fields?.lastResult).not.toHaveProperty('errorMessage');
  });

  test('goes on to count when an update begins meanwhile; one that was not taken in is set aside', () => {
    const node = aNode('a', { [UPDATING_LABEL]: '' });
    const updating = (of: ResultsWorld) => planResults({ ...of, node });
    expect(updating(noted(world)).keep?.label).toBe('file-integrity.openshift.io/result-log');
    expect(updating(world).keep?.label).toBe('file-integrity.openshift.io/set-aside');
    expect(verdictOf(fieldsOf(world.status), updating(world))).toEqual({ events: [] });
  });

  test('told by heartbeat is kept, though the result says the same already', () => {
    const beaten = { ...world, slot: undefined, lease: aLease(aScan({ verdict: 'Failed', counts })) };
    expect(planResults(noted(beaten))).toMatchObject({ keep: { scan: { id: 'scan-1' } }, events: [] });
  });

  test('is none of these where nothing is kept yet and the report is one config map as it is', () => {
    const light = (changes: Partial<ResultsWorld>) => planResults(aResultsWorld({ slot, ...changes })).keep?.isLight;
    expect(light({})).toBe(true);
    const compressed = aSlot(aScan({ verdict: 'Failed', counts }), {
      annotations: { 'file-integrity.openshift.io/compressed': '' },
    });
    expect(light({ slot: compressed })).toBe(false);
    expect(light({ status: aStatus({ failures: [earlier] }) })).toBe(false);
  });
});
