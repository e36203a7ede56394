import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../devcluster/lib/run.ts';
import { desiredPrometheusRule } from '../../src/operator/monitoring/alerts.ts';
import { findPrometheus } from '../support/prometheus.ts';

// The rules of the PrometheusRule on series that are made up, evaluated by the real Prometheus's own tool.

const programs = await findPrometheus();

/** Series by name and labels, with a value each 15 seconds: `1x3` is 1 and three times more, `_` none. */
type Series = Readonly<Record<string, string>>;
/** Labels of the alerts that fire, by when, such as `4m`. */
type Expected = Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;

async function evaluate(alert: string, series: Series, expected: Expected): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'fio-alerts-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'rules.json'), JSON.stringify(desiredPrometheusRule('here').spec));
  const input = Object.entries(series).map(([name, values]) => {
    const whole = name.startsWith('leader') ? name : `file_integrity_operator_${name}`;
    return { series: whole.replace(/}$/, ',namespace="here"}'), values };
  });
  const tests = Object.entries(expected).map(([at, alerts]) => ({
    expr: `ALERTS{alertname="${alert}",alertstate="firing"}`,
    eval_time: at,
    exp_samples: alerts.map((labels) => {
      const all = { ...labels, alertname: alert, alertstate: 'firing', namespace: 'here', severity: 'warning' };
      const text = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
      return { labels: `ALERTS{${text.join(',')}}`, value: 1 };
    }),
  }));
  const file = join(directory, 'test.json');
  const whole = { interval: '15s', input_series: input, promql_expr_test: tests };
  writeFileSync(file, JSON.stringify({ rule_files: ['rules.json'], evaluation_interval: '15s', tests: [whole] }));
  const { code, stdout, stderr } = await run([programs?.promtool ?? '', 'test', 'rules', file]);
  expect({ code, said: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, said: '' });
}

const ONE = { node: 'one', fileintegrity: 'example' };
const node = (name: string, pod: string, labels = '') =>
  `${name}{node="one",fileintegrity="example",pod="${pod}"${labels}}`;

