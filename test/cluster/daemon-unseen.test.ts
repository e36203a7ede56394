import { spawn } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { REINIT_ANNOTATION } from '../../src/api/keys.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { createOperatedDaemon } from '../support/operated-daemon.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// An intruder changes a file and makes links to it all the while, so that AIDE gives its content up, and compares what is left
// of it: rights and owner. The real daemon with the real AIDE under the real operator.
const aide = await findRealAide();
const MANY = 64 * 1024 * 1024;

describe.skipIf(aide === undefined)('a file that no scan can read any more', () => {
  let harness: OperatorHarness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  test('leaves its node Succeeded by AIDE, not by its state, until a new baseline knows of it', async () => {
    const name = 'blind';
    const watched = await createOperatedDaemon(harness, name, { aide: aide?.command ?? ['aide'] });
    onTestFinished(() => watched[Symbol.asyncDispose]());
    const busy = join(watched.node.root, 'etc/app/busy');
    await writeFile(busy, Buffer.alloc(MANY, 'good'));
    await watched.start();
    const well = await harness.nodeSays(name, watched.name, 'IntegrityHeld', 'True NoChanges');
    expect(well.baseline?.unseen).toMatchObject({ count: 0 });
    expect(well.lastResult).not.toHaveProperty('unseen');

    const links = join(watched.node.root, 'links');
    await mkdir(links);
    const intruder = spawn('sh', ['-c', 'i=0; while ln "$0" "$1/$i"; do i=$((i + 1)); sleep 0.01; done', busy, links]);
    onTestFinished(() => void intruder.kill('SIGKILL'));
    await eventually('the intruder is at work', async () => (await stat(busy)).nlink > 3);
    await writeFile(busy, Buffer.alloc(MANY, 'evil'));
    const blind = await harness.nodeSays(name, watched.name, 'IntegrityHeld', 'Unknown PartlyUnseen');
    expect(blind).toMatchObject({
      state: 'Errored',
      lastResult: {
        condition: 'Succeeded',
        unseen: { count: 1, sinceBaseline: 1, paths: [{ path: '/etc/app/busy', what: 'Content' }] },
      },
    });
    await eventually('the whole says so', async () => {
      const { phase, nodes, conditions = [] } = (await harness.integrity(name)).status ?? {};
      const held = conditions.find(({ type }) => type === 'IntegrityHeld');
      return phase === 'Active' && held?.reason === 'PartlyUnseen' && nodes?.errored === 1 && nodes.succeeded === 0;
    });
    const told = `node ${watched.name}: AIDE could not read 1 path, new since the baseline as far as is known: /etc/app/busy (content).`;
    const events = async () => (await harness.told('NodePartlyUnseen')).filter((message) => message.startsWith(told));
    await eventually('it is told', async () => (await events()).length === 1);
    const lines = () => watched.count('running aide check');
    const scans = lines();
    await eventually('it is scanned once more', () => lines() >= scans + 2);
    expect(await events()).toHaveLength(1);

    await harness.annotate(name, { [REINIT_ANNOTATION]: '' });
    const known = await harness.nodeSays(name, watched.name, 'IntegrityHeld', 'True NoChanges');
    expect(known).toMatchObject({
      state: 'Succeeded',
      baseline: { reason: 'Demand', unseen: { count: 1, paths: [{ path: '/etc/app/busy' }] } },
      lastResult: { unseen: { count: 1, sinceBaseline: 0 } },
    });
    expect(known.status?.conditions?.find(({ type }) => type === 'IntegrityHeld')?.message).toContain(
      'AIDE could not read 1 path, as at the baseline: /etc/app/busy (content).',
    );
    await eventually('the whole says that, too', async () => {
      const { conditions = [] } = (await harness.integrity(name)).status ?? {};
      const held = conditions.find(({ type }) => type === 'IntegrityHeld');
      return held?.status === 'True' && held.message.includes(`as at the baseline, on 1 node: ${watched.name}`);
    });
    await eventually('and the event is the only one', async () => (await events()).length === 1);
  });
});
