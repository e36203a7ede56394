import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aReceipt, aScan, aSlot } from '../../../../test/support/result-worlds.ts';
import { idOf, otherSender, readHeartbeat, readSlot, type ScanMessage } from './message.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const sender = { integrity: 'worker', node: 'a' };
const read = (...slot: Parameters<typeof aSlot>) => readSlot(aSlot(...slot), sender) as ScanMessage;

test.each([
  ['under another name', { name: 'aide-worker-b' }, 'FileIntegrity worker, node a'],
  ['with the label of another node', { labels: { [key('node')]: 'b' } }, 'FileIntegrity worker, node b'],
  ['of another FileIntegrity', { labels: { [key('owner')]: 'x\n' } }, 'FileIntegrity x\\x0a, node a'],
  ['of the node itself', {}, undefined],
])('a message %s is told from one of the node', (_, metadata, other) => {
  expect(otherSender(aSlot(aScan(), metadata), sender)).toBe(other);
});

describe('a message', () => {
  test('of a scan is understood', () => {
    const scan = aScan({ verdict: 'Failed', exitStatus: 7, counts: { added: 1, changed: 2, removed: 3 } });
    expect(read(scan, { annotations: { [key('parts')]: '3' } })).toMatchObject({
      kind: 'scan',
      id: 'scan-1',
      verdict: 'Failed',
      counts: { added: 1, changed: 2, removed: 3 },
      facts: { exitStatus: 7, finishedAt: scan.finishedAt },
      parts: 3,
    });
  });

  test('of a baseline and of a notice are understood', () => {
    const receipt = aReceipt();
    expect(read({ kind: 'baseline', id: 'b', node: 'a', receipt })).toEqual({ kind: 'baseline', id: 'b', receipt });
    const at = aScan().finishedAt;
    expect(read({ kind: 'notice', id: 'n', node: 'a', notice: 'UnorderedReinit', at, message: 'x\ny' })).toEqual({
      kind: 'notice',
      id: 'n',
      notice: 'UnorderedReinit',
      at,
      message: 'x\\x0ay',
    });
  });

  test('of a scan that could not be done has its reason, fit to be shown', () => {
    expect(read(aScan({ verdict: 'Errored', errorMessage: 'disk\u001b[2Jfull' })).errorMessage).toBe(
      'disk\\x1b[2Jfull',
    );
    expect(read(aScan({ verdict: 'Errored' })).errorMessage).toBe('The daemon gave no reason.');
  });

  test('of a failure that lost its report says so', () => {
    expect(read(aScan({ verdict: 'Failed', errorMessage: 'too large' })).errorMessage).toBe('too large');
  });

  test.each([
    ['that is no JSON', '{', {}, 'not JSON'],
    ['that speaks of another node', aScan({ node: 'b' }), {}, 'speaks of another node'],
    ['of no parts', aScan(), { annotations: { [key('parts')]: '0' } }, 'number of its parts'],
    ['of too many parts', aScan(), { annotations: { [key('parts')]: '1000' } }, 'number of its parts'],
    ['of parts that are no number', aScan(), { annotations: { [key('parts')]: '1e2' } }, 'number of its parts'],
  ])('%s is a scan that Errored, with the reason', (_, message, metadata, reason) => {
    const result = read(message, metadata);
    expect(result.verdict).toBe('Errored');
    expect(result.errorMessage).toContain(reason);
  });

  test('is acknowledged by its id even when the rest of it cannot be read, else by the config map’s own', () => {
    expect(idOf(aSlot(JSON.stringify({ id: 'x', kind: 'gossip' })))).toBe('x');
    for (const text of ['{', 'null', '{"id":""}', '{"id":7}', JSON.stringify({ id: 'x'.repeat(129) })]) {
      expect(idOf(aSlot(text))).toBe('uid-of-slot');
    }
  });

  test('of any text is understood as something, without an error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.string(), (text, parts) => {
        const message = readSlot(aSlot(text, { annotations: { [key('parts')]: parts } }), sender);
        expect(message.id.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('what a daemon of the earlier operator wrote', () => {
  const counts = { [key('files-added')]: '1', [key('files-changed')]: '2', [key('files-removed')]: '3' };

  test('without log and error is a scan without findings', () => {
    expect(read(undefined)).toMatchObject({ verdict: 'Succeeded', id: 'uid-of-slot', parts: 1 });
  });

  test('with a log is a failure with the counts of its annotations', () => {
    expect(read(undefined, { annotations: counts }, { integritylog: '' })).toMatchObject({
      verdict: 'Failed',
      counts: { added: 1, changed: 2, removed: 3 },
    });
  });

  test('with an error is a scan that could not be done, whatever log lies beside it', () => {
    const annotations = { ...counts, [key('log-errormsg')]: 'AIDE error: 18\nI/O' };
    const message = read(undefined, { annotations }, { integritylog: 'the log of the scan before' });
    expect(message).toMatchObject({ verdict: 'Errored', errorMessage: 'AIDE error: 18\\x0aI/O' });
    expect(message.counts).toBeUndefined();
  });

  test.each(['-1', '1.5', '', 'many', '9'.repeat(16)])('with the count %j is a failure without counts', (count) => {
    const annotations = { ...counts, [key('files-added')]: count };
    const message = read(undefined, { annotations }, { integritylog: '' });
    expect(message.verdict).toBe('Failed');
    expect(message.counts).toBeUndefined();
  });
});

describe('a heartbeat', () => {
  const lease = (text: string) => ({ metadata: { annotations: { [key('outcome')]: text } } });

  test('is a scan of that node', () => {
    expect(readHeartbeat(lease(JSON.stringify(aScan())), sender)).toMatchObject({ id: 'scan-1', verdict: 'Succeeded' });
  });

  test.each([
    ['of another node', JSON.stringify(aScan({ node: 'b' }))],
    ['with a receipt', JSON.stringify({ kind: 'baseline', id: 'b', node: 'a', receipt: aReceipt() })],
    ['that is no JSON', '{'],
  ])('%s counts as none', (_, text) => {
    expect(readHeartbeat(lease(text), sender)).toBeUndefined();
    expect(readHeartbeat({ metadata: {} }, sender)).toBeUndefined();
  });
});
