import { X509Certificate } from 'node:crypto';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createAuthority, issueCertificate } from '../../devcluster/certificates.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, secrets, services } from '../../src/kube/resources.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { AUTHORITY_CONFIG_MAP, SERVING_SECRET } from '../../src/operator/metrics/serving-secret.ts';
import { customResourceDefinitions } from '../../src/operator/monitoring/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { connectAsOperator } from '../support/restricted.ts';
import { grantMetrics, makeAccount, plainScrape, type Scrape, scrape } from '../support/scraper.ts';

// The certificate of the metrics: made, renewed and taken from others while the operator runs.

const DAY_MS = 24 * 60 * 60 * 1000;
/** Good for 3 s, renewed after 1 s. */
const SHORT = { authorityMs: 3650 * DAY_MS, servingMs: 3_000, renewMs: 2_000 };

let harness: OperatorHarness;
let ports: { plainPort: number; securePort: number };
let servername: string;
let token: string;
let lines: string[];

const log = pino({ level: 'info', base: null }, { write: (line: string) => lines.push(JSON.parse(line).msg) });
const metrics = {
  plainPort: 0,
  securePort: 0,
  onListening: (listening: typeof ports) => {
    ports = listening;
  },
};

/** Starts the operator again. */
async function restart(options: Parameters<OperatorHarness['start']>[0] = {}): Promise<void> {
  await harness.stop();
  lines = [];
  harness.start(options);
}

beforeAll(async () => {
  lines = [];
  harness = await startHarness({ metrics, log });
  const { client, namespace } = harness;
  servername = `metrics.${namespace}.svc`;
  const account = await makeAccount(client, namespace);
  token = account.token;
  await grantMetrics(client, namespace, account.name);
});
afterAll(() => harness[Symbol.asyncDispose]());

const read = (ca: string): Promise<Scrape> => scrape({ port: ports.securePort, ca, servername, token });

/** The first answer that is one. @param ca whom to trust; left out: whoever is published at the time */
async function firstRead(ca?: string, isIt: (answer: Scrape) => boolean = () => true): Promise<Scrape> {
  let found: Scrape | undefined;
  await eventually('the metrics are served', async () => {
    const answer = await read(ca ?? (await publishedAuthority())).catch(() => undefined);
    if (answer?.status === 200 && isIt(answer)) found = answer;
    return found;
  });
  if (!found) throw new Error('never');
  return found;
}

async function publishedAuthority(): Promise<string> {
  const { client, namespace } = harness;
  const ref = { namespace, name: AUTHORITY_CONFIG_MAP };
  await eventually('the authority is published', () => client.find(configMaps, ref));
  return (await client.get(configMaps, ref)).data?.['ca.crt'] ?? '';
}

const servingSecret = (): Promise<Secret> =>
  harness.client.get(secrets, { namespace: harness.namespace, name: SERVING_SECRET });

const certificateIn = ({ data }: Secret) =>
  new X509Certificate(Buffer.from(data?.['tls.crt'] ?? '', 'base64').toString());

function encode(entries: Record<string, string>): Record<string, string> {
  const encoded = Object.entries(entries).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return Object.fromEntries(encoded);
}

async function setEntries(entries: Record<string, string>): Promise<void> {
  const { client, namespace } = harness;
  const ref = { namespace, name: SERVING_SECRET };
  await client.patch(secrets, ref, { data: encode(entries) }, { type: 'merge' });
}

