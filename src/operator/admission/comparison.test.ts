import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareAdmission, evenlySpaced } from './comparison.ts';
import { type AdmissionObject, idOf, isBinding } from './policies.ts';
import { readShipped } from './shipped.ts';

const NAMESPACE = 'elsewhere';
const shipped = await readShipped();
const all = [...shipped.required, ...shipped.optional];

/** As the API server has an object that was installed in the namespace. */
function installed(object: AdmissionObject): AdmissionObject {
  return JSON.parse(JSON.stringify(object).replaceAll('"openshift-file-integrity"', `"${NAMESPACE}"`));
}

/** What is wrong when the cluster has these. */
function faults(objects: readonly AdmissionObject[]): string[] {
  const there = new Map(objects.map((object) => [idOf(object), object]));
  return compareAdmission(shipped, (id) => there.get(id), NAMESPACE);
}

type Path = readonly (string | number)[];
type How = 'replace' | 'take away' | 'add';
type Node = Record<string | number, unknown>;

/** The objects with one of them changed at a place of its spec; `add` adds to the list or, under a new name, to the object there. */
function altered(objects: readonly AdmissionObject[], index: number, path: Path, how: How, value?: unknown) {
  const changed = structuredClone(objects) as AdmissionObject[];
  const way = how === 'add' ? path : path.slice(0, -1);
  let place: Node = changed[index] as unknown as Node;
  for (const key of ['spec', ...way].slice(0, path.length === 0 && how !== 'add' ? 0 : undefined))
    place = place[key] as Node;
  const key = path.at(-1) ?? 'spec';
  if (how === 'replace') place[key] = value;
  else if (how === 'take away') Array.isArray(place) ? place.splice(Number(key), 1) : delete place[key];
  else if (Array.isArray(place)) place.push(value);
  else place.more = value;
  return changed;
}

/** All that is required, with one object changed. */
function withChanged(name: string, kind: string, path: Path, how: How, value?: unknown): string[] {
  const objects = shipped.required.map(installed);
  const index = objects.findIndex((each) => each.metadata.name === name && each.kind === kind);
  return faults(altered(objects, index, path, how, value));
}

const POLICY = 'ValidatingAdmissionPolicy';
const BINDING = 'ValidatingAdmissionPolicyBinding';
const NAMES: Path = ['matchResources', 'namespaceSelector', 'matchExpressions', 0, 'values'];

