import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { mustRun } from '../../devcluster/lib/run.ts';
import { configMaps, secrets } from '../../src/kube/resources.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { SERVING_SECRET } from '../../src/operator/metrics/serving-secret.ts';
import { desiredPrometheusRule } from '../../src/operator/monitoring/alerts.ts';
import { desiredServiceMonitor } from '../../src/operator/monitoring/objects.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { findPrometheus, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { clusterRoleBindings, clusterRoles, serviceAccounts } from '../support/scraper.ts';

// A real Prometheus scrapes as the ServiceMonitor says, with the account of deploy/monitoring, and evaluates the alert.

const programs = await findPrometheus();

let harness: OperatorHarness;
let ports: { plainPort: number; securePort: number };
let prometheus: Prometheus;
let node: string;

const metrics = {
  plainPort: 0,
  securePort: 0,
  onListening: (listening: typeof ports) => {
    ports = listening;
  },
};

interface ServiceMonitorSpec {
  readonly endpoints: readonly {
    readonly port: 'metrics' | 'metrics-fio';
    readonly path?: string;
    readonly scheme?: string;
    readonly authorization?: { type: string; credentials: { name: string; key: string } };
    readonly tlsConfig?: { serverName: string; ca: { configMap: { name: string; key: string } } };
  }[];
}

describe.skipIf(!programs)('a real Prometheus', () => {
  beforeAll(async () => {
    if (!programs) return;
    harness = await startHarness({ metrics });
    await applyScraper();
    node = await harness.addNode();
    await harness.createIntegrity('example');
    await harness.daemon('example', node).makeBaseline();
    await harness.daemon('example', node).report({ verdict: 'Succeeded' });
    prometheus = await startPrometheus(programs, await configuration());
  });
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    for (const resource of [clusterRoles, clusterRoleBindings] as Resource[]) {
      await harness?.client.remove(resource, { name: readerName() });
    }
    await harness?.[Symbol.asyncDispose]();
  });

  test('finds both targets, and both are up', async () => {
    await eventually('both are up', () => bothAre('up'));
    expect((await targets()).map(({ labels }) => labels.endpoint).sort()).toEqual(['metrics', 'metrics-fio']);
  });

  test('has each node’s verdict once, and how the operator fares', async () => {
    await eventually(
      'the node is there',
      async () => (await prometheus.query('file_integrity_operator_node_failed')).length > 0,
    );
    const series = await prometheus.query('file_integrity_operator_node_failed');
    expect(series).toHaveLength(1);
    expect(series[0]).toMatchObject({
      value: '0',
      metric: { node, fileintegrity: 'example', endpoint: 'metrics-fio' },
    });
    expect(await prometheus.query('process_resident_memory_bytes{endpoint="metrics"}')).toHaveLength(1);
  });

  test('accepts the rules of the PrometheusRule', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fio-rules-'));
    const file = join(directory, 'rules.json');
    writeFileSync(file, rules());
    const { stdout } = await mustRun([programs?.promtool ?? '', 'check', 'rules', file]);
    expect(stdout).toContain('SUCCESS: 12 rules found');
    rmSync(directory, { recursive: true });
  });

  test('accepts the configuration of docs/metrics.md', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fio-docs-'));
    const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const [configuration, ...rest] = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => block);
    expect(rest).toEqual([]);
    const file = join(directory, 'configuration.yaml');
    writeFileSync(file, configuration ?? '');
    const { stdout } = await mustRun([programs?.promtool ?? '', 'check', 'config', '--syntax-only', file]);
    expect(stdout).toContain('SUCCESS');
    rmSync(directory, { recursive: true });
  });

  test('fires the alert for a node that failed', async () => {
    expect(await alerts()).toEqual([]);
    const counts = { added: 0, changed: 1, removed: 0 };
    await harness.daemon('example', node).report({ verdict: 'Failed', exitStatus: 4, counts }, [{ integritylog: 'x' }]);
    await eventually('it fires', async () => (await alerts()).some(({ state }) => state === 'firing'));
    const [alert] = await alerts();
    expect(alert?.labels).toEqual({
      alertname: 'NodeHasIntegrityFailure',
      severity: 'warning',
      namespace: harness.namespace,
      node,
      fileintegrity: 'example',
    });
    expect(alert?.annotations.summary).toBe(`Node ${node} has a file integrity failure`);
  });

  test('keeps that very alert while the operator is away and comes back', async () => {
    const [before] = await alerts();
    await harness.stop();
    await eventually('it is seen to be away', () => bothAre('down'));
    await eventually(
      'nothing is known of the node',
      async () => (await prometheus.query('file_integrity_operator_node_failed')).length === 0,
    );
    expect(await alerts()).toEqual([before]);
    harness.start({ metrics: { ...metrics, ...ports } });
    await eventually('it is back', () => bothAre('up'));
    await eventually(
      'the node is there',
      async () => (await prometheus.query('file_integrity_operator_node_failed')).length > 0,
    );
    expect(await alerts()).toEqual([before]);
  });

  test('ends it when the node is well again', async () => {
    await harness.daemon('example', node).report({ verdict: 'Succeeded' });
    await eventually('it ends', async () => (await alerts()).length === 0);
  });

  test('fires the alert for a database that was put in the place of the recorded one, and ends it', async () => {
    const daemon = harness.daemon('example', node);
    const errorMessage = 'The database on the node is not the one that was recorded when it was made.';
    await daemon.report({ verdict: 'Failed', exitStatus: 0, baselineFault: 'Replaced', errorMessage });
    await eventually('it fires', async () => (await alerts('NodeBaselineUntrusted'))[0]?.state === 'firing');
    const [alert] = await alerts('NodeBaselineUntrusted');
    expect(alert?.labels).toEqual({
      alertname: 'NodeBaselineUntrusted',
      severity: 'warning',
      namespace: harness.namespace,
      node,
      fileintegrity: 'example',
      fault: 'Replaced',
    });
    await daemon.report({ verdict: 'Succeeded' });
    await eventually('it ends', async () => (await alerts('NodeBaselineUntrusted')).length === 0);
  });

  test('fires the alert for a trigger file that somebody laid on the node', async () => {
    expect(await alerts('NodeUnorderedReinit')).toEqual([]);
    const at = new Date().toISOString();
    const message = 'The file /run/aide.reinit was found.';
    await harness
      .daemon('example', node)
      .send({ kind: 'notice', id: 'n-1', node, notice: 'UnorderedReinit', at, message });
    await eventually('it fires', async () => (await alerts('NodeUnorderedReinit'))[0]?.state === 'firing');
    const [alert] = await alerts('NodeUnorderedReinit');
    expect(alert?.labels).toMatchObject({ node, fileintegrity: 'example', namespace: harness.namespace });
  });
});

