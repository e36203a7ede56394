import { describe, expect, test } from 'vitest';
import type { Standing } from '../admission/standing.ts';
import type { IntegrityFacts, NodeFacts } from './facts.ts';
import type { ReadFact } from './gauges.ts';
import { createMeters, type Meters } from './meters.ts';

/** `contract.md`, "Metrics": name without the prefix → type and labels. */
const CONTRACT: Readonly<Record<string, { type: 'counter' | 'gauge'; labels: readonly string[] }>> = {
  phase_total: { type: 'counter', labels: ['phase'] },
  error_total: { type: 'counter', labels: ['error'] },
  pause_total: { type: 'counter', labels: ['node'] },
  unpause_total: { type: 'counter', labels: ['node'] },
  reinit_total: { type: 'counter', labels: ['by', 'node'] },
  node_status_total: { type: 'counter', labels: ['condition', 'node'] },
  node_status_error_total: { type: 'counter', labels: ['error', 'node'] },
  daemonset_update_total: { type: 'counter', labels: ['operation'] },
  reinit_daemonset_update_total: { type: 'counter', labels: ['operation'] },
  node_failed: { type: 'gauge', labels: ['node', 'fileintegrity'] },
};

/** Metrics that the existing operator has not. */
const OURS: typeof CONTRACT = {
  node_failure_stands: { type: 'gauge', labels: ['node', 'fileintegrity'] },
  node_last_scan_timestamp_seconds: { type: 'gauge', labels: ['node', 'fileintegrity'] },
  node_state: { type: 'gauge', labels: ['node', 'fileintegrity', 'state'] },
  node_fresh: { type: 'gauge', labels: ['node', 'fileintegrity'] },
  node_unseen_paths: { type: 'gauge', labels: ['node', 'fileintegrity', 'since'] },
  node_unwatched: { type: 'gauge', labels: ['node', 'fileintegrity'] },
  node_baseline_trusted: { type: 'gauge', labels: ['node', 'fileintegrity'] },
  node_baseline_fault: { type: 'gauge', labels: ['node', 'fileintegrity', 'fault'] },
  node_held_since_timestamp_seconds: { type: 'gauge', labels: ['node', 'fileintegrity', 'reason', 'owner'] },
  admission_enforced: { type: 'gauge', labels: [] },
  reads: { type: 'gauge', labels: ['resource'] },
  hold_limit_seconds: { type: 'gauge', labels: ['fileintegrity'] },
  nodes: { type: 'gauge', labels: ['fileintegrity', 'state'] },
  fileintegrity_condition: { type: 'gauge', labels: ['fileintegrity', 'condition', 'status'] },
  notice_total: { type: 'counter', labels: ['node', 'fileintegrity', 'reason'] },
};

const FAILED: NodeFacts = {
  integrity: 'example',
  node: 'one',
  failed: true,
  stands: true,
  scannedAt: new Date(1_700_000_000_500),
  state: 'Failed',
  fresh: true,
  trusted: false,
  fault: 'Replaced',
  unseen: { count: 5, sinceBaseline: 2 },
  unwatched: false,
  hold: { reason: 'Annotation', owner: 'kubectl-annotate', since: new Date(1_700_000_000_000) },
};
const EXAMPLE: IntegrityFacts = {
  integrity: 'example',
  holdLimitSeconds: 3600,
  conditions: [['Ready', 'True']],
  nodes: [
    ['Selected', 1],
    ['Failed', 1],
  ],
};

const metersOf = (
  nodes: readonly NodeFacts[] = [],
  integrities: readonly IntegrityFacts[] = [],
  admission: Standing | undefined = undefined,
  reads: readonly ReadFact[] = [],
) =>
  createMeters({
    nodes: () => nodes,
    integrities: () => integrities,
    admission: () => admission,
    reads: () => reads,
  });

function countEverything(meters: Meters): void {
  meters.phase('Active');
  meters.error('KUBE_UNREACHABLE');
  meters.hold('one', 'begins');
  meters.hold('one', 'ends');
  const request = (id: string) => ({ integrity: 'uid', id, isConfiguration: id === 'configuration' });
  meters.ordered('one', 'NodeUpdate', request('update'));
  meters.ordered('one', 'Demand', request('demand'));
  meters.ordered('one', 'Failed', request('failed'));
  meters.ordered('one', 'Configuration', request('configuration'));
  meters.carriedOut('one', request('demand'), () => []);
  meters.nodeStatus('one', 'Failed', undefined);
  meters.nodeStatus('one', 'Errored', 'AIDE_FAILED');
  meters.told('example', 'one', 'UnorderedReinit');
  meters.daemonSet('update');
}

