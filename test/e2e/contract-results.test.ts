import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { COMPRESSED_ANNOTATION } from '../../src/api/keys.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { AUTHORITY_CONFIG_MAP } from '../../src/operator/metrics/serving-secret.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';
import { grantMetrics, makeAccount, scrape as scrapeSecurely } from '../support/scraper.ts';

describe.skipIf(!canHaveNodes())('results', () => {
  let stage: E2eStage;
  let integrity: Integrity;

  beforeAll(async () => {
    stage = await openStage();
    await stage.node('worker-1').exec(['mkdir', '-p', '/etc/behaviour-19']);
    integrity = await createIntegrity(stage, 'results');
    for (const node of ['worker-1', 'worker-2']) await integrity.condition(node, 'Succeeded');
  });
  afterAll(async () => {
    await stage?.node('worker-1').removeFile('/etc/behaviour-19');
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('19: a large log is compressed, and nothing of it is lost', async () => {
    const script =
      'cd /etc/behaviour-19 && i=0; while [ $i -lt 2000 ]; do : > file-with-a-rather-long-name-$i; i=$((i+1)); done';
    expect((await stage.node('worker-1').exec(['sh', '-c', script])).code).toBe(0);
    const failed = await integrity.condition('worker-1', 'Failed');
    // A scan that began in between saw a part of them.
    await eventually(
      'all are found',
      async () => (await integrity.status('worker-1'))?.lastResult?.filesAdded === 2000,
      60_000,
    );
    const name = failed.lastResult?.resultConfigMapName ?? '';
    const kept = await stage.client.get(configMaps, { namespace: NAMESPACE, name });
    expect(kept.metadata?.annotations?.[COMPRESSED_ANNOTATION]).toBe('');
    const log = gunzipSync(Buffer.from(kept.data?.integritylog ?? '', 'base64')).toString();
    for (const number of [0, 999, 1999]) expect(log).toContain(`/file-with-a-rather-long-name-${number}\n`);
    expect(log.match(/^Added entries:\s/gm)).toHaveLength(1);
    expect(log).toMatch(/^ {2}Added entries:\t\t2000$/m);
  });

  test('8: node_failed is right after the operator was restarted', async () => {
    const { name, token } = await makeAccount(stage.client, NAMESPACE);
    const revoke = await grantMetrics(stage.client, NAMESPACE, name);
    const value = async (node: string) => {
      const text = await scrape(stage, token);
      return new RegExp(`^file_integrity_operator_node_failed\\{[^}]*node="${node}"[^}]*\\} (\\d)$`, 'm').exec(
        text,
      )?.[1];
    };
    await eventually('the failure is a metric', async () => (await value('worker-1')) === '1');
    expect(await value('worker-2')).toBe('0');
    await stage.kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', 'name=file-integrity-operator']);
    await stage.kubectl(['rollout', 'status', 'deployment/file-integrity-operator', '-n', NAMESPACE, '--timeout=120s']);
    await eventually('the new operator leads', async () => (await value('worker-1')) === '1', 60_000);
    expect(await value('worker-2')).toBe('0');
    await revoke();
  });
});

/** The metrics of the nodes, from the operator's pod; empty while there is none that answers. */
async function scrape(stage: E2eStage, token: string): Promise<string> {
  const query = ['get', 'pods', '-n', NAMESPACE, '-l', 'name=file-integrity-operator'];
  const [host] = (await stage.kubectl([...query, '-o', 'jsonpath={.items[*].status.podIP}'])).stdout.split(' ');
  const authority = await stage.client.find(configMaps, { namespace: NAMESPACE, name: AUTHORITY_CONFIG_MAP });
  if (!host || !authority) return '';
  const ca = authority.data?.['ca.crt'] ?? '';
  const servername = `metrics.${NAMESPACE}.svc`;
  return scrapeSecurely({ host, port: 8585, ca, servername, token }).then(
    ({ body }) => String(body),
    () => '',
  );
}
