import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_FILES, nodeStatusName } from '../../src/api/names.ts';
import type { BaselineReceipt, Outcome } from '../../src/api/protocol.ts';
import { type NodePaths, nodePaths, outboxOf } from '../../src/daemon/disk/paths.ts';
import { recover } from '../../src/daemon/disk/recovery.ts';
import { createEffects, type Effects } from '../../src/daemon/effects/effects.ts';
import { type Handlers, messageHandlers } from '../../src/daemon/effects/handlers.ts';
import type { MessageRoute } from '../../src/daemon/effects/send.ts';
import { createLog } from '../../src/daemon/log.ts';
import type { Message } from '../../src/daemon/machine/outbox.ts';
import {
  type BaselineEnd,
  type ClosingEnd,
  type Effect,
  type Event,
  initialState,
  type ScanEnd,
  type ScanFacts,
  type State,
} from '../../src/daemon/machine/state.ts';
import { step } from '../../src/daemon/machine/step.ts';
import { changesSentence, compareMounts, recordOf } from '../../src/daemon/scans/mounts.ts';
import { keepReport } from '../../src/daemon/scans/report.ts';
import { watchRecord } from '../../src/daemon/sources/record.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import type { Clock } from './clock.ts';
import type { MessageHappening, Recorder, Subject } from './history.ts';
import {
  compare,
  countMounts,
  countOf,
  type Differences,
  type Machine,
  makeDatabase,
  type SimDatabase,
} from './machine.ts';
import { writeReports } from './sim-report.ts';
import type { KillMoment } from './steps.ts';

export interface SimDaemonOptions {
  readonly subject: Subject;
  readonly namespace: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly connection: Connection;
  readonly recorder: Recorder;
  /** In [0, 1); for what takes time. */
  readonly random: () => number;
  /** Told when it was killed by a moment that had been asked for. */
  readonly onKilled: () => void;
}

const SILENT = createLog(
  () => {},
  () => false,
);

let runs = 0;

/**
 * One process of a daemon: the real state machine with its real ways to the API server and its real outbox on a disk;
 * AIDE, and the disk that it looks at, are the machine's.
 */
export class SimDaemon {
  readonly run: string;
  /** The moment at which it will be killed. */
  killAt: KillMoment | undefined;
  /** How many of the next answers to a message are lost on their way. */
  loseAnswers = 0;
  readonly #options: SimDaemonOptions;
  readonly #client: Client;
  readonly #ended = new AbortController();
  /** Events that came while it was frozen. */
  readonly #frozenMail: Event[] = [];
  #state: State;
  #isFrozen = false;
  readonly #effects: Effects;
  /** What the comparison before a new baseline has written beside the old one. */
  #successor: SimDatabase | undefined;

  constructor(options: SimDaemonOptions) {
    this.#options = options;
    runs += 1;
    this.run = `run${runs.toString(36)}x${Math.floor(options.random() * 1e6).toString(36)}`;
    this.#state = initialState(options.subject.node, this.run);
    this.#client = createClient(options.connection, { userAgent: 'file-integrity-daemon' });
    this.#effects = this.#createEffects();
  }

  get isAlive(): boolean {
    return !this.#ended.signal.aborted;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** How the names of its files on the node begin. */
  get files(): string {
    return this.#state.record?.orders?.files ?? DEFAULT_FILES;
  }

  /** How the names of its waiting messages begin. */
  get outbox(): string {
    const { machine, namespace, subject } = this.#options;
    return outboxOf(machine.root, { namespace, integrity: subject.integrity });
  }

  get #paths(): NodePaths {
    return nodePaths(this.#options.machine.root, this.files);
  }

  get state(): State {
    return this.#state;
  }

  /** Undefined when there is nothing to be done but to wait for the next scan; else what there is. */
  get business(): string | undefined {
    const { record, outbox, heartbeat, beating, activity, configuration } = this.#state;
    if (record === undefined) return 'knows no record';
    if (record.orders === undefined) return 'has no orders';
    if (outbox.queue.length > 0) return `${outbox.queue.length} messages in the outbox`;
    if (outbox.sending !== undefined) return 'sends';
    if (heartbeat !== undefined || beating !== undefined) return 'heartbeat';
    if (activity.kind !== 'idle') return activity.kind;
    if (record.orders.hold !== undefined) return undefined;
    if (configuration.loaded !== record.orders.configuration.digest) return 'has not the configuration';
    if (record.orders.baseline.id !== record.baseline?.orderId) return 'has not carried out its order';
    return undefined;
  }

  async start(): Promise<void> {
    const { subject, namespace } = this.#options;
    this.#tell('started');
    const recovered = await recover(this.outbox, subject.node, SILENT);
    if (!this.isAlive) return;
    this.#effects.numberMessagesAfter(recovered.last);
    this.post({ type: 'recovered', messages: recovered.messages, damaged: recovered.damaged });
    const ref = { namespace, name: nodeStatusName(subject.integrity, subject.node) };
    void watchRecord(this.#client, ref, (record) => this.post({ type: 'record', record }), {
      onError: () => {},
      signal: this.#ended.signal,
    });
    this.lookForTriggers();
  }