describe.skipIf(!programs)('the alert', () => {
  test('NodeHasIntegrityFailure is the contract’s', async () => {
    await evaluate(
      'NodeHasIntegrityFailure',
      { [node('node_failed', 'a')]: '0x4 1x20 0x4' },
      { '1m': [], '3m': [ONE], '7m': [] },
    );
  });

  test('NodeIntegrityFailureStands fires when the last scan after a failure could not be done, until it is dealt with', async () => {
    const series = { [node('node_failed', 'a')]: '0x4 1x8 0x20', [node('node_failure_stands', 'a')]: '0x4 1x20 0x8' };
    const alert = 'NodeIntegrityFailureStands';
    await evaluate(alert, series, { '1m': [], '2m30s': [], '3m45s': [ONE], '6m': [ONE], '7m': [] });
  });

  test('NodeIntegrityScanStale fires a minute after a node is no longer fresh, and ends when it is', async () => {
    const series = { [node('node_fresh', 'a')]: '1x8 0x20 1x8' };
    await evaluate('NodeIntegrityScanStale', series, {
      '2m': [],
      '2m30s': [],
      '4m': [ONE],
      '7m15s': [ONE],
      '7m30s': [],
    });
  });

  test('NodeIntegrityScanStale goes on while the operator is restarted', async () => {
    const series = {
      [node('node_fresh', 'a')]: '0x12 stale _x60',
      [node('node_fresh', 'b')]: '_x24 0x48',
    };
    await evaluate('NodeIntegrityScanStale', series, {
      '2m': [ONE],
      '4m': [ONE],
      '5m45s': [ONE],
      '8m': [ONE],
      '15m': [ONE],
    });
  });

  test('NodeIntegrityScanStale says nothing of a node whose first scan is to come, or of which the operator is gone', async () => {
    await evaluate('NodeIntegrityScanStale', { [node('node_failed', 'a')]: '0x40' }, { '5m': [] });
    await evaluate('NodeIntegrityScanStale', { [node('node_fresh', 'a')]: '1x4 stale _x60' }, { '3m': [], '10m': [] });
  });

  test('NodeNotWatched fires while a node that was watched is not, and goes on while the operator is restarted', async () => {
    const series = {
      [node('node_unwatched', 'a')]: '0x4 1x12 stale _x60',
      [node('node_unwatched', 'b')]: '_x28 1x12 0x40',
    };
    await evaluate('NodeNotWatched', series, { '1m': [], '3m': [ONE], '6m': [ONE], '9m': [ONE], '18m': [] });
  });

  test('NodePartlyUnseen fires for what is not seen since the baseline, and for nothing that was not seen before', async () => {
    const series = {
      [node('node_unseen_paths', 'a', ',since="before"')]: '7x60',
      [node('node_unseen_paths', 'a', ',since="baseline"')]: '0x8 2x20 0x32',
    };
    await evaluate('NodePartlyUnseen', series, { '2m': [], '4m': [ONE], '7m': [ONE], '14m': [] });
  });

  test('NodeHeldTooLong fires when a hold is older than its FileIntegrity allows, whoever holds', async () => {
    const hold = ',reason="NodeUpdating",owner="kubelet"';
    const series = {
      [node('node_held_since_timestamp_seconds', 'a', hold)]: '60x400',
      'hold_limit_seconds{fileintegrity="example",pod="a"}': '3600x400',
      'node_held_since_timestamp_seconds{node="one",fileintegrity="other",pod="a",reason="Annotation",owner="kubectl"}':
        '60x400',
      'hold_limit_seconds{fileintegrity="other",pod="a"}': '7200x400',
    };
    const labels = { ...ONE, reason: 'NodeUpdating', owner: 'kubelet' };
    await evaluate('NodeHeldTooLong', series, { '61m': [], '62m': [], '63m': [labels], '90m': [labels] });
  });

  test('NodeBaselineUntrusted fires with what is the matter, and ends with the scan that is trusted again', async () => {
    const series = {
      [node('node_baseline_trusted', 'a')]: '1x8 0x20 1x20',
      [node('node_baseline_fault', 'a', ',fault="Replaced"')]: '_x8 1x20 stale _x20',
    };
    const fault = { ...ONE, fault: 'Replaced' };
    await evaluate('NodeBaselineUntrusted', series, { '2m': [], '3m': [fault], '7m': [fault], '7m30s': [], '10m': [] });
  });

  test('NodeBaselineUntrusted does not fire for a baseline that is to come, or was adopted', async () => {
    await evaluate('NodeBaselineUntrusted', { [node('node_baseline_trusted', 'a')]: '0x40' }, { '9m': [] });
  });

  test('NodeUnorderedReinit fires with the first trigger file, through a restart, for an hour', async () => {
    const notice = ',reason="UnorderedReinit"';
    const series = {
      [node('notice_total', 'a', notice)]: '0x8 1x8 stale _x300',
      [node('notice_total', 'b', notice)]: '_x24 0x300',
    };
    await evaluate('NodeUnorderedReinit', series, { '2m': [], '3m': [ONE], '10m': [ONE], '50m': [ONE], '65m': [] });
  });

  test('NodeUnorderedReinit is not about other notices', async () => {
    const series = { [node('notice_total', 'a', ',reason="BaselineUnordered"')]: '0x8 1x8' };
    await evaluate('NodeUnorderedReinit', series, { '3m': [] });
  });

  test('FileIntegrityOperatorDown fires when there is no operator for ten minutes, and when none leads', async () => {
    const leads = (values: string) => ({
      'phase_total{phase="Active",pod="a"}': '0x120',
      'leader_election_master_status{name="file-integrity-operator",pod="a"}': values,
    });
    await evaluate('FileIntegrityOperatorDown', leads('1x120'), { '25m': [] });
    await evaluate('FileIntegrityOperatorDown', leads('1x4 0x116'), { '9m': [], '12m': [{}] });
    await evaluate('FileIntegrityOperatorDown', {}, { '9m': [], '10m': [{}] });
    const gone = { 'phase_total{phase="Active",pod="a"}': '0x20 stale _x100' };
    await evaluate('FileIntegrityOperatorDown', gone, { '14m': [], '16m': [{}] });
    // A restart of some minutes is none.
    const restarted = {
      'phase_total{phase="Active",pod="a"}': '0x20 stale _x100',
      'phase_total{phase="Active",pod="b"}': '_x40 0x100',
    };
    await evaluate('FileIntegrityOperatorDown', restarted, { '14m': [], '16m': [], '20m': [] });
  });

  test('FileIntegrityAdmissionNotEnforced fires a minute after the policies are gone, through a restart, until they are back', async () => {
    const series = {
      'admission_enforced{pod="a"}': '1x8 0x12 stale _x60',
      'admission_enforced{pod="b"}': '_x24 0x16 1x20',
    };
    const told = { '2m': [], '4m': [{}], '5m45s': [{}], '9m45s': [{}], '10m30s': [] };
    await evaluate('FileIntegrityAdmissionNotEnforced', series, told);
    await evaluate(
      'FileIntegrityAdmissionNotEnforced',
      { 'phase_total{phase="Active",pod="a"}': '0x40' },
      { '9m': [] },
    );
  });

  test('FileIntegrityOperatorDown fires as well for an operator that leads and cannot read', async () => {
    const leads = (reads: string) => ({
      'phase_total{phase="Active",pod="a"}': '0x120',
      'leader_election_master_status{name="file-integrity-operator",pod="a"}': '1x120',
      'reads{resource="configmaps",pod="a"}': reads,
      'reads{resource="pods",pod="a"}': '1x120',
    });
    await evaluate('FileIntegrityOperatorDown', leads('1x120'), { '25m': [] });
    await evaluate('FileIntegrityOperatorDown', leads('1x4 0x116'), { '9m': [], '12m': [{}] });
    await evaluate('FileIntegrityOperatorDown', leads('0x4 1x116'), { '2m': [], '25m': [] });
  });

  test('FileIntegrityOperatorCannotRead names what cannot be read, and ends when it is', async () => {
    const series = {
      'reads{resource="configmaps",pod="a"}': '1x4 0x20 1x20',
      'reads{resource="pods",pod="a"}': '1x44',
    };
    const configmaps = { resource: 'configmaps' };
    await evaluate('FileIntegrityOperatorCannotRead', series, { '2m': [], '4m': [configmaps], '8m': [] });
  });

  test('FileIntegrityConfigurationInvalid fires while the configuration is refused or missing', async () => {
    const condition = (status: string) =>
      `fileintegrity_condition{fileintegrity="example",condition="ConfigurationValid",status="${status}",pod="a"}`;
    const series = { [condition('True')]: '1x8 stale _x20 1x20', [condition('False')]: '_x9 1x19 stale _x20' };
    const example = { fileintegrity: 'example' };
    await evaluate('FileIntegrityConfigurationInvalid', series, {
      '2m': [],
      '4m': [example],
      '6m': [example],
      '8m': [],
    });
  });
});
