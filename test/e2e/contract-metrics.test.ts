import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { configMaps, secrets } from '../../src/kube/resources.ts';
import { AUTHORITY_CONFIG_MAP } from '../../src/operator/metrics/serving-secret.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';
import { findPrometheus, startPrometheus } from '../support/prometheus.ts';
import { type Scrape, scrape } from '../support/scraper.ts';

/** The account of deploy/monitoring, whose token may read the metrics and nothing else. */
const TOKEN_SECRET = 'file-integrity-operator-metrics-token';
const SERVER_NAME = `metrics.${NAMESPACE}.svc`;

describe.skipIf(!canHaveNodes())('metrics', () => {
  let stage: E2eStage;
  let integrity: Integrity;

  beforeAll(async () => {
    stage = await openStage();
    integrity = await createIntegrity(stage, 'measured');
    for (const node of ['worker-1', 'worker-2']) await integrity.condition(node, 'Succeeded');
    await stage.node('worker-1').writeFile('/etc/behaviour-8', 'new\n');
    await integrity.condition('worker-1', 'Failed');
  });
  afterAll(async () => {
    await stage?.node('worker-1').removeFile('/etc/behaviour-8');
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('2: are served over HTTP/1.1 and TLS, to a token that may read them', async () => {
    const credentials = await credentialsOf(stage);
    const allowed = await scrapeOperator(stage, credentials);
    expect(allowed).toMatchObject({ status: 200, httpVersion: '1.1', alpn: 'http/1.1' });
    expect(String(allowed?.body)).toContain('file_integrity_operator_node_failed{');
    const stranger = await scrapeOperator(stage, { ...credentials, token: 'no-token' });
    expect(stranger?.status).toBe(401);
  });

  test('3: are found by Prometheus as a target of the service, and scraped', async () => {
    const programs = await findPrometheus();
    if (programs === undefined) throw new Error('never: as root it is there');
    const { token, ca } = await credentialsOf(stage);
    const targets = await targetsOf(stage);
    expect(targets).toHaveLength(1);
    await using prometheus = await startPrometheus(programs, {
      token,
      'ca.crt': ca,
      'prometheus.json': JSON.stringify(scraping(targets)),
    });
    await eventually('the target is up', async () => {
      type Targets = { activeTargets: { health: string; labels: Record<string, string> }[] };
      const { activeTargets } = await prometheus.ask<Targets>('targets?state=active');
      return activeTargets.some(({ health }) => health === 'up');
    });
    await eventually('the nodes are there', async () => {
      const series = await prometheus.query('file_integrity_operator_node_failed');
      const verdicts = series.map(({ metric, value }) => `${metric.node} ${value}`).sort();
      return verdicts.join() === 'worker-1 1,worker-2 0';
    });
  });

  test('8: node_failed is right after the operator was restarted', async () => {
    const credentials = await credentialsOf(stage);
    const value = async (node: string) => {
      const answer = await scrapeOperator(stage, credentials);
      const line = new RegExp(`^file_integrity_operator_node_failed\\{[^}]*node="${node}"[^}]*\\} (\\d)$`, 'm');
      return line.exec(String(answer?.body))?.[1];
    };
    await eventually('the failure is a metric', async () => (await value('worker-1')) === '1');
    await stage.kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', 'name=file-integrity-operator']);
    await stage.kubectl(['rollout', 'status', 'deployment/file-integrity-operator', '-n', NAMESPACE, '--timeout=120s']);
    await eventually('the new operator leads', async () => (await value('worker-1')) === '1', 60_000);
    expect(await value('worker-2')).toBe('0');
  });
});

interface Credentials {
  readonly token: string;
  readonly ca: string;
}

async function credentialsOf({ client }: E2eStage): Promise<Credentials> {
  let found: Credentials | undefined;
  await eventually('token and authority are there', async () => {
    const secret = await client.find(secrets, { namespace: NAMESPACE, name: TOKEN_SECRET });
    const authority = await client.find(configMaps, { namespace: NAMESPACE, name: AUTHORITY_CONFIG_MAP });
    const [token, ca] = [secret?.data?.token, authority?.data?.['ca.crt']];
    if (token !== undefined && ca !== undefined) found = { token: Buffer.from(token, 'base64').toString(), ca };
    return found;
  });
  if (found === undefined) throw new Error('never: it was waited for');
  return found;
}

/** What the operator's pod answers; undefined while there is none that does. */
async function scrapeOperator(stage: E2eStage, { token, ca }: Credentials): Promise<Scrape | undefined> {
  const query = ['get', 'pods', '-n', NAMESPACE, '-l', 'name=file-integrity-operator'];
  const [host] = (await stage.kubectl([...query, '-o', 'jsonpath={.items[*].status.podIP}'])).stdout.split(' ');
  if (!host) return undefined;
  return await scrape({ host, port: 8585, ca, servername: SERVER_NAME, token }).catch(() => undefined);
}

/**
 * The addresses behind the service, as Prometheus's own discovery finds them. Debian builds Prometheus without that, so they
 * are handed to it.
 */
async function targetsOf(stage: E2eStage): Promise<string[]> {
  const query = ['get', 'endpointslices', '-n', NAMESPACE, '-l', 'kubernetes.io/service-name=metrics', '-o', 'json'];
  const { items } = JSON.parse((await stage.kubectl(query)).stdout) as { items: EndpointSlice[] };
  return items.flatMap(({ endpoints, ports = [] }) =>
    endpoints.flatMap(({ addresses: [address] }) =>
      ports.filter(({ name }) => name === 'metrics-fio').map(({ port }) => `${address}:${port}`),
    ),
  );
}

/** Prometheus without its operator, as docs/metrics.md has it. */
function scraping(targets: string[]): object {
  return {
    scrape_configs: [
      {
        job_name: 'file-integrity',
        scrape_interval: '1s',
        scheme: 'https',
        metrics_path: '/metrics-fio',
        authorization: { credentials_file: 'token' },
        tls_config: { ca_file: 'ca.crt', server_name: SERVER_NAME },
        static_configs: [{ targets }],
      },
    ],
  };
}