  /** As SIGKILL: nothing more is done, and requests on their way may have arrived or not. */
  kill(what: 'killed' | 'stopped' = 'killed'): void {
    if (!this.isAlive) return;
    this.#ended.abort();
    this.#effects.perform({ type: 'exit' });
    void this.#client.close();
    this.#tell(what);
  }

  /** As SIGSTOP: it does nothing, and nobody is told. */
  freeze(on: boolean): void {
    if (!this.isAlive || on === this.#isFrozen) return;
    this.#isFrozen = on;
    this.#tell(on ? 'frozen' : 'thawed');
    if (on) return;
    for (const event of this.#frozenMail.splice(0)) this.post(event);
  }

  /** What the daemon does every ten seconds. */
  lookForTriggers(): void {
    const { machine } = this.#options;
    if (this.#isFrozen || !this.isAlive) return;
    const found = [...machine.triggers].map((path) => ({ path, removed: path.startsWith('/etc/') }));
    for (const { path, removed } of found) if (removed) machine.triggers.delete(path);
    this.post({ type: 'triggers', found });
  }

  /** Has something happen to the state machine. */
  post(event: Event): void {
    if (!this.isAlive) return;
    if (this.#isFrozen) {
      this.#frozenMail.push(event);
      return;
    }
    const { clock, machine, random } = this.#options;
    const before = this.#state;
    const now = { wall: machine.wall().getTime(), mono: clock.mono(), random: random() };
    const next = step(before, event, now);
    this.#state = next.state;
    this.#noteMessages(before, next.state, event);
    for (const effect of next.effects) if (this.isAlive) this.#effects.perform(effect);
  }

  /** The daemon's own ways to the API server and to its outbox; with AIDE it is the machine that works. */
  #handlers(): Handlers {
    const { machine } = this.#options;
    const configuration = `${nodePaths(machine.root).directory}/effective.conf`;
    const own = messageHandlers({ route: this.#route(), configuration, now: () => machine.wall() });
    return {
      ...own,
      scan: async (effect, ends) => ({ type: 'scanned', result: await this.#scan(effect, ends) }),
      close: async (effect, ends) => ({ type: 'closed', result: await this.#close(effect, ends) }),
      baseline: async (effect, ends) => ({ type: 'baselined', result: await this.#makeBaseline(effect, ends) }),
      send: ({ message }, signal) => this.#send(message, () => own.send({ type: 'send', message }, signal)),
      beat: async (effect, signal) => {
        const event = await own.beat(effect, signal);
        if (event?.type === 'beaten') this.#note(effect.outcome, 'heartbeat');
        return event;
      },
      keep: async (effect, number) => {
        if (!this.isAlive) return;
        await own.keep(effect, number);
        this.#note(effect.message.outcome, 'spooled');
      },
      forget: async (effect) => {
        if (this.isAlive) await own.forget(effect);
      },
    };
  }

  #createEffects(): Effects {
    const { clock, subject } = this.#options;
    const info = (text: string) => {
      if (process.env.HISTORY_LOG) console.log(`${subject.node} ${this.run}: ${text}`);
    };
    return createEffects({
      handlers: this.#handlers(),
      log: { info, debug: () => {} },
      post: (event) => this.post(event),
      fail: (error) => {
        if (this.isAlive) throw error; // a mistake of the simulation's
      },
      alarm: (at, ring) => clock.alarm(at, ring),
      signal: this.#ended.signal,
    });
  }

  /** True when the daemon was to be killed now, and was. */
  #dies(moment: KillMoment): boolean {
    if (this.killAt !== moment) return false;
    this.kill();
    this.#options.onKilled();
    return true;
  }

  async #send({ outcome }: Message, send: () => Promise<Event | undefined>): Promise<Event | undefined> {
    if (this.#dies('before-send')) return undefined;
    const sending = send();
    if (this.killAt === 'during-send') {
      await Promise.race([sending, delay(this.#options.random() * 10)]);
      if (this.#dies('during-send')) return undefined;
    }
    const result = await sending;
    if (result?.type === 'stored') this.#note(outcome, 'sent');
    if (this.#dies('after-send')) return undefined;
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      return { type: 'unsent', id: outcome.id, message: 'the answer was lost' };
    }
    return result;
  }

  async #scan(
    { id, files, baseline }: Pick<Extract<Effect, { type: 'scan' | 'close' }>, 'id' | 'files' | 'baseline'>,
    ends: AbortSignal,
  ): Promise<ScanEnd> {
    const { machine, subject, recorder, random } = this.#options;
    const startedAt = machine.wall().toISOString();
    const seen = new Map(machine.files);
    const { mounts } = machine;
    const { database } = machine.disk(files);
    await delay(random() * 20);
    if (this.#dies('during-scan')) return { kind: 'stopped' };
    if (ends.aborted) return { kind: 'stopped' };
    const finishedAt = machine.wall().toISOString();
    const times = { startedAt, finishedAt };
    const common = { type: 'scan' as const, ...subject, run: this.run, id, startedAt, finishedAt };
    if (database === undefined || database === 'damaged') {
      const fault = database === undefined ? 'Missing' : 'Damaged';
      recorder.record({ ...common, verdict: 'Failed', fault });
      const errorMessage = `The database on the node is ${fault.toLowerCase()}.`;
      const facts: ScanFacts = { verdict: 'Failed', ...times, errorMessage, baselineFault: fault };
      const added = [...seen.keys()];
      return await this.#keep(id, facts, { added, changed: [], removed: [] }, ends);
    }
    const found = compare(database, seen);
    // What a daemon finds of mounts goes by what is on record; what is true, by what there was.
    const moved = baseline?.mounts ? compareMounts(mounts, baseline.mounts, true) : [];
    const differences = countOf(found) + countMounts(database, mounts);
    const isReplaced = baseline !== undefined && baseline.digest !== database.digest;
    const verdict = countOf(found) > 0 || moved.length > 0 || isReplaced ? 'Failed' : 'Succeeded';
    const fault = isReplaced && { fault: 'Replaced' as const };
    recorder.record({ ...common, verdict, differences, ...(moved.length > 0 && { mounts: moved.length }), ...fault });
    const sentences = [
      ...(isReplaced ? ['The database on the node was replaced.'] : []),
      ...(moved.length > 0 ? [changesSentence(moved)] : []),
    ];
    const facts: ScanFacts = {
      verdict,
      ...times,
      exitStatus: (found.added.length && 1) + (found.removed.length && 2) + (found.changed.length && 4),
      entries: seen.size,
      baselineDigest: database.digest,
      ...(isReplaced && { baselineFault: 'Replaced' as const }),
      ...(moved.length > 0 && { mountChanges: moved.length }),
      ...(sentences.length > 0 && { errorMessage: sentences.join(' ') }),
    };
    if (verdict === 'Succeeded') return { kind: 'ended', facts };
    facts.counts = { added: found.added.length, changed: found.changed.length, removed: found.removed.length };
    return await this.#keep(id, facts, found, ends);
  }

  async #close(effect: Extract<Effect, { type: 'close' }>, ends: AbortSignal): Promise<ClosingEnd> {
    const { order, files, configuration, baseline } = effect;
    const { machine } = this.#options;
    const { database, receipt } = machine.disk(files);
    this.#successor = undefined;
    const whole = database === 'damaged' ? undefined : database;
    const isDone =
      receipt?.orderId === order.id &&
      receipt.configurationDigest === configuration.digest &&
      receipt.digest === whole?.digest;
    if (isDone) return { kind: 'needless' };
    if (baseline === undefined) {
      if (!whole || (order.reason === 'Initial' && this.#isAdopted(whole, receipt, configuration.digest))) {
        return { kind: 'needless' };
      }
    }
    const seen = { files: new Map(machine.files), mounts: machine.mounts };
    const result = await this.#scan(effect, ends);
    if (result.kind === 'stopped') return result;
    const by = baseline?.configurationDigest ?? configuration.digest;
    if (by !== configuration.digest || !whole) return { ...result, configurationDigest: by };
    this.#successor = makeDatabase(seen);
    const mounts = recordOf(seen.mounts);
    return { ...result, configurationDigest: by, successor: this.#successor.digest, mounts };
  }

  #isAdopted(whole: SimDatabase, receipt: BaselineReceipt | undefined, configurationDigest: string): boolean {
    return !receipt || (receipt.digest === whole.digest && receipt.configurationDigest === configurationDigest);
  }

  /** Leaves the reports of what was found in the outbox. */
  async #keep(id: string, facts: ScanFacts, found: Differences, ends: AbortSignal): Promise<ScanEnd> {
    const { newLog, newJson } = this.#paths;
    const { entries = 0, baselineDigest: digest, finishedAt } = facts;
    try {
      await writeReports(this.#paths, found, { entries, digest, at: new Date(finishedAt) });
      const { outbox } = this;
      const { files: report } = await keepReport({ log: newLog, json: newJson }, { outbox, id }, ends);
      if (ends.aborted) return { kind: 'stopped' };
      const fingerprint = createHash('sha256')
        .update(JSON.stringify([found, facts.errorMessage]))
        .digest('hex');
      return { kind: 'ended', facts, fingerprint, ...(report && { report }) };
    } catch (error) {
      if (ends.aborted) return { kind: 'stopped' };
      throw error;
    }
  }

  async #makeBaseline(
    { order, files, configurationDigest, closing }: Extract<Effect, { type: 'baseline' }>,
    ends: AbortSignal,
  ): Promise<BaselineEnd> {
    const { machine, subject, recorder, random } = this.#options;
    const disk = machine.disk(files);
    const { database, receipt: standing } = disk;
    const whole = database === 'damaged' ? undefined : database;
    if (standing?.orderId === order.id && standing.configurationDigest === configurationDigest) {
      if (whole && whole.digest === standing.digest)
        return { kind: 'made', receipt: { ...standing, reason: order.reason } };
    }
    const receiptOf = (digest: string, entries: number, how: Partial<BaselineReceipt> = {}): BaselineReceipt => ({
      orderId: order.id,
      digest,
      entries,
      configurationDigest,
      aideVersion: '0.19.1',
      bootId: machine.bootId,
      reason: order.reason,
      ...how,
      createdAt: machine.wall().toISOString(),
    });
    if (order.reason === 'Initial' && whole && this.#isAdopted(whole, standing, configurationDigest)) {
      const mounts = recordOf(machine.mounts);
      disk.receipt = receiptOf(whole.digest, whole.files.size, { adopted: true, mounts });
      return { kind: 'made', receipt: disk.receipt };
    }
    if (closing?.successor !== undefined && this.#successor?.digest !== closing.successor) return { kind: 'lost' };
    const made = (closing?.successor !== undefined ? this.#successor : undefined) ?? makeDatabase(machine);
    await delay(random() * 20);
    if (this.#dies('before-receipt') || ends.aborted) return { kind: 'stopped' };
    const refused = order.reason === 'Initial' && database ? { refused: 'It is not what it was.' } : {};
    const compared = closing && { closing: { scan: closing.scan, verdict: closing.verdict } };
    const mounts = recordOf(made.mounts);
    const receipt = receiptOf(made.digest, made.files.size, { mounts, ...refused, ...compared });
    disk.receipt = receipt;
    if (this.#dies('before-database')) return { kind: 'stopped' };
    disk.database = made;
    recorder.record({
      type: 'baseline',
      ...subject,
      run: this.run,
      orderId: order.id,
      reason: order.reason,
      digest: made.digest,
      at: receipt.createdAt,
    });
    if (this.#dies('after-database')) return { kind: 'stopped' };
    return { kind: 'made', receipt };
  }

  #route(): MessageRoute {
    const { namespace, subject } = this.#options;
    const { integrity, node } = subject;
    return { client: this.#client, namespace, integrity, node, outbox: this.outbox };
  }

  #tell(what: 'started' | 'killed' | 'stopped' | 'frozen' | 'thawed'): void {
    this.#options.recorder.record({ type: 'daemon', ...this.#options.subject, run: this.run, what });
  }

  #note(outcome: Outcome, what: MessageHappening['what'], by?: MessageHappening['by']): void {
    const { subject, recorder } = this.#options;
    const { id } = outcome;
    recorder.record({ type: 'message', ...subject, run: this.run, id, ...sketch(outcome), what, ...(by && { by }) });
  }

  #noteMessages(before: State, after: State, event: Event): void {
    const had = new Map(before.outbox.queue.map(({ outcome }) => [outcome.id, outcome]));
    const has = new Map(after.outbox.queue.map(({ outcome }) => [outcome.id, outcome]));
    if (event.type === 'recovered') for (const { outcome } of event.messages) had.set(outcome.id, outcome);
    for (const [id, outcome] of has) if (!had.has(id)) this.#note(outcome, 'queued');
    const isTaken = event.type === 'record' || event.type === 'recovered';
    const newest = after.outbox.queue.at(-1)?.outcome;
    const by = newest && { ...sketch(newest), waiting: has.size };
    for (const [id, outcome] of had) {
      if (has.has(id)) continue;
      if (isTaken) this.#note(outcome, 'acknowledged');
      else this.#note(outcome, 'superseded', by);
    }
  }
}

function sketch(outcome: Outcome): Pick<MessageHappening, 'kind' | 'verdict' | 'fault'> {
  if (outcome.kind !== 'scan') return { kind: outcome.kind };
  const { kind, verdict, baselineFault: fault } = outcome;
  return { kind, verdict, ...(fault && { fault }) };
}