describe('the admission policies', () => {
  test('that are shipped are policies with their bindings, and those that say who did something are optional', () => {
    const named = (binding: boolean) =>
      all.filter((object) => isBinding(object) === binding).map(({ metadata }) => metadata.name);
    expect(named(false)).toEqual(expect.arrayContaining(['file-integrity-daemon', 'file-integrity-records']));
    expect(named(true)).toEqual(named(false));
    const optional = ['file-integrity-who-asked', 'file-integrity-who-changed', 'file-integrity-who-named'];
    expect(shipped.optional.map(({ metadata }) => metadata.name)).toEqual([...optional, ...optional]);
  });

  test('are in force as they are shipped, in the namespace of the operator, with what is optional or without', () => {
    expect(faults(shipped.required.map(installed))).toEqual([]);
    expect(faults(all.map(installed))).toEqual([]);
  });

  test('are in force where they hold in another namespace besides, as with two operators in a cluster', () => {
    const more = withChanged('file-integrity-records', BINDING, NAMES, 'add', 'another');
    expect(more).toEqual([]);
  });

  test.each(all.map((object) => [idOf(object), object] as const))('%s that is gone is missed', (id, object) => {
    const others = all.filter((each) => idOf(each) !== id).map(installed);
    const kind = isBinding(object) ? 'binding' : 'policy';
    expect(faults(others)).toEqual([`${kind} ${object.metadata.name} is missing`]);
  });

  test.each<[what: string, kind: string, name: string, change: [Path, How, unknown?], said: string]>([
    [
      'bound to another namespace',
      BINDING,
      'file-integrity-records',
      [NAMES, 'replace', ['openshift-file-integrity']],
      'binding file-integrity-records does not hold in the namespace elsewhere',
    ],
    [
      'that only warns',
      BINDING,
      'file-integrity-pods',
      [['validationActions'], 'replace', ['Warn', 'Audit']],
      'binding file-integrity-pods does not deny as it should',
    ],
    [
      'with an exemption in its binding',
      BINDING,
      'file-integrity-daemon',
      [['matchResources'], 'replace', { objectSelector: { matchLabels: { some: 'label' } } }],
      'binding file-integrity-daemon is not as it is shipped, in spec.matchResources',
    ],
    [
      'with an exemption beside its namespace',
      BINDING,
      'file-integrity-pods',
      [['matchResources', 'excludeResourceRules'], 'replace', [{ apiGroups: [''], resources: ['pods'] }]],
      'binding file-integrity-pods is not as it is shipped, in spec.matchResources.excludeResourceRules',
    ],
    [
      'with parameters',
      BINDING,
      'file-integrity-daemon',
      [['paramRef'], 'replace', { name: 'none', parameterNotFoundAction: 'Allow' }],
      'binding file-integrity-daemon is not as it is shipped, in spec.paramRef',
    ],
    [
      'of another policy',
      BINDING,
      'file-integrity-daemon',
      [['policyName'], 'replace', 'allows-all'],
      'binding file-integrity-daemon is not as it is shipped, in spec.policyName',
    ],
    [
      'that lets pass what it cannot judge',
      POLICY,
      'file-integrity-daemon',
      [['failurePolicy'], 'replace', 'Ignore'],
      'policy file-integrity-daemon is not as it is shipped, in spec.failurePolicy',
    ],
    [
      'with one condition more',
      POLICY,
      'file-integrity-records',
      [['matchConditions'], 'add', { name: 'never', expression: 'false' }],
      'policy file-integrity-records is not as it is shipped, in spec.matchConditions',
    ],
    [
      'with an expression that is always true',
      POLICY,
      'file-integrity-daemon',
      [['validations', 0, 'expression'], 'replace', 'true'],
      'policy file-integrity-daemon is not as it is shipped, in spec.validations.expression',
    ],
    [
      'that leaves out an operation',
      POLICY,
      'file-integrity-daemon',
      [['matchConstraints', 'resourceRules', 0, 'operations', 0], 'take away'],
      'policy file-integrity-daemon is not as it is shipped, in spec.matchConstraints.resourceRules.operations',
    ],
    [
      'that takes cluster-wide objects only',
      POLICY,
      'file-integrity-daemon',
      [['matchConstraints', 'resourceRules', 0, 'scope'], 'replace', 'Cluster'],
      'policy file-integrity-daemon is not as it is shipped, in spec.matchConstraints.resourceRules.scope',
    ],
  ])('one %s is told of', (_, kind, name, [path, how, value], said) => {
    expect(withChanged(name, kind, path, how, value)).toEqual([said]);
  });

  test('one that the API server warns of is told of', () => {
    const objects = shipped.required
      .map(installed)
      .map((object, index) =>
        index === 0
          ? { ...object, status: { typeChecking: { expressionWarnings: [{ warning: 'undefined field' }] } } }
          : object,
      );
    expect(faults(objects)).toEqual([
      `policy ${objects[0]?.metadata.name} has expressions that the API server warns of`,
    ]);
  });

  test('are the same however the lines of an expression are broken, and others when what it quotes is', () => {
    expect(evenlySpaced("a  ==\n\n 'b  c' &&\n\t\"d\\\"  'e\" == 'it\\'s  ' ")).toBe(
      "a == 'b  c' && \"d\\\"  'e\" == 'it\\'s  '",
    );
    const path: Path = ['validations', 0, 'expression'];
    const name = 'file-integrity-daemon';
    const spec = shipped.required.find((each) => each.metadata.name === name)?.spec as {
      validations: { expression: string }[];
    };
    const expression = spec.validations[0]?.expression ?? '';
    expect(withChanged(name, POLICY, path, 'replace', `\n${expression.replaceAll(' ', '\n\n  ')} `)).toEqual([]);
    expect(withChanged(name, POLICY, path, 'replace', expression.replaceAll("''", "' '"))).not.toEqual([]);
  });

  test('have no comments in their expressions, which would end with the line', () => {
    const quoted = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/g;
    for (const { spec, path } of all.flatMap(({ spec }) => placesIn(spec).map((path) => ({ spec, path })))) {
      const text = path.reduce<unknown>((node, key) => (node as Node)[key], spec);
      if (!/expression$/i.test(String(path.at(-1))) || typeof text !== 'string') continue;
      expect(text.replaceAll(quoted, '')).not.toContain('//');
    }
  });

  test('are the same with what the API server fills in', () => {
    const fill = (match: Node): Node => ({
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      ...match,
      ...(match.resourceRules !== undefined && {
        resourceRules: (match.resourceRules as object[]).map((rule) => ({ ...rule, scope: '*' })),
      }),
    });
    const filled = shipped.required.map(installed).map((object) => {
      const { matchConstraints, matchResources, ...spec } = object.spec as Readonly<Record<string, Node | undefined>>;
      const more = {
        ...(matchConstraints && { matchConstraints: fill(matchConstraints) }),
        ...(matchResources && { matchResources: fill(matchResources) }),
      };
      return { ...object, spec: { ...spec, ...more } };
    });
    expect(faults(filled)).toEqual([]);
  });

  /** Every place in a value: how to reach it. */
  function placesIn(value: unknown, path: Path = []): Path[] {
    if (typeof value !== 'object' || value === null) return [path];
    return [path, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, key]))];
  }

  test('are never in force with anything of them taken away, replaced or added', () => {
    const objects = shipped.required.map(installed);
    const places = objects.flatMap(({ spec }, index) => placesIn(spec).map((path) => ({ index, path })));
    const change = fc.constantFrom<How>('take away', 'replace', 'add');
    fc.assert(
      fc.property(fc.constantFrom(...places), change, fc.jsonValue(), ({ index, path }, how, value) => {
        const place = path.reduce<unknown>((node, key) => (node as Node)[key], objects[index]?.spec);
        fc.pre(how !== 'add' || (typeof place === 'object' && place !== null));
        const changed = altered(objects, index, path, how, value);
        fc.pre(JSON.stringify(changed) !== JSON.stringify(objects));
        // What comes to the same: another namespace besides, and what the API server fills in.
        fc.pre(!(how === 'add' && path.at(-1) === 'values' && path.includes('namespaceSelector')));
        fc.pre(!(how === 'take away' && ['failurePolicy', 'scope'].includes(String(path.at(-1)))));
        expect(faults(changed)).not.toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});
