import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import {
  AIDE_CONF_LABEL,
  FINDINGS_LABEL,
  HISTORY_LABEL,
  LOG_LABEL,
  NODE_LABEL,
  OUTCOME_ANNOTATION,
  OWNER_LABEL,
  PART_LABEL,
  PARTS_ANNOTATION,
  RECORD_LABEL,
  RESULT_LOG_LABEL,
  SET_ASIDE_LABEL,
} from '../../src/api/keys.ts';
import { failedName, historyName, partName, resultName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { inParallel } from '../../src/operator/inparallel.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// One node, or one user of the namespace where no policy is, has the API server hold as much as it takes, of every kind that
// the operator reads. The operator is the real process, with the flags and the limit of its Deployment.

/** What is put there in all, in MB. With FIO_HOSTILE_MB=1024 it takes some minutes, and 4 GB of the machine's memory. */
const HOSTILE_MB = Number(process.env.FIO_HOSTILE_MB ?? 160);
/** How long all of it may take to be read by an operator that has just started, on a machine that is busy. */
const PATIENCE_MS = 60_000 + HOSTILE_MB * 300;
const MiB = 1024 * 1024;

interface Deployment {
  spec: {
    template: {
      spec: { containers: { env: { name: string; value?: string }[]; resources: { limits: { memory: string } } }[] };
    };
  };
}

function deployed() {
  const file = new URL('../../deploy/operator/deployment.yaml', import.meta.url);
  const [container] = (parse(readFileSync(file, 'utf8')) as Deployment).spec.template.spec.containers;
  const limit = /^(\d+)Mi$/.exec(container?.resources.limits.memory ?? '')?.[1];
  const values = container?.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])) ?? [];
  return { limitBytes: Number(limit) * MiB, env: Object.fromEntries(values) as Record<string, string> };
}

