import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities } from '../../src/api/group.ts';
import { AIDE_CONF_LABEL, OWNER_LABEL, UPDATED_ANNOTATION } from '../../src/api/keys.ts';
import { configMaps, namespaces } from '../../src/kube/resources.ts';
import { findRealAide } from '../support/aide.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';

const aide = await findRealAide();
let harness: OperatorHarness;
let node: string;

beforeAll(async () => {
  harness = await startHarness({ ...(aide && { aide: aide.command }) });
  node = await harness.addNode();
  await harness.createIntegrity('conf');
  await initialized();
});
afterAll(() => harness[Symbol.asyncDispose]());

// What the daemons write on the node must be left out, or the configuration is refused for that.
const OURS = '!/etc/kubernetes/aide\\.\n';
const withGroup = (group: string) => `${group} = p+sha512\n${OURS}/etc ${group}\n/usr ${group}\n`;
const GOOD = withGroup('MINE');
const BAD = `${OURS}/usr NOSUCHGROUP\n`;

/** The node makes the baseline that it is ordered, and scans. */
async function initialized(): Promise<void> {
  await harness.daemon('conf', node).makeBaseline();
  await harness.daemon('conf', node).report({ verdict: 'Succeeded' });
  await harness.phaseWhen('conf', 'Active');
}

function name(config: {
  name?: string | null;
  namespace?: string | null;
  key?: string | null;
}): Promise<FileIntegrity> {
  const { client, namespace } = harness;
  return client.patch(fileIntegrities, { namespace, name: 'conf' }, { spec: { config } }, { type: 'merge' });
}

async function write(map: string, data: Record<string, string>, namespace = harness.namespace): Promise<void> {
  const object = { metadata: { name: map, namespace }, data };
  await harness.client.apply(configMaps, object, { fieldManager: 'test' });
}

const effective = () => harness.client.get(configMaps, { namespace: harness.namespace, name: 'conf' });
const text = async () => (await effective()).data?.['aide.conf'] ?? '';
const digest = async () => (await harness.status('conf', node))?.orders?.configuration.digest;
const configured = (before: string | undefined) =>
  harness.statusWhen(
    'conf',
    node,
    'has another configuration',
    ({ orders }) => orders?.baseline.reason === 'Configuration' && orders.configuration.digest !== before,
  );
async function validWhen(reason: string) {
  let last: FileIntegrity | undefined;
  const condition = () => last?.status?.conditions?.find(({ type }) => type === 'ConfigurationValid');
  await eventually(`the configuration is ${reason}`, async () => {
    last = await harness.integrity('conf');
    return condition()?.reason === reason;
  });
  return { ...condition(), phase: last?.status?.phase };
}

