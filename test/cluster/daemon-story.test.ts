import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Outcome } from '../../src/api/protocol.ts';
import type { DaemonOptions } from '../../src/daemon/daemon.ts';
import { LOCK_FILE } from '../../src/daemon/disk/lock.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { INTEGRITY, NODE, type PlayedOperator } from '../play/operator.ts';
import { findRealAide } from '../support/aide.ts';
import { installCrds } from '../support/crds.ts';
import { fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';
import { createStage, type DaemonStage } from '../support/daemon-stage.ts';
import { eventually } from '../support/eventually.ts';
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts';

const aide = await findRealAide();

const real = aide?.command ?? (['aide'] as const);

let connection: Connection;
let client: Client;
let stage: DaemonStage;
let node: ScratchNode;
let operator: PlayedOperator;

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  await installCrds(client);
});
afterAll(() => client?.close());

beforeEach(async () => {
  stage = await createStage(client, connection);
  ({ node, operator } = stage);
});
afterEach(() => stage[Symbol.asyncDispose]());

/** A daemon with a baseline, whose Succeeded the operator knows. */
async function settle(options: Partial<DaemonOptions> = {}) {
  const daemon = stage.start({ aide: real, ...options });
  await stage.settle();
  return daemon;
}

describe.skipIf(aide === undefined)('a daemon with the real AIDE', () => {
  test('waits for orders, makes the baseline, and scans', async () => {
    stage.start({ aide: real });
    await eventually('it waits', () => node.lines.includes('waiting for orders of the operator'));
    await operator.begin(stage.configuration);
    const baseline = await operator.message('its receipt');
    expect(baseline).toMatchObject({ kind: 'baseline', node: NODE, receipt: { orderId: 'order-1', entries: 3 } });
    const scan = await operator.message('its scan');
    expect(scan).toMatchObject({ verdict: 'Succeeded', entries: 3, configurationDigest: node.configurationDigest });
    const digest = baseline.kind === 'baseline' ? baseline.receipt.digest : '';
    expect(scan).toHaveProperty('baselineDigest', digest);
    expect(node.lines).toEqual([
      'Starting the AIDE runner daemon',
      'waiting for orders of the operator',
      'initializing AIDE db',
      'initialization finished',
      'running aide check',
      'aide check returned status 0',
    ]);
  });

  test('says a repeated Succeeded by its lease alone', async () => {
    await settle();
    await stage.scanNow();
    expect(await operator.heartbeat()).toMatchObject({ kind: 'scan', verdict: 'Succeeded' });
    expect(await operator.slot()).toBeUndefined();
  });

  test('reports a change with counts and reports, in the contract’s form', async () => {
    await settle();
    await node.write('etc/app/a', 'changed');
    await node.write('etc/app/new', 'new');
    await stage.scanNow();
    const failed = await operator.message('the change', { fold: false });
    expect(failed).toMatchObject({ verdict: 'Failed', counts: { added: 1, changed: 1, removed: 0 } });
    const [slot] = (
      await client.list(configMaps, { namespace: stage.namespace, labelSelector: 'file-integrity.openshift.io/log' })
    ).items;
    const prefix = 'file-integrity.openshift.io';
    expect(slot?.metadata?.name).toBe(`aide-${INTEGRITY}-${NODE}`);
    expect(slot?.metadata?.labels).toEqual({
      [`${prefix}/owner`]: INTEGRITY,
      [`${prefix}/node`]: NODE,
      [`${prefix}/log`]: '',
    });
    expect(slot?.metadata?.annotations).toMatchObject({
      [`${prefix}/files-added`]: '1',
      [`${prefix}/files-changed`]: '1',
      [`${prefix}/files-removed`]: '0',
    });
    expect(slot?.data?.integritylog).toContain('/etc/app/new');
    expect(JSON.parse(slot?.data?.['report.json'] ?? '')).toHaveProperty('number_of_entries.added', 1);
  });

  test('tells what a new baseline accepts that no scan has seen, and makes it when the operator has that', async () => {
    await settle();
    await node.write('etc/app/unseen', 'since the last scan');
    await operator.order({ id: 'order-2' });
    const accepted = await operator.message('what it accepts', { fold: false });
    expect(accepted).toMatchObject({ verdict: 'Failed', counts: { added: 1 }, closes: 'order-2' });
    expect(node.lines.filter((line) => line === 'force-initializing AIDE db')).toEqual([]);
    await node.write('etc/app/later', 'while the operator has not looked yet');
    await operator.fold(accepted);
    expect(await operator.message('its receipt')).toMatchObject({
      receipt: { orderId: 'order-2', entries: 4, closing: { scan: accepted.id, verdict: 'Failed' } },
    });
    // What came after the comparison is in no baseline.
    expect(await operator.message('what came later')).toMatchObject({ verdict: 'Failed', counts: { added: 1 } });
  });

  test('compares by the configuration of the old baseline, also after a restart, when another one is ordered', async () => {
    const first = await settle();
    await first.stop();
    await node.write('etc/app/unseen', 'since the last scan');
    const text = `${node.configuration}!${node.root}/etc/app/a\n`;
    const digest = await digestOf(text);
    await operator.configure({ text, digest }, { previous: stage.configuration.text });
    await operator.order({ id: 'order-2', reason: 'Configuration' });
    stage.start({ aide: real });
    expect(await operator.message('what it accepts')).toMatchObject({
      verdict: 'Failed',
      counts: { added: 1, changed: 0, removed: 0 },
      closes: 'order-2',
      configurationDigest: stage.configuration.digest,
    });
    expect(await operator.message('its receipt')).toMatchObject({
      receipt: { configurationDigest: digest, closing: { verdict: 'Failed', gap: { from: expect.any(String) } } },
    });
    expect(await operator.word('that all is well')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('goes on by what it is ordered when another configuration is there already, and the operator died before it said so', async () => {
    const first = await settle();
    await first.stop();
    await node.write('etc/app/unseen', 'since the last scan');
    const { text, digest } = stage.configuration;
    await operator.publish(`${text}!${node.root}/etc/app/a\n`, { previous: text });
    stage.start({ aide: real });
    expect(await operator.message('what has changed')).toMatchObject({
      verdict: 'Failed',
      configurationDigest: digest,
    });
  });

  test('carries out an order for a new baseline once, with backups, and scans at once', async () => {
    await settle();
    await node.write('etc/app/a', 'changed');
    await operator.order({ id: 'order-2' });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2', reason: 'Demand' } });
    expect(await operator.word('that all is well')).toMatchObject({ verdict: 'Succeeded' });
    const names = await readdir(node.paths.directory);
    expect(names.filter((name) => name.startsWith('aide.db.gz.backup-'))).toHaveLength(1);
    expect(names.filter((name) => name.startsWith('aide.log.backup-'))).toHaveLength(1);
    expect(node.lines.filter((line) => line === 'force-initializing AIDE db')).toHaveLength(1);
  });

  test('goes on with a mended configuration after a broken one', async () => {
    await settle();
    const broken = `${node.configuration}/broken NoSuchGroup\n`;
    await operator.configure({ text: broken, digest: await digestOf(broken) });
    await operator.order({ id: 'order-2', reason: 'Configuration' });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    const errored = await operator.message('that it is broken');
    expect(errored).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_CONFIGURATION_ERROR', exitStatus: 17 });
    await operator.configure(stage.configuration);
    await operator.order({ id: 'order-3', reason: 'Configuration' });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-3' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-3' } });
    expect(await operator.word('that all is well')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('adopts the database that an earlier daemon left', async () => {
    const first = await settle();
    await first.stop();
    await rm(node.paths.receipt);
    await operator.order({ id: 'order-2', reason: 'Initial' });
    stage.start({ aide: real });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2', adopted: true } });
  });

  test('reports a trigger file, removes it, and makes no baseline', async () => {
    const first = await settle();
    await first.stop();
    await node.write('run/aide.reinit', '');
    await node.write('etc/kubernetes/aide.reinit', '');
    await node.write('etc/app/a', 'changed by an intruder');
    stage.start({ aide: real });
    const heard: Outcome[] = [];
    // Two notices that wait become one.
    while (!heard.some(({ kind }) => kind === 'scan')) heard.push(await operator.message('more'));
    expect(heard.filter(({ kind }) => kind === 'notice').length).toBeGreaterThan(0);
    expect(heard.filter((outcome) => outcome.kind === 'scan')).toMatchObject([{ verdict: 'Failed' }]);
    expect(heard.filter(({ kind }) => kind === 'baseline')).toEqual([]);
    expect(await readdir(`${node.root}/run`)).toEqual([]);
    expect(await readdir(node.paths.directory)).not.toContain('aide.reinit');
  });

  test('is Failed without its database, and does not make one on its own', async () => {
    await settle();
    await rm(node.paths.database);
    await stage.scanNow();
    expect(await operator.message('the loss')).toMatchObject({ verdict: 'Failed', baselineFault: 'Missing' });
    expect(await readdir(node.paths.directory)).not.toContain('aide.db.gz');
  });

  test('does not adopt a database that is not the one of the receipt beside it, and says why', async () => {
    const first = await settle();
    await first.stop();
    const receipt = JSON.parse(await readFile(node.paths.receipt, 'utf8')) as object;
    await writeFile(node.paths.receipt, JSON.stringify({ ...receipt, digest: 'f'.repeat(64) }));
    await operator.order({ id: 'order-2', reason: 'Initial' });
    stage.start({ aide: real });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await operator.message('its receipt')).toMatchObject({
      receipt: { orderId: 'order-2', refused: expect.stringContaining('not the one that the receipt beside it names') },
    });
  });

  test('moves to other files when they are ordered, and leaves the old ones', async () => {
    await settle();
    await operator.order({ id: 'order-2', reason: 'Initial', files: 'aide.worker' });
    const moved = await operator.message('its receipt');
    expect(moved).toMatchObject({ receipt: { orderId: 'order-2', entries: 3 } });
    expect(moved.kind === 'baseline' && moved.receipt).not.toHaveProperty('adopted');
    expect(await operator.word('that all is well')).toMatchObject({ verdict: 'Succeeded' });
    expect((await readdir(node.paths.directory)).filter((name) => !name.includes('outbox'))).toEqual(
      expect.arrayContaining(['aide.db.gz', 'aide.worker.db.gz', 'aide.worker.log', 'aide.worker.receipt.json']),
    );
  });

  test('does not work with files that it does not write, and says so', async () => {
    await settle();
    await operator.order({ id: 'order-2', files: '../aide' });
    await eventually('it says so', () => stage.count('the orders name files that a daemon does not write') === 1);
    await operator.order({ id: 'order-3', files: 'aide' });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-3' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-3' } });
    expect(node.lines.filter((line) => line === 'force-initializing AIDE db')).toHaveLength(1);
  });

  test('tells what a scan came to before the page cache is given back, and scans again only after that', async () => {
    let giveBack = () => {};
    const given = new Promise<void>((resolve) => {
      giveBack = resolve;
    });
    let runs = 0;
    // The first two are the baseline's and the first scan's.
    const afterAide = async () => {
      runs += 1;
      if (runs === 3) await given;
    };
    await settle({ afterAide });
    await node.write('etc/app/a', 'changed');
    await stage.scanNow();
    expect(await operator.message('the change')).toMatchObject({ verdict: 'Failed' });
    await node.write('etc/app/a', 'a\n');
    await stage.scanNow();
    await eventually('it is to scan', () => stage.count('running aide check') === 3);
    const cut = stage.count('aide check returned');
    await delay(500); // many times what a scan of three files takes
    expect(stage.count('aide check returned')).toBe(cut);
    giveBack();
    expect(await operator.message('that it is undone')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('starts nothing while it is held', async () => {
    await settle();
    await operator.hold();
    await eventually('it is held', () => node.lines.at(-1)?.startsWith('held by the operator'));
    await operator.order({ id: 'order-2' });
    await operator.settings({ gracePeriod: 10, debug: true });
    const lines = node.lines.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(node.lines.slice(lines)).toEqual([]);
    await operator.release();
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2' } });
  });

  describe('behind a network that fails', () => {
    let proxy: TlsProxy;
    beforeEach(async () => {
      proxy = await startTlsProxy(connection);
    });
    afterEach(() => proxy[Symbol.asyncDispose]());

    /** Settled; the scan that follows has begun, finds a change, and ends without the API server. */
    async function scanIntoOutage(): Promise<{ stop(): Promise<void> }> {
      const gate = join(node.root, '../gate');
      await writeFile(gate, '');
      const daemon = await settle({
        connection: proxy.connection,
        aide: [...fixtureProgram('aide-waits'), gate, ...real],
      });
      await node.write('etc/app/a', 'changed');
      await rm(gate);
      await rm(`${gate}.reached`);
      await stage.scanNow();
      await eventually('it scans', () => existsSync(`${gate}.reached`));
      proxy.refuse(true);
      await writeFile(gate, '');
      await eventually('the scan ends', () => stage.count('aide check returned status 4') === 1);
      return daemon;
    }

    test('keeps a result through an outage of the API server', async () => {
      await scanIntoOutage();
      await eventually('it tries', () => stage.count('the result could not be sent and is kept') > 0);
      proxy.refuse(false);
      expect(await operator.message('the change')).toMatchObject({ verdict: 'Failed' });
    });

    test('a daemon that ends in the outage leaves its result to the next one', async () => {
      const first = await scanIntoOutage();
      await first.stop();
      // What was found then is told, though the node is as it was by now.
      await node.write('etc/app/a', 'a\n');
      stage.start({ aide: real });
      expect(await operator.message('the change')).toMatchObject({ verdict: 'Failed', counts: { changed: 1 } });
      expect(await operator.message('what is now')).toMatchObject({ verdict: 'Succeeded' });
    });
  });
});

test('a daemon that is stopped ends a running AIDE, and leaves nothing unfinished', async () => {
  await operator.begin(stage.configuration);
  const daemon = stage.start({ aide: fixtureProgram('aide-hangs') });
  const files = () => readdir(node.paths.directory).catch((): string[] => []);
  await eventually('AIDE has begun', async () => (await files()).includes('aide.db.gz.new'));
  await daemon.stop();
  expect(await files()).toEqual([LOCK_FILE]);
  expect(await operator.slot()).toBeUndefined();
});

async function digestOf(text: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}
