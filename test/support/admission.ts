import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Client } from '../../src/kube/client.ts';
import { ApiError } from '../../src/kube/errors.ts';
import type { KubeObject, ObjectMeta, Resource } from '../../src/kube/types.ts';
import { eventually } from './eventually.ts';

interface MatchResources {
  namespaceSelector?: { matchExpressions?: { operator?: string }[] };
}

interface Named extends KubeObject {
  readonly metadata: ObjectMeta & { name: string };
  readonly spec: { policyName?: string; matchResources?: MatchResources };
  readonly status?: { observedGeneration?: number; typeChecking?: { expressionWarnings?: unknown[] } };
}

function kind(name: string): Resource<Named> {
  return {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    kind: name,
    plural: name.toLowerCase().replace(/y$/, 'ies').replace(/g$/, 'gs'),
    namespaced: false,
  };
}

/**
 * Puts the policies of a file of deploy/admission in force in some namespaces of the shared API server, under names of
 * their own, so that no other test is concerned. They go when it is disposed of.
 * @param isRefused tries something that the policy refuses: policies take the API server a moment to load
 */
export async function enforcePolicies(
  admin: Client,
  file: string,
  namespaces: readonly [string, ...string[]],
  isRefused: () => Promise<boolean>,
): Promise<AsyncDisposable> {
  const text = await readFile(new URL(`../../deploy/admission/${file}`, import.meta.url), 'utf8');
  const made: { resource: Resource<Named>; name: string }[] = [];
  const unique = (name: string) => `${name}-${namespaces[0]}`;
  for (const document of parseAllDocuments(text)) {
    const { metadata, spec, ...rest } = document.toJS() as Named & { kind: string };
    const resource = kind(rest.kind);
    const name = unique(metadata.name);
    const object: Named = { ...rest, metadata: { name }, spec: bound(spec, unique, namespaces) };
    await admin.create(resource, object);
    made.push({ resource, name });
  }
  await eventually(`${file} is in force`, isRefused);
  for (const { resource, name } of made) await isWellTyped(admin, resource, name);
  return {
    async [Symbol.asyncDispose]() {
      for (const { resource, name } of made.reverse()) await admin.remove(resource, { name });
    },
  };
}

/** The API server says nothing against the policy's expressions, once it has looked at them. */
async function isWellTyped(admin: Client, resource: Resource<Named>, name: string): Promise<void> {
  if (resource.kind !== 'ValidatingAdmissionPolicy') return;
  let status: Named['status'];
  await eventually(`the types of ${name} are checked`, async () => {
    status = (await admin.get(resource, { name })).status;
    return status?.observedGeneration !== undefined;
  });
  expect(status?.typeChecking?.expressionWarnings ?? []).toEqual([]);
}

/** A binding's policy and namespaces, of which the first is the operator's; a policy stays as it is. */
function bound(spec: Named['spec'], unique: (name: string) => string, values: readonly string[]): Named['spec'] {
  if (spec.policyName === undefined) return spec;
  const key = 'kubernetes.io/metadata.name';
  const isForOthers = spec.matchResources?.namespaceSelector?.matchExpressions?.[0]?.operator === 'NotIn';
  const matchExpressions = [
    ...(isForOthers ? [{ key, operator: 'NotIn', values: values.slice(0, 1) }] : []),
    { key, operator: 'In', values },
  ];
  return {
    ...spec,
    policyName: unique(spec.policyName),
    matchResources: { ...spec.matchResources, namespaceSelector: { matchExpressions } },
  };
}

/** The API server's sentence when it refuses; empty when it does not. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return '';
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 422)) return error.message;
    throw error;
  }
}