describe('where nobody else makes one, the operator makes a certificate', () => {
  test('and publishes the authority that vouches for it, but not the authority’s key', async () => {
    const { client, namespace } = harness;
    const ca = await publishedAuthority();
    await firstRead(ca);
    const published = await client.get(configMaps, { namespace, name: AUTHORITY_CONFIG_MAP });
    expect(Object.keys(published.data ?? {})).toEqual(['ca.crt']);
    expect(new X509Certificate(ca).ca).toBe(true);
    expect(new X509Certificate(ca).checkHost(servername)).toBeUndefined();
    expect(lines).toContain('metrics: made a certificate, because there was none');
  });

  test('which a restart leaves as it is', async () => {
    const { serialNumber } = await firstRead();
    await restart();
    expect((await firstRead()).serialNumber).toBe(serialNumber);
  });

  test('and publishes the authority again when that is deleted or overwritten', async () => {
    const { client, namespace } = harness;
    const ref = { namespace, name: AUTHORITY_CONFIG_MAP };
    const ca = await publishedAuthority();
    await client.remove(configMaps, ref);
    expect(await publishedAuthority()).toBe(ca);
    await client.patch(configMaps, ref, { data: { 'ca.crt': 'mine' } }, { type: 'merge' });
    await eventually('it is back', async () => (await publishedAuthority()) === ca);
  });

  test('and a new one, with another authority, when the secret is deleted', async () => {
    const { client, namespace } = harness;
    const ca = await publishedAuthority();
    await client.remove(secrets, { namespace, name: SERVING_SECRET });
    await eventually('another authority is published', async () => (await publishedAuthority()) !== ca);
    await firstRead();
    await expect(read(ca)).rejects.toThrow(); // who trusts the old one only
  });

  test('and makes good what somebody breaks in it', async () => {
    const before = certificateIn(await servingSecret());
    await setEntries({ 'tls.key': 'garbage' });
    await eventually('another certificate is in the secret', async () => {
      const secret = await servingSecret();
      return certificateIn(secret).serialNumber !== before.serialNumber;
    });
    const after = certificateIn(await servingSecret());
    await firstRead(undefined, ({ serialNumber }) => serialNumber === after.serialNumber);
  });

  test('and renews one that is near its end, by the same authority', async () => {
    const ca = await publishedAuthority();
    const before = certificateIn(await servingSecret());
    await restart({ metrics: { ...metrics, now: () => new Date(Date.now() + 61 * DAY_MS) } });
    await eventually('it is renewed', () => lines.some((line) => line.includes('because it ends at')));
    const after = certificateIn(await servingSecret());
    expect(after.validToDate.getTime() - before.validToDate.getTime()).toBeGreaterThan(60 * DAY_MS);
    expect(after.checkIssued(new X509Certificate(ca))).toBe(true);
    expect(await publishedAuthority()).toBe(ca);
  });

  test('and renews it again and again while it runs, and scrapers see nothing of it', async () => {
    const { client, namespace } = harness;
    await harness.stop();
    await client.remove(secrets, { namespace, name: SERVING_SECRET });
    await restart({ metrics: { ...metrics, lifetimes: SHORT } });
    const first = await firstRead();
    const ca = await publishedAuthority();
    const serialNumbers = new Set([first.serialNumber]);
    await eventually('two more have been served', async () => {
      serialNumbers.add((await read(ca)).serialNumber); // none of them may fail
      return serialNumbers.size === 3;
    });
    expect(await publishedAuthority()).toBe(ca);
  });

  test('and takes names that are the service’s for names that are not', async () => {
    const { client, namespace } = harness;
    await harness.stop();
    const other = await startHarness({ metrics: { plainPort: 0, securePort: 0 } });
    await eventually('another namespace has its certificate', () =>
      client.find(secrets, { namespace: other.namespace, name: SERVING_SECRET }),
    );
    const { data = {} } = await client.get(secrets, { namespace: other.namespace, name: SERVING_SECRET });
    await other[Symbol.asyncDispose]();
    await client.patch(secrets, { namespace, name: SERVING_SECRET }, { data }, { type: 'merge' });
    await restart();
    await eventually('it is made anew', () => lines.some((line) => line.includes('its names are not the service’s')));
    await firstRead();
  });
});

