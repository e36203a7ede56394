import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

describe.skipIf(!canHaveNodes())('two FileIntegrities on one node', () => {
  let stage: E2eStage;
  let first: Integrity;
  let second: Integrity;

  beforeAll(async () => {
    stage = await openStage();
    first = await createIntegrity(stage, 'first');
    await first.condition('worker-1', 'Succeeded');
    second = await createIntegrity(stage, 'second');
    await second.condition('worker-1', 'Succeeded');
  });
  afterAll(async () => {
    await second?.[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const digests = async () =>
    [await first.status('worker-1'), await second.status('worker-1')].map((status) => status?.baseline?.digest);

  test('each has a database of its own, and neither takes the other’s for its own', async () => {
    const { stdout } = await stage.node('worker-1').exec(['ls', '/etc/kubernetes']);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['aide.db.gz', 'aide.second.db.gz']));
    await first.nextScan('worker-1');
    expect((await first.condition('worker-1', 'Succeeded')).lastResult?.baselineFault).toBeUndefined();
  });

  test('both say so, and name the nodes', async () => {
    for (const [one, other] of [
      [first, 'second'],
      [second, 'first'],
    ] as const) {
      const { stdout } = await stage.kubectl([
        'wait',
        '-n',
        'openshift-file-integrity',
        `fileintegrity/${one.name}`,
        '--for=condition=Exclusive=False',
        '--timeout=60s',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Exclusive")].message}',
      ]);
      expect(stdout).toContain(other);
      expect(stdout).toContain('worker-1');
    }
  });

  test('both find a change, and one accepts it without the other', async () => {
    await stage.node('worker-1').writeFile('/etc/of-two', 'new\n');
    await Promise.all([first.condition('worker-1', 'Failed'), second.condition('worker-1', 'Failed')]);
    const [before] = await digests();
    await second.annotate('file-integrity.openshift.io/re-init', 'worker-1');
    await second.condition('worker-1', 'Succeeded');
    await first.nextScan('worker-1');
    expect((await first.status('worker-1'))?.lastResult?.condition).toBe('Failed');
    expect((await digests())[0]).toBe(before);
  });

  test('neither scans while something else holds the lock on the node', async () => {
    const node = stage.node('worker-1');
    const holder = node.exec([
      'flock',
      '/etc/kubernetes/aide.lock',
      'sh',
      '-c',
      'date -u +%s%3N; sleep 25; date -u +%s%3N',
    ]);
    const { stdout } = await holder;
    const [from = 0, to = 0] = stdout.trim().split('\n').map(Number);
    expect(to - from).toBeGreaterThan(20_000);
    for (const integrity of [first, second]) {
      const finished: number[] = [];
      // The scan after it, by whose end the one before it is known, too.
      await eventually(`${integrity.name} has scanned again`, async () => {
        const { lastScan } = (await integrity.status('worker-1')) ?? {};
        finished.push(Date.parse(lastScan?.finishedAt ?? ''));
        return (finished.at(-1) ?? 0) > to;
      });
      expect(finished.filter((time) => time > from + 2000 && time < to)).toEqual([]);
    }
  });
});
