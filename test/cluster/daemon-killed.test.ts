import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { nodeStatuses } from '../../src/api/group.ts';
import { nodeStatusName } from '../../src/api/names.ts';
import type { Outcome } from '../../src/api/protocol.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { INTEGRITY, NODE } from '../play/operator.ts';
import { findRealAide } from '../support/aide.ts';
import { installCrds } from '../support/crds.ts';
import type { DaemonProcess } from '../support/daemon-process.ts';
import { createStage, type DaemonStage } from '../support/daemon-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

// A daemon is killed before each of its changes of the disk, requests and answers; of these every sixth is tried, or as
// many as FIO_KILL_STRIDE says.
const STRIDE = Number(process.env.FIO_KILL_STRIDE ?? '6');
const aide = await findRealAide();

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await connectKubeconfig(inject('kubeconfig'));
  client = createClient(connection);
  await installCrds(client);
});
afterAll(() => client?.close());

/** A node whose daemon is killed and started again, and an operator that takes in whatever comes. */
class Scene implements AsyncDisposable {
  readonly stage: DaemonStage;
  readonly heard: Outcome[] = [];
  /** Points at which a daemon was killed. */
  readonly points: string[] = [];
  daemon: DaemonProcess | undefined;
  #open = true;
  #operator: Promise<void> | undefined;

  constructor(stage: DaemonStage) {
    this.stage = stage;
  }

