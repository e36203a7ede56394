import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { COMPRESSED_ANNOTATION } from '../../src/api/keys.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

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
    await integrity.condition('worker-1', 'Failed');
    // A scan that began in between saw a part of them; and a report is kept after its verdict.
    let name = '';
    await eventually(
      'all are found, and the report is kept',
      async () => {
        const { filesAdded, resultConfigMapName = '' } = (await integrity.status('worker-1'))?.lastResult ?? {};
        name = resultConfigMapName;
        return filesAdded === 2000 && name !== '';
      },
      60_000,
    );
    const kept = await stage.client.get(configMaps, { namespace: NAMESPACE, name });
    expect(kept.metadata?.annotations?.[COMPRESSED_ANNOTATION]).toBe('');
    const log = gunzipSync(Buffer.from(kept.data?.integritylog ?? '', 'base64')).toString();
    for (const number of [0, 999, 1999]) expect(log).toContain(`/file-with-a-rather-long-name-${number}\n`);
    expect(log.match(/^Added entries:\s/gm)).toHaveLength(1);
    expect(log).toMatch(/^ {2}Added entries:\t\t2000$/m);
  });
});
