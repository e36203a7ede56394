import { afterAll, beforeAll, expect, test } from 'vitest';
import { NODE_LABEL, OWNER_LABEL } from '../../src/api/keys.ts';
import { failedName, resultName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { quotas } from '../support/quotas.ts';

let harness: OperatorHarness;
let node: string;

beforeAll(async () => {
  harness = await startHarness();
  node = await harness.addNode();
  await harness.createIntegrity('full', { staleAfter: 10 });
  await harness.daemon('full', node).makeBaseline();
  await harness.daemon('full', node).report({ verdict: 'Succeeded' });
});
afterAll(() => harness[Symbol.asyncDispose]());

test('a finding whose report cannot be kept counts at once, is not lost, and hides no silence', async () => {
  const { client, namespace } = harness;
  const all = await client.list(configMaps, { namespace });
  const room = all.items.length + 1; // for the message, and not for the report
  const quota = { metadata: { name: 'full', namespace }, spec: { hard: { 'count/configmaps': String(room) } } };
  await client.create(quotas, quota);
  await eventually('the quota counts', async () => {
    const { status } = await client.get(quotas, { namespace, name: 'full' });
    return status?.hard !== undefined;
  });

  const daemon = harness.daemon('full', node);
  const finding = daemon.scan({ verdict: 'Failed', exitStatus: 4, counts: { added: 0, changed: 1, removed: 0 } });
  await daemon.send(finding, [{ integritylog: 'what changed' }]);
  const unkept = await harness.statusWhen('full', node, 'is Failed', (status) => status.state === 'Failed');
  expect(unkept.lastResult).toMatchObject({ condition: 'Failed', filesChanged: 1 });
  expect(unkept.lastResult?.errorMessage).toMatch(/^The report could not be kept: .*quota/);
  expect(unkept.lastResult?.resultConfigMapName).toBeUndefined();
  expect(unkept.acknowledged).not.toBe(finding.id);
  expect(await client.find(configMaps, { namespace, name: resultName('full', node) })).toBeDefined();
  await eventually('it is told', async () => (await harness.told('ReportNotKept')).join().includes(node));

  const told = async () => (await harness.told('NodeIntegrityStatus')).filter((text) => text.includes('has changed!'));
  await eventually('the change is told', async () => (await told()).length === 1);

  const silent = await harness.nodeSays('full', node, 'Fresh', 'False Late');
  expect(silent.state).toBe('Failed');

  await client.remove(quotas, { namespace, name: 'full' });
  const kept = await harness.statusWhen('full', node, 'is taken in', ({ acknowledged }) => acknowledged === finding.id);
  expect(kept.lastResult).toMatchObject({ resultConfigMapName: failedName('full', node) });
  expect(kept.lastResult?.errorMessage).toBeUndefined();
  const report = await client.get(configMaps, { namespace, name: failedName('full', node) });
  expect(report.data?.integritylog).toBe('what changed');
  expect(report.metadata?.labels).toMatchObject({ [OWNER_LABEL]: 'full', [NODE_LABEL]: node });
  expect(await told()).toHaveLength(1);
});
