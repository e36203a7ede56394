import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { backupsOn } from '../../demo/story.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

const BACKUPS = ['aide.db.gz.backup-20200917T15_07_38', 'aide.log.backup-20200917T15_07_38'] as const;

// The nodes hold what an operator before this one left: database, log and backups, and no receipt.
describe.skipIf(!canHaveNodes())('nodes that were watched before', () => {
  let stage: E2eStage;
  let integrity: Integrity;

  beforeAll(async () => {
    stage = await openStage();
    // Under another name: of its own this operator knows what was on record.
    const before = await createIntegrity(stage, 'before');
    for (const node of ['worker-1', 'worker-2']) await before.condition(node, 'Succeeded');
    // An operator of before kept nothing of nodes that it watched no more: nor does one that is not there.
    const scale = (replicas: number) =>
      stage.kubectl(['scale', 'deployment/file-integrity-operator', '-n', NAMESPACE, `--replicas=${replicas}`]);
    const operators = ['get', 'pods', '-n', NAMESPACE, '-l', 'name=file-integrity-operator', '-o', 'name'];
    await scale(0);
    await eventually('the operator is gone', async () => (await stage.kubectl(operators)).stdout.trim() === '');
    await before.remove();
    for (const node of ['worker-1', 'worker-2']) {
      await eventually(`nothing is on record of ${node}`, async () => (await before.status(node)) === undefined);
    }
    await scale(1);
    for (const name of ['worker-1', 'worker-2']) {
      const node = stage.node(name);
      await node.removeFile('/etc/kubernetes/aide.receipt.json');
      for (const backup of BACKUPS) await node.writeFile(`/etc/kubernetes/${backup}`, 'of an earlier operator\n');
    }
    await stage.node('worker-1').writeFile('/etc/while-nobody-looked', 'new\n');
    await stage.node('worker-2').exec(['truncate', '--size=1000', '/etc/kubernetes/aide.db.gz']);
    integrity = await createIntegrity(stage, 'migrating');
  });
  afterAll(async () => {
    await stage?.node('worker-1').removeFile('/etc/while-nobody-looked');
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('have their database adopted, and what changed while nobody looked is found', async () => {
    const status = await integrity.condition('worker-1', 'Failed');
    expect(status.baseline?.adopted).toBe(true);
    expect(status.lastResult).toMatchObject({ filesAdded: 1, filesChanged: 0, filesRemoved: 0 });
    expect(await backupsOn(stage.node('worker-1'))).toEqual([...BACKUPS]);
    await eventually('it is told', async () =>
      (await integrity.events('DatabaseAdopted')).join().includes('node worker-1: the database'),
    );
  });

  test('have a database that is damaged refused with the reason, and kept as a backup', async () => {
    const status = await integrity.condition('worker-2', 'Succeeded');
    expect(status.baseline?.refused).toMatch(/^The database on the node is damaged/);
    await eventually('it is told', async () =>
      (await integrity.events('DatabaseRefused')).join().includes('node worker-2: the database'),
    );
    const backups = await backupsOn(stage.node('worker-2'));
    const [kept = ''] = backups.filter((name) => name.startsWith('aide.db.gz') && name !== BACKUPS[0]);
    const size = await stage.node('worker-2').exec(['stat', '--format=%s', `/etc/kubernetes/${kept}`]);
    expect(size.stdout.trim()).toBe('1000');
  });
});
