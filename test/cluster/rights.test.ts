import { readFile } from 'node:fs/promises';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { HOLDOFF_ANNOTATION, REINIT_ANNOTATION, UPDATED_ANNOTATION } from '../../src/api/keys.ts';
import { failedName, resultName } from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, daemonSets, leases, nodes, pods, secrets } from '../../src/kube/resources.ts';
import type { Resource } from '../../src/kube/types.ts';
import { readShipped } from '../../src/operator/admission/shipped.ts';
import { eventually } from '../support/eventually.ts';
import { createNamespace } from '../support/namespace.ts';
import { clientAs } from '../support/node-token.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { type Recorder, startRecorder, type Use } from '../support/recorder.ts';
import { connectAsOperator } from '../support/restricted.ts';
import { makeAccount, plainScrape, roleBindings, roles, scrape, serviceAccounts } from '../support/scraper.ts';

type RoleDocument = { kind: string; rules?: PolicyRule[] };

async function rulesOf(file: string, kind: string): Promise<PolicyRule[]> {
  const text = await readFile(new URL(`../../deploy/operator/${file}`, import.meta.url), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as RoleDocument);
  return documents.find((document) => document.kind === kind)?.rules ?? [];
}

/** Each verb of each resource of a rule, as text. */
function rightsOf(rule: PolicyRule): string[] {
  const named = rule.resourceNames?.map((name) => ` ${name}`) ?? [''];
  return (rule.resources ?? []).flatMap((resource) =>
    rule.verbs.flatMap((verb) => named.map((name) => `${verb} ${rule.apiGroups?.[0] ?? ''}/${resource}${name}`)),
  );
}

function textsOf({ verb, group, resource, name }: Use): string[] {
  return [`${verb} ${group}/${resource} ${name}`, `${verb} ${group}/${resource}`];
}