  get #file(): string {
    // The daemon’s own user removes it.
    return join(this.stage.node.root, '../home/tmp/stops-at');
  }

  async start(): Promise<void> {
    const shim = new URL('../fixtures/programs/stops-at.mjs', import.meta.url).href;
    this.daemon = await this.stage.startProcess(aide?.command ?? ['aide'], {
      nodeFlags: ['--import', shim],
      env: { STOPS_AT: this.#file },
    });
  }

  async kill(): Promise<void> {
    this.daemon?.signal('SIGKILL');
    await this.daemon?.ended;
  }

  async begin(): Promise<void> {
    await this.start();
    await this.stage.operator.begin(this.stage.configuration);
    this.#operator = this.#fold();
    await this.quiet('order-1');
  }

  async #fold(): Promise<void> {
    while (this.#open) {
      const outcome = await this.stage.operator.slot();
      if (outcome === undefined) await delay(20);
      else {
        this.heard.push(outcome);
        await this.stage.operator.fold(outcome);
      }
    }
  }

  async held(change: () => Promise<void>): Promise<void> {
    const before = this.stage.count('held by the operator');
    await this.stage.operator.hold();
    await eventually('the daemon is held', () => this.stage.count('held by the operator') > before);
    await change();
    await this.stage.operator.release();
  }

  /** Has the daemon stand still before its `point`-th step from now on. */
  async arm(point: number): Promise<void> {
    await writeFile(this.#file, String(point));
  }

  async #disarm(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** Waits until the daemon stands still, or until all is done. True: it stood still and was killed. */
  async killed(done: () => Promise<boolean>): Promise<boolean> {
    const before = this.stage.count('stands still before');
    let stands = false;
    await eventually('it stands still or is done', async () => {
      stands = this.stage.count('stands still before') > before;
      return stands || (await done());
    });
    await this.#disarm();
    // It may have come to its point in just that moment.
    if (!stands) await delay(200);
    stands ||= this.stage.count('stands still before') > before;
    if (stands) {
      await this.kill();
      this.points.push(this.stage.node.lines.findLast((line) => line.startsWith('stands still before')) ?? '');
    }
    return stands;
  }

  async status() {
    return await client.get(nodeStatuses, { namespace: this.stage.namespace, name: nodeStatusName(INTEGRITY, NODE) });
  }

  async names(): Promise<string[]> {
    return (await readdir(this.stage.node.paths.directory)).sort();
  }

  /** Nothing waits or is half done any more, on the disk or in the slot, and the order was carried out. */
  async isQuiet(orderId: string): Promise<boolean> {
    if ((await this.names()).some((name) => /outbox|\.(new|draft)$/.test(name))) return false;
    const last = this.stage.node.lines.findLast((line) => /^(running|aide check returned)/.test(line));
    if (!last?.startsWith('aide check returned')) return false;
    const { baseline, acknowledged } = await this.status();
    return (
      baseline?.orderId === orderId && acknowledged === this.heard.at(-1)?.id && !(await this.stage.operator.slot())
    );
  }

  async quiet(orderId: string): Promise<void> {
    await eventually(`all is done for ${orderId}`, () => this.isQuiet(orderId));
  }

  /** What must be so whenever nothing is under way. */
  async check(orderId: string): Promise<void> {
    const { baseline } = await this.status();
    const text = gunzipSync(await readFile(this.stage.node.paths.database));
    expect(baseline?.orderId).toBe(orderId);
    expect(createHash('sha256').update(text).digest('hex')).toBe(baseline?.digest);
    expect(new Set(this.heard.map(({ id }) => id)).size).toBe(this.heard.length);
    const names = await this.names();
    const backups = names.filter((name) => name.includes('.backup-'));
    expect(backups.filter((name) => name.startsWith('aide.db.gz')).length).toBeLessThanOrEqual(3);
    for (const name of backups.filter((each) => each.startsWith('aide.db.gz'))) {
      const backup = gunzipSync(await readFile(join(this.stage.node.paths.directory, name))).toString();
      expect(backup.trimEnd().endsWith('@@end_db')).toBe(true);
    }
  }

  verdicts(from: number): string[] {
    const all = this.heard.slice(from).flatMap((outcome) => (outcome.kind === 'scan' ? [outcome.verdict] : []));
    return all.filter((verdict, index) => verdict !== all[index - 1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    await this.#operator;
    await this.stage[Symbol.asyncDispose]();
  }
}

async function createScene(): Promise<Scene> {
  const scene = new Scene(await createStage(client, connection));
  await scene.begin();
  await scene.stage.operator.settings({ maxBackups: 2 });
  return scene;
}

describe.skipIf(aide === undefined || !canHaveNodes()).concurrent('a daemon that is killed', () => {
  test('while it makes a baseline makes it all the same, after it has told what that accepts', async () => {
    await using scene = await createScene();
    for (let point = 1; ; point += STRIDE) {
      const orderId = `order-at-${point}`;
      await scene.held(async () => {
        await scene.stage.node.write('etc/app/a', `at ${point}`); // no scan sees it before the baseline
        await scene.stage.operator.order({ id: orderId });
        await scene.arm(point);
      });
      const killed = await scene.killed(() => scene.isQuiet(orderId));
      if (killed) await scene.start();
      await scene.quiet(orderId);
      await scene.check(orderId);
      const told = scene.heard.findIndex((outcome) => outcome.kind === 'scan' && outcome.closes === orderId);
      const made = scene.heard.findIndex(
        (outcome) => outcome.kind === 'baseline' && outcome.receipt.orderId === orderId,
      );
      expect(scene.heard[told]).toMatchObject({ verdict: 'Failed', counts: { added: 0, changed: 1, removed: 0 } });
      expect(told).toBeLessThan(made);
      if (!killed) break;
    }
    expect(scene.points.length * STRIDE).toBeGreaterThan(20);
  }, 240_000);

  test('while it finds and tells a change tells it all the same, and once it is undone that', async () => {
    await using scene = await createScene();
    for (let point = 1; ; point += STRIDE) {
      const from = scene.heard.length;
      const toldFailed = async () => scene.verdicts(from).includes('Failed') && (await scene.isQuiet('order-1'));
      await scene.held(async () => {
        await scene.stage.node.write('etc/app/a', `at ${point}`);
        await scene.arm(point);
      });
      const killed = await scene.killed(toldFailed);
      if (killed) await scene.start();
      await eventually('the change is told', toldFailed);
      await scene.check('order-1');
      await scene.stage.node.write('etc/app/a', 'a\n');
      await scene.stage.scanNow();
      await eventually(
        'the end of it is told',
        async () => scene.verdicts(from).includes('Succeeded') && (await scene.isQuiet('order-1')),
      );
      expect(scene.verdicts(from)).toEqual(['Failed', 'Succeeded']);
      if (!killed) break;
    }
    expect(scene.points.length * STRIDE).toBeGreaterThan(15);
  }, 240_000);

  test('while it puts right what one before it left does so the next time', async () => {
    await using scene = await createScene();
    const { outbox } = scene.stage;
    const { newDatabase, receipt } = scene.stage.node.paths;
    for (let point = 1; ; point += STRIDE) {
      await scene.kill();
      const from = scene.heard.length;
      for (const path of [newDatabase, `${receipt}.draft`, `${outbox}7-x-1.message.json.draft`, `${outbox}x-1.log`]) {
        await writeFile(path, 'half');
      }
      const notices = [11, 12].map((number) => ({
        outcome: {
          kind: 'notice',
          id: `left-${point}-${number}`,
          node: NODE,
          notice: 'UnorderedReinit',
          at: new Date().toISOString(),
          message: 'x',
        },
        number,
      }));
      for (const { outcome, number } of notices) {
        await writeFile(outboxFile(outbox, `${number}-${outcome.id}.message.json`), JSON.stringify({ outcome }));
      }
      const lines = scene.stage.node.lines.length;
      const isDone = async () =>
        scene.stage.node.lines.slice(lines).includes('running aide check') && (await scene.isQuiet('order-1'));
      await scene.arm(point);
      await scene.start();
      const killed = await scene.killed(isDone);
      if (killed) await scene.start();
      await eventually('what was left is told', isDone);
      await scene.check('order-1');
      const ids = scene.heard.slice(from).map(({ id }) => id);
      expect(ids.filter((id) => id.startsWith('left'))).toEqual(notices.map(({ outcome }) => outcome.id));
      if (!killed) break;
    }
    expect(scene.points.length * STRIDE).toBeGreaterThan(10);
  }, 240_000);
});
