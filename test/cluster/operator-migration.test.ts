import type { DaemonSet } from 'kubernetes-types/apps/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeStatuses } from '../../src/api/group.ts';
import { nodeStatusName } from '../../src/api/names.ts';
import { configMaps, daemonSets } from '../../src/kube/resources.ts';
import type { OwnerReference } from '../../src/kube/types.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

const NAME = 'worker';
const key = (name: string) => `file-integrity.openshift.io/${name}`;

describe('where the OpenShift File Integrity Operator ran before', () => {
  let harness: OperatorHarness;
  let node: string;
  const daemonSet = () => harness.client.find(daemonSets, { namespace: harness.namespace, name: `aide-${NAME}` });

  beforeAll(async () => {
    harness = await startHarness();
    await harness.stop();
    node = await harness.addNode();
    const { metadata } = await harness.createIntegrity(NAME);
    const owner = {
      apiVersion: 'fileintegrity.openshift.io/v1alpha1',
      kind: 'FileIntegrity',
      name: NAME,
      uid: metadata.uid ?? '',
      controller: true,
    };
    const { client, namespace } = harness;
    await client.create(configMaps, {
      metadata: {
        name: NAME,
        namespace,
        labels: { [key('aide-conf')]: '', [key('owner')]: NAME },
        ownerReferences: [owner],
      },
      data: { 'aide.conf': '@@define DBDIR /hostroot/etc/kubernetes\n/hostroot/etc/ sha512\n' },
    });
    await client.create(daemonSets, earlierDaemonSet(namespace, owner));
    await client.create(nodeStatuses, {
      metadata: {
        name: nodeStatusName(NAME, node),
        namespace,
        labels: { [key('owner')]: NAME },
        ownerReferences: [owner],
      },
      nodeName: node,
      lastResult: { condition: 'Succeeded', lastProbeTime: '2026-01-01T00:00:00Z' },
      results: [{ condition: 'Succeeded', lastProbeTime: '2026-01-01T00:00:00Z' }],
    });
    harness.start();
  });
  afterAll(() => harness[Symbol.asyncDispose]());

  test('its daemon set makes way for one that has nothing of it', async () => {
    let found: DaemonSet | undefined;
    await eventually('the daemon set is ours', async () => {
      found = await daemonSet();
      return found?.metadata?.annotations?.[key('desired')] !== undefined;
    });
    const pod = found?.spec?.template.spec;
    expect(pod?.initContainers).toBeUndefined();
    expect(pod?.containers[0]?.securityContext?.privileged).toBeUndefined();
    expect(pod?.containers[0]?.env?.map(({ name }) => name)).toEqual(['NODE_NAME', 'MALLOC_ARENA_MAX']);
    expect(pod?.volumes?.map(({ name }) => name)).not.toContain('config');
  });

  test('what is known of a node stays, and the node gets an order that lets its database be adopted', async () => {
    const status = await harness.statusWhen(NAME, node, 'has orders', ({ orders }) => orders !== undefined);
    expect(status.orders?.baseline.reason).toBe('Initial');
    expect(status.lastResult).toEqual({ condition: 'Succeeded', lastProbeTime: '2026-01-01T00:00:00Z' });
  });

  test('a result that its daemon left is taken in by its labels and annotations alone', async () => {
    await harness.client.create(configMaps, {
      metadata: {
        name: `aide-${NAME}-${node}`,
        namespace: harness.namespace,
        labels: { [key('owner')]: NAME, [key('node')]: node, [key('log')]: '' },
        annotations: { [key('files-added')]: '1', [key('files-changed')]: '0', [key('files-removed')]: '2' },
      },
      data: { integritylog: 'AIDE found differences\n' },
    });
    const failed = await harness.statusWhen(NAME, node, 'is Failed', (s) => s.lastResult?.condition === 'Failed');
    expect(failed.lastResult).toMatchObject({ filesAdded: 1, filesChanged: 0, filesRemoved: 2 });
  });
});

/** As the earlier operator makes it, but for what does not matter here. */
function earlierDaemonSet(namespace: string, owner: OwnerReference): DaemonSet {
  const labels = { app: `aide-${NAME}`, [key('owner')]: NAME, [key('pod')]: '' };
  return {
    metadata: { name: `aide-${NAME}`, namespace, labels: { [key('owner')]: NAME }, ownerReferences: [owner] },
    spec: {
      selector: { matchLabels: { app: `aide-${NAME}` } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: 'file-integrity-daemon',
          nodeSelector: { 'no-such': 'label' },
          initContainers: [{ name: 'check-folder', image: 'localhost/earlier:1', command: ['sh', '-c', 'true'] }],
          containers: [
            {
              name: 'daemon',
              image: 'localhost/earlier:1',
              args: ['daemon', `--owner=${NAME}`],
              securityContext: { privileged: true, runAsUser: 0 },
              env: [
                { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
                { name: 'LD_PRELOAD', value: '/usr/lib/guard.so' },
              ],
              volumeMounts: [
                { name: 'hostroot', mountPath: '/hostroot' },
                { name: 'config', mountPath: '/config' },
              ],
            },
          ],
          volumes: [
            { name: 'hostroot', hostPath: { path: '/' } },
            { name: 'config', configMap: { name: NAME } },
          ],
        },
      },
    },
  };
}
