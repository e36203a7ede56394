import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';
import { createOperatedDaemon } from '../support/operated-daemon.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { ensureSteppedClock, underSteppedClock } from '../support/stepped-clock.ts';

// A node's clock is set 12 hours ahead and 12 hours back while its daemon runs: the daemon, Node.js, TLS and AIDE all hear it.
const aide = await findRealAide();
const HOUR_MS = 3_600_000;
const GRACE_MS = 10_000;
const LIMIT_S = 60;

describe.skipIf(aide === undefined || !canHaveNodes())('a node whose clock is set', () => {
  let harness: OperatorHarness;
  beforeAll(async () => {
    await ensureSteppedClock();
    harness = await startHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  test('12 hours ahead and 12 back is scanned at its pace, its results count in their order, and none counts longer', async () => {
    /** When each scan began and ended, by this process's monotonic clock. */
    const scans: { began: number; ended: number }[] = [];
    const watched = await createOperatedDaemon(harness, 'steps', {
      aide: aide?.command ?? ['aide'],
      spec: { staleAfter: LIMIT_S },
      under: ({ root }) => underSteppedClock(join(root, '../clock')),
      onLine(line) {
        if (line.startsWith('running aide check')) scans.push({ began: performance.now(), ended: Number.NaN });
        const last = scans.at(-1);
        if (last && line.startsWith('aide check returned')) last.ended = performance.now();
      },
    });
    onTestFinished(() => watched[Symbol.asyncDispose]());
    const setClock = (offset: string) => writeFile(join(watched.node.root, '../clock'), offset);
    /** Waits until the scan of that number, from 1, was taken in with this verdict. */
    const taken = async (number: number, condition: string): Promise<FileIntegrityNodeStatus> => {
      await eventually(`scan ${number} has ended`, () => Number.isFinite(scans[number - 1]?.ended));
      let last: FileIntegrityNodeStatus | undefined;
      const isTaken = async () => {
        last = await harness.status('steps', watched.name);
        const { lastScan, lastResult } = last ?? {};
        return lastResult?.condition === condition && Date.parse(lastScan?.observedAt ?? '') > (observed.at(-1) ?? 0);
      };
      // What says that it is older than what is known is not believed for a minute, by which clocks may differ.
      await eventually(`scan ${number} is ${condition}`, isTaken, 150_000);
      if (!last) throw new Error('never');
      const status = last;
      const at = Date.parse(status.lastScan?.observedAt ?? '');
      observed.push(at);
      // By the operator's clock, whatever the node's says.
      expect(at).toBeLessThanOrEqual(Date.now());
      expect(Date.parse(status.freshUntil ?? '')).toBe(at + LIMIT_S * 1000);
      return status;
    };
    const observed: number[] = [];
    const saidAfter = ({ lastScan }: FileIntegrityNodeStatus) => Date.parse(lastScan?.startedAt ?? '') - Date.now();

    await setClock('+0');
    await watched.start();
    const first = await taken(1, 'Succeeded');
    expect(Math.abs(saidAfter(first))).toBeLessThan(HOUR_MS);

    await setClock('+12h');
    await watched.node.write('etc/app/a', 'changed');
    const ahead = await taken(2, 'Failed');
    expect(saidAfter(ahead)).toBeGreaterThan(11 * HOUR_MS);

    // What was found under a clock that was ahead does not stand above what came after it.
    await setClock('-12h');
    await watched.node.write('etc/app/a', 'a\n');
    const behind = await taken(3, 'Succeeded');
    expect(saidAfter(behind)).toBeLessThan(-11 * HOUR_MS);
    expect(behind.results?.map(({ condition }) => condition)).toEqual(['Failed', 'Succeeded']);
    await harness.nodeSays('steps', watched.name, 'IntegrityHeld', 'True NoChanges');

    for (const [index, { began }] of scans.entries()) {
      // Half of the pause, since a line may have been read late; one that went by the clock would have been none.
      if (index > 0) expect(began - (scans[index - 1]?.ended ?? 0)).toBeGreaterThan(GRACE_MS / 2);
    }
    expect(watched.count('no contact with the API server')).toBe(0);
  });
});
