import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { configMaps } from '../../src/kube/resources.ts';
import { type AdmissionObject, idOf, isBinding, KINDS, type Shipped } from '../../src/operator/admission/policies.ts';
import { type AdmissionRecord, readRecord } from '../../src/operator/admission/record.ts';
import { readShipped } from '../../src/operator/admission/shipped.ts';
import type { OperatorOptions } from '../../src/operator/operator.ts';
import { refusal } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorHarness, startHarness } from '../support/operator-harness.ts';
import { connectAsOperator } from '../support/restricted.ts';
import { clusterRoles } from '../support/scraper.ts';

// What the operator says of the policies of deploy/admission, on an API server where they come, go and change. They have
// names of their own here, and hold in this test's namespace only.
let harness: OperatorHarness;
let shipped: Shipped;
let options: Partial<OperatorOptions>;

beforeAll(async () => {
  harness = await startHarness();
  await harness.stop();
  shipped = ownOf(await readShipped(), harness.namespace);
  // The policies know the operator by its account.
  const { client, connection, namespace } = harness;
  const own = await connectAsOperator(client, connection, namespace, undefined, 'file-integrity-operator');
  options = { policies: shipped, connection: own };
  harness.start(options);
  await harness.createIntegrity('one');
});
afterAll(async () => {
  await harness.stop();
  for (const object of [...shipped.required, ...shipped.optional].reverse()) await remove(object);
  await harness[Symbol.asyncDispose]();
});

/** The same policies for one namespace of the shared API server. */
function ownOf({ required, optional }: Shipped, namespace: string): Shipped {
  const here = { key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace] };
  const own = (object: AdmissionObject): AdmissionObject => {
    const { policyName, matchResources, ...spec } = object.spec as {
      policyName?: string;
      matchResources?: { namespaceSelector?: { matchExpressions?: { operator?: string }[] } };
    };
    // One that holds in all others holds nowhere here.
    const isForOthers = matchResources?.namespaceSelector?.matchExpressions?.[0]?.operator === 'NotIn';
    const matchExpressions = isForOthers ? [{ ...here, operator: 'NotIn' }, here] : [here];
    const match = { matchResources: { ...matchResources, namespaceSelector: { matchExpressions } } };
    return {
      ...object,
      metadata: { name: `${object.metadata.name}-${namespace}` },
      spec: { ...spec, ...(isBinding(object) && { policyName: `${policyName}-${namespace}`, ...match }) },
    };
  };
  return { required: required.map(own), optional: optional.map(own) };
}

function resourceOf({ kind }: AdmissionObject) {
  const found = KINDS.find(({ resource }) => resource.kind === kind)?.resource;
  if (!found) throw new Error(kind);
  return found;
}

const install = async (object: AdmissionObject) => {
  await harness.client.create(resourceOf(object), object);
};
const remove = async (object: AdmissionObject) => {
  await harness.client.remove(resourceOf(object), { name: object.metadata.name ?? '' });
};
const change = async (object: AdmissionObject, spec: object) => {
  await harness.client.patch(resourceOf(object), { name: object.metadata.name ?? '' }, { spec }, { type: 'merge' });
};
const named = (kind: string, name: string): AdmissionObject => {
  const found = [...shipped.required, ...shipped.optional].find(
    (object) => object.kind === kind && object.metadata.name === `${name}-${harness.namespace}`,
  );
  if (!found) throw new Error(`${kind} ${name}`);
  return found;
};
const POLICY = 'ValidatingAdmissionPolicy';
const BINDING = 'ValidatingAdmissionPolicyBinding';

async function says(said: string): Promise<string> {
  const { status } = await harness.integritySays('one', 'AdmissionEnforced', said);
  return status?.conditions?.find(({ type }) => type === 'AdmissionEnforced')?.message ?? '';
}

const RECORD = () => ({ namespace: harness.namespace, name: 'file-integrity-admission' });