describe('the operator, with the rights in deploy/operator', () => {
  let harness: OperatorHarness;
  let recorder: Recorder;
  let ports: { plainPort: number; securePort: number } | undefined;

  beforeAll(async () => {
    harness = await startHarness();
    await harness.stop();
    const { client, connection, namespace } = harness;
    recorder = await startRecorder(await connectAsOperator(client, connection, namespace));
    const metrics = { plainPort: 0, securePort: 0, onListening: (listening: typeof ports) => (ports = listening) };
    harness.start({ connection: recorder.connection, metrics, policies: await readShipped() });
  });
  afterAll(async () => {
    await harness[Symbol.asyncDispose]();
    await recorder[Symbol.asyncDispose]();
  });

  test('does all of its work, and each right is used', async () => {
    const { client, namespace } = harness;
    const [first, second] = [await harness.addNode(), await harness.addNode()];
    await harness.createIntegrity('rights', { priorityClassName: 'not-there' });
    for (const node of [first, second]) {
      await harness.daemon('rights', node).makeBaseline();
      await harness.daemon('rights', node).report({});
    }
    const lease = { namespace, name: resultName('rights', first) };
    await eventually('there is a lease', async () => await client.find(leases, lease));
    await harness.daemon('rights', first).beat({});
    // A failure of two parts, one of one, a baseline that erases them.
    const failed = { verdict: 'Failed', exitStatus: 4, counts: { added: 0, changed: 1, removed: 0 } } as const;
    const baselineDigest = (await harness.status('rights', first))?.baseline?.digest ?? '';
    const report = { integritylog: 'H4sIAAAAAAAAAwMAAAAAAAAAAAA=' };
    await harness.daemon('rights', first).report({ ...failed, baselineDigest }, [report, report]);
    await harness.daemon('rights', first).report({ ...failed, baselineDigest }, [{ integritylog: 'changed' }]);
    expect(await client.find(configMaps, { namespace, name: failedName('rights', first) })).toBeDefined();
    await harness.annotate('rights', { [HOLDOFF_ANNOTATION]: second, [REINIT_ANNOTATION]: first });
    await harness.statusWhen('rights', first, 'is ordered', ({ orders }) => orders?.baseline.reason === 'Demand');
    await harness.daemon('rights', first).makeBaseline();
    await eventually('the request is done', async () => {
      const found = await client.find(configMaps, { namespace, name: 'rights' });
      return found !== undefined && found.metadata?.annotations?.[UPDATED_ANNOTATION] === undefined;
    });
    await harness.removeNode(second);
    await eventually('its status is gone', async () => !(await harness.status('rights', second)));
    // A user's configuration, and one that is gone.
    const elsewhere = await createNamespace(client, 'user');
    await client.create(configMaps, { metadata: { name: 'mine', namespace: elsewhere }, data: { a: '/etc R\n' } });
    const config = { name: 'mine', namespace: elsewhere, key: 'a' };
    await client.patch(fileIntegrities, { namespace, name: 'rights' }, { spec: { config } }, { type: 'merge' });
    await eventually('it is looked at', () => recorder.uses.some((use) => use.name === 'mine' && use.verb === 'watch'));
    // A daemon set that an earlier operator left.
    const container = { name: 'daemon', image: 'any' };
    const labels = { app: 'aide-before', 'file-integrity.openshift.io/owner': 'before' };
    const template = { metadata: { labels }, spec: { nodeSelector: { none: '' }, containers: [container] } };
    await client.create(daemonSets, {
      metadata: { name: 'aide-before', namespace, labels },
      spec: { selector: { matchLabels: { app: 'aide-before' } }, template },
    });
    await harness.createIntegrity('before');
    await eventually('it makes way', () =>
      recorder.uses.some(({ resource, verb }) => `${verb} ${resource}` === 'delete daemonsets'),
    );
    // Somebody scrapes.
    await eventually('the metrics are served', () => ports);
    const reader = await makeAccount(client, namespace);
    await eventually('the metrics have a certificate', async () => {
      const ca = (await client.find(configMaps, { namespace, name: 'file-integrity-operator-metrics-ca' }))?.data?.[
        'ca.crt'
      ];
      if (ca === undefined || !ports) return false;
      const answer = await scrape({
        port: ports.securePort,
        ca,
        servername: `metrics.${namespace}.svc`,
        token: reader.token,
      });
      return answer.status === 403; // who it is was asked, and whether it may
    });
    await client.patch(
      secrets,
      { namespace, name: 'file-integrity-operator-serving-cert' },
      { data: { 'tls.crt': '' } },
      { type: 'merge' },
    );
    await eventually('it is mended', () =>
      recorder.uses.some(({ resource, verb }) => `${verb} ${resource}` === 'update secrets'),
    );
    expect((await plainScrape(ports?.plainPort ?? 0, '/metrics')).status).toBe(200);

    const used = new Set(recorder.uses.flatMap(textsOf));
    const rules = [
      ...(await rulesOf('operator-rbac.yaml', 'Role')),
      ...(await rulesOf('operator-rbac.yaml', 'ClusterRole')),
    ];
    const unused = rules.flatMap(rightsOf).filter((right) => !used.has(right));
    expect(unused.filter((right) => !ELSEWHERE.includes(right))).toEqual([]);
  });

  test('is refused nothing that it asks for', async () => {
    const rights = new Set(
      [
        ...(await rulesOf('operator-rbac.yaml', 'Role')),
        ...(await rulesOf('operator-rbac.yaml', 'ClusterRole')),
      ].flatMap(rightsOf),
    );
    const missing = recorder.uses.filter((use) => !textsOf(use).some((text) => rights.has(text)));
    expect(missing).toEqual([]);
  });
});

/**
 * What the story above need not come to: its own pod's image, which `e2e` has it look for; a heartbeat of an earlier machine,
 * which the garbage collector may be faster to remove; an event that comes again, as in `kube-events`; `metrics-monitoring`.
 */
