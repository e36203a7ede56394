import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OUTCOME_ANNOTATION, REINIT_ANNOTATION, RESULT_LOG_LABEL, UPDATED_ANNOTATION } from '../../src/api/keys.ts';
import { daemonSetName, failedName, resultName } from '../../src/api/names.ts';
import { configMaps, daemonSets, leases } from '../../src/kube/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

let harness: OperatorHarness;
let one: string;
let two: string;

beforeAll(async () => {
  harness = await startHarness();
  one = await harness.addNode();
  two = await harness.addNode();
});
afterAll(() => harness[Symbol.asyncDispose]());

describe('from a FileIntegrity to a Failed node and back', () => {
  test('a FileIntegrity becomes a daemon set, an effective configuration, and orders for each node', async () => {
    const { namespace, client } = harness;
    await harness.createIntegrity('story', { config: { gracePeriod: 5, maxBackups: 3 } });
    const status = await harness.statusWhen('story', one, 'has orders', ({ orders }) => orders !== undefined);
    expect(status.orders).toMatchObject({
      settings: { gracePeriod: 10, maxBackups: 3, debug: false },
      configuration: { name: 'story', key: 'aide.conf' },
      baseline: { reason: 'Initial' },
    });
    const configuration = await client.get(configMaps, { namespace, name: 'story' });
    expect(configuration.data?.['aide.conf']).toContain('/usr');
    await eventually('the daemon set is there', () =>
      client.find(daemonSets, { namespace, name: daemonSetName('story') }),
    );
    await eventually('the lease is there', () => client.find(leases, { namespace, name: resultName('story', one) }));
    await harness.phaseWhen('story', 'Initializing');
  });

  test('with baselines made and scans without findings, it is Active', async () => {
    for (const node of [one, two]) {
      await harness.daemon('story', node).makeBaseline();
      await harness.daemon('story', node).report({ verdict: 'Succeeded' });
    }
    const integrity = await harness.phaseWhen('story', 'Active');
    expect(integrity.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    const told = await harness.events('NodeIntegrityStatus');
    expect(told.map(({ message }) => message)).toContain(`no changes to node ${one}`);
  });

  test('a changed file makes its node Failed, keeps the report and tells of it; the other node stays Succeeded', async () => {
    const { namespace, client } = harness;
    await harness
      .daemon('story', one)
      .report({ verdict: 'Failed', exitStatus: 7, counts: { added: 1, changed: 1, removed: 1 } }, [
        { integritylog: 'AIDE found differences', 'report.json': '{}' },
      ]);
    const kept = failedName('story', one);
    const status = await harness.status('story', one);
    expect(status?.lastResult).toMatchObject({
      condition: 'Failed',
      filesAdded: 1,
      filesChanged: 1,
      filesRemoved: 1,
      resultConfigMapName: kept,
      resultConfigMapNamespace: namespace,
    });
    expect(status?.results?.map(({ condition }) => condition)).toEqual(['Succeeded', 'Failed']);
    const report = await client.get(configMaps, { namespace, name: kept });
    expect(report.data).toEqual({ integritylog: 'AIDE found differences', 'report.json': '{}' });
    expect(report.metadata?.labels?.[RESULT_LOG_LABEL]).toBe('');
    expect(report.metadata?.ownerReferences).toBeUndefined();
    expect((await harness.status('story', two))?.lastResult?.condition).toBe('Succeeded');
    await eventually('the event is told', async () =>
      (await harness.events('NodeIntegrityStatus')).some(
        ({ message, type }) =>
          type === 'Warning' && message === `node ${one} has changed! a:1,c:1,r:1 log:${namespace}/${kept}`,
      ),
    );
    await eventually(
      'the message is removed',
      async () => !(await client.find(configMaps, { namespace, name: resultName('story', one) })),
    );
  });

  test('the annotation re-init orders a new baseline of every node, is removed at once, and is over with the last receipt', async () => {
    const { namespace, client } = harness;
    const before = (await harness.status('story', one))?.orders?.baseline.id;
    await harness.annotate('story', { [REINIT_ANNOTATION]: '' });
    for (const node of [one, two]) {
      await harness.statusWhen('story', node, 'has the order', ({ orders }) => orders?.baseline.reason === 'Demand');
    }
    expect((await harness.status('story', one))?.orders?.baseline.id).not.toBe(before);
    expect((await harness.integrity('story')).metadata.annotations?.[REINIT_ANNOTATION]).toBeUndefined();
    const updated = async () =>
      (await client.get(configMaps, { namespace, name: 'story' })).metadata?.annotations?.[UPDATED_ANNOTATION];
    expect(await updated()).toBe('');
    await harness.phaseWhen('story', 'Initializing');
    await harness.daemon('story', one).makeBaseline();
    await harness.daemon('story', two).makeBaseline();
    await eventually('nothing is left to do', async () => (await updated()) === undefined);
    await harness.daemon('story', one).report({ verdict: 'Succeeded' });
    const status = await harness.status('story', one);
    expect(status?.lastResult?.condition).toBe('Succeeded');
    expect(status?.results?.map(({ condition }) => condition)).toEqual(['Failed', 'Succeeded']);
    await harness.phaseWhen('story', 'Active');
  });

  test('a quiet scan is one write of the daemon and one of the operator, and moves lastProbeTime', async () => {
    const { namespace, client } = harness;
    const before = await harness.status('story', one);
    const beat = await harness.daemon('story', one).beat({ verdict: 'Succeeded' });
    const after = await harness.statusWhen(
      'story',
      one,
      'follows the heartbeat',
      ({ lastResult }) => lastResult?.lastProbeTime === beat.finishedAt,
    );
    expect(after.acknowledged).toBe(before?.acknowledged);
    expect(after.metadata.generation).toBe((before?.metadata.generation ?? 0) + 1);
    const lease = await client.get(leases, { namespace, name: resultName('story', one) });
    expect(lease.metadata?.annotations?.[OUTCOME_ANNOTATION]).toContain(beat.id);
  });
});