/** The lines of samples, without the prefix. */
async function samples(meters: Meters): Promise<string[]> {
  const lines = (await meters.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.replace('file_integrity_operator_', ''));
}

describe('the metrics of the contract', () => {
  test('are there under their names, with their types and labels, and nothing else has their prefix but what is known', async () => {
    const meters = metersOf([FAILED], [EXAMPLE], { is: 'enforced', policies: 2 }, [
      { resource: 'nodes', isRead: true },
    ]);
    countEverything(meters);
    const all = await meters.registry.getMetricsAsJSON();
    const seen = all.map(({ name, type, values }) => {
      const labels = Object.keys(values[0]?.labels ?? {});
      return [name.replace('file_integrity_operator_', ''), { type, labels }];
    });
    expect(Object.fromEntries(seen)).toEqual({ ...CONTRACT, ...OURS });
  });

  test('count what they are told, in the words of the contract', async () => {
    const meters = metersOf();
    countEverything(meters);
    expect(await samples(meters)).toEqual(
      expect.arrayContaining([
        'phase_total{phase="Active"} 1',
        'error_total{error="KUBE_UNREACHABLE"} 1',
        'pause_total{node="one"} 1',
        'unpause_total{node="one"} 1',
        'reinit_total{by="node",node="one"} 1',
        'reinit_total{by="demand",node="one"} 2',
        'reinit_total{by="config",node="one"} 1',
        'node_status_total{condition="Failed",node="one"} 1',
        'node_status_total{condition="Errored",node="one"} 1',
        'node_status_error_total{error="AIDE_FAILED",node="one"} 1',
        'daemonset_update_total{operation="update"} 1',
        'reinit_daemonset_update_total{operation="update"} 4',
        'reinit_daemonset_update_total{operation="delete"} 1',
      ]),
    );
  });

  test('begin at 0 where their labels are known, so that the first step is seen', async () => {
    const lines = await samples(metersOf());
    expect(lines).toEqual([
      ...['Pending', 'Initializing', 'Active', 'Error'].map((phase) => `phase_total{phase="${phase}"} 0`),
      ...['update', 'delete', 'podkill'].map((operation) => `daemonset_update_total{operation="${operation}"} 0`),
      ...['update', 'delete'].map((operation) => `reinit_daemonset_update_total{operation="${operation}"} 0`),
    ]);
  });

  test.each<[string, Standing | undefined, string[]]>([
    ['in force', { is: 'enforced', policies: 2 }, ['admission_enforced 1']],
    ['not in force', { is: 'not-enforced', faults: ['x'] }, ['admission_enforced 0']],
    ['not to be read', { is: 'unknown', reason: 'Unreadable', message: 'x' }, ['admission_enforced 0']],
    ['not read yet', { is: 'unknown', reason: 'NotRead', message: 'x' }, []],
    ['nobody’s concern', undefined, []],
  ])('say whether the admission policies are %s', async (_, standing, said) => {
    const meters = metersOf([], [], standing);
    expect((await samples(meters)).filter((line) => line.startsWith('admission'))).toEqual(said);
  });

  test('do not count a first baseline as a re-initialisation', async () => {
    const meters = metersOf();
    meters.ordered('one', 'Initial', { integrity: 'uid', id: 'request', isConfiguration: false });
    const lines = await samples(meters);
    expect(lines.filter((line) => line.startsWith('reinit_total'))).toEqual([]);
    expect(lines).toContain('reinit_daemonset_update_total{operation="update"} 0');
  });
});

