import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { secrets } from '../../src/kube/resources.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { SERVING_SECRET } from '../../src/operator/metrics/serving-secret.ts';
import { UNMANAGED_ANNOTATION } from '../../src/operator/monitoring/objects.ts';
import {
  customResourceDefinitions,
  type MonitoringObject,
  prometheusRules,
  serviceMonitors,
} from '../../src/operator/monitoring/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { connectAsOperator } from '../support/restricted.ts';

// What the operator makes for the Prometheus operator, with the rights that deploy/operator gives it. The two CRDs are
// the whole cluster's: no other test file may install them.

let harness: OperatorHarness;
let definitions: KubeObject[];

beforeAll(async () => {
  const text = await readFile(new URL('../fixtures/monitoring-crds.yaml', import.meta.url), 'utf8');
  definitions = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  harness = await startHarness();
  const { client, namespace } = harness;
  await harness.stop();
  await removeDefinitions(); // of a run that was interrupted
  const connection = await connectAsOperator(client, await connectKubeconfig(inject('kubeconfig')), namespace);
  harness.start({ connection, metrics: { plainPort: 0, securePort: 0 } });
});
afterAll(async () => {
  await removeDefinitions();
  await harness[Symbol.asyncDispose]();
});

async function installDefinitions(): Promise<void> {
  for (const definition of definitions) await harness.client.create(customResourceDefinitions, definition);
}

async function removeDefinitions(): Promise<void> {
  for (const { metadata } of definitions) {
    const ref = { name: metadata?.name ?? '' };
    await harness.client.remove(customResourceDefinitions, ref);
    await eventually(`${ref.name} is gone`, async () => !(await harness.client.find(customResourceDefinitions, ref)));
  }
}

const KINDS = [
  [serviceMonitors, 'metrics'],
  [prometheusRules, 'file-integrity'],
] as const;

type Kind = (typeof KINDS)[number];

const find = ([resource, name]: Kind) => harness.client.find(resource, { namespace: harness.namespace, name });

async function appears(
  kind: Kind,
  isIt: (object: MonitoringObject) => boolean = () => true,
): Promise<MonitoringObject> {
  let found: MonitoringObject | undefined;
  await eventually(`there is such a ${kind[0].kind}`, async () => {
    const object = await find(kind).catch(() => undefined);
    if (object && isIt(object)) found = object;
    return found;
  });
  if (!found) throw new Error('never');
  return found;
}

/** Two ports: it has seen its certificate. */
const isWhole = ({ spec }: MonitoringObject) => (spec as { endpoints: unknown[] }).endpoints.length === 2;

describe('on a cluster without the Prometheus operator', () => {
  test('the operator works, and makes what it can without it', async () => {
    const { client, namespace } = harness;
    await harness.createIntegrity('example');
    await eventually('the FileIntegrity is taken up', async () => (await harness.integrity('example')).status?.phase);
    await eventually('the certificate is made', () => client.find(secrets, { namespace, name: SERVING_SECRET }));
  });
});

describe('once the Prometheus operator is installed', () => {
  test('a ServiceMonitor finds both ports, and trusts the authority of ours', async () => {
    await installDefinitions();
    const { namespace } = harness;
    const { spec } = await appears(KINDS[0], isWhole);
    expect(spec).toEqual({
      selector: { matchLabels: { name: 'file-integrity-operator' } },
      endpoints: [
        { port: 'metrics' },
        {
          port: 'metrics-fio',
          path: '/metrics-fio',
          scheme: 'https',
          authorization: {
            type: 'Bearer',
            credentials: { name: 'file-integrity-operator-metrics-token', key: 'token' },
          },
          tlsConfig: {
            serverName: `metrics.${namespace}.svc`,
            ca: { configMap: { name: 'file-integrity-operator-metrics-ca', key: 'ca.crt' } },
          },
        },
      ],
    });
  });

  test('a PrometheusRule has the alert of the contract', async () => {
    const { spec } = await appears(KINDS[1]);
    const [rule] = (spec as { groups: { rules: Record<string, unknown>[] }[] }).groups[0]?.rules ?? [];
    expect(rule).toMatchObject({ alert: 'NodeHasIntegrityFailure', for: '1s' });
    expect(rule?.labels).toEqual({ severity: 'warning', namespace: harness.namespace });
    expect(rule?.expr).toContain('file_integrity_operator_node_failed');
  });
});

