import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

const MACHINE_CONFIG = 'machineconfiguration.openshift.io';
/** What OpenShift rotates on a node. */
const ROTATED = [
  '/etc/kubernetes/kubelet-ca.crt',
  '/etc/kubernetes/static-pod-resources/secrets/kube-apiserver-certs/tls.crt',
  '/etc/docker/certs.d/registry/ca.crt',
];
const UPDATING = 'file-integrity.node-restriction.kubernetes.io/updating';

describe.skipIf(!canHaveNodes())('nodes that change on purpose', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  /** As the Machine Config Operator’s daemon does. */
  const machineConfig = async (node: string, values: Record<string, string>) => {
    const pairs = Object.entries(values).map(([key, value]) => `${MACHINE_CONFIG}/${key}=${value}`);
    await stage.kubectl(['annotate', '--overwrite', 'node', node, ...pairs]);
  };

  beforeAll(async () => {
    stage = await openStage();
    await stage.kubectl(['apply', '-f', fileURLToPath(new URL('../support/machine-configs.yaml', import.meta.url))]);
    for (const node of ['worker-1', 'worker-2']) {
      await stage.kubectl(['label', '--overwrite', 'node', node, 'node.openshift.io/os_id=rhcos']);
      for (const file of ROTATED) await stage.node(node).writeFile(file, 'the first certificate\n');
      await machineConfig(node, { currentConfig: 'rendered-1', desiredConfig: 'rendered-1', state: 'Done' });
    }
    integrity = await createIntegrity(stage, 'nodes');
    for (const node of ['worker-1', 'worker-2']) await integrity.condition(node, 'Succeeded');
  });
  afterAll(async () => {
    await integrity?.[Symbol.asyncDispose]();
    await stage.kubectl(['delete', 'crd', `machineconfigpools.${MACHINE_CONFIG}`]);
    for (const node of ['worker-1', 'worker-2']) {
      const keys = ['currentConfig', 'desiredConfig', 'state'].map((key) => `${MACHINE_CONFIG}/${key}-`);
      await stage.kubectl(['annotate', 'node', node, ...keys]);
      await stage.kubectl(['label', 'node', node, 'node.openshift.io/os_id-']);
    }
    await stage?.[Symbol.asyncDispose]();
  });

  test('20: a change by the Machine Config Operator raises no failure, and the scans go on from the new state', async () => {
    await machineConfig('worker-1', { desiredConfig: 'rendered-2', state: 'Working' });
    await integrity.held('worker-1', 'MachineConfig');
    await stage.node('worker-1').writeFile('/etc/behaviour-20', 'written by the update\n');
    await machineConfig('worker-1', { currentConfig: 'rendered-2', state: 'Done' });
    await eventually(
      'there is a new baseline',
      async () => {
        const status = await integrity.status('worker-1');
        return status?.orders?.hold === undefined && status?.baseline?.reason === 'NodeUpdate';
      },
      120_000,
    );
    const after = await integrity.nextScan('worker-1');
    expect(after.lastResult?.condition).toBe('Succeeded');
    expect(after.results?.map(({ condition }) => condition)).toEqual(['Succeeded']);
    expect(after.orders?.baseline.detail).toBe('from rendered-1 to rendered-2');
    await stage.node('worker-1').writeFile('/etc/behaviour-20', 'written by an intruder\n');
    await integrity.condition('worker-1', 'Failed');
    await stage.node('worker-1').writeFile('/etc/behaviour-20', 'written by the update\n');
    await integrity.condition('worker-1', 'Succeeded');
  });

  test('20, without a Machine Config Operator: the label “updating” does the same', async () => {
    await stage.kubectl(['label', 'node', 'worker-2', `${UPDATING}=debian-13.3`]);
    await integrity.held('worker-2', 'NodeUpdating');
    await stage.node('worker-2').writeFile('/etc/behaviour-20', 'written by the update\n');
    await stage.kubectl(['label', 'node', 'worker-2', `${UPDATING}-`]);
    await eventually(
      'there is a new baseline',
      async () => {
        const status = await integrity.status('worker-2');
        return status?.baseline?.reason === 'NodeUpdate';
      },
      120_000,
    );
    const after = await integrity.nextScan('worker-2');
    expect(after.results?.map(({ condition }) => condition)).toEqual(['Succeeded']);
  });

  test('22: certificate rotation raises no failure', async () => {
    const node = stage.node('worker-2');
    for (const file of ROTATED) await node.writeFile(file, 'a new certificate\n');
    expect((await integrity.nextScan('worker-2')).lastResult?.condition).toBe('Succeeded');
  });

  test('21: nodes that are added are scanned, and nodes that are removed lose their status', async () => {
    const node = await stage.cluster.addNode({ name: 'late' });
    try {
      await stage.cluster.loadImage(inject('image'), ['late']);
      await integrity.condition('late', 'Succeeded');
      await node.writeFile('/etc/behaviour-21', 'new\n');
      await integrity.condition('late', 'Failed');
    } finally {
      await stage.cluster.removeNode('late');
    }
    await eventually('its status is gone', async () => (await integrity.status('late')) === undefined, 60_000);
    await integrity.phase('Active');
  });
});
