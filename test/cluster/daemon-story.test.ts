import { readdir, rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type DaemonOptions, runDaemon } from '../../src/daemon/daemon.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { findRealAide } from '../support/aide.ts';
import { installCrds } from '../support/crds.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { INTEGRITY, NODE, type PlayedOperator, playOperator } from '../support/played-operator.ts';
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts';

const aide = await findRealAide();

let connection: Connection;
let client: Client;
let namespace: string;
let node: ScratchNode;
let operator: PlayedOperator;
let running: { stop(): Promise<void> }[];

beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  await installCrds(client);
});
afterAll(() => client?.close());

beforeEach(async () => {
  namespace = await createNamespace(client, 'daemon');
  node = await createScratchNode();
  operator = playOperator(client, namespace);
  running = [];
});
afterEach(async () => {
  for (const daemon of running) await daemon.stop();
  await node[Symbol.asyncDispose]();
});

function startDaemon(options: Partial<DaemonOptions> = {}): { stop(): Promise<void> } {
  const ended = new AbortController();
  const done = runDaemon(
    {
      integrity: INTEGRITY,
      namespace,
      node: NODE,
      hostRoot: node.root,
      aide: aide?.command ?? ['aide'],
      connection,
      write: (line) => node.lines.push(line.replace(/^\S+: /, '').trimEnd()),
      ...options,
    },
    ended.signal,
  );
  const daemon = {
    async stop() {
      ended.abort();
      await done;
    },
  };
  running.push(daemon);
  return daemon;
}

const configuration = () => ({ text: node.configuration, digest: node.configurationDigest });

/** A held daemon that is released scans at once; a test need not wait for the interval. */
async function scanNow(): Promise<void> {
  await operator.hold();
  await eventually('the daemon is held', () => node.lines.at(-1) === 'held by the operator: held by a test');
  await operator.release();
}

/** A daemon with a baseline, whose Succeeded the operator knows. */
async function settle(options: Partial<DaemonOptions> = {}) {
  await operator.begin(configuration());
  const daemon = startDaemon(options);
  expect(await operator.message('its receipt')).toMatchObject({ kind: 'baseline' });
  expect(await operator.message('its first scan')).toMatchObject({ kind: 'scan', verdict: 'Succeeded' });
  return daemon;
}

describe.skipIf(aide === undefined)('a daemon with the real AIDE', () => {
  test('waits for orders, makes the baseline, and scans', async () => {
    startDaemon();
    await eventually('it waits', () => node.lines.includes('waiting for orders of the operator'));
    await operator.begin(configuration());
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
    await scanNow();
    expect(await operator.heartbeat()).toMatchObject({ kind: 'scan', verdict: 'Succeeded' });
    expect(await operator.slot()).toBeUndefined();
  });

  test('reports a change with counts and reports, in the contract’s form', async () => {
    await settle();
    await node.write('etc/app/a', 'changed');
    await node.write('etc/app/new', 'new');
    await scanNow();
    const failed = await operator.message('the change', { fold: false });
    expect(failed).toMatchObject({ verdict: 'Failed', counts: { added: 1, changed: 1, removed: 0 } });
    const [slot] = (await client.list(configMaps, { namespace, labelSelector: 'file-integrity.openshift.io/log' }))
      .items;
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

  test('carries out an order for a new baseline once, with backups, and scans at once', async () => {
    await settle();
    await node.write('etc/app/a', 'changed');
    await operator.order({ id: 'order-2' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2', reason: 'Demand' } });
    expect(await operator.heartbeat()).toMatchObject({ verdict: 'Succeeded' });
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
    const errored = await operator.message('that it is broken');
    expect(errored).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_CONFIGURATION_ERROR', exitStatus: 17 });
    await operator.configure(configuration());
    await operator.order({ id: 'order-3', reason: 'Configuration' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-3' } });
    expect(await operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('adopts the database that an earlier daemon left', async () => {
    const first = await settle();
    await first.stop();
    await rm(node.paths.receipt);
    await operator.order({ id: 'order-2', reason: 'Initial' });
    startDaemon();
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2', adopted: true } });
  });

  test('reports a trigger file, removes it, and makes no baseline', async () => {
    const first = await settle();
    await first.stop();
    await node.write('run/aide.reinit', '');
    await node.write('etc/kubernetes/aide.reinit', '');
    await node.write('etc/app/a', 'changed by an intruder');
    startDaemon();
    const heard = [await operator.message('one'), await operator.message('another'), await operator.message('a third')];
    expect(heard.filter(({ kind }) => kind === 'notice').length).toBeGreaterThan(0);
    expect(heard.filter((outcome) => outcome.kind === 'scan')).toMatchObject([{ verdict: 'Failed' }]);
    expect(heard.filter(({ kind }) => kind === 'baseline')).toEqual([]);
    expect(await readdir(`${node.root}/run`)).toEqual([]);
    expect(await readdir(node.paths.directory)).not.toContain('aide.reinit');
  });

  test('is Errored without its database, and does not make one on its own', async () => {
    await settle();
    await rm(node.paths.database);
    await scanNow();
    expect(await operator.message('the loss')).toMatchObject({ verdict: 'Errored', exitStatus: 18 });
    expect(await readdir(node.paths.directory)).not.toContain('aide.db.gz');
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
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2' } });
  });

  describe('behind a network that fails', () => {
    let proxy: TlsProxy;
    beforeEach(async () => {
      proxy = await startTlsProxy(connection);
    });
    afterEach(() => proxy[Symbol.asyncDispose]());

    test('keeps a result through an outage of the API server', async () => {
      await settle({ connection: proxy.connection });
      await node.write('etc/app/a', 'changed');
      await operator.hold();
      await eventually('it is held', () => node.lines.at(-1)?.startsWith('held by the operator'));
      const scans = () => node.lines.filter((line) => line.startsWith('aide check returned')).length;
      const before = scans();
      await operator.release();
      await eventually('it scans', () => node.lines.at(-1) === 'running aide check');
      proxy.refuse(true);
      await eventually('the scan ends', () => scans() > before);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      proxy.refuse(false);
      expect(await operator.message('the change')).toMatchObject({ verdict: 'Failed' });
    });

    test('a daemon that ends in the outage leaves its result to the next one', async () => {
      const first = await settle({ connection: proxy.connection });
      await node.write('etc/app/a', 'changed');
      await scanNow();
      await eventually('it scans', () => node.lines.at(-1) === 'running aide check');
      proxy.refuse(true);
      await eventually('the scan ends', () => node.lines.includes('aide check returned status 4'));
      await first.stop();
      // What was found then is told, though the node is as it was by now.
      await node.write('etc/app/a', 'a\n');
      startDaemon();
      expect(await operator.message('the change')).toMatchObject({ verdict: 'Failed', counts: { changed: 1 } });
      expect(await operator.message('what is now')).toMatchObject({ verdict: 'Succeeded' });
    });
  });
});

test('a daemon that is stopped ends a running AIDE, and leaves nothing unfinished', async () => {
  await operator.begin(configuration());
  const daemon = startDaemon({ aide: fixtureProgram('aide-hangs') });
  const files = () => readdir(node.paths.directory).catch((): string[] => []);
  await eventually('AIDE has begun', async () => (await files()).includes('aide.db.gz.new'));
  await daemon.stop();
  expect(await files()).toEqual([]);
  expect(await operator.slot()).toBeUndefined();
});

async function digestOf(text: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}
