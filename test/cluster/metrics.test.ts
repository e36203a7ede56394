import { randomUUID, X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { HOLDOFF_ANNOTATION, REINIT_ANNOTATION } from '../../src/api/keys.ts';
import { createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { configMaps, secrets } from '../../src/kube/resources.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createAccess } from '../../src/operator/metrics/access.ts';
import { AUTHORITY_CONFIG_MAP, SERVING_SECRET } from '../../src/operator/metrics/serving-secret.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { quotas } from '../support/quotas.ts';
import { grantMetrics, makeAccount, plainScrape, samples, scrape, scrapeAndStay } from '../support/scraper.ts';

// The metrics as a scraper sees them: who may read them, and that they count what happens.

// It judges configurations.
const aide = await findRealAide();

const CONTRACT = {
  phase_total: 'counter',
  error_total: 'counter',
  pause_total: 'counter',
  unpause_total: 'counter',
  reinit_total: 'counter',
  node_status_total: 'counter',
  node_status_error_total: 'counter',
  daemonset_update_total: 'counter',
  reinit_daemonset_update_total: 'counter',
  node_failed: 'gauge',
};

/** Nobody listens there. */
const unreachable: Connection = {
  server: 'https://127.0.0.1:1',
  namespace: 'default',
  credentials: async () => ({ tls: {}, headers: {} }),
  forget: () => {},
};

let harness: OperatorHarness;
let ports: { plainPort: number; securePort: number };
let ca: string;
let reader: { name: string; token: string };
let servername: string;

const metrics = {
  plainPort: 0,
  securePort: 0,
  onListening: (listening: typeof ports) => {
    ports = listening;
  },
};

beforeAll(async () => {
  harness = await startHarness({ metrics, ...(aide && { aide: aide.command }) });
  const { client, namespace } = harness;
  servername = `metrics.${namespace}.svc`;
  reader = await makeAccount(client, namespace);
  await grantMetrics(client, namespace, reader.name);
  await eventually('the authority is published', async () => {
    const published = await client.find(configMaps, { namespace, name: AUTHORITY_CONFIG_MAP });
    ca = published?.data?.['ca.crt'] ?? '';
    return published;
  });
  await eventually('the metrics are served', () =>
    read().then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
});
afterAll(() => harness[Symbol.asyncDispose]());

/** As one who may. */
const read = (options: { token?: string; path?: string; headers?: Record<string, string> } = {}) =>
  scrape({ port: ports.securePort, ca, servername, token: reader.token, ...options });

async function samplesOf(metric: string): Promise<string[]> {
  const { status, body } = await read();
  expect(status).toBe(200);
  return samples(body, metric);
}

const eventuallySamples = (metric: string, wanted: readonly string[]) =>
  eventually(`${metric} is ${wanted.join(' and ')}`, async () => {
    const lines = await samplesOf(metric);
    return wanted.every((line) => lines.includes(line));
  });

describe('/metrics-fio over TLS', () => {
  test('is served over HTTP/1.1, whatever else is offered, with a certificate for the service that its authority signed', async () => {
    const { status, httpVersion, alpn, headers, body } = await read();
    expect({ status, httpVersion, alpn }).toEqual({ status: 200, httpVersion: '1.1', alpn: 'http/1.1' });
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const types = [...String(body).matchAll(/^# TYPE file_integrity_operator_(\w+) (\w+)$/gm)];
    expect(Object.fromEntries(types.map(([, name, type]) => [name, type]))).toMatchObject(CONTRACT);
  });

  test('asks for a token', async () => {
    const { status, headers } = await scrape({ port: ports.securePort, ca, servername });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toMatch(/^Bearer /);
    expect(headers.connection).toBe('close');
  });

  test('refuses a token that the API server does not know, and what is no token', async () => {
    expect((await read({ token: `${reader.token}x` })).status).toBe(401);
    expect((await read({ token: 'a b' })).status).toBe(401);
    expect((await read({ headers: { authorization: 'Basic dXNlcjpwYXNz' } })).status).toBe(401);
  });

  test('forbids one whose user may not get the path, and says what is missing', async () => {
    const { client, namespace } = harness;
    const { token } = await makeAccount(client, namespace);
    const { status, body } = await read({ token });
    expect(status).toBe(403);
    expect(String(body)).toContain('/metrics-fio');
  });

  test('has nothing else to give', async () => {
    for (const path of ['/', '/metrics', '/metrics-fio/', '/healthz', '/%2e%2e/metrics-fio']) {
      expect((await read({ path })).status).toBe(404);
    }
  });

  test('is compressed for those who take it so', async () => {
    const { headers, body } = await read({ headers: { 'accept-encoding': 'deflate, gzip' } });
    expect(headers['content-encoding']).toBe('gzip');
    expect(String(gunzipSync(body))).toContain('# TYPE file_integrity_operator_node_failed gauge');
    expect((await read()).headers['content-encoding']).toBeUndefined();
  });

  test('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    const attempt = (version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<string | null>((resolve) => {
        const bounds = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' };
        const socket = connect({ host: '127.0.0.1', port: ports.securePort, ca, servername, ...bounds });
        socket.once('secureConnect', () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.once('error', () => resolve(null));
      });
    expect(await attempt('TLSv1.3')).toBe('TLSv1.3');
    expect(await attempt('TLSv1.2')).toBe('TLSv1.2');
    expect(await attempt('TLSv1.1')).toBeNull();
    expect(await attempt('TLSv1')).toBeNull();
  });
});

describe('the API server’s answer about a token', () => {
  const ask = (access: ReturnType<typeof createAccess>, token: string) =>
    access({ path: '/metrics-fio', headers: { authorization: `Bearer ${token}` } });

  test('counts for a minute, so that a right that is taken away is gone after it', async () => {
    const { client, namespace } = harness;
    const { name, token } = await makeAccount(client, namespace);
    const revoke = await grantMetrics(client, namespace, name);
    let now = 0;
    const access = createAccess({ client, onError: () => {}, clock: () => now });
    await eventually('the right is known', async () => {
      now += 11_000; // a refusal is looked at again after 10 s
      return (await ask(access, token)) === undefined;
    });
    await revoke();
    await eventually('the API server knows that it is gone', async () => {
      const answer = await ask(createAccess({ client, onError: () => {} }), token);
      return answer?.status === 403;
    });
    now += 59_000;
    expect(await ask(access, token)).toBeUndefined();
    now += 2_000;
    expect((await ask(access, token))?.status).toBe(403);
  });

  test('is not asked for strangers’ tokens without end; one who may read is not put off by them', async () => {
    const { client } = harness;
    let now = 0;
    const access = createAccess({ client, onError: () => {}, clock: () => now });
    expect(await ask(access, reader.token)).toBeUndefined();
    const flood = async () => {
      const answers = await Promise.all(Array.from({ length: 300 }, () => ask(access, `stranger-${randomUUID()}`)));
      expect(answers.find((answer) => answer?.status === 429)?.headers).toEqual({ 'retry-after': '1' });
      return answers.map((answer) => answer?.status);
    };
    const reviewed = (statuses: readonly unknown[]) => statuses.filter((status) => status === 401).length;
    expect(reviewed(await flood())).toBe(19);
    now += 61_000;
    expect(reviewed(await flood())).toBe(20);
    expect(await ask(access, reader.token)).toBeUndefined();
  });

  test('that does not come is no yes: the scraper is told to try again', async () => {
    await using client = createClient(unreachable);
    const errors: unknown[] = [];
    const answer = await ask(createAccess({ client, onError: (error) => errors.push(error) }), reader.token);
    expect(answer?.status).toBe(503);
    expect(errors).toMatchObject([{ code: 'KUBE_UNREACHABLE' }]);
  });
});

describe('/metrics in the clear', () => {
  test('is served over HTTP/1.1 and tells how the operator fares', async () => {
    const { status, httpVersion, body } = await plainScrape(ports.plainPort, '/metrics');
    expect({ status, httpVersion }).toEqual({ status: 200, httpVersion: '1.1' });
    const text = String(body);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
    expect(text).toMatch(/^workqueue_depth\{name="fileintegrity"\} 0$/m);
    expect(text).toMatch(/^leader_election_master_status\{name="file-integrity-operator"\} 1$/m);
    expect(text).toMatch(/^controller_runtime_reconcile_total\{controller="monitoring",result="success"\} \d+$/m);
  });

  test('tells nothing of nodes: whoever reaches the port could read which of them are not watched', async () => {
    const { body } = await plainScrape(ports.plainPort, '/metrics');
    expect(String(body)).not.toContain('file_integrity_operator_');
    expect(String(body)).not.toContain('node="');
  });

  test('answers GET and HEAD, at its own path only', async () => {
    expect((await plainScrape(ports.plainPort, '/metrics-fio')).status).toBe(404);
    const head = await plainScrape(ports.plainPort, '/metrics', 'HEAD');
    expect({ status: head.status, bytes: head.body.length }).toEqual({ status: 200, bytes: 0 });
    const post = await plainScrape(ports.plainPort, '/metrics', 'POST');
    expect({ status: post.status, allow: post.headers.allow }).toEqual({ status: 405, allow: 'GET, HEAD' });
  });
});

describe('what happens is counted', () => {
  let one: string;
  let two: string;

  beforeAll(async () => {
    one = await harness.addNode({ labels: { only: 'one' } });
    two = await harness.addNode();
    await harness.createIntegrity('first');
    await harness.createIntegrity('second', { nodeSelector: { [harness.namespace]: '', only: 'one' } });
    for (const [integrity, node] of [
      ['first', one],
      ['first', two],
      ['second', one],
    ] as const) {
      await harness.daemon(integrity, node).makeBaseline();
      await harness.daemon(integrity, node).report({ verdict: 'Succeeded' });
    }
    await harness.phaseWhen('first', 'Active');
    await harness.phaseWhen('second', 'Active');
  });

  test('daemon sets made, phases entered, nodes found to be well', async () => {
    const daemonSets = await samplesOf('daemonset_update_total');
    expect(daemonSets).toContainEqual(expect.stringMatching(/^daemonset_update_total\{operation="update"\} [2-9]$/));
    expect(daemonSets).toContain('daemonset_update_total{operation="delete"} 0');
    // At least once each: on its way there a FileIntegrity may go to and fro, as its nodes come to be known.
    await eventually('both are counted as Active', async () =>
      (await samplesOf('phase_total')).some((line) => /^phase_total\{phase="Active"\} ([2-9]|\d\d)$/.test(line)),
    );
    expect(await samplesOf('phase_total')).toContain('phase_total{phase="Error"} 0');
    expect(await samplesOf('node_status_total')).toEqual(
      expect.arrayContaining([
        `node_status_total{condition="Succeeded",node="${one}"} 2`,
        `node_status_total{condition="Succeeded",node="${two}"} 1`,
      ]),
    );
    expect(await samplesOf('reinit_total')).toEqual([]);
  });

  test('what a node and a FileIntegrity are now', async () => {
    const first = `node="${one}",fileintegrity="first"`;
    await eventuallySamples('node_state', [`node_state{${first},state="Succeeded"} 1`]);
    await eventuallySamples('node_fresh', [`node_fresh{${first}} 1`]);
    await eventuallySamples('node_baseline_trusted', [`node_baseline_trusted{${first}} 1`]);
    expect(await samplesOf('node_baseline_fault')).toEqual([]);
    expect(await samplesOf('node_held_since_timestamp_seconds')).toEqual([]);
    expect(await samplesOf('hold_limit_seconds')).toContain('hold_limit_seconds{fileintegrity="first"} 14400');
    await eventuallySamples('nodes', [
      'nodes{fileintegrity="first",state="Selected"} 2',
      'nodes{fileintegrity="first",state="Succeeded"} 2',
      'nodes{fileintegrity="first",state="Failed"} 0',
    ]);
    await eventuallySamples('fileintegrity_condition', [
      'fileintegrity_condition{fileintegrity="first",condition="ConfigurationValid",status="True"} 1',
      'fileintegrity_condition{fileintegrity="first",condition="BaselineTrusted",status="True"} 1',
      'fileintegrity_condition{fileintegrity="first",condition="Exclusive",status="False"} 1',
    ]);
  });

  test('a node that fails under one FileIntegrity and not under the other is failed for the one only', async () => {
    const counts = { added: 1, changed: 0, removed: 0 };
    await harness.daemon('first', one).report({ verdict: 'Failed', exitStatus: 1, counts }, [{ integritylog: 'x' }]);
    await eventuallySamples('node_failed', [`node_failed{node="${one}",fileintegrity="first"} 1`]);
    await harness.daemon('second', one).report({ verdict: 'Succeeded' });
    expect((await samplesOf('node_failed')).sort()).toEqual(
      [
        `node_failed{node="${one}",fileintegrity="first"} 1`,
        `node_failed{node="${one}",fileintegrity="second"} 0`,
        `node_failed{node="${two}",fileintegrity="first"} 0`,
      ].sort(),
    );
    expect(await samplesOf('node_status_total')).toContain(`node_status_total{condition="Failed",node="${one}"} 1`);
  });

  test('after a restart of the operator node_failed is right from its first scrape on', async () => {
    const { client, namespace } = harness;
    const held = await scrapeAndStay(ports.plainPort, '/metrics');
    await harness.stop(); // waits for no idle connection
    held.destroy();
    await expect(plainScrape(ports.plainPort, '/metrics')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    harness.start();
    let lines: string[] = [];
    await eventually('the first nodes are shown', async () => {
      lines = await samplesOf('node_failed').catch(() => []);
      return lines.length > 0;
    });
    expect(lines).toHaveLength(3);
    expect(lines).toContain(`node_failed{node="${one}",fileintegrity="first"} 1`);
    const status = await client.get(nodeStatuses, { namespace, name: `first-${one}` });
    const seconds = Date.parse(status.lastResult?.lastProbeTime ?? '') / 1000;
    expect(await samplesOf('node_last_scan_timestamp_seconds')).toContain(
      `node_last_scan_timestamp_seconds{node="${one}",fileintegrity="first"} ${seconds}`,
    );
  });

  test('a scan that could not be done, by its code and not by what the node says', async () => {
    const errorMessage = 'I/O error of /dev/sda\nat block 12345';
    await harness.daemon('first', two).report({ verdict: 'Errored', errorCode: 'AIDE_IO_ERROR', errorMessage });
    await eventuallySamples('node_status_error_total', [
      `node_status_error_total{error="AIDE_IO_ERROR",node="${two}"} 1`,
    ]);
    expect(await samplesOf('node_status_total')).toContain(`node_status_total{condition="Errored",node="${two}"} 1`);
    await harness.phaseWhen('first', 'Error');
    await eventuallySamples('phase_total', ['phase_total{phase="Error"} 1']);
    expect(await samplesOf('node_failed')).toContain(`node_failed{node="${two}",fileintegrity="first"} 0`);
  });

  test('re-initialisations on demand: ordered, and carried out', async () => {
    await harness.annotate('first', { [REINIT_ANNOTATION]: two });
    await eventuallySamples('reinit_total', [`reinit_total{by="demand",node="${two}"} 1`]);
    await eventuallySamples('reinit_daemonset_update_total', [
      'reinit_daemonset_update_total{operation="update"} 1',
      'reinit_daemonset_update_total{operation="delete"} 0',
    ]);
    await harness.daemon('first', two).makeBaseline();
    await eventuallySamples('reinit_daemonset_update_total', ['reinit_daemonset_update_total{operation="delete"} 1']);
    expect(await samplesOf('reinit_total')).toEqual([`reinit_total{by="demand",node="${two}"} 1`]);
  });

  test('one request for all nodes counts once, when the first is ordered, and when the last has done it', async () => {
    await harness.annotate('first', { [REINIT_ANNOTATION]: '' });
    await eventuallySamples('reinit_total', [
      `reinit_total{by="demand",node="${one}"} 1`,
      `reinit_total{by="demand",node="${two}"} 2`,
    ]);
    const counted = async (update: number, remove: number) =>
      await eventuallySamples('reinit_daemonset_update_total', [
        `reinit_daemonset_update_total{operation="update"} ${update}`,
        `reinit_daemonset_update_total{operation="delete"} ${remove}`,
      ]);
    await counted(2, 1);
    await harness.daemon('first', one).makeBaseline();
    await counted(2, 1);
    await harness.daemon('first', two).makeBaseline();
    await counted(2, 2);
  });

  test('holds and re-initialisations of a node update', async () => {
    const machineConfig = (current: string, desired: string, state: string) => ({
      'machineconfiguration.openshift.io/currentConfig': current,
      'machineconfiguration.openshift.io/desiredConfig': desired,
      'machineconfiguration.openshift.io/state': state,
    });
    await harness.annotateNode(two, machineConfig('a', 'b', 'Working'));
    await eventuallySamples('pause_total', [`pause_total{node="${two}"} 1`]);
    expect(await samplesOf('unpause_total')).toEqual([]);
    await harness.annotateNode(two, machineConfig('b', 'b', 'Done'));
    await eventuallySamples('unpause_total', [`unpause_total{node="${two}"} 1`]);
    await eventuallySamples('reinit_total', [`reinit_total{by="node",node="${two}"} 1`]);
  });

  test('holds by annotation', async () => {
    await harness.annotate('second', { [HOLDOFF_ANNOTATION]: '' });
    await eventuallySamples('pause_total', [`pause_total{node="${one}"} 1`]);
    await eventually('who holds it, and since when, is shown', async () =>
      (await samplesOf('node_held_since_timestamp_seconds')).some((line) =>
        /\{node="[^"]+",fileintegrity="second",reason="Annotation",owner="test"\} \d{10}/.test(line),
      ),
    );
    await harness.annotate('second', { [HOLDOFF_ANNOTATION]: null });
    await eventuallySamples('unpause_total', [`unpause_total{node="${one}"} 1`]);
  });

  test.skipIf(!aide)('a new configuration, once for each node', async () => {
    const { client, namespace } = harness;
    const data = { 'aide.conf': '/usr/bin R\n' };
    await client.create(configMaps, { metadata: { name: 'own', namespace }, data });
    const spec = { config: { name: 'own', namespace } };
    await client.patch(fileIntegrities, { namespace, name: 'second' }, { spec }, { type: 'merge' });
    await eventuallySamples('reinit_total', [`reinit_total{by="config",node="${one}"} 1`]);
  });

  test('reconciles that fail, by their code', async () => {
    const { client, namespace } = harness;
    const spec = { hard: { 'count/daemonsets.apps': '0' } };
    await client.create(quotas, { metadata: { name: 'none', namespace }, spec } as KubeObject);
    await harness.createIntegrity('third');
    await eventually('the API server’s refusals are counted', async () =>
      (await samplesOf('error_total')).some((line) => /^error_total\{error="KUBE_API"\} [1-9]/.test(line)),
    );
    const own = await plainScrape(ports.plainPort, '/metrics');
    expect(String(own.body)).toMatch(
      /^controller_runtime_reconcile_total\{controller="fileintegrity",result="error"\} [1-9]/m,
    );
    await client.remove(quotas, { namespace, name: 'none' });
  });

  test('the series of a node that leaves the cluster go with it', async () => {
    await harness.removeNode(two);
    await eventually('nothing speaks of the node', async () => !String((await read()).body).includes(`node="${two}"`));
    expect(String((await read()).body)).toContain(`node="${one}"`);
  });
});

test('the secret holds what the scraper meets', async () => {
  const { client, namespace } = harness;
  const secret = await client.get(secrets, { namespace, name: SERVING_SECRET });
  const certificate = new X509Certificate(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64'));
  expect((await read()).serialNumber).toBe(certificate.serialNumber);
  expect(secret.type).toBe('kubernetes.io/tls');
});