describe('the gauges of nodes', () => {
  test('show each FileIntegrity’s verdict of a node on its own: one does not clear the other’s', async () => {
    const meters = metersOf([FAILED, { ...FAILED, integrity: 'other', failed: false, scannedAt: undefined }]);
    const lines = await samples(meters);
    expect(lines.filter((line) => /^node_(failed|last_scan)/.test(line))).toEqual([
      'node_failed{node="one",fileintegrity="example"} 1',
      'node_failed{node="one",fileintegrity="other"} 0',
      'node_last_scan_timestamp_seconds{node="one",fileintegrity="example"} 1700000000.5',
    ]);
  });

  test('show what is true at the scrape, and nothing of a node that is gone', async () => {
    let verdicts = [FAILED];
    const meters = createMeters({ nodes: () => verdicts, integrities: () => [] });
    expect(await samples(meters)).toContain('node_failed{node="one",fileintegrity="example"} 1');
    verdicts = [];
    expect((await samples(meters)).filter((line) => line.includes('node="'))).toEqual([]);
  });

  test('show what the node is now, its baseline and its hold', async () => {
    const lines = await samples(metersOf([FAILED]));
    expect(lines).toEqual(
      expect.arrayContaining([
        'node_state{node="one",fileintegrity="example",state="Failed"} 1',
        'node_fresh{node="one",fileintegrity="example"} 1',
        'node_baseline_trusted{node="one",fileintegrity="example"} 0',
        'node_baseline_fault{node="one",fileintegrity="example",fault="Replaced"} 1',
        'node_unseen_paths{node="one",fileintegrity="example",since="before"} 3',
        'node_unseen_paths{node="one",fileintegrity="example",since="baseline"} 2',
        'node_held_since_timestamp_seconds{node="one",fileintegrity="example",reason="Annotation",owner="kubectl-annotate"} 1700000000',
      ]),
    );
  });

  test('have no series for what is not so, or not known', async () => {
    const well: NodeFacts = { ...FAILED, fresh: undefined, fault: undefined, unseen: undefined, hold: undefined };
    const lines = await samples(metersOf([well]));
    expect(lines.filter((line) => /^node_(fresh|baseline_fault|unseen|held)/.test(line))).toEqual([]);
  });

  test('know few owners of holds, whatever clients call themselves', async () => {
    const nodes = Array.from({ length: 500 }, (_, number): NodeFacts => {
      const hold = { reason: 'Annotation', owner: number % 2 ? `client-${number}` : 'a "b"\n', since: new Date(0) };
      return { ...FAILED, node: `node-${number}`, hold };
    });
    const owners = (await samples(metersOf(nodes))).flatMap((line) => /owner="([^"]*)"/.exec(line)?.[1] ?? []);
    expect(owners).toHaveLength(500);
    expect(new Set(owners).size).toBe(101);
  });
});

describe('the gauges of FileIntegrities', () => {
  test('show their nodes, conditions and limit', async () => {
    const lines = (await samples(metersOf([], [EXAMPLE]))).filter((line) => line.includes('fileintegrity="'));
    expect(lines).toEqual([
      'hold_limit_seconds{fileintegrity="example"} 3600',
      'nodes{fileintegrity="example",state="Selected"} 1',
      'nodes{fileintegrity="example",state="Failed"} 1',
      'fileintegrity_condition{fileintegrity="example",condition="Ready",status="True"} 1',
    ]);
  });
});

describe('what was done on a node past the operator', () => {
  const notices = async (meters: Meters) =>
    (await samples(meters)).filter((line) => line.startsWith('notice_total') && line.includes('UnorderedReinit'));

  test('begins at 0 for each node, is counted, and goes with the node', async () => {
    let nodes = [FAILED];
    const meters = createMeters({ nodes: () => nodes, integrities: () => [] });
    const series = 'notice_total{node="one",fileintegrity="example",reason="UnorderedReinit"}';
    expect(await notices(meters)).toEqual([`${series} 0`]);
    meters.told('example', 'one', 'UnorderedReinit');
    meters.told('example', 'one', 'NodeIntegrityStatus');
    expect(await notices(meters)).toEqual([`${series} 1`]);
    // Its status is there for a moment longer than the node.
    meters.forget('one');
    expect(await notices(meters)).toEqual([`${series} 0`]);
    nodes = [];
    expect(await notices(meters)).toEqual([]);
  });
});

describe('what nodes bring', () => {
  test('an error is counted by its code; a text that a node made up does not become a label', async () => {
    const meters = metersOf();
    meters.nodeStatus('one', 'Errored', 'disk "sda"\nfailed');
    meters.nodeStatus('one', 'Errored', undefined);
    for (let number = 0; number < 500; number++) meters.nodeStatus('one', 'Errored', `CODE_${number}`);
    const errors = (await samples(meters)).filter((line) => line.startsWith('node_status_error_total'));
    expect(errors.length).toBeLessThanOrEqual(102);
    expect(errors).toContain('node_status_error_total{error="UNKNOWN",node="one"} 1');
  });

  test('the counters of a node that is gone go with it, and those of others stay', async () => {
    const meters = metersOf();
    countEverything(meters);
    meters.hold('two', 'begins');
    meters.forget('one');
    const perNode = (await samples(meters)).filter((line) => line.includes('node="'));
    expect(perNode).toEqual(['pause_total{node="two"} 1']);
  });
});
