import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { configMaps } from '../../src/kube/resources.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { createOperatedDaemon } from '../support/operated-daemon.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

// What the node says of the rules: the real daemon with the real AIDE under the real operator.
const aide = await findRealAide();
const RULES = '/etc/app p+u+g+sha512\n!/ect/noisy\n/bin/ p\n';

describe.skipIf(aide === undefined)('rules that do nothing on the nodes', () => {
  let harness: OperatorHarness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  test('are told with the user’s lines once the baseline is made, and a link with what to watch instead', async () => {
    const { client, namespace } = harness;
    const watched = await createOperatedDaemon(harness, 'idle', { aide: aide?.command ?? ['aide'] });
    onTestFinished(() => watched[Symbol.asyncDispose]());
    await mkdir(join(watched.node.root, 'usr/bin'), { recursive: true });
    await symlink('usr/bin', join(watched.node.root, 'bin'));
    const valid = async () => {
      const { conditions = [] } = (await harness.integrity('idle')).status ?? {};
      return conditions.find(({ type }) => type === 'ConfigurationValid');
    };
    await watched.start();
    await harness.nodeSays('idle', watched.name, 'IntegrityHeld', 'True NoChanges');
    expect((await valid())?.message).not.toContain('link');

    const data = { 'aide.conf': RULES };
    await client.patch(configMaps, { namespace, name: 'idle-rules' }, { data }, { type: 'merge' });
    const link = 'line 3: CONFIG_RULE_LINK: /bin/ leads to a link, which AIDE does not follow: watch /usr/bin/ as well';
    await eventually('it is told', async () => {
      const { status, reason, message = '' } = (await valid()) ?? {};
      return (
        status === 'True' &&
        reason === 'Warnings' &&
        message.includes(link) &&
        message.includes('On no node is there anything for: line 2: CONFIG_RULE_IDLE: /ect/noisy leaves out nothing.')
      );
    });
    const told = async () => (await harness.told('ConfigurationWarnings')).filter((message) => message.includes(link));
    await eventually('an event tells it', async () => (await told()).length === 1);
    const { baseline, baselines = [] } = (await harness.status('idle', watched.name)) ?? {};
    expect(baseline?.rules).toMatchObject({ idle: [expect.any(Number)], links: [{ target: '/usr/bin/' }] });
    expect(baselines.map(({ rules }) => rules)).toEqual(baselines.map(() => undefined));
  });
});
