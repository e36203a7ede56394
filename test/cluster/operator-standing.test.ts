import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { attachCluster } from '../../devcluster/cluster.ts';
import { run } from '../../devcluster/lib/run.ts';
import type { FileIntegritySpecInput } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { UPDATING_LABEL } from '../../src/operator/nodes/update.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// What ends a failure, and what does not; and what makes a node look fresh, and for how long.

let harness: OperatorHarness;

beforeAll(async () => {
  const aide = await findRealAide();
  harness = await startHarness({ ...(aide && { aide: aide.command }) });
});
afterAll(() => harness[Symbol.asyncDispose]());

const counts = { added: 1, changed: 2, removed: 3 };
const FAILED = { verdict: 'Failed', exitStatus: 7, counts } as const;
const REPORT = [{ integritylog: 'three files differ' }];
const CONFIGURATION = '!/etc/kubernetes/aide\\.\n/etc p+sha512\n';

/** A FileIntegrity with one node, which was scanned against its baseline. */
async function create(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<string> {
  const nodeSelector = { [`${harness.namespace}/${name}`]: '' };
  const node = await harness.addNode({ labels: nodeSelector });
  await harness.createIntegrity(name, { nodeSelector, ...spec });
  await harness.daemon(name, node).makeBaseline();
  await harness.daemon(name, node).report({ verdict: 'Succeeded' });
  return node;
}

/** The same, and then its files were found changed. */
async function createFailed(name: string, spec: Partial<FileIntegritySpecInput> = {}): Promise<string> {
  const node = await create(name, spec);
  await harness.daemon(name, node).report(FAILED, REPORT);
  await harness.integritySays(name, 'IntegrityHeld', 'False Changed');
  return node;
}

const warnings = async (reason: string, node: string) =>
  (await harness.events(reason)).filter(({ type, message }) => type === 'Warning' && message?.includes(node));
const warned = async (reason: string, node: string) => {
  let found: string[] = [];
  await eventually(`the warning ${reason} of ${node}`, async () => {
    found = (await warnings(reason, node)).map(({ message = '' }) => message);
    return found.length > 0;
  });
  return found.join('\n');
};
const ordered = (name: string, node: string, reason: string) =>
  harness.statusWhen(
    name,
    node,
    `is ordered a baseline: ${reason}`,
    ({ orders }) => orders?.baseline.reason === reason,
  );

describe.concurrent('a failure', () => {
  test('stands though AIDE crashes in the next scan: for the node, the whole, and the counts', async () => {
    const node = await createFailed('crash');
    await harness.daemon('crash', node).report({ verdict: 'Errored', exitStatus: 18, errorMessage: 'AIDE died.' });
    const status = await harness.statusWhen('crash', node, 'is Errored', (s) => s.lastResult?.condition === 'Errored');
    expect(status).toMatchObject({ state: 'Failed', failure: { filesAdded: 1, filesChanged: 2, filesRemoved: 3 } });
    const held = status.status?.conditions?.find(({ type }) => type === 'IntegrityHeld');
    expect(held).toMatchObject({ status: 'False', reason: 'Changed' });
    expect(held?.message).toContain('1 added, 2 changed, 3 removed.');
    expect(held?.message).toContain('The last scan could not be done. AIDE died.');
    // The contract's phase goes by the last result, and ours by what stands.
    const whole = (await harness.phaseWhen('crash', 'Error')).status;
    expect(whole?.nodes).toMatchObject({ failed: 1, errored: 0 });
    await harness.integritySays('crash', 'IntegrityHeld', 'False Changed');

    await harness.daemon('crash', node).report({ verdict: 'Succeeded' });
    const well = await harness.nodeSays('crash', node, 'IntegrityHeld', 'True NoChanges');
    expect(well).not.toHaveProperty('failure');
    expect(well).not.toHaveProperty('accepted');
  });

  test('is not ended by a word that proves nothing', async () => {
    const node = await createFailed('words');
    const daemon = harness.daemon('words', node);
    const { baselineDigest: _, ...bare } = daemon.scan({ verdict: 'Succeeded' });
    await daemon.send(bare);
    const status = await harness.statusWhen('words', node, 'acknowledges it', (s) => s.acknowledged === bare.id);
    expect(status).toMatchObject({ state: 'Failed', lastResult: { condition: 'Errored' }, failure: { filesAdded: 1 } });
    expect(status.lastResult?.errorMessage).toContain('which is not proven: it says not which database');
  });

  test('that one changed line of the user’s configuration accepts is a warning that names who changed it', async () => {
    const { client, namespace } = harness;
    const metadata = { name: 'mine', namespace };
    await client.create(configMaps, { metadata, data: { 'aide.conf': CONFIGURATION } });
    const node = await createFailed('line', { config: { name: 'mine', namespace } });
    const changed = { metadata, data: { 'aide.conf': `${CONFIGURATION}/usr p+sha512\n` } };
    await client.apply(configMaps, changed, { fieldManager: 'mallorys-editor', force: true });
    await ordered('line', node, 'Configuration');
    const order = await warned('BaselineOrdered', node);
    expect(order).toMatch(/\(Configuration: from \w+ to \w+, by mallorys-editor\): .*It accepts the findings on /);
    // Nothing is accepted yet.
    expect(await harness.status('line', node)).toMatchObject({ state: 'Failed', failure: { filesAdded: 1 } });
    await harness.daemon('line', node).makeBaseline();
    const accepted = await warned('FailureAccepted', node);
    expect(accepted).toContain('a new baseline (Configuration, asked for by mallorys-editor) accepts the failure');
    await harness.daemon('line', node).report({ verdict: 'Succeeded' });
    const status = await harness.nodeSays('line', node, 'IntegrityHeld', 'True NoChanges');
    expect(status).not.toHaveProperty('failure');
    expect(status.accepted).toMatchObject([{ filesAdded: 1, reason: 'Configuration', who: 'mallorys-editor' }]);
  });

  test('stands while its node is updated, and that an update accepts it is a warning that names who began that', async () => {
    const node = await createFailed('label');
    await harness.labelNode(node, { [UPDATING_LABEL]: '' });
    const held = await harness.statusWhen('label', node, 'is held', ({ orders }) => orders?.hold !== undefined);
    expect(held).toMatchObject({ state: 'Failed', failure: { filesAdded: 1 } });
    await harness.labelNode(node, { [UPDATING_LABEL]: null });
    await ordered('label', node, 'NodeUpdate');
    expect(await warned('BaselineOrdered', node)).toMatch(/NodeUpdate: .*, by test\): .*It accepts the findings on /);
    await harness.daemon('label', node).makeBaseline();
    expect(await warned('FailureAccepted', node)).toContain('(NodeUpdate, asked for by test)');
  });
});