const readerName = () => `file-integrity-operator-metrics-reader-${harness.namespace}`;

/** deploy/monitoring/scraper.yaml in this test's namespace; what is the whole cluster's is named after it. */
async function applyScraper(): Promise<void> {
  const { client, namespace } = harness;
  const text = readFileSync(new URL('../../deploy/monitoring/scraper.yaml', import.meta.url), 'utf8')
    .replaceAll('file-integrity-operator-metrics-reader', readerName())
    .replaceAll('namespace: openshift-file-integrity', `namespace: ${namespace}`);
  const kinds = [serviceAccounts, secrets, clusterRoles, clusterRoleBindings] as Resource[];
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as KubeObject;
    const resource = kinds.find(({ kind }) => kind === object.kind);
    if (!resource) throw new Error(`This test does not know ${object.kind}`);
    const metadata = { ...object.metadata, ...(resource.namespaced && { namespace }) };
    await client.create(resource, { ...object, metadata });
  }
}

/** What the Prometheus operator makes of the ServiceMonitor, with this machine's ports for those of the pod. */
async function configuration(): Promise<Record<string, string>> {
  const { client, namespace } = harness;
  const servingSecret = { namespace, name: SERVING_SECRET };
  await eventually('there is a certificate', () => client.find(secrets, servingSecret));
  const monitor = desiredServiceMonitor(namespace, await client.get(secrets, servingSecret));
  const files: Record<string, string> = { 'rules.json': rules() };
  const jobs: object[] = [];
  for (const { port, path, scheme, authorization, tlsConfig } of (monitor.spec as ServiceMonitorSpec).endpoints) {
    const target = `127.0.0.1:${port === 'metrics' ? ports.plainPort : ports.securePort}`;
    if (authorization) files.token = await tokenIn(authorization.credentials);
    if (tlsConfig) files['ca.crt'] = await textIn(tlsConfig.ca.configMap);
    jobs.push({
      job_name: port,
      ...(path && { metrics_path: path }),
      ...(scheme && { scheme }),
      ...(authorization && { authorization: { type: authorization.type, credentials_file: 'token' } }),
      ...(tlsConfig && { tls_config: { server_name: tlsConfig.serverName, ca_file: 'ca.crt' } }),
      static_configs: [{ targets: [target], labels: { namespace, endpoint: port } }],
    });
  }
  const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  return { ...files, 'prometheus.json': JSON.stringify({ global, rule_files: ['rules.json'], scrape_configs: jobs }) };
}

const rules = () => JSON.stringify(desiredPrometheusRule(harness.namespace).spec);

async function tokenIn({ name, key }: { name: string; key: string }): Promise<string> {
  const { client, namespace } = harness;
  let token = '';
  await eventually('Kubernetes has made the token', async () => {
    const { data } = await client.get(secrets, { namespace, name });
    token = Buffer.from(data?.[key] ?? '', 'base64').toString();
    return token;
  });
  return token;
}

async function textIn({ name, key }: { name: string; key: string }): Promise<string> {
  const { client, namespace } = harness;
  await eventually('the authority is published', () => client.find(configMaps, { namespace, name }));
  return (await client.get(configMaps, { namespace, name })).data?.[key] ?? '';
}

async function targets(): Promise<{ health: string; labels: Record<string, string> }[]> {
  type Targets = { activeTargets: { health: string; labels: Record<string, string> }[] };
  return (await prometheus.ask<Targets>('targets?state=active')).activeTargets;
}

async function bothAre(wanted: string): Promise<boolean> {
  const found = await targets();
  return found.length === 2 && found.every(({ health }) => health === wanted);
}

interface Alert {
  readonly state: string;
  readonly activeAt: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

async function alerts(name = 'NodeHasIntegrityFailure'): Promise<Alert[]> {
  const { alerts } = await prometheus.ask<{ alerts: Alert[] }>('alerts');
  return alerts.filter(({ labels }) => labels.alertname === name);
}
