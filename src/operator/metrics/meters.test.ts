import { describe, expect, test } from 'vitest';
import { createMeters, type Meters, type NodeVerdict } from './meters.ts';

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

const FAILED: NodeVerdict = { integrity: 'example', node: 'one', failed: true, scannedAt: new Date(1_700_000_000_500) };

function countEverything(meters: Meters): void {
  meters.phase('Active');
  meters.error('KUBE_UNREACHABLE');
  meters.hold('one', 'begins');
  meters.hold('one', 'ends');
  meters.ordered('one', 'NodeUpdate');
  meters.ordered('one', 'Demand');
  meters.ordered('one', 'Failed');
  meters.ordered('one', 'Configuration');
  meters.carriedOut();
  meters.nodeStatus('one', 'Failed', undefined);
  meters.nodeStatus('one', 'Errored', 'AIDE_FAILED');
  meters.daemonSet('update');
}

/** The lines of samples, without the prefix. */
async function samples(meters: Meters): Promise<string[]> {
  const lines = (await meters.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.replace('file_integrity_operator_', ''));
}

describe('the metrics of the contract', () => {
  test('are there under their names, with their types and labels, and nothing else has their prefix but what is known', async () => {
    const meters = createMeters(() => [FAILED]);
    countEverything(meters);
    const all = await meters.registry.getMetricsAsJSON();
    const seen = all.map(({ name, type, values }) => {
      const labels = Object.keys(values[0]?.labels ?? {});
      return [name.replace('file_integrity_operator_', ''), { type, labels }];
    });
    const ours = { node_last_scan_timestamp_seconds: { type: 'gauge', labels: ['node', 'fileintegrity'] } };
    expect(Object.fromEntries(seen)).toEqual({ ...CONTRACT, ...ours });
  });

  test('count what they are told, in the words of the contract', async () => {
    const meters = createMeters(() => []);
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
    const lines = await samples(createMeters(() => []));
    expect(lines).toEqual([
      ...['Pending', 'Initializing', 'Active', 'Error'].map((phase) => `phase_total{phase="${phase}"} 0`),
      ...['update', 'delete', 'podkill'].map((operation) => `daemonset_update_total{operation="${operation}"} 0`),
      ...['update', 'delete'].map((operation) => `reinit_daemonset_update_total{operation="${operation}"} 0`),
    ]);
  });

  test('do not count a first baseline as a re-initialisation', async () => {
    const meters = createMeters(() => []);
    meters.ordered('one', 'Initial');
    const lines = await samples(meters);
    expect(lines.filter((line) => line.startsWith('reinit_total'))).toEqual([]);
    expect(lines).toContain('reinit_daemonset_update_total{operation="update"} 0');
  });
});

describe('the gauges of nodes', () => {
  test('show each FileIntegrity’s verdict of a node on its own: one does not clear the other’s', async () => {
    const meters = createMeters(() => [FAILED, { ...FAILED, integrity: 'other', failed: false, scannedAt: undefined }]);
    const lines = await samples(meters);
    expect(lines.filter((line) => line.startsWith('node_'))).toEqual([
      'node_failed{node="one",fileintegrity="example"} 1',
      'node_failed{node="one",fileintegrity="other"} 0',
      'node_last_scan_timestamp_seconds{node="one",fileintegrity="example"} 1700000000.5',
    ]);
  });

  test('show what is true at the scrape, and nothing of a node that is gone', async () => {
    let verdicts = [FAILED];
    const meters = createMeters(() => verdicts);
    expect(await samples(meters)).toContain('node_failed{node="one",fileintegrity="example"} 1');
    verdicts = [];
    expect((await samples(meters)).filter((line) => line.startsWith('node_failed'))).toEqual([]);
  });
});

describe('what nodes bring', () => {
  test('an error is counted by its code; a text that a node made up does not become a label', async () => {
    const meters = createMeters(() => []);
    meters.nodeStatus('one', 'Errored', 'disk "sda"\nfailed');
    meters.nodeStatus('one', 'Errored', undefined);
    for (let number = 0; number < 500; number++) meters.nodeStatus('one', 'Errored', `CODE_${number}`);
    const errors = (await samples(meters)).filter((line) => line.startsWith('node_status_error_total'));
    expect(errors.length).toBeLessThanOrEqual(102);
    expect(errors).toContain('node_status_error_total{error="UNKNOWN",node="one"} 1');
  });

  test('the counters of a node that is gone go with it, and those of others stay', async () => {
    const meters = createMeters(() => []);
    countEverything(meters);
    meters.hold('two', 'begins');
    meters.forget('one');
    const perNode = (await samples(meters)).filter((line) => line.includes('node="'));
    expect(perNode).toEqual(['pause_total{node="two"} 1']);
  });
});
