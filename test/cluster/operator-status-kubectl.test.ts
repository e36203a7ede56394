import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { nodeStatusName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// What tools read of a status: kubectl wait, and kstatus, by which Argo CD, Flux and Helm tell whether an object is as it should be.
let harness: OperatorHarness;
let cluster: Cluster;
let node: string;

beforeAll(async () => {
  const aide = await findRealAide();
  harness = await startHarness({ ...(aide && { aide: aide.command }) });
  cluster = await attachCluster(inject('cluster'));
  node = await harness.addNode();
});
afterAll(() => harness[Symbol.asyncDispose]());

async function wait(what: string, condition: string): Promise<string> {
  const args = ['--namespace', harness.namespace, 'wait', what, '--timeout=60s', condition];
  return (await cluster.kubectl(args)).stdout.trim();
}

/**
 * The rules of kstatus (sigs.k8s.io/cli-utils/pkg/kstatus) for an object of a kind that it does not know, in their order.
 */
function kstatus({ metadata, status }: FileIntegrity): 'Terminating' | 'InProgress' | 'Failed' | 'Current' {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const { observedGeneration, conditions = [] } = status ?? {};
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return 'InProgress';
  for (const { type, status } of conditions) {
    if (type === 'Reconciling' && status === 'True') return 'InProgress';
    if (type === 'Stalled' && status === 'True') return 'Failed';
  }
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress';
}

async function kstatusWhen(wanted: ReturnType<typeof kstatus>): Promise<void> {
  await eventually(`it is ${wanted}`, async () => kstatus(await harness.integrity('tools')) === wanted);
}

test('kubectl waits for the conditions of a FileIntegrity and of a node', async () => {
  const { namespace } = harness;
  await harness.createIntegrity('tools', { config: { name: 'mine', namespace } });
  await kstatusWhen('InProgress');
  const name = nodeStatusName('tools', node);
  const waits = ['Ready', 'Fresh', 'BaselineTrusted', 'IntegrityHeld', 'Progressing=False'].map((condition) =>
    wait('fi/tools', `--for=condition=${condition}`),
  );
  await harness.daemon('tools', node).makeBaseline();
  await harness.daemon('tools', node).report({ verdict: 'Succeeded' });
  for (const answer of await Promise.all(waits))
    expect(answer).toContain('fileintegrity.openshift.io/tools condition met');
  expect(await wait(`fins/${name}`, '--for=condition=Fresh')).toContain('condition met');
  expect(await wait(`fins/${name}`, '--for=jsonpath={.state}=Succeeded')).toContain('condition met');
  const failed = wait(`fins/${name}`, '--for=condition=IntegrityHeld=False');
  const told = wait('fi/tools', '--for=condition=IntegrityHeld=False');
  const counts = { added: 1, changed: 0, removed: 0 };
  await harness.daemon('tools', node).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
  expect(await failed).toContain('condition met');
  expect(await told).toContain('condition met');
});

test('kstatus: Current once all is settled, findings or not; in progress with each change; Failed while a person must act', async () => {
  const { client, namespace } = harness;
  await kstatusWhen('Current');
  harness.daemonsOn(node, 'crash');
  await kstatusWhen('InProgress');
  harness.daemonsOn(node, 'run');
  await kstatusWhen('Current');

  await client.create(configMaps, {
    metadata: { name: 'mine', namespace },
    data: { 'aide.conf': '@@x_include /bin/x' },
  });
  await kstatusWhen('Failed');
  await client.replace(configMaps, {
    metadata: { name: 'mine', namespace },
    data: { 'aide.conf': '!/etc/kubernetes/aide\\.\n/etc p+sha512\n' },
  });
  await kstatusWhen('InProgress');
  await harness.daemon('tools', node).makeBaseline();
  await harness.daemon('tools', node).report({ verdict: 'Succeeded' });
  await kstatusWhen('Current');
});

test('kstatus takes no status for one of a newer spec', async () => {
  const { client, namespace } = harness;
  await harness.stop();
  const patch = { spec: { config: { gracePeriod: 60 } } };
  const changed = await client.patch(fileIntegrities, { namespace, name: 'tools' }, patch, { type: 'merge' });
  expect(kstatus(changed)).toBe('InProgress');
  harness.start();
  await kstatusWhen('Current');
});
