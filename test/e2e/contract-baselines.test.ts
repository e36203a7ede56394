import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupsOn } from '../../demo/story.ts';
import { REINIT_ANNOTATION, REINIT_ON_FAILED_ANNOTATION } from '../../src/api/keys.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

// The numbers are those of the behaviours that the existing operator’s own end-to-end tests pin.
describe.skipIf(!canHaveNodes())('baselines', () => {
  let stage: E2eStage;
  let integrity: Integrity;

  beforeAll(async () => {
    stage = await openStage();
    integrity = await createIntegrity(stage, 'baselines', { config: { maxBackups: 1 } });
    await integrity.phase('Active');
    for (const node of ['worker-1', 'worker-2']) await integrity.condition(node, 'Succeeded');
  });
  afterAll(async () => {
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('1: a failed scan keeps its log, a re-init makes the node Succeeded again, and backups appear', async () => {
    const node = stage.node('worker-1');
    await node.writeFile('/etc/behaviour-1', 'new\n');
    const failed = await integrity.condition('worker-1', 'Failed');
    expect(failed.lastResult).toMatchObject({ filesAdded: 1, filesChanged: 0, filesRemoved: 0 });
    await integrity.annotate(REINIT_ANNOTATION, '');
    await integrity.condition('worker-1', 'Succeeded');
    expect((await integrity.get()).metadata.annotations?.[REINIT_ANNOTATION]).toBeUndefined();
    expect(await backupsOn(node)).toHaveLength(2);
    const kept = ['get', 'configmap', failed.lastResult?.resultConfigMapName ?? '', '-n', 'openshift-file-integrity'];
    const { stdout } = await stage.kubectl([...kept, '-o', 'jsonpath={.data.integritylog}']);
    expect(stdout).toContain('/hostroot/etc/behaviour-1');
    const after = await integrity.status('worker-1');
    expect(after?.results?.map(({ condition }) => condition).sort()).toEqual(['Failed', 'Succeeded']);
  });

  test('6: backups are pruned to maxBackups, and the newest stay', async () => {
    const node = stage.node('worker-1');
    const before = await backupsOn(node);
    await integrity.phase('Active');
    await integrity.annotate(REINIT_ANNOTATION, 'worker-1');
    await eventually(
      'there are new backups',
      async () => (await backupsOn(node)).every((name) => !before.includes(name)),
      60_000,
    );
    await integrity.phase('Active');
    // The first log of the new baseline has no backup yet: at most one of each kind is there.
    const kinds = (await backupsOn(node)).map((name) => name.split('.backup-')[0]);
    expect(new Set(kinds).size).toBe(kinds.length);
  });

  test('5: the legacy trigger file is removed, reported, and orders no new baseline', async () => {
    const node = stage.node('worker-2');
    const before = (await integrity.status('worker-2'))?.baseline;
    await node.writeFile('/etc/behaviour-5', 'an intruder\n');
    await node.writeFile('/etc/kubernetes/aide.reinit', '');
    await eventually(
      'the trigger file is gone',
      async () => (await node.exec(['test', '-e', '/etc/kubernetes/aide.reinit'])).code === 1,
      60_000,
    );
    const failed = await integrity.condition('worker-2', 'Failed');
    expect(failed.baseline).toEqual(before);
    await eventually('it is told', async () =>
      (await integrity.events('UnorderedReinit')).join().includes('aide.reinit'),
    );
  });

  test('7: re-init-on-failed touches only the nodes that failed', async () => {
    const before = await integrity.status('worker-1');
    expect(before?.lastResult?.condition).toBe('Succeeded');
    await integrity.annotate(REINIT_ON_FAILED_ANNOTATION, '');
    const mended = await integrity.condition('worker-2', 'Succeeded');
    expect(mended.baseline?.reason).toBe('Failed');
    await integrity.phase('Active');
    expect((await integrity.status('worker-1'))?.baseline).toEqual(before?.baseline);
  });
});
