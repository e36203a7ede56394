import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { IMAGE } from '../../image/build.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { leases } from '../../src/kube/resources.ts';
import { type Gate, startGate } from '../support/gate.ts';
import type { Recorder } from './history.ts';

/** Where operators run. */
export interface OperatorsOptions {
  readonly admin: Client;
  /** As the operator's own service account. */
  readonly connection: Connection;
  readonly namespace: string;
  readonly recorder: Recorder;
  /** The words that start AIDE, which checks users' configurations; without them there are none. */
  readonly aide: readonly [string, ...string[]] | undefined;
  /** Gets what the operators say. */
  readonly logFile: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly gate: Gate;
  readonly number: number;
  /** We end it ourselves. */
  isEnding: boolean;
  said: string;
}

/** Long enough for a plan and its writes, in milliseconds. */
const PATIENCE_MS = 3000;

/** The real operator in processes of its own, each behind a gate; at least one is to run, as a Deployment sees to. */
export class Operators {
  readonly #options: OperatorsOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'fio-history-operator-'));
  readonly #running = new Set<Running>();
  readonly #log: NodeJS.WritableStream;
  #count = 0;
  #isClosing = false;

  constructor(options: OperatorsOptions) {
    this.#options = options;
    this.#log = createWriteStream(options.logFile);
    mkdirSync(join(this.#folder, 'bin'));
    // When this process is ended before it could end them.
    process.once('exit', () => {
      for (const { child } of this.#running) child.kill('SIGKILL');
    });
    const { aide } = options;
    if (aide === undefined) return;
    const quoted = aide.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    writeFileSync(join(this.#folder, 'bin/aide'), `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`, { mode: 0o755 });
  }

  get count(): number {
    return this.#running.size;
  }

  async start(): Promise<void> {
    this.#count += 1;
    const number = this.#count;
    const gate = await startGate(this.#options.connection);
    const kubeconfig = join(this.#folder, `kubeconfig-${number}`);
    writeFileSync(kubeconfig, await kubeconfigOf(gate.connection), { mode: 0o600 });
    const project = fileURLToPath(new URL('../..', import.meta.url));
    const flags = ['--namespace', this.#options.namespace, '--image', IMAGE];
    const ports = ['--probe-port', '0', '--metrics-port', '0', '--secure-metrics-port', '0'];
    const words = [join(project, 'src/bin/fio.ts'), 'operator', ...flags, ...ports, '--kubeconfig', kubeconfig];
    const child = spawn(process.execPath, [...words, '--log-level', 'warn'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PATH: [join(this.#folder, 'bin'), process.env.PATH].join(delimiter),
        NODE_COMPILE_CACHE: join(this.#folder, 'cache'),
      },
    });
    const running: Running = { child, gate, number, isEnding: false, said: '' };
    this.#running.add(running);
    this.#options.recorder.record({ type: 'operator', what: 'started' });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        running.said = `${running.said}${chunk}`.slice(-2000);
        this.#log.write(`${number}: ${chunk}`);
      });
    }
    child.once('exit', () => void this.#ended(running));
  }

  /** Kills one that leads when it has written so often more, or after some seconds, and starts another. */
  async killAfter(writes: number): Promise<void> {
    const [running] = this.#running;
    if (running === undefined) return;
    running.gate.shutAfter(writes);
    await Promise.race([running.gate.shut(), delay(PATIENCE_MS)]);
    await this.#kill(running);
    await this.#freeLease();
    if (this.#running.size === 0) await this.start();
  }

  /** As SIGTERM does it. */
  async restart(): Promise<void> {
    const [running] = this.#running;
    if (running === undefined) return;
    running.isEnding = true;
    this.#options.recorder.record({ type: 'operator', what: 'stopped' });
    running.child.kill('SIGTERM');
    await Promise.race([once(running.child, 'exit'), delay(10_000)]);
    await this.#kill(running);
    if (this.#running.size === 0) await this.start();
  }

  /** Another one takes over when the first has not renewed its lease for long enough. */
  async changeLeader(how: 'kill' | 'freeze'): Promise<void> {
    const [first] = this.#running;
    if (first === undefined) return;
    await this.start();
    const before = await this.#holder();
    if (how === 'kill') {
      await this.#kill(first);
    } else {
      this.#options.recorder.record({ type: 'operator', what: 'frozen' });
      first.child.kill('SIGSTOP');
    }
    const deadline = performance.now() + 40_000;
    while ((await this.#holder()) === before && performance.now() < deadline) await delay(250);
    // What it had in hand when it was frozen, it does now, until it learns that it does not lead any more.
    first.isEnding = true;
    first.child.kill('SIGCONT');
    await Promise.race([once(first.child, 'exit'), delay(15_000)]);
    await this.#kill(first);
  }

  cut(): void {
    for (const { gate } of this.#running) gate.cut();
  }

  loseAnswers(count: number): void {
    for (const { gate } of this.#running) gate.loseAnswers(count);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const running of [...this.#running]) await this.#kill(running);
    await new Promise<void>((resolve) => this.#log.end(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #kill(running: Running): Promise<void> {
    const { child, gate } = running;
    if (child.exitCode === null && child.signalCode === null) {
      running.isEnding = true;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      this.#options.recorder.record({ type: 'operator', what: 'killed' });
    }
    this.#running.delete(running);
    await gate[Symbol.asyncDispose]();
  }

  /** One that ends by itself is started again, and told of. */
  async #ended(running: Running): Promise<void> {
    this.#running.delete(running);
    if (running.isEnding || this.#isClosing) return;
    const { exitCode, signalCode } = running.child;
    const said = `${exitCode ?? signalCode}: ${running.said.trim()}`;
    this.#options.recorder.record({ type: 'operator', what: 'ended', said });
    await running.gate[Symbol.asyncDispose]();
    await delay(500);
    if (!this.#isClosing && this.#running.size === 0) await this.start();
  }

  async #holder(): Promise<string | undefined> {
    const lease = await this.#options.admin.find(leases, this.#lease()).catch(() => undefined);
    return lease?.spec?.holderIdentity;
  }

  /** One that was killed cannot give its lease back. Nobody else holds it: what would be waited for is 15 s of nothing. */
  async #freeLease(): Promise<void> {
    const patch = { spec: { holderIdentity: '' } };
    // Nobody but the operator writes its lease, administrators included.
    await using client = createClient(this.#options.connection, { userAgent: 'history' });
    await client.patch(leases, this.#lease(), patch, { type: 'merge' }).catch(() => {});
  }

  #lease() {
    return { namespace: this.#options.namespace, name: 'file-integrity-operator' };
  }
}

/** The gate puts the operator's own token in the place of this one. */
async function kubeconfigOf({ server, credentials }: Connection): Promise<string> {
  const { tls } = await credentials();
  const authority = Buffer.from(String(tls.ca)).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'gate', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'gate', user: { token: 'none' } }],
    contexts: [{ name: 'gate', context: { cluster: 'gate', user: 'gate' } }],
    'current-context': 'gate',
  });
}