describe('a certificate that somebody else makes', () => {
  let theirs: { certificate: string; key: string };
  const issue = (user: string) => issueCertificate(theirs, { user, names: [servername] });

  beforeAll(async () => {
    theirs = await createAuthority('a service CA');
    const { client, namespace } = harness;
    await harness.stop();
    await client.remove(secrets, { namespace, name: SERVING_SECRET });
    const { certificate, key } = await issue('first');
    await client.create(secrets, {
      metadata: {
        name: SERVING_SECRET,
        namespace,
        annotations: { 'service.beta.openshift.io/originating-service-name': 'metrics' },
      },
      type: 'kubernetes.io/tls',
      data: encode({ 'tls.crt': certificate, 'tls.key': key }),
    });
    await restart();
  });

  test('is served and left as it is, and no authority of ours is published any more', async () => {
    const { client, namespace } = harness;
    const before = await servingSecret();
    expect((await firstRead(theirs.certificate)).serialNumber).toBe(certificateIn(before).serialNumber);
    await eventually(
      'ours is taken away',
      async () => !(await client.find(configMaps, { namespace, name: AUTHORITY_CONFIG_MAP })),
    );
    expect((await servingSecret()).metadata?.resourceVersion).toBe(before.metadata?.resourceVersion);
  });

  test('is served anew when they renew it, without a restart', async () => {
    const { certificate, key } = await issue('second');
    await setEntries({ 'tls.crt': certificate, 'tls.key': key });
    const { serialNumber } = certificateIn(await servingSecret());
    await firstRead(theirs.certificate, (answer) => answer.serialNumber === serialNumber);
  });

  test('that is garbage changes nothing: the one before it is served, this is told once, and the next one is taken', async () => {
    const { serialNumber } = certificateIn(await servingSecret());
    await setEntries({ 'tls.crt': 'garbage' });
    const told = () => lines.filter((line) => line.includes('cannot be used'));
    await eventually('it is told', () => told().length > 0);
    expect((await read(theirs.certificate)).serialNumber).toBe(serialNumber);
    const { certificate, key } = await issue('third');
    await setEntries({ 'tls.crt': certificate, 'tls.key': key });
    const third = certificateIn(await servingSecret()).serialNumber;
    await firstRead(theirs.certificate, (answer) => answer.serialNumber === third);
    expect(told()).toHaveLength(1);
  });
});

describe('on OpenShift', () => {
  const name = 'probes.security.openshift.io';

  afterAll(async () => {
    await harness.client.remove(customResourceDefinitions, { name });
  });

  test('the service CA’s certificate is waited for, once the service asks for it', async () => {
    const { client, namespace } = harness;
    await harness.stop();
    await client.remove(secrets, { namespace, name: SERVING_SECRET });
    await client.create(services, {
      metadata: {
        name: 'metrics',
        namespace,
        annotations: { 'service.beta.openshift.io/serving-cert-secret-name': SERVING_SECRET },
      },
      spec: { ports: [{ port: 8585 }] },
    });
    await client.create(customResourceDefinitions, groupOfOpenShift(name));
    await eventually('the group is served', () =>
      client.raw('/apis/security.openshift.io').then(
        () => true,
        () => false,
      ),
    );
    await restart();
    await eventually('it waits', () => lines.some((line) => line.includes('OpenShift’s service CA is to make')));
    expect(await client.find(secrets, { namespace, name: SERVING_SECRET })).toBeUndefined();
    // The plain metrics do not wait for it.
    expect((await plainScrape(ports.plainPort, '/metrics')).status).toBe(200);
  });
});

/** Any resource makes its group known. */
function groupOfOpenShift(name: string): KubeObject {
  const [plural, ...group] = name.split('.');
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } };
  const names = { plural, singular: 'probe', kind: 'Probe', listKind: 'ProbeList' };
  return {
    metadata: { name },
    spec: { group: group.join('.'), scope: 'Cluster', names, versions: [version] },
  } as KubeObject;
}

describe('the rights of the operator', () => {
  test('in deploy/operator are enough for its certificate', async () => {
    const { client, namespace } = harness;
    await client.remove(services, { namespace, name: 'metrics' });
    const connection = await connectAsOperator(client, await connectKubeconfig(inject('kubeconfig')), namespace);
    await restart({ connection });
    await firstRead();
    expect(lines.filter((line) => line.startsWith('metrics: the operator has no right'))).toEqual([]);
  });

  test('without those for secrets leave it with the plain metrics, and it says so once', async () => {
    const { client, namespace } = harness;
    await harness.stop();
    await client.remove(secrets, { namespace, name: SERVING_SECRET });
    const admin = await connectKubeconfig(inject('kubeconfig'));
    const connection = await connectAsOperator(
      client,
      admin,
      namespace,
      ({ resources }) => !resources?.includes('secrets'),
    );
    await restart({ connection });
    const told = () => lines.filter((line) => line.includes(SERVING_SECRET));
    await eventually('it says so', () => told().length > 0);
    await eventually('it leads', () => lines.includes('leads'));
    expect((await plainScrape(ports.plainPort, '/metrics')).status).toBe(200);
    await expect(scrape({ port: ports.securePort, ca: '', servername, token })).rejects.toThrow();
    await harness.createIntegrity('unharmed');
    await eventually('it works all the same', async () => (await harness.integrity('unharmed')).status?.phase);
    expect(told()).toHaveLength(1);
  });
});
