import { execFileSync } from 'node:child_process';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Outcome } from '../../src/api/protocol.ts';
import { LOCK_FILE } from '../../src/daemon/disk/lock.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { findRealAide } from '../support/aide.ts';
import { installCrds } from '../support/crds.ts';
import { fixtureProgram } from '../support/daemon-node.ts';
import type { DaemonProcess } from '../support/daemon-process.ts';
import { createStage, type DaemonStage } from '../support/daemon-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

// The daemon in a process of its own, with the rights of its pod: the service account's, one capability, a read-only root.
const aide = await findRealAide();
const real = aide?.command ?? ['aide'];

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  await installCrds(client);
});
afterAll(() => client?.close());

const names = async (stage: DaemonStage) => (await readdir(stage.node.paths.directory)).sort();

/** What the kubelet does after the grace period; a daemon that has ended by itself has a status. */
async function terminate(daemon: DaemonProcess) {
  daemon.signal('SIGTERM');
  const late = delay(5000).then(() => daemon.signal('SIGKILL'));
  const end = await Promise.race([daemon.ended, late.then(() => daemon.ended)]);
  return end;
}

describe.skipIf(aide === undefined || !canHaveNodes()).concurrent('a daemon in its container', () => {
  test('works with one capability, a read-only root and the deployed rights', async () => {
    await using stage = await createStage(client, connection);
    await stage.startProcess(real);
    await stage.settle();
    await stage.node.write('etc/app/a', 'changed');
    await stage.scanNow();
    expect(await stage.operator.message('the change')).toMatchObject({ verdict: 'Failed' });
    await stage.operator.order({ id: 'order-2' });
    expect(await stage.operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await stage.operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2' } });
    expect(await stage.operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded' });
    await stage.scanNow();
    expect(await stage.operator.heartbeat()).toMatchObject({ verdict: 'Succeeded' });
  });

  test('reports a trigger file once that it cannot remove, by the node’s own path', async () => {
    await using stage = await createStage(client, connection);
    await stage.node.write('run/aide.reinit', '');
    await stage.startProcess(real);
    await stage.operator.begin(stage.configuration);
    const heard = [
      await stage.operator.message('one'),
      await stage.operator.message('two'),
      await stage.operator.message('three'),
    ];
    const notice = heard.find(({ kind }) => kind === 'notice');
    expect(notice).toHaveProperty(
      'message',
      expect.stringMatching(/trigger file \/run\/aide\.reinit .*could not be removed/),
    );
    await delay(11_000); // it looks every 10 s
    expect(stage.count('The trigger file')).toBe(1);
    expect(await readdir(join(stage.node.root, 'run'))).toEqual(['aide.reinit']);
  });

  for (const program of ['aide-ignores-term', 'aide-has-children']) {
    test(`ends within 5 s of SIGTERM while ${program} scans, and leaves nothing unfinished`, async () => {
      await using stage = await createStage(client, connection);
      const first = await stage.startProcess(real);
      await stage.settle();
      expect(await terminate(first)).toMatchObject({ status: 0 });
      const before = await names(stage);
      const second = await stage.startProcess(fixtureProgram(program));
      await eventually('it scans', () => stage.count('running aide check') === 2);
      await delay(200);
      expect(await terminate(second)).toMatchObject({ status: 0 });
      expect(await names(stage)).toEqual(before);
      expect(await stage.operator.slot()).toBeUndefined();
    });
  }

  test('ends within 5 s of SIGTERM while it makes a baseline, which is made afterwards', async () => {
    await using stage = await createStage(client, connection);
    const first = await stage.startProcess(fixtureProgram('aide-hangs'));
    await stage.operator.begin(stage.configuration);
    await eventually('AIDE has begun', async () => (await names(stage)).includes('aide.db.gz.new'));
    expect(await terminate(first)).toMatchObject({ status: 0 });
    expect(await names(stage)).toEqual([LOCK_FILE]);
    await stage.startProcess(real);
    expect(await stage.operator.message('its receipt')).toMatchObject({ kind: 'baseline' });
  });

  test('ends within 5 s of SIGTERM though the kernel keeps a call of it', async () => {
    await using stage = await createStage(client, connection);
    await stage.renewToken();
    const token = join(stage.node.root, '../home/serviceaccount/token');
    await rm(token);
    execFileSync('mkfifo', [token]);
    const daemon = await stage.startProcess(real);
    await eventually('it runs', () => stage.count('Starting') === 1);
    await delay(300);
    daemon.signal('SIGTERM');
    await eventually('it gives up', () => stage.count('something does not end') === 1);
    await daemon.ended;
  });

  test('goes on when its token is rotated and the old one is worth nothing', async () => {
    await using stage = await createStage(client, connection);
    const { pod } = await stage.renewToken();
    await stage.startProcess(real);
    await stage.settle();
    await stage.renewToken();
    // The API server may accept a token for 10 s after its pod is gone.
    await client.raw(`/api/v1/namespaces/${stage.namespace}/pods/${pod?.name}`, {
      method: 'DELETE',
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
    });
    await delay(11_000);
    await stage.node.write('etc/app/a', 'changed');
    await stage.scanNow();
    expect(await stage.operator.message('the change')).toMatchObject({ verdict: 'Failed' });
    expect(stage.count('the result could not be sent')).toBe(0);
  });

  test('carries on after a restart of the node with what the last boot left', async () => {
    await using stage = await createStage(client, connection);
    const [one, two] = ['11111111-0000-4000-8000-000000000000', '22222222-0000-4000-8000-000000000000'];
    const first = await stage.startProcess(real, { bootId: one });
    await stage.operator.begin(stage.configuration);
    const baseline = await stage.operator.message('its receipt');
    expect(baseline).toMatchObject({ receipt: { bootId: one } });
    await stage.operator.message('its first scan');
    await stage.node.write('etc/app/a', 'changed');
    await stage.scanNow();
    // The slot is full of this one, so that the next waits on the node's disk.
    const failed = await stage.operator.message('the change', { fold: false });
    await rm(stage.node.paths.database);
    await stage.scanNow();
    await eventually('it is Failed', () => stage.count('There is no database on the node') === 1);
    await eventually(
      'that is kept',
      async () => (await names(stage)).filter((name) => /\d-.*message\.json$/.test(name)).length === 2,
    );
    first.signal('SIGKILL'); // the power is cut
    await first.ended;
    await writeFile(stage.node.paths.newDatabase, 'half a database');
    await writeFile(`${stage.node.paths.receipt}.draft`, 'half a receipt');
    await appendFile(outboxFile(stage.outbox, '9-x-9.message.json.draft'), 'half a message');
    await stage.startProcess(real, { bootId: two });
    await stage.operator.fold(failed);
    expect(await stage.operator.message('what it found before')).toMatchObject({ baselineFault: 'Missing' });
    await stage.operator.order({ id: 'order-2' });
    const heard = await until(stage, ({ kind }) => kind === 'baseline');
    expect(heard.at(-1)).toMatchObject({ receipt: { orderId: 'order-2', bootId: two } });
    await until(stage, (outcome) => outcome.kind === 'scan' && outcome.verdict === 'Succeeded');
    const unfinished = async () => (await names(stage)).filter((name) => /new|draft|outbox/.test(name));
    await eventually('nothing unfinished is left', async () => (await unfinished()).length === 0);
  });

  test('under a clock that is set back keeps its interval, and its backups in order', async () => {
    await using stage = await createStage(client, connection);
    const clock = join(stage.node.root, '../clock');
    await writeFile(clock, '0');
    const shim = new URL('../fixtures/programs/turned-clock.mjs', import.meta.url).href;
    await stage.startProcess(real, { nodeFlags: ['--import', shim], env: { TURNED_CLOCK: clock } });
    await stage.settle();
    await stage.operator.order({ id: 'order-2' });
    await until(stage, ({ kind }) => kind === 'baseline');
    const backups = async () => (await names(stage)).filter((name) => name.startsWith('aide.db.gz.backup-'));
    const [older] = await backups();
    await writeFile(clock, String(-3600));
    await stage.operator.settings({ maxBackups: 1, gracePeriod: 10 });
    await stage.operator.order({ id: 'order-3' });
    const heard = await until(stage, ({ kind }) => kind === 'baseline');
    const made = heard.at(-1);
    expect(made?.kind === 'baseline' && Date.parse(made.receipt.createdAt)).toBeLessThan(Date.now() - 3_000_000);
    const [newer, ...others] = await backups();
    expect(others).toEqual([]);
    expect((newer ?? '') > (older ?? '')).toBe(true);
    // The clock turns while it waits: it scans after the interval all the same, neither at once nor in an hour.
    const scans = () => stage.count('aide check returned status 0');
    const before = scans();
    await writeFile(clock, String(-7200));
    await eventually('it scans again', () => scans() > before + 1, 40_000);
    expect(stage.count('aide check returned')).toBe(scans());
  }, 90_000);

  test('without a token at first waits for it', async () => {
    await using stage = await createStage(client, connection);
    await stage.renewToken();
    const token = join(stage.node.root, '../home/serviceaccount/token');
    const text = await readFile(token, 'utf8');
    await rm(token);
    await stage.startProcess(real);
    await eventually('it says so', () => stage.count('no contact with the API server') > 0);
    await writeFile(token, text);
    await stage.settle();
  });
});

/** Takes in messages until one is of the kind that is waited for. */
async function until(stage: DaemonStage, isLast: (outcome: Outcome) => boolean): Promise<Outcome[]> {
  const heard: Outcome[] = [];
  while (!heard.some(isLast)) heard.push(await stage.operator.message('more'));
  return heard;
}
