import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { leases } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// Silence never stays green: daemons that stop reporting, with a limit of ten seconds, in each way in which it could be missed.
const LIMIT_MS = 10_000;

let harness: OperatorHarness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

/** A FileIntegrity with one node that has its baseline. */
async function create(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<string> {
  const nodeSelector = { [`${harness.namespace}/${name}`]: '' };
  const node = await harness.addNode({ labels: nodeSelector });
  await harness.createIntegrity(name, { nodeSelector, staleAfter: LIMIT_MS / 1000, ...spec });
  await harness.daemon(name, node).makeBaseline();
  return node;
}

const freshOf = ({ status }: FileIntegrityNodeStatus) => status?.conditions?.find(({ type }) => type === 'Fresh');

/** The node becomes Silent, at the very time that its status had said. */
async function goesSilent(name: string, node: string, reason = 'Late'): Promise<FileIntegrityNodeStatus> {
  const status = await harness.nodeSays(name, node, 'Fresh', `False ${reason}`);
  expect(status.state).toBe('Silent');
  expect(status.lastResult?.condition).toBe('Succeeded');
  const since = Date.parse(freshOf(status)?.lastTransitionTime ?? '');
  expect(since).toBeGreaterThanOrEqual(Date.parse(status.freshUntil ?? ''));
  await harness.integritySays(name, 'Fresh', `False ${reason}`);
  await eventually('it is counted', async () => (await harness.integrity(name)).status?.nodes?.silent === 1);
  return status;
}

describe.concurrent('silence', () => {
  test('a node that stops reporting is Silent, which is told once, and is well again with its next scan', async () => {
    const node = await create('stops');
    const daemon = harness.daemon('stops', node);
    await daemon.report({ verdict: 'Succeeded' });
    await harness.nodeSays('stops', node, 'Fresh', 'True Scanned');
    const lease = { namespace: harness.namespace, name: resultName('stops', node) };
    await eventually('the lease is there', () => harness.client.find(leases, lease));
    await daemon.beat({ verdict: 'Succeeded' });
    const status = await goesSilent('stops', node);
    expect(Date.parse(freshOf(status)?.lastTransitionTime ?? '') - Date.parse(status.freshUntil ?? '')).toBeLessThan(
      3000,
    );
    const told = async () => (await harness.events('NodeNotFresh')).filter(({ message }) => message?.includes(node));
    await eventually('it is told', async () => (await told()).length > 0);
    await harness.annotate('stops', { look: 'again' });
    await daemon.beat({ verdict: 'Succeeded' });
    const well = await harness.nodeSays('stops', node, 'Fresh', 'True Scanned');
    expect(well.state).toBe('Succeeded');
    await harness.integritySays('stops', 'Fresh', 'True Scanned');
    expect((await told()).map(({ count, message, type }) => [count, message, type])).toEqual([
      [1, `No scan is recent enough (Late), on 1 node: ${node}.`, 'Warning'],
    ]);
  });

  test('a node whose clock is ahead is Silent as soon', async () => {
    const node = await create('ahead');
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    await harness.daemon('ahead', node).report({ verdict: 'Succeeded', startedAt: inAnHour, finishedAt: inAnHour });
    const { freshUntil, lastScan } = await harness.nodeSays('ahead', node, 'Fresh', 'True Scanned');
    expect(Date.parse(freshUntil ?? '')).toBe(Date.parse(lastScan?.observedAt ?? '') + LIMIT_MS);
    expect(Date.parse(freshUntil ?? '')).toBeLessThan(Date.now() + LIMIT_MS);
    await goesSilent('ahead', node);
  });

  test('a node that never scans is Silent once that is overdue, with the reason of its daemon', async () => {
    const nodeSelector = { [`${harness.namespace}/never`]: '' };
    const node = await harness.addNode({ labels: nodeSelector });
    harness.daemonsOn(node, 'wait');
    await harness.createIntegrity('never', { nodeSelector, staleAfter: LIMIT_MS / 1000 });
    const first = await harness.nodeSays('never', node, 'Fresh', 'Unknown NotScanned');
    expect(first.state).toBe('Initializing');
    const status = await harness.nodeSays('never', node, 'Fresh', 'False DaemonNotRunning');
    expect(status.state).toBe('Silent');
    const due = Date.parse(status.orders?.baseline.requestedAt ?? '') + LIMIT_MS;
    expect(Date.parse(freshOf(status)?.lastTransitionTime ?? '')).toBeGreaterThanOrEqual(due);
    await harness.integritySays('never', 'Fresh', 'False DaemonNotRunning');
  });

  test('a node that only says that it cannot scan goes stale all the same', async () => {
    const node = await create('errs');
    const daemon = harness.daemon('errs', node);
    await daemon.report({ verdict: 'Succeeded' });
    const { freshUntil } = await harness.nodeSays('errs', node, 'Fresh', 'True Scanned');
    await daemon.report({ verdict: 'Errored', exitStatus: 18, errorMessage: 'The disk is broken.' });
    const errored = await harness.statusWhen('errs', node, 'is Errored', ({ state }) => state === 'Errored');
    expect(Date.parse(errored.freshUntil ?? '')).toBeLessThanOrEqual(Date.parse(freshUntil ?? ''));
    await harness.nodeSays('errs', node, 'Fresh', 'False Errored');
    expect((await harness.status('errs', node))?.state).toBe('Errored');
  });

  test('a lower limit counts at once, for every node, and a higher one, too', async () => {
    const node = await create('limits', { staleAfter: 3600 });
    await harness.daemon('limits', node).report({ verdict: 'Succeeded' });
    const before = await harness.nodeSays('limits', node, 'Fresh', 'True Scanned');
    expect(Date.parse(before.freshUntil ?? '')).toBeGreaterThan(Date.now() + 3_000_000);
    const limit = (staleAfter: number) =>
      harness.client.patch(
        fileIntegrities,
        { namespace: harness.namespace, name: 'limits' },
        { spec: { staleAfter } },
        { type: 'merge' },
      );
    await limit(10);
    await goesSilent('limits', node);
    await limit(3600);
    await harness.nodeSays('limits', node, 'Fresh', 'True Scanned');
  });
});

describe('silence while the operator is away', () => {
  test('a node that went silent while the operator was away is Silent when it is back', async () => {
    const node = await create('away');
    await harness.daemon('away', node).report({ verdict: 'Succeeded' });
    await harness.nodeSays('away', node, 'Fresh', 'True Scanned');
    // That its daemon came up is written by itself.
    const before = await harness.nodeSays('away', node, 'Ready', 'True Watched');
    await harness.stop();
    await eventually('the limit is over', () => Date.now() > Date.parse(before.freshUntil ?? ''));
    harness.start();
    const status = await goesSilent('away', node);
    // What was written first after the start is that.
    expect(status.metadata.generation).toBe((before.metadata.generation ?? 0) + 1);
  });

  test('a node that has a scan and goes silent right after a restart of the operator does not stay green', async () => {
    const node = await create('restart');
    await harness.daemon('restart', node).report({ verdict: 'Succeeded' });
    const before = await harness.nodeSays('restart', node, 'Fresh', 'True Scanned');
    await harness.stop();
    harness.start();
    const status = await goesSilent('restart', node);
    expect(status.freshUntil).toBe(before.freshUntil);
  });
});
