import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';
import { createOperatedDaemon } from '../support/operated-daemon.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// What each step does on a full disk is test/unit/daemon-full-disk.test.ts; here is what becomes of the node, by itself.
const aide = await findRealAide();
const NAME = 'disk';

describe.skipIf(aide === undefined || !canHaveNodes())('a node whose disk is full', () => {
  let harness: OperatorHarness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  test('says so, goes on with what it has, loses nothing, and is well again once there is room', async () => {
    const watched = await createOperatedDaemon(harness, NAME, { aide: aide?.command ?? ['aide'] });
    onTestFinished(() => watched[Symbol.asyncDispose]());
    const { directory, database } = watched.node.paths;
    await mkdir(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'none', directory]);
    onTestFinished(() => void execFileSync('umount', ['-l', directory]));
    const padding = join(directory, 'padding');
    // The daemon may give up a draft of its own meanwhile.
    const fillDisk = () =>
      eventually('the disk is full', async () => {
        const { bavail, bsize } = await statfs(directory);
        if (bavail > 0) await appendFile(padding, Buffer.alloc(bavail * bsize)).catch(() => {});
        return bavail === 0;
      });
    const makeRoom = () => rm(padding);
    const lastResult = (condition: string) =>
      harness.statusWhen(NAME, watched.name, `is ${condition}`, (status) => status.lastResult?.condition === condition);

    await fillDisk();
    await watched.start();
    const never = await lastResult('Errored');
    expect(never.lastResult?.errorMessage).toMatch(/No space left|ENOSPC/);
    expect(never.baseline).toBeUndefined();
    await harness.nodeSays(NAME, watched.name, 'IntegrityHeld', 'Unknown Errored');
    await makeRoom();
    const { baseline } = await lastResult('Succeeded');
    expect(baseline).toMatchObject({ reason: 'Initial', entries: 3 });
    const kept = await readFile(database);

    // That nothing has changed is not proven without a word of AIDE's on what it compared with.
    await fillDisk();
    const quiet = await lastResult('Errored');
    expect(quiet.lastResult?.errorMessage).toContain('make room there');
    await harness.nodeSays(NAME, watched.name, 'IntegrityHeld', 'Unknown Errored');

    // The finding cannot be kept, and nobody takes it in: it waits in memory.
    await harness.stop();
    await watched.node.write('etc/app/a', 'changed');
    await eventually('it is found', () => watched.count('aide check returned status 4') > 0);
    harness.start();
    const failed = await lastResult('Failed');
    expect(failed.lastResult?.errorMessage).toMatch(/^AIDE’s (text )?report/);
    expect(failed.baseline).toEqual(baseline);

    await fillDisk(); // the log of an earlier scan has made room
    await harness.annotate(NAME, { 'file-integrity.openshift.io/re-init': watched.name });
    const refused = await lastResult('Errored');
    expect(refused.lastResult?.errorMessage).toMatch(/No space left|ENOSPC/);
    expect(refused.state).toBe('Failed'); // what was found stands
    expect(refused.baseline).toEqual(baseline);
    expect(await readFile(database)).toEqual(kept);
    await makeRoom();
    const well = await lastResult('Succeeded');
    expect(well.baseline).toMatchObject({ reason: 'Demand', entries: 3 });
    await harness.nodeSays(NAME, watched.name, 'IntegrityHeld', 'True NoChanges');
    const unfinished = async () => (await readdir(directory)).filter((name) => /new|draft|outbox/.test(name));
    await eventually('nothing unfinished is left', async () => (await unfinished()).length === 0);
    expect(watched.count('Starting the AIDE runner daemon')).toBe(1);
  });
});
