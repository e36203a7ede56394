import { printable } from '../../lib/text.ts';
import { type AdmissionObject, idOf, isBinding, nameOf, type Shipped } from './policies.ts';

/**
 * What is wrong with the policies in the cluster, each as a person reads it; none where all that is shipped is in force in
 * the namespace. What the API server fills in counts as if it stood there; anything else that differs is a fault, since a
 * condition, a selector or an exemption more can take a policy's effect away as well as its end can.
 * @param find the object in the cluster, by `idOf`
 */
export function compareAdmission(
  shipped: Shipped,
  find: (id: string) => AdmissionObject | undefined,
  namespace: string,
): string[] {
  const isInstalled = shipped.optional.some((object) => find(idOf(object)) !== undefined);
  const wanted = isInstalled ? [...shipped.required, ...shipped.optional] : shipped.required;
  return wanted.flatMap((desired) => {
    const fault = faultOf(find(idOf(desired)), desired, namespace);
    return fault === undefined ? [] : [`${nameOf(desired)} ${fault}`];
  });
}

function faultOf(actual: AdmissionObject | undefined, desired: AdmissionObject, namespace: string): string | undefined {
  if (!actual) return 'is missing';
  const where = difference(whole(actual), whole(desired), 'spec', namespace);
  if (where !== undefined) {
    if (where.endsWith('.matchExpressions.values')) return `does not hold in the namespace ${namespace}`;
    if (isBinding(desired) && where === 'spec.validationActions') return 'does not deny as it should';
    return `is not as it is shipped, in ${printable(where, 120)}`;
  }
  const warnings = actual.status?.typeChecking?.expressionWarnings ?? [];
  return warnings.length > 0 ? 'has expressions that the API server warns of' : undefined;
}

/** The spec with what the API server fills in. */
function whole({ kind, spec }: AdmissionObject): unknown {
  if (!isRecord(spec)) return spec;
  const { matchConstraints, matchResources, validationActions, ...rest } = spec;
  return {
    ...(!isBinding({ kind }) && { failurePolicy: 'Fail' }),
    ...(kind === 'MutatingAdmissionPolicy' && { reinvocationPolicy: 'Never' }),
    ...rest,
    ...(matchConstraints !== undefined && { matchConstraints: wholeMatch(matchConstraints) }),
    ...(matchResources !== undefined && { matchResources: wholeMatch(matchResources) }),
    // A set.
    ...(validationActions !== undefined && {
      validationActions: Array.isArray(validationActions) ? [...validationActions].sort() : validationActions,
    }),
  };
}

function wholeMatch(match: unknown): unknown {
  if (!isRecord(match)) return match;
  const rules = (list: unknown) =>
    Array.isArray(list) ? list.map((rule) => (isRecord(rule) ? { scope: '*', ...rule } : rule)) : list;
  const { resourceRules, excludeResourceRules, ...rest } = match;
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    ...rest,
    ...(resourceRules !== undefined && { resourceRules: rules(resourceRules) }),
    ...(excludeResourceRules !== undefined && { excludeResourceRules: rules(excludeResourceRules) }),
  };
}

/** The first path at which they differ, in either direction; undefined: nowhere. List indexes are left out of it. */
function difference(actual: unknown, desired: unknown, path: string, namespace: string): string | undefined {
  if (Array.isArray(actual) && Array.isArray(desired)) {
    if (actual.length !== desired.length) return path;
    return firstOf(desired, (item, index) => difference(actual[index], item, path, namespace));
  }
  if (isRecord(actual) && isRecord(desired)) {
    const keys = [...new Set([...Object.keys(desired), ...Object.keys(actual)])];
    return firstOf(keys, (key) => {
      if (key !== 'values' || !namesNamespaces(desired)) {
        return difference(actual[key], desired[key], `${path}.${key}`, namespace);
      }
      return holdsIn(actual[key], namespace) ? undefined : `${path}.${key}`;
    });
  }
  return Object.is(actual, desired) || isSameExpression(actual, desired, path) ? undefined : path;
}

/**
 * Tools that apply YAML break the lines of folded text differently, and between the words of an expression spaces mean nothing.
 * They do in what it quotes. (A comment would end with its line: no expression that is shipped has one.)
 */
function isSameExpression(actual: unknown, desired: unknown, path: string): boolean {
  if (!/expression$/i.test(path) || typeof actual !== 'string' || typeof desired !== 'string') return false;
  return evenlySpaced(actual) === evenlySpaced(desired);
}

export function evenlySpaced(expression: string): string {
  const quotedOrSpace = /('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|\s+/gs;
  return expression.replace(quotedOrSpace, (_, quoted?: string) => quoted ?? ' ').trim();
}

/** The one thing that an installation says for itself: its namespace. Those of other operators may be named besides. */
function namesNamespaces({ key, operator }: Readonly<Record<string, unknown>>): boolean {
  return key === 'kubernetes.io/metadata.name' && (operator === 'In' || operator === 'NotIn');
}

function holdsIn(values: unknown, namespace: string): boolean {
  return Array.isArray(values) && values.includes(namespace);
}

function firstOf<T>(items: readonly T[], find: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