describe.each(KINDS)('of the object of kind $kind', (...kind) => {
  test('what is deleted comes back', async () => {
    const { client, namespace } = harness;
    const before = await appears(kind);
    await client.remove(kind[0], { namespace, name: kind[1] });
    await appears(kind, ({ metadata }) => metadata?.uid !== before.metadata?.uid);
  });

  test('what somebody changes in it is put right, and what they add stays', async () => {
    const { client, namespace } = harness;
    const ref = { namespace, name: kind[1] };
    const { spec } = await appears(kind);
    const changed = { metadata: { labels: { release: 'mine', name: 'other' } } };
    await client.patch(kind[0], ref, changed, { type: 'merge' });
    const after = await appears(kind, ({ metadata }) => metadata?.labels?.name === 'file-integrity-operator');
    expect(after.metadata?.labels?.release).toBe('mine');
    expect(after.spec).toEqual(spec);
  });

  test('what the user has made their own is left alone, until they give it back', async () => {
    const { client, namespace } = harness;
    const ref = { namespace, name: kind[1] };
    const own = { metadata: { annotations: { [UNMANAGED_ANNOTATION]: '' }, labels: { name: 'other' } } };
    const { metadata } = await client.patch(kind[0], ref, own, { type: 'merge' });
    // Another object of the operator's that changes shows that it has looked at all of them since.
    const [other] = KINDS.filter(([resource]) => resource !== kind[0]);
    if (!other) throw new Error('never');
    await client.remove(other[0], { namespace, name: other[1] });
    await appears(other);
    expect((await find(kind))?.metadata?.resourceVersion).toBe(metadata?.resourceVersion);
    await client.patch(
      kind[0],
      ref,
      { metadata: { annotations: { [UNMANAGED_ANNOTATION]: null } } },
      { type: 'merge' },
    );
    await appears(kind, (object) => object.metadata?.labels?.name === 'file-integrity-operator');
  });
});

describe('when the certificate is another’s', () => {
  const secureEndpoint = ({ spec }: MonitoringObject) =>
    (spec as { endpoints: { tlsConfig?: object }[] }).endpoints[1]?.tlsConfig;

  async function replaceSecret(annotations: Record<string, string>, data: Record<string, string>): Promise<void> {
    const { client, namespace } = harness;
    const ref = { namespace, name: SERVING_SECRET };
    const { data: before = {} } = await client.get(secrets, ref);
    const labels = { 'app.kubernetes.io/managed-by': null };
    const patch = { metadata: { labels, annotations }, data: { ...before, ...data } };
    await client.patch(secrets, ref, patch, { type: 'merge' });
  }

  test('with an authority beside it, that is trusted', async () => {
    await replaceSecret({}, {});
    const wanted = { secret: { name: SERVING_SECRET, key: 'ca.crt' } };
    const monitor = await appears(KINDS[0], (object) => JSON.stringify(secureEndpoint(object)).includes('"secret"'));
    expect(secureEndpoint(monitor)).toEqual({ serverName: `metrics.${harness.namespace}.svc`, ca: wanted });
  });

  test('of OpenShift’s service CA, the file is named that OpenShift’s Prometheus has', async () => {
    await replaceSecret({ 'service.beta.openshift.io/originating-service-name': 'metrics' }, {});
    const monitor = await appears(KINDS[0], (object) => JSON.stringify(secureEndpoint(object)).includes('caFile'));
    expect(secureEndpoint(monitor)).toEqual({
      serverName: `metrics.${harness.namespace}.svc`,
      caFile: '/etc/prometheus/configmaps/serving-certs-ca-bundle/service-ca.crt',
    });
  });
});

describe('when the Prometheus operator goes', () => {
  test('the operator works on, and takes up its coming back', async () => {
    await removeDefinitions();
    await harness.createIntegrity('meanwhile');
    await eventually('the FileIntegrity is taken up', async () => (await harness.integrity('meanwhile')).status?.phase);
    await installDefinitions();
    await appears(KINDS[0]);
    await appears(KINDS[1]);
  });
});
