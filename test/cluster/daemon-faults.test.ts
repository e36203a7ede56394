import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readReportStream } from '../../src/aide/report.ts';
import {
  COMPRESSED_ANNOTATION,
  FILES_ADDED_ANNOTATION,
  LOG_ERROR_ANNOTATION,
  LOG_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
} from '../../src/api/keys.ts';
import { partName, resultName } from '../../src/api/names.ts';
import type { Outcome } from '../../src/api/protocol.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { INTEGRITY, NODE } from '../play/operator.ts';
import { findRealAide } from '../support/aide.ts';
import { HOSTILE_NAMES } from '../support/aide-scene.ts';
import { installCrds } from '../support/crds.ts';
import { fixtureProgram } from '../support/daemon-node.ts';
import { createStage } from '../support/daemon-stage.ts';
import { eventually } from '../support/eventually.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';

const aide = await findRealAide();
const real = aide?.command ?? (['aide'] as const);

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  await installCrds(client);
});
afterAll(() => client?.close());

const verdictOf = (outcome: Outcome) => (outcome.kind === 'scan' ? outcome.verdict : outcome.kind);
const slotName = resultName(INTEGRITY, NODE);

describe.skipIf(aide === undefined).concurrent('a daemon', () => {
  test('gives every end of AIDE its one meaning, with no report but a reason', async () => {
    await using stage = await createStage(client, connection);
    const { node, operator } = stage;
    const told = join(node.root, '../told');
    await writeFile(told, 'real');
    stage.start({ aide: [...fixtureProgram('aide-ends-as-told'), told, ...real] });
    await stage.settle();
    const ends: [told: string, code: string][] = [
      ['exit 8', 'AIDE_UNKNOWN_EXIT'],
      ['exit 14', 'AIDE_WRITE_ERROR'],
      ['exit 15', 'AIDE_INVALID_ARGUMENT'],
      ['exit 16', 'AIDE_NOT_IMPLEMENTED'],
      ['exit 17', 'AIDE_CONFIGURATION_ERROR'],
      ['exit 18', 'AIDE_IO_ERROR'],
      ['exit 19', 'AIDE_VERSION_MISMATCH'],
      ['exit 20', 'AIDE_EXEC_ERROR'],
      ['exit 21', 'AIDE_LOCKED'],
      ['exit 22', 'AIDE_OUT_OF_MEMORY'],
      ['exit 23', 'AIDE_THREAD_ERROR'],
      ['exit 24', 'AIDE_DATABASE_ERROR'],
      ['exit 25', 'AIDE_INTERRUPTED'],
      ['exit 99', 'AIDE_UNKNOWN_EXIT'],
      ['signal KILL', 'AIDE_KILLED'],
      ['signal SEGV', 'AIDE_CRASHED'],
      ['signal TERM', 'AIDE_INTERRUPTED'],
      ['signal USR1', 'AIDE_SIGNALLED'],
    ];
    for (const [end, errorCode] of ends) {
      await writeFile(told, end);
      await stage.scanNow();
      const outcome = await operator.message(end, { fold: false });
      expect([end, outcome]).toMatchObject([end, { verdict: 'Errored', errorCode }]);
      const slot = await client.get(configMaps, { namespace: stage.namespace, name: slotName });
      expect(slot.metadata?.annotations?.[LOG_ERROR_ANNOTATION]).toMatch(/^AIDE |^Another AIDE|^The database/);
      expect(slot.data ?? {}).toEqual({});
      await operator.fold(outcome);
    }
    await writeFile(told, 'real');
    await stage.scanNow();
    expect(await operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded', exitStatus: 0 });
  });

  test('is Errored for an AIDE that cannot be started, and goes on when it can', async () => {
    await using stage = await createStage(client, connection);
    const program = join(stage.node.root, '../aide');
    await stage.node.writeProgram(program, real);
    stage.start({ aide: [program] });
    await stage.settle();
    await rename(program, `${program}.away`);
    await stage.scanNow();
    expect(await stage.operator.message('that there is no AIDE')).toMatchObject({ verdict: 'Errored' });
    await rename(`${program}.away`, program);
    await stage.scanNow();
    expect(await stage.operator.message('that there is one')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('is Failed with a database that is not the recorded one, and lists the files, until it is made anew', async () => {
    await using stage = await createStage(client, connection);
    const { node, operator } = stage;
    stage.start({ aide: real });
    await stage.settle();
    const slot = async () => await client.get(configMaps, { namespace: stage.namespace, name: slotName });
    // An intruder's change, and a database that says that it was always so.
    await node.write('etc/app/a', 'changed by an intruder');
    await rm(node.paths.database);
    const { configuration: file } = await node.bench(real);
    const [program, ...args] = [...real, '--init', `--config=${file}`];
    execFileSync(program ?? '', [...args, `--before=database_out=file:${node.paths.database}`]);
    await stage.scanNow();
    const replaced = await operator.message('that it was replaced', { fold: false });
    const counts = { added: 0, changed: 0, removed: 0 };
    expect(replaced).toMatchObject({ verdict: 'Failed', baselineFault: 'Replaced', exitStatus: 0, counts });
    const { metadata, data } = await slot();
    expect(metadata?.annotations).not.toHaveProperty([LOG_ERROR_ANNOTATION]);
    expect(data?.integritylog).toMatch(/^The database on the node is not the one on record, .*\n\nStart timestamp: /);
    await operator.fold(replaced);
    await stage.scanNow();
    expect(await operator.heartbeat()).toMatchObject({ verdict: 'Failed', baselineFault: 'Replaced' });
    for (const [damage, baselineFault] of [
      [() => writeFile(node.paths.database, ''), 'Damaged'],
      [() => rm(node.paths.database), 'Missing'],
    ] as const) {
      await damage();
      await stage.scanNow();
      const told = await operator.message(baselineFault, { fold: false });
      expect(told).toMatchObject({ verdict: 'Failed', baselineFault, entries: 3 });
      expect(told).not.toHaveProperty('counts');
      const { metadata: listed, data: list } = await slot();
      expect(listed?.annotations).not.toHaveProperty([FILES_ADDED_ANNOTATION]);
      expect(list?.integritylog).toContain('none of them is verified');
      expect(list?.integritylog).toContain('/etc/app/a');
      await operator.fold(told);
      await stage.scanNow();
      expect(await operator.heartbeat()).toMatchObject({ verdict: 'Failed', baselineFault });
    }
    // None of this made a baseline.
    expect(stage.count('initializing AIDE db')).toBe(1);
    expect(stage.count('force-initializing')).toBe(0);
    await operator.order({ id: 'order-2' });
    expect(await operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2' } });
    expect(await operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('of a second FileIntegrity on the node works beside the first, and neither hears of the other', async () => {
    await using first = await createStage(client, connection);
    await using second = await createStage(client, connection, { node: first.node });
    first.start({ aide: real });
    await first.settle();
    second.start({ aide: real });
    await second.settle({ files: 'aide.worker' });
    const { node } = first;
    await node.write('etc/app/a', 'changed');
    const both = [first, second];
    for (const stage of both) await stage.scanNow();
    // Both wait for their operators on the node's disk.
    const heard = await Promise.all(both.map((stage) => stage.operator.message('the change', { fold: false })));
    for (const outcome of heard) expect(outcome).toMatchObject({ verdict: 'Failed', counts: { changed: 1 } });
    const names = await readdir(node.paths.directory);
    for (const { outbox } of both) expect(names.some((name) => name.startsWith(basename(outbox)))).toBe(true);
    for (const [index, stage] of both.entries()) await stage.operator.fold(heard[index] as Outcome);
    // The second's new baseline is none of the first's.
    await second.operator.order({ id: 'order-2' });
    expect(await second.operator.message('what it accepts')).toMatchObject({ closes: 'order-2' });
    expect(await second.operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-2' } });
    expect(await second.operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded' });
    await first.scanNow();
    expect(await first.operator.heartbeat()).toMatchObject({ verdict: 'Failed' });
    await rm(node.paths.database);
    for (const stage of both) await stage.scanNow();
    expect(await first.operator.message('the loss')).toMatchObject({ baselineFault: 'Missing' });
    expect(await second.operator.heartbeat()).toMatchObject({ verdict: 'Succeeded' });
  });

  test('tells each change of verdict in order after the operator was away, also across its own restart', async () => {
    await using stage = await createStage(client, connection);
    const { node, operator } = stage;
    const first = stage.start({ aide: real });
    await stage.settle();
    const scanned = async (status: number) => {
      const before = stage.count(`aide check returned status ${status}`);
      await stage.scanNow();
      await eventually(`AIDE ends with ${status}`, () => stage.count(`aide check returned status ${status}`) > before);
    };
    await node.write('etc/app/a', 'changed');
    await scanned(4);
    await node.write('etc/app/a', 'a\n');
    await scanned(0);
    await scanned(0);
    await node.write('etc/app/c', 'new');
    await scanned(1);
    await first.stop();
    stage.start({ aide: real });
    await eventually('it scans as it starts', () => stage.count('aide check returned status 1') === 2);
    const missing = stage.count('There is no database on the node');
    await rename(node.paths.database, `${node.paths.database}.away`);
    await scanned(1);
    expect(stage.count('There is no database on the node')).toBe(missing + 1);
    await rename(`${node.paths.database}.away`, node.paths.database);
    await node.remove('etc/app/c');
    await scanned(0);
    const heard: Outcome[] = [];
    for (const what of ['1', '2', '3', '4', '5']) heard.push(await operator.message(what));
    expect(heard.map(verdictOf)).toEqual(['Failed', 'Succeeded', 'Failed', 'Failed', 'Succeeded']);
    expect(heard[3]).toMatchObject({ baselineFault: 'Missing' });
    expect(heard[0]).toMatchObject({ counts: { added: 0, changed: 1, removed: 0 } });
    expect(heard[2]).toMatchObject({ counts: { added: 1, changed: 0, removed: 0 } });
    await eventually('nothing waits', async () =>
      (await readdir(node.paths.directory)).every((name) => !name.includes('outbox')),
    );
    expect(await operator.slot()).toBeUndefined();
  });

  test('tells each change of verdict in order after the API server was away for several scans', async () => {
    await using stage = await createStage(client, connection);
    await using proxy = await startTlsProxy(connection);
    const { node, operator } = stage;
    stage.start({ aide: real, connection: proxy.connection });
    await stage.settle();
    await node.write('etc/app/a', 'changed');
    await operator.settings({ gracePeriod: 10 });
    await stage.scanNow();
    await operator.message('the first change');
    proxy.refuse(true);
    await node.write('etc/app/a', 'a\n');
    await eventually('AIDE ends with 0 again', () => stage.count('aide check returned status 0') > 1);
    await node.remove('etc/app/b');
    await eventually('AIDE ends with 2', () => stage.count('aide check returned status 2') > 0);
    proxy.refuse(false);
    expect(await operator.message('the end of the first')).toMatchObject({ verdict: 'Succeeded' });
    expect(await operator.message('the second')).toMatchObject({ verdict: 'Failed', counts: { removed: 1 } });
  }, 120_000);

  test('sends a report of several parts, with hostile names in it, byte by byte', async () => {
    await using stage = await createStage(client, connection);
    const { node, operator, namespace } = stage;
    stage.start({ aide: real });
    await stage.settle();
    const app = Buffer.from(`${node.root}/etc/app/`);
    for (const name of HOSTILE_NAMES) await writeFile(Buffer.concat([app, name.subarray('etc/'.length)]), 'x');
    // Names that hardly compress, so that it takes few of them.
    for (let file = 0; file < 8000; file += 1) await node.write(`etc/app/${randomBytes(100).toString('hex')}`, '');
    // A longer report of before was sent in part only.
    const orphan = (number: number) => ({ namespace, name: partName(slotName, number) });
    for (let number = 2; number <= 9; number += 1) await client.create(configMaps, { metadata: orphan(number) });
    await stage.scanNow();
    const failed = await operator.message('a large change', { fold: false });
    expect(failed).toMatchObject({ verdict: 'Failed', counts: { added: 8000 + HOSTILE_NAMES.length } });
    const head = await client.get(configMaps, { namespace, name: slotName });
    const parts = Number(head.metadata?.annotations?.[PARTS_ANNOTATION]);
    expect(parts).toBeGreaterThanOrEqual(3);
    expect(parts).toBeLessThan(9);
    const all = [head];
    for (let number = 2; number <= parts; number += 1) {
      const part = await client.get(configMaps, orphan(number));
      expect(part.metadata?.labels).toMatchObject({ [PART_LABEL]: String(number) });
      expect(part.metadata?.labels).not.toHaveProperty([LOG_LABEL]);
      all.push(part);
    }
    for (const part of all) expect(part.metadata?.annotations).toHaveProperty([COMPRESSED_ANNOTATION], '');
    const joined = (key: string) =>
      gunzipSync(Buffer.from(all.map(({ data }) => data?.[key] ?? '').join(''), 'base64'));
    expect(joined('integritylog').equals(await readFile(node.paths.log))).toBe(true);
    // AIDE 0.19.1 leaves control characters in its JSON as they are, and our reader knows that.
    const reading = await readReportStream(Readable.from([joined('report.json')]), { maxFiles: 10_000 });
    expect(reading).toMatchObject({ ok: true });
    expect(reading.ok && reading.report.files).toHaveLength(8000 + HOSTILE_NAMES.length);
    for (let number = parts + 1; number <= 9; number += 1) {
      expect(await client.find(configMaps, orphan(number))).toBeUndefined();
    }
  }, 120_000);

  test('that makes a mistake ends with an error, so that a fresh one is started', async () => {
    await using stage = await createStage(client, connection);
    await stage.operator.begin(stage.configuration);
    const broken = stage.start({ aide: real, afterAide: async () => await Promise.reject(new Error('a mistake')) });
    await eventually('it has scanned or ended', () => stage.count('initialization finished') > 0);
    await expect(broken.stop()).rejects.toThrow('a mistake');
    stage.start({ aide: real });
    expect(await stage.operator.message('the receipt')).toMatchObject({ receipt: { orderId: 'order-1' } });
    expect(await stage.operator.message('a scan')).toMatchObject({ verdict: 'Succeeded' });
  });

  test('whose baseline is impossible says so, keeps trying, and makes it when it can', async () => {
    await using stage = await createStage(client, connection);
    const { node, operator } = stage;
    await rm(node.paths.directory, { recursive: true, force: true });
    await writeFile(node.paths.directory, 'no folder');
    stage.start({ aide: real });
    await operator.begin(stage.configuration);
    await operator.settings({ gracePeriod: 10 });
    const impossible = await operator.message('that it is impossible');
    expect(impossible).toMatchObject({ verdict: 'Errored', errorCode: 'BASELINE_IMPOSSIBLE' });
    await rm(node.paths.directory);
    expect(await operator.message('its receipt')).toMatchObject({ receipt: { orderId: 'order-1' } });
    expect(await operator.message('that all is well')).toMatchObject({ verdict: 'Succeeded' });
  });
});