async function recordWhen(what: string, holds: (record: AdmissionRecord) => boolean): Promise<AdmissionRecord> {
  let record: AdmissionRecord | undefined;
  onTestFailed(() => console.error(JSON.stringify(record)));
  await eventually(`the record ${what}`, async () => {
    record = readRecord(await harness.client.find(configMaps, RECORD()));
    return record !== undefined && holds(record);
  });
  if (!record) throw new Error('never');
  return record;
}

test('none of them are there: that is said, told, and on record', async () => {
  const message = await says('False NotEnforced');
  expect(message).toContain(`policy file-integrity-daemon-${harness.namespace} is missing`);
  expect(message).not.toContain('who-asked');
  await eventually('it is told', async () => (await harness.told('AdmissionNotEnforced')).includes(message));
  const { periods } = await recordWhen('has begun', (record) => record.periods.length === 1);
  expect(periods[0]?.faults).toHaveLength(shipped.required.length);
  expect(periods[0]?.until).toBeUndefined();
});

test('all are installed: they are in force as the API server has them, and it is on record from when to when they were not', async () => {
  const [before] = (await recordWhen('is there', () => true)).periods;
  for (const object of shipped.required) await install(object);
  expect(await says('True Enforced')).toContain(`All ${shipped.required.length} admission policies`);
  const { periods } = await recordWhen('has ended', ({ periods: [newest] }) => newest?.until !== undefined);
  expect(periods).toEqual([{ ...before, until: expect.any(String) }]);
  await eventually('it is told', async () =>
    (await harness.told('AdmissionEnforced')).some((each) =>
      each.includes(`from ${before?.from} to ${periods[0]?.until}`),
    ),
  );
});

test('what is optional counts once a part of it is there', async () => {
  const [binding, ...others] = [...shipped.optional].reverse();
  if (!binding) throw new Error('none');
  for (const object of others) await install(object);
  await eventually('only the binding is missed', async () =>
    (await says('False NotEnforced')).includes(`operator: binding ${binding.metadata.name} is missing.`),
  );
  await install(binding);
  const count = shipped.required.length + shipped.optional.length;
  expect(await says('True Enforced')).toContain(`All ${count} admission policies`);
  await remove(binding);
  await says('False NotEnforced');
  for (const object of others) await remove(object);
  await says('True Enforced');
});

test.each([
  [
    'bound to another namespace',
    BINDING,
    'file-integrity-records',
    () => selecting('another'),
    'does not hold in the namespace',
  ],
  [
    'bound so that it only warns',
    BINDING,
    'file-integrity-pods',
    () => ({ validationActions: ['Warn'] }),
    'does not deny',
  ],
  [
    'bound with an exemption',
    BINDING,
    'file-integrity-pods',
    () => ({ matchResources: { objectSelector: { matchLabels: { a: 'b' } } } }),
    'spec.matchResources.objectSelector',
  ],
  [
    'of which a failure lets pass',
    POLICY,
    'file-integrity-daemon',
    () => ({ failurePolicy: 'Ignore' }),
    'spec.failurePolicy',
  ],
  [
    'with one condition more',
    POLICY,
    'file-integrity-pods',
    () => ({ matchConditions: [{ name: 'never', expression: 'false' }] }),
    'spec.matchConditions',
  ],
  [
    'whose rule is another',
    POLICY,
    'file-integrity-daemon',
    () => ({ validations: [{ expression: 'true' }] }),
    'spec.validations',
  ],
] as const)('one that is %s is told of, until it is put back', async (_, kind, name, spec, said) => {
  const object = named(kind, name);
  await change(object, spec());
  expect(await says('False NotEnforced')).toContain(said);
  await remove(object);
  expect(await says('False NotEnforced')).toContain(`${object.metadata.name} `);
  await install(object);
  await says('True Enforced');
});

function selecting(namespace: string) {
  const matchExpressions = [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace] }];
  return { matchResources: { namespaceSelector: { matchExpressions } } };
}