describe.concurrent('freshness', () => {
  test('is not made by one forged time', async () => {
    const node = await create('forged');
    const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();
    await harness.daemon('forged', node).report({ verdict: 'Succeeded', startedAt: hours(-1), finishedAt: hours(12) });
    const { freshUntil, freshness } = await harness.nodeSays('forged', node, 'Fresh', 'True Scanned');
    // Twice the pause of 900 s, twice the longest scan that counts at first, which takes 600 s, and 300 s.
    expect(Date.parse(freshUntil ?? '')).toBeLessThanOrEqual(Date.now() + (2 * 900 + 2 * 600 + 300) * 1000);
    expect(freshness?.scanSeconds).toBeLessThanOrEqual(600);
  });

  test('for years is not given by a pause of years: the bound counts for daemon and status, and both are told', async () => {
    const gracePeriod = 99_999_999_999_999;
    const node = await create('years', { config: { gracePeriod }, staleAfter: 1e12, holdLimit: 1e12 });
    const status = await harness.nodeSays('years', node, 'Fresh', 'True Scanned');
    expect(status.orders?.settings.gracePeriod).toBe(86_400);
    expect(Date.parse(status.freshUntil ?? '')).toBeLessThanOrEqual(Date.now() + 3 * 86_400_000);
    const { spec } = await harness.integrity('years');
    expect(spec.config.gracePeriod).toBe(gracePeriod);
    const whole = await harness.integritySays('years', 'ConfigurationValid', 'True Warnings');
    const valid = whole.status?.conditions?.find(({ type }) => type === 'ConfigurationValid')?.message;
    expect(valid).toContain(
      'spec.config.gracePeriod is 99999999999999 seconds, and counts as the most that is allowed',
    );
    expect(valid).toContain('spec.staleAfter');
    expect(valid).toContain('spec.holdLimit');
    expect(await warned('FreshForLong', node)).toMatch(/A scan counts for longer than a day \(until \d{4}-\d\d-\d\dT/);
    await eventually('it is told', async () =>
      (await harness.told('ConfigurationWarnings')).join().includes('99999999999999'),
    );
  });

  test('that lasts longer than a day from now on is told', async () => {
    const node = await create('longer');
    await harness.nodeSays('longer', node, 'Fresh', 'True Scanned');
    expect(await warnings('FreshForLong', node)).toEqual([]);
    const ref = { namespace: harness.namespace, name: 'longer' };
    await harness.client.patch(fileIntegrities, ref, { spec: { staleAfter: 172_800 } }, { type: 'merge' });
    expect(await warned('FreshForLong', node)).toContain('A scan counts for longer than a day');
  });
});

test('a reader can tell by a clock that a status is old, when no operator is there to say so', async () => {
  const node = await create('clock', { staleAfter: 12 });
  await harness.nodeSays('clock', node, 'Fresh', 'True Scanned');
  await eventually(
    'it is in the whole',
    async () => (await harness.integrity('clock')).status?.freshUntil !== undefined,
  );
  const cluster = await attachCluster(inject('cluster'));
  const column = async (what: string) => {
    const { stdout } = await cluster.kubectl(['--namespace', harness.namespace, 'get', what]);
    return stdout;
  };
  await harness.daemon('clock', node).report({ verdict: 'Succeeded' });
  await harness.stop();
  const [{ status } = {}, own] = [await harness.integrity('clock'), await harness.status('clock', node)];
  expect(Date.parse(status?.freshUntil ?? '')).toBeLessThanOrEqual(Date.parse(own?.freshUntil ?? ''));
  expect(await column('fi/clock')).toMatch(/FRESH UNTIL[\s\S]*True .*\d{4}-\d\d-\d\dT/);
  expect(await column(`fins/clock-${node}`)).toContain(own?.freshUntil);

  const documented = readFileSync(new URL('../../docs/status.md', import.meta.url), 'utf8');
  const script = /```sh\n(kubectl get fileintegrities [^`]*awk[^`]*)```/.exec(documented)?.[1] ?? '';
  const check = async () => {
    const PATH = `${cluster.programs}:${process.env.PATH}`;
    const environment = { ...process.env, KUBECONFIG: cluster.kubeconfigPath, PATH };
    return await run(['sh', '-c', script.replaceAll('openshift-file-integrity', harness.namespace)], { environment });
  };
  await eventually('its time is over', () => Date.now() > Date.parse(own?.freshUntil ?? ''));
  const { code, stdout } = await check();
  // Nobody has written that it is not.
  expect(await column('fi/clock')).toMatch(/True/);
  expect([code, stdout]).toEqual([1, expect.stringContaining('clock')]);
});
