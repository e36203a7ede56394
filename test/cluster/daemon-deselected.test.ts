import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { nodes } from '../../src/kube/resources.ts';
import { findRealAide } from '../support/aide.ts';
import type { ScratchNode } from '../support/daemon-node.ts';
import { clientOf } from '../support/impersonate.ts';
import { canHaveNodes } from '../support/nodes.ts';
import { createOperatedDaemon } from '../support/operated-daemon.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// Root on a node has its kubelet take the node out of the selection, changes files, makes a database in which they are as
// they should be, and comes back. The real daemon under the real operator.
const run = promisify(execFile);
const aide = await findRealAide();
const [command, ...words] = aide?.command ?? ['aide'];
const digestOf = async (path: string) =>
  createHash('sha256')
    .update(gunzipSync(await readFile(path)))
    .digest('hex');

/** Puts a database in place that the node fits as it is now; its receipt says so, or there is none. */
async function forge({ paths, root, configuration }: ScratchNode, receipt: 'forged' | 'removed'): Promise<void> {
  const rules = join(root, '../intruder.conf');
  await writeFile(rules, configuration);
  await run(command, [...words, '--init', `--config=${rules}`]);
  const before = await digestOf(paths.database);
  await rename(paths.newDatabase, paths.database);
  const digest = await digestOf(paths.database);
  expect(digest).not.toBe(before);
  const text = await readFile(paths.receipt, 'utf8');
  expect(text).toContain(before);
  if (receipt === 'forged') await writeFile(paths.receipt, text.replaceAll(before, digest));
  else await rm(paths.receipt);
}

describe.skipIf(aide === undefined || !canHaveNodes()).concurrent('a node that takes its own label away', () => {
  let harness: OperatorHarness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  test.for(['forged', 'removed'] as const)(
    'and comes back with a forged database, its receipt %s, is Failed, and nothing of that is adopted',
    async (receipt) => {
      const name = `away-${receipt}`;
      const watched = await createOperatedDaemon(harness, name, { aide: aide?.command ?? ['aide'] });
      onTestFinished(() => watched[Symbol.asyncDispose]());
      const kubelet = await clientOf(`system:node:${watched.name}`, { groups: ['system:nodes'] });
      onTestFinished(() => kubelet.close());
      const label = async (value: string | null) => {
        const labels = { [`${harness.namespace}/${name}`]: value };
        await kubelet.patch(nodes, { name: watched.name }, { metadata: { labels } }, { type: 'merge' });
      };
      await watched.start();
      const { baseline } = await harness.nodeSays(name, watched.name, 'IntegrityHeld', 'True NoChanges');

      await label(null);
      await watched.kill(); // its pod goes
      await harness.nodeSays(name, watched.name, 'Ready', 'False Deselected');
      await watched.node.write('etc/app/a', 'evil\n');
      await forge(watched.node, receipt);
      await label('');
      await harness.nodeSays(name, watched.name, 'Ready', 'True Watched');
      await watched.start();

      const shown = await harness.nodeSays(name, watched.name, 'IntegrityHeld', 'False BaselineReplaced');
      expect(shown.state).toBe('Failed');
      // AIDE itself finds nothing: only the record outside of the node knows.
      expect(shown.lastResult).toMatchObject({ condition: 'Failed', baselineFault: 'Replaced', filesChanged: 0 });
      expect(shown.baseline).toEqual(baseline);
      expect(shown.baselines).toHaveLength(1);
      for (const reason of ['DatabaseAdopted', 'DatabaseRecognised', 'BaselineBeganAnew']) {
        expect((await harness.told(reason)).join()).not.toContain(watched.name);
      }
      await harness.integritySays(name, 'IntegrityHeld', 'False BaselineReplaced');
    },
  );
});