test('one that was away while no operator looked is on record', async () => {
  const { periods } = await recordWhen('has nothing open', ({ periods: [newest] }) => newest?.until !== undefined);
  await harness.stop();
  const object = named(BINDING, 'file-integrity-records');
  await remove(object);
  await install(object);
  harness.start(options);
  const { periods: after } = await recordWhen('has one more', (record) => record.periods.length > periods.length);
  expect(after[0]).toEqual({
    from: expect.any(String),
    until: expect.any(String),
    faults: [`${idOf(object)} was changed or made again between two looks`],
  });
  expect(after.slice(1)).toEqual(periods);
  await eventually('it is told', async () =>
    (await harness.told('AdmissionEnforced')).some((each) => each.includes(after[0]?.until ?? 'never')),
  );
  await says('True Enforced');
});

test('the record comes back whole when somebody removes it or writes into it, which takes a policy away first', async () => {
  const { client } = harness;
  const object = named(BINDING, 'file-integrity-records');
  const attacks = [
    () => client.remove(configMaps, RECORD()),
    () => client.patch(configMaps, RECORD(), { data: { 'record.json': '{}' } } satisfies ConfigMap, { type: 'merge' }),
  ];
  for (const attack of attacks) {
    const { periods } = await recordWhen('is closed', ({ periods: [newest] }) => newest?.until !== undefined);
    // The API server enforces a moment later what is installed again.
    await eventually('it is enforced', async () => {
      const path = `/api/v1/namespaces/${harness.namespace}/configmaps/${RECORD().name}`;
      return (await refusal(client.raw(path, { method: 'DELETE', query: { dryRun: 'All' } }))).includes(
        'operator only',
      );
    });
    expect(await refusal(attack())).toContain('by the operator only');
    await remove(object);
    await says('False NotEnforced');
    await eventually('nothing is in the way', async () => (await refusal(attack())) === '');
    await install(object);
    const { periods: again } = await recordWhen(
      'is there again',
      ({ periods: [newest] }) => newest?.until !== undefined,
    );
    expect(again.slice(1)).toEqual(periods);
    expect(again[0]?.faults).toEqual([`binding ${object.metadata.name} is missing`]);
  }
});

test('whatever goes, comes and changes: they are in force when all is there, and never while something is not', async () => {
  const faults = new Set<string>();
  const objects = shipped.required;
  // The same steps each time: every object goes and comes, in an order that leaves some without the others.
  const steps = objects.flatMap((object, index) => [object, objects[(index * 3 + 1) % objects.length] ?? object]);
  for (const object of steps) {
    if (faults.delete(idOf(object))) await install(object);
    else {
      await remove(object);
      faults.add(idOf(object));
    }
    const message = await says(faults.size === 0 ? 'True Enforced' : 'False NotEnforced');
    await eventually('what is missing is said', async () => {
      const said = faults.size === 0 ? message : await says('False NotEnforced');
      const missing = said.match(/(?:policy|binding) \S+ is missing|and \d+ more/g) ?? [];
      return missing.length === Math.min(faults.size, 7);
    });
  }
  for (const object of objects) if (faults.delete(idOf(object))) await install(object);
  await says('True Enforced');
});

test('an operator that may not read them says that nobody knows, goes on, and knows once it may', async () => {
  const { client, namespace } = harness;
  await harness.stop();
  const ref = { name: `${namespace}-file-integrity-operator` };
  const { rules = [] } = await client.get(clusterRoles, ref);
  const others = rules.filter(({ apiGroups = [] }) => !apiGroups.includes('admissionregistration.k8s.io'));
  await client.patch(clusterRoles, ref, { rules: others }, { type: 'merge' });
  harness.start(options);
  expect(await says('Unknown Unreadable')).toContain('forbidden');
  const node = await harness.addNode();
  await harness.statusWhen('one', node, 'has orders', ({ orders }) => orders !== undefined);
  await client.patch(clusterRoles, ref, { rules }, { type: 'merge' });
  await says('True Enforced');
  const { periods } = await recordWhen('is closed', ({ periods: [newest] }) => newest?.until !== undefined);
  expect(periods[0]?.faults).toEqual(['the policies could not be read']);
});
