import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import {
  applyObject,
  askForReinit,
  backupsOn,
  changeNode,
  fileIntegrity,
  MISCHIEF,
  readFindings,
  waitForActive,
  waitForCondition,
} from '../../demo/story.ts';
import { openIntegrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { canHaveNodes } from '../support/nodes.ts';

const INTEGRITY = 'story';
const WORKERS = ['worker-1', 'worker-2'] as const;

// The demo's story, step by step; each test goes on where the one before it ended.
describe.skipIf(!canHaveNodes())('a changed file on a real node', () => {
  let stage: E2eStage;
  let putBack: () => Promise<void> = async () => {};

  beforeAll(async () => {
    stage = await openStage();
    await applyObject(stage, fileIntegrity(INTEGRITY, { 'node-role.kubernetes.io/worker': '' }));
  });
  afterAll(async () => {
    await openIntegrity(stage, INTEGRITY)[Symbol.asyncDispose]();
    await putBack();
    await stage[Symbol.asyncDispose]();
  });

  test('is preceded by a baseline and a scan that finds nothing, on each selected node and on no other', async () => {
    const statuses = await waitForCondition(stage, INTEGRITY, WORKERS, 'Succeeded');
    await waitForActive(stage, INTEGRITY);
    for (const { baseline, lastScan } of statuses) {
      expect(baseline?.entries).toBeGreaterThan(1000);
      expect(lastScan).toMatchObject({ exitStatus: 0, baselineDigest: baseline?.digest });
    }
    const { stdout } = await stage.kubectl(['get', 'fins', '-n', NAMESPACE, '--no-headers']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  test('makes that node Failed, with counts and names of the files, and leaves the other Succeeded', async () => {
    putBack = await changeNode(stage, stage.node('worker-1'));
    const [failed] = await waitForCondition(stage, INTEGRITY, ['worker-1'], 'Failed');
    expect(failed?.lastResult).toMatchObject({ filesAdded: 1, filesChanged: 1, filesRemoved: 1 });
    if (failed === undefined) return;
    const findings = await readFindings(stage, failed);
    expect(Object.fromEntries(findings.map(({ change, path }) => [change, path]))).toEqual(MISCHIEF);
    await waitForCondition(stage, INTEGRITY, ['worker-2'], 'Succeeded');
  });

  test('is kept as AIDE’s text report in a config map, and told in an event', async () => {
    const name = `aide-${INTEGRITY}-worker-1-failed`;
    const { stdout: log } = await stage.kubectl([
      'get',
      'configmap',
      name,
      '-n',
      NAMESPACE,
      '-o',
      'jsonpath={.data.integritylog}',
    ]);
    for (const path of Object.values(MISCHIEF)) expect(log).toContain(`/hostroot${path}`);
    const { stdout: events } = await stage.kubectl(['get', 'events', '-n', NAMESPACE, '-o', 'jsonpath={..message}']);
    expect(events).toContain(`node worker-1 has changed! a:1,c:1,r:1 log:${NAMESPACE}/${name}`);
  });

  test('becomes part of the baseline by a re-init, which leaves backups of database and log on the node', async () => {
    await askForReinit(stage, INTEGRITY, ['worker-1']);
    await waitForActive(stage, INTEGRITY);
    await waitForCondition(stage, INTEGRITY, WORKERS, 'Succeeded');
    const stamp = String.raw`\d{8}T\d\d_\d\d_\d\d`;
    const backups = await backupsOn(stage.node('worker-1'));
    expect(backups).toHaveLength(2);
    expect(backups[0]).toMatch(new RegExp(`^aide\\.db\\.gz\\.backup-${stamp}$`));
    expect(backups[1]).toMatch(new RegExp(`^aide\\.log\\.backup-${stamp}$`));
    expect(await backupsOn(stage.node('worker-2'))).toEqual([]);
  });
});