describe('the user’s configuration', () => {
  test('that is not there is told of, the default stands in, and it is taken when it comes', async () => {
    const before = await digest();
    await name({ name: 'mine' });
    const { message, status } = await validWhen('Missing');
    expect(status).toBe('False');
    expect(message).toContain(`The config map ${harness.namespace}/mine does not exist. The default configuration`);
    expect(await digest()).toBe(before);
    await eventually('it is told', async () => (await harness.told('ConfigurationMissing')).includes(message ?? ''));

    await write('mine', { other: GOOD });
    await eventually('the key is missed', async () =>
      (await validWhen('Missing')).message?.startsWith(
        `The config map ${harness.namespace}/mine has no key aide.conf.`,
      ),
    );
    await write('mine', { 'aide.conf': GOOD });
    await configured(before);
    await harness.phaseWhen('conf', 'Initializing');
    expect(await text()).toMatch(/^\/hostroot\/etc MINE$/m);
    await initialized();
    expect((await validWhen('Valid')).message).toBe(`Your configuration ${harness.namespace}/mine:aide.conf is used.`);
  });

  test('that changes re-initialises every node, once', async () => {
    const before = await digest();
    await write('mine', { 'aide.conf': `${GOOD}/boot MINE\n` });
    await configured(before);
    expect(await text()).toContain('/hostroot/boot MINE');
    await initialized();
    const order = (await harness.status('conf', node))?.orders?.baseline;
    await harness.stop();
    harness.start();
    await harness.annotate('conf', { 'file-integrity.openshift.io/holdoff': '' });
    await harness.statusWhen('conf', node, 'is held', ({ orders }) => orders?.hold !== undefined);
    await harness.annotate('conf', { 'file-integrity.openshift.io/holdoff': null });
    await harness.statusWhen('conf', node, 'is released', ({ orders }) => orders?.hold === undefined);
    expect((await harness.status('conf', node))?.orders?.baseline).toEqual(order);
  });

  test('under another key, and in another namespace, is taken from there', async () => {
    const elsewhere = await createNamespace(harness.client, 'elsewhere');
    const before = await digest();
    await write('mine', { 'aide.conf': GOOD, special: withGroup('S') });
    await name({ key: 'special' });
    await configured(before);
    expect(await text()).toContain('/hostroot/etc S');
    await initialized();

    await write('theirs', { special: withGroup('E') }, elsewhere);
    const then = await digest();
    await name({ name: 'theirs', namespace: elsewhere });
    await configured(then);
    expect(await text()).toContain('/hostroot/etc E');
    await initialized();
    // Whoever reads the FileIntegrity need not be allowed to read that config map.
    await write(
      'theirs',
      { special: `/etc R\ndatabase_password=hunter2\n/etc HUNTER2\n${OURS}`, other: 'hunter2' },
      elsewhere,
    );
    const { message } = await validWhen('Refused');
    expect(message).toMatch(/theirs:special was refused: line 2: CONFIG_\w+\. line 3: CONFIG_UNKNOWN_GROUP\./);
    expect(message).not.toMatch(/hunter2|password/i);
    await eventually('it is told', async () => (await harness.told('ConfigurationRefused')).includes(message ?? ''));
    const isMissing = (key: string) => `There is no config map ${elsewhere}/theirs with the key ${key}.`;
    await name({ key: 'none' });
    expect((await validWhen('Missing')).message).toContain(isMissing('none'));
    await harness.client.remove(configMaps, { namespace: elsewhere, name: 'theirs' });
    await name({ key: 'other' });
    await eventually('it is said', async () => (await validWhen('Missing')).message?.includes(isMissing('other')));
    await harness.client.remove(namespaces, { name: elsewhere });
    const last = await digest();
    await name({ name: 'mine', namespace: null, key: 'aide.conf' });
    await configured(last);
    expect(await text()).toContain('MINE');
    await initialized();
  });

  test('that is bad is refused with line and reason; the nodes go on with the last good one; the phase is Error until it is mended', async () => {
    const before = await harness.status('conf', node);
    const good = await effective();
    await write('mine', { 'aide.conf': BAD });
    const { message, phase } = await validWhen('Refused');
    expect(phase).toBe('Error');
    expect(message).toMatch(/mine:aide\.conf was refused: line 2: .*NOSUCHGROUP/);
    expect(message).toContain('The last good one');
    await eventually('it is told', async () =>
      (await harness.events('ConfigurationRefused')).some(
        (event) => event.type === 'Warning' && event.message === message,
      ),
    );
    expect((await effective()).data).toEqual(good.data);
    expect((await harness.status('conf', node))?.orders).toEqual(before?.orders);
    // What is found meanwhile is found by the last good one.
    await harness.daemon('conf', node).report({ verdict: 'Succeeded' });
    expect((await harness.integrity('conf')).status?.phase).toBe('Error');
  });

  test('while the newest is refused is restored, when the effective one is deleted or edited', async () => {
    const { client, namespace } = harness;
    const { data } = await effective();
    const before = (await harness.status('conf', node))?.orders;
    await client.remove(configMaps, { namespace, name: 'conf' });
    await eventually('it is back', async () => {
      const found = await client.find(configMaps, { namespace, name: 'conf' });
      return found?.data?.['aide.conf'] === data?.['aide.conf'];
    });
    await client.patch(configMaps, { namespace, name: 'conf' }, { data: { 'aide.conf': '' } }, { type: 'merge' });
    await eventually('it is back again', async () => (await text()) === data?.['aide.conf']);
    expect((await harness.status('conf', node))?.orders).toEqual(before);

    await write('mine', { 'aide.conf': GOOD });
    await validWhen('Valid');
    await harness.phaseWhen('conf', 'Active');
    expect((await harness.status('conf', node))?.orders).toEqual(before);
  });

  test('that is an output of the operator is refused, and the nodes go on with the last good one', async () => {
    const before = await effective();
    await name({ name: 'conf' });
    const { message } = await validWhen('Refused');
    expect(message).toContain('/conf:aide.conf was refused: CONFIG_OF_OPERATOR: the operator itself writes');
    expect(message).toMatch(/The last good one, \S+mine:aide\.conf as of 20\S+Z, stays in use/);
    expect((await effective()).data).toEqual(before.data);
    await name({ name: 'mine' });
    await validWhen('Valid');
  });

  test('that is named no more gives way to the default', async () => {
    const before = await digest();
    await name({ name: null });
    await configured(before);
    expect(await text()).not.toContain('MINE');
    await initialized();
    expect((await validWhen('Valid')).message).toContain('The default configuration for general Linux nodes');
  });
});

