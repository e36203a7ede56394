import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { applyObject } from '../../demo/story.ts';
import { AIDE_CONF_LABEL } from '../../src/api/keys.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

const NAME = 'configured';
/** As users of AIDE 0.16 write it: old option names, the node’s own paths. */
const USERS = `@@define DBDIR /var/lib/aide
@@define LOGDIR /var/log/aide
database=file:@@{DBDIR}/aide.db.gz
database_out=file:@@{DBDIR}/aide.db.gz.new
gzip_dbout=yes
verbose=5
report_url=file:@@{LOGDIR}/aide.log
PERMS = p+u+g+acl+selinux+xattrs
CONTENT_EX = sha512+ftype+p+u+g+n+acl+selinux+xattrs
/etc/ CONTENT_EX
!/etc/kubernetes/aide.*
`;

describe.skipIf(!canHaveNodes())('the user’s configuration', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  const put = (text: string) =>
    applyObject(stage, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'my-aide', namespace: NAMESPACE },
      data: { 'my.conf': text },
    });
  const effective = async () =>
    (await stage.client.get(configMaps, { namespace: NAMESPACE, name: NAME })).data?.['aide.conf'] ?? '';
  const named = { config: { name: 'my-aide', namespace: NAMESPACE, key: 'my.conf' } };
  const valid = async () =>
    (await integrity.get()).status?.conditions?.find(({ type }) => type === 'ConfigurationValid');

  beforeAll(async () => {
    stage = await openStage();
    integrity = await createIntegrity(stage, NAME);
    await integrity.phase('Active');
  });
  afterAll(async () => {
    await integrity?.[Symbol.asyncDispose]();
    await stage?.kubectl(['delete', 'configmap', 'my-aide', '-n', NAMESPACE, '--ignore-not-found']);
    await stage?.[Symbol.asyncDispose]();
  });

  test('11: a config map that is named and missing is survived: the default stays, and the user is told', async () => {
    const before = await effective();
    await integrity.change(named);
    await eventually('the user is told', async () => (await valid())?.reason === 'Missing');
    expect((await valid())?.message).toContain(`${NAMESPACE}/my-aide does not exist`);
    expect(await effective()).toBe(before);
    await integrity.nextScan('worker-1');
    await integrity.phase('Active');
  });

  test('10: a new configuration makes the FileIntegrity Initializing, then Active, and is what the nodes are watched by', async () => {
    const phases: string[] = [];
    const { signal, stop } = abortable();
    const watching = watchPhases(stage, NAME, phases, signal);
    await put(USERS);
    await eventually('it is effective', async () => (await effective()).includes('CONTENT_EX'));
    await eventually('it is Active again', async () => phases.join().includes('Initializing,Active'), 120_000);
    stop();
    await watching;
    const node = stage.node('worker-1');
    await node.writeFile('/usr/local/behaviour-10', 'not watched\n');
    expect((await integrity.nextScan('worker-1')).lastResult?.condition).toBe('Succeeded');
    await node.writeFile('/etc/behaviour-10', 'watched\n');
    await integrity.condition('worker-1', 'Failed');
    await node.removeFile('/etc/behaviour-10');
    await node.removeFile('/usr/local/behaviour-10');
    await integrity.condition('worker-1', 'Succeeded');
  });

  test('15: a broken AIDE configuration makes the phase Error with line and reason, and Active once it is mended', async () => {
    const before = await effective();
    await put(USERS.replace('/etc/ CONTENT_EX', '/etc/ NO_SUCH_GROUP'));
    await integrity.phase('Error');
    expect((await valid())?.message).toMatch(/line 10: .*NO_SUCH_GROUP/);
    await eventually('it is told', async () =>
      (await integrity.events('ConfigurationRefused')).join().includes('NO_SUCH_GROUP'),
    );
    // The nodes go on with the last good one.
    expect(await effective()).toBe(before);
    expect((await integrity.nextScan('worker-1')).lastResult?.condition).toBe('Succeeded');
    await put(`${USERS}!/etc/mended\n`);
    await integrity.phase('Active');
    await eventually('the mended one is effective', async () => (await effective()).includes('/hostroot/etc/mended'));
  });

  test('12: the label of the effective configuration is restored when it is removed', async () => {
    await stage.kubectl(['label', 'configmap', NAME, '-n', NAMESPACE, `${AIDE_CONF_LABEL}-`]);
    await eventually('the label is back', async () => {
      const { metadata } = await stage.client.get(configMaps, { namespace: NAMESPACE, name: NAME });
      return metadata?.labels?.[AIDE_CONF_LABEL] === '';
    });
  });

  test('9: removing the user’s configuration from the spec goes back to the default', async () => {
    await integrity.change({ config: { name: null, namespace: null, key: null } });
    await eventually('the default is effective', async () => {
      const text = await effective();
      return text.includes('/hostroot/usr') && !text.includes('CONTENT_EX');
    });
    await integrity.phase('Active');
    await integrity.condition('worker-1', 'Succeeded');
  });
});

function abortable(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

/** Notes each phase that the FileIntegrity goes through, looking as often as it changes. */
async function watchPhases(stage: E2eStage, name: string, phases: string[], signal: AbortSignal): Promise<void> {
  const { createInformer } = await import('../../src/kube/informer.ts');
  const { fileIntegrities } = await import('../../src/api/group.ts');
  const informer = createInformer(stage.client, fileIntegrities, { namespace: NAMESPACE, name });
  informer.onChange(({ object }) => {
    const phase = object.status?.phase;
    if (phase !== undefined && phases.at(-1) !== phase) phases.push(phase);
  });
  await informer.run(signal).catch(() => {});
}