const ELSEWHERE = [
  'get /pods',
  'delete coordination.k8s.io/leases',
  'patch /events',
  ...['servicemonitors', 'prometheusrules'].flatMap((kind) =>
    ['list', 'watch', 'create', 'patch'].map((verb) => `${verb} monitoring.coreos.com/${kind}`),
  ),
];

describe('the daemon’s account, with the rights in deploy/operator', () => {
  let admin: Client;
  let daemon: Client;
  let namespace: string;
  const stack = new AsyncDisposableStack();

  beforeAll(async () => {
    admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
    namespace = await createNamespace(admin, 'daemon-rights');
    const serviceAccount = 'file-integrity-daemon';
    await admin.create(serviceAccounts, { metadata: { name: serviceAccount, namespace } });
    const rules = await rulesOf('daemon-rbac.yaml', 'Role');
    await admin.create(roles, { metadata: { name: 'daemon', namespace }, rules });
    await admin.create(roleBindings, {
      metadata: { name: 'daemon', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'daemon' },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    });
    daemon = stack.use(await clientAs(inject('kubeconfig'), admin, { namespace, serviceAccount, node: 'node-a' }));
  });
  afterAll(() => stack.disposeAsync());

  test('reads statuses and config maps of its namespace', async () => {
    expect((await daemon.list(nodeStatuses, { namespace })).items).toEqual([]);
    expect(await daemon.find(configMaps, { namespace, name: 'worker' })).toBeUndefined();
  });

  test.each<[string, () => Promise<unknown>]>([
    ['changes no FileIntegrity', () => change(fileIntegrities, 'worker', { spec: { debug: true } })],
    ['asks for no re-initialisation', () => change(fileIntegrities, 'worker', annotations(REINIT_ANNOTATION))],
    ['holds nothing', () => change(fileIntegrities, 'worker', annotations(HOLDOFF_ANNOTATION))],
    ['writes no status of its own node', () => change(nodeStatuses, 'worker-node-a', { acknowledged: 'x' })],
    ['writes no status of another node', () => change(nodeStatuses, 'worker-node-b', { acknowledged: 'x' })],
    ['makes no status', () => daemon.create(nodeStatuses, status())],
    ['removes no status', () => daemon.remove(nodeStatuses, ref('worker-node-a'))],
    ['patches no config map', () => change(configMaps, 'worker', {})],
    ['lists no config maps', () => daemon.list(configMaps, { namespace })],
    ['makes no lease', () => daemon.create(leases, { metadata: ref('x') })],
    ['removes no lease', () => daemon.remove(leases, ref('x'))],
    ['reads no secret', () => daemon.find(secrets, ref('file-integrity-operator-serving-cert'))],
    ['makes no pod', () => daemon.create(pods, { metadata: ref('x'), spec: { containers: [] } })],
    ['changes no daemon set', () => change(daemonSets, 'aide-worker', {})],
    ['changes no node', () => daemon.patch(nodes, { name: 'node-a' }, annotations('any'), { type: 'merge' })],
    ['reads no other namespace', () => daemon.find(configMaps, { namespace: 'default', name: 'x' })],
    [
      'writes to no other namespace',
      () => daemon.create(configMaps, { metadata: { namespace: 'default', name: 'x' } }),
    ],
    ['gets no token', () => token()],
  ])('%s', async (_, attempt) => {
    const refused = await attempt().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(ApiError);
    expect(refused).toMatchObject({ status: 403 });
  });

  const ref = (name: string) => ({ namespace, name });
  const annotations = (key: string) => ({ metadata: { annotations: { [key]: '' } } });
  const status = () => ({ apiVersion: API_VERSION, kind: nodeStatuses.kind, metadata: ref('x'), nodeName: 'node-a' });
  const change = (resource: Resource, name: string, patch: object) =>
    daemon.patch(resource, ref(name), patch, { type: 'merge' });
  const token = () =>
    daemon.raw(`/api/v1/namespaces/${namespace}/serviceaccounts/file-integrity-operator/token`, {
      method: 'POST',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    });
});