test('of a FileIntegrity that was made again at once, nothing that was good for the one before counts', async () => {
  const { client, namespace } = harness;
  await write('for-again', { 'aide.conf': GOOD });
  await harness.createIntegrity('again', { config: { name: 'for-again' } });
  await harness.statusWhen('again', node, 'has orders', ({ orders }) => orders !== undefined);
  await write('for-again', { 'aide.conf': BAD });
  const said = async () => {
    const { status, metadata } = await harness.integrity('again');
    const condition = status?.conditions?.find(({ type }) => type === 'ConfigurationValid');
    return { uid: metadata.uid, message: condition?.reason === 'Refused' ? condition.message : '' };
  };
  await eventually('the last good one stays', async () => (await said()).message.includes('The last good one'));
  const { uid } = await said();
  await client.remove(fileIntegrities, { namespace, name: 'again' });
  await harness.createIntegrity('again', { config: { name: 'for-again' } });
  let after = await said();
  await eventually('the new one is judged', async () => {
    after = await said();
    return after.uid !== uid && after.message !== '';
  });
  expect(after.message).toContain('The default configuration for general Linux nodes');
  await client.remove(fileIntegrities, { namespace, name: 'again' });
});

describe('the effective configuration', () => {
  test('whose labels, texts or annotations are changed by hand is put right, and what does not belong there goes', async () => {
    const { client, namespace } = harness;
    const ref = { namespace, name: 'conf' };
    const before = await effective();
    await client.patch(configMaps, ref, { metadata: { labels: { [AIDE_CONF_LABEL]: null } } }, { type: 'merge' });
    await eventually('the label is back', async () => (await effective()).metadata?.labels?.[AIDE_CONF_LABEL] === '');
    await client.patch(configMaps, ref, { metadata: { labels: null, ownerReferences: null } }, { type: 'merge' });
    await eventually('labels and owner are back', async () => {
      const { metadata } = await effective();
      return metadata?.labels?.[OWNER_LABEL] === 'conf' && metadata.ownerReferences?.length === 1;
    });
    const stray = { metadata: { annotations: { [UPDATED_ANNOTATION]: 'x' } }, data: { more: 'x' } };
    await client.patch(configMaps, ref, stray, { type: 'merge' });
    await eventually('it is as before', async () => {
      const { data, metadata } = await effective();
      return data?.more === undefined && metadata?.annotations?.[UPDATED_ANNOTATION] === undefined;
    });
    const after = await effective();
    expect(after.data).toEqual(before.data);
    expect(after.metadata?.annotations).toEqual(before.metadata?.annotations);
    await harness.phaseWhen('conf', 'Active');
  });

  test('does not take the place of a user’s own config map of that name, and takes it when it is free', async () => {
    const { client, namespace } = harness;
    await write('taken', { mine: 'precious' });
    await harness.createIntegrity('taken');
    const { status } = await harness.phaseWhen('taken', 'Error');
    expect(status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'False', reason: 'NameTaken' });
    expect((await client.get(configMaps, { namespace, name: 'taken' })).data).toEqual({ mine: 'precious' });
    await eventually('it is told', async () => (await harness.told('NameTaken')).length === 1);
    await client.remove(configMaps, { namespace, name: 'taken' });
    // Any change of the FileIntegrity has it looked at before its time.
    await harness.annotate('taken', { look: 'again' });
    await harness.phaseWhen('taken', 'Initializing');
    await client.remove(fileIntegrities, { namespace, name: 'taken' });
  });
});