/** The operator as a process. V8 takes half of a container's memory for its heap, where that is 512 MiB. */
function startProcess(namespace: string): ChildProcess {
  const { env, limitBytes } = deployed();
  const flags = ['--namespace', namespace, '--kubeconfig', inject('kubeconfig'), '--log-level', 'warn'];
  const ports = ['--probe-port', '0', '--metrics-port', '0', '--secure-metrics-port', '0'];
  const main = fileURLToPath(new URL('../../src/bin/fio.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [main, 'operator', '--image', 'registry.example/fio:test', ...flags, ...ports],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        ...env,
        NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --max-old-space-size=${limitBytes / MiB / 2}`,
      },
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** The most memory that it has had. */
function peakOf({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Hostile config maps of all kinds, as large as they can be: in their data, their annotations and their labels. */
function* hostileMaps(namespace: string, integrity: string, node: string): Generator<ConfigMap> {
  const text = 'x'.repeat(1_000_000);
  const notes = { 'example.com/note': 'n'.repeat(250_000) };
  const many = Object.fromEntries(
    Array.from({ length: 2000 }, (_, index) => [`example.com/${'l'.repeat(50)}${index}`, 'v'.repeat(60)]),
  );
  const owned = { [OWNER_LABEL]: integrity, [NODE_LABEL]: node };
  const make = (name: string, labels: object, annotations: object = {}, data = { integritylog: text }): ConfigMap => ({
    metadata: { name, namespace, labels: { ...owned, ...labels }, annotations: { ...annotations } },
    data,
  });
  const first = resultName(integrity, node);
  for (let number = 2; number <= 80; number++) yield make(partName(first, number), { [PART_LABEL]: String(number) });
  for (let round = 0; ; round++) {
    const other = `other-${round}-${node}`;
    const failed = failedName(integrity, other);
    const outcome = { [OUTCOME_ANNOTATION]: 'o'.repeat(250_000), [PARTS_ANNOTATION]: '999' };
    yield make(resultName(integrity, other), { [LOG_LABEL]: '' }, outcome);
    yield make(failed, { [RESULT_LOG_LABEL]: '' }, notes);
    yield make(historyName(failed, 1), { [HISTORY_LABEL]: '' }, notes);
    yield make(`aide-conf-${round}`, { [AIDE_CONF_LABEL]: '' }, notes, { integritylog: text });
    yield make(`record-${round}`, { [RECORD_LABEL]: '' }, notes);
    yield make(`aside-${round}`, { [SET_ASIDE_LABEL]: '' });
    yield make(`findings-${round}`, { [FINDINGS_LABEL]: '' });
    yield make(`labels-${round}`, { ...many, [AIDE_CONF_LABEL]: '' }, notes, { integritylog: '' });
    yield make(`notes-${round}`, { [HISTORY_LABEL]: '' }, notes, { integritylog: '' });
    yield make(`escapes-${round}`, { [AIDE_CONF_LABEL]: '' }, { 'example.com/x': '\u0001'.repeat(250_000) });
  }
}

/** How many were put there, and the names of the messages among them. */
async function plant(harness: OperatorHarness, integrity: string, node: string) {
  const maps: ConfigMap[] = [];
  let bytes = 0;
  for (const map of hostileMaps(harness.namespace, integrity, node)) {
    maps.push(map);
    bytes += JSON.stringify(map).length;
    if (bytes >= HOSTILE_MB * 1e6) break;
  }
  const { signal } = new AbortController();
  await inParallel(maps, 4, signal, async (map) => void (await harness.client.create(configMaps, map)));
  const messages = maps.filter(({ metadata }) => metadata?.labels?.[LOG_LABEL] !== undefined);
  return { count: maps.length, messages: messages.map(({ metadata }) => metadata?.name ?? '') };
}

test(
  'whatever lies in the namespace, the operator stays within its memory, and statuses go on',
  async () => {
    const harness = await startHarness();
    onTestFinished(() => harness[Symbol.asyncDispose]());
    const [node, other] = [await harness.addNode(), await harness.addNode()];
    await harness.createIntegrity('memory');
    for (const each of [node, other]) {
      await harness.daemon('memory', each).makeBaseline();
      await harness.daemon('memory', each).report({});
    }
    // The messages so far are out of the way: the next one is sent at once.
    const isGone = async (name: string) =>
      (await harness.client.find(configMaps, { namespace: harness.namespace, name })) === undefined;
    await eventually('what was taken in is removed', () => isGone(resultName('memory', other)));
    await harness.stop();
    const { count, messages } = await plant(harness, 'memory', node);

    const child = startProcess(harness.namespace);
    const ended = once(child, 'exit').then(([code, signal]) => `ended with ${code ?? signal}`);
    const counts = { added: 0, changed: 1, removed: 0 };
    const daemon = harness.daemon('memory', other);
    const scan = daemon.scan({ verdict: 'Failed', exitStatus: 4, counts });
    await daemon.send(scan, [{ integritylog: 'x' }]);
    const started = performance.now();
    const isTaken = async () => (await harness.status('memory', other))?.acknowledged === scan.id;
    const taken = eventually('the result is taken in', isTaken, PATIENCE_MS).then(() => 'taken in');
    expect(await Promise.race([taken, ended])).toBe('taken in');
    const seconds = Math.round((performance.now() - started) / 1000);
    await harness.nodeSays('memory', other, 'IntegrityHeld', 'False Changed');
    await harness.integritySays('memory', 'Ready', 'True Active');
    // What nobody waits for goes.
    for (const name of messages) await eventually(`${name}, of no node, is removed`, () => isGone(name), PATIENCE_MS);
    const peak = peakOf(child);
    process.stdout.write(
      `${count} hostile config maps, ${HOSTILE_MB} MB: a result was taken in after ${seconds} s, peak of the operator ${Math.round(peak / MiB)} MiB\n`,
    );
    expect(peak).toBeLessThan(deployed().limitBytes);
    child.kill('SIGTERM');
    await ended;
  },
  HOSTILE_MB * 2000 + 120_000,
);
