import type { KubeObject, ObjectMeta, Resource } from '../../kube/types.ts';

/** An admission policy or its binding, as far as it is compared. */
export interface AdmissionObject extends KubeObject {
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
  readonly status?: { readonly typeChecking?: { readonly expressionWarnings?: readonly unknown[] } };
}

/** What deploy/admission has. */
export interface Shipped {
  readonly required: readonly AdmissionObject[];
  /** What users install by themselves: it may be missing as a whole. */
  readonly optional: readonly AdmissionObject[];
}

const GROUP = 'admissionregistration.k8s.io';
const VERSION = 'v1';

/** The kinds that are compared, by name; those of `optional` are not served by every API server. */
export const KINDS: readonly { readonly resource: Resource<AdmissionObject>; readonly optional: boolean }[] = [
  { resource: resourceOf('ValidatingAdmissionPolicy', 'validatingadmissionpolicies'), optional: false },
  { resource: resourceOf('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings'), optional: false },
  { resource: resourceOf('MutatingAdmissionPolicy', 'mutatingadmissionpolicies'), optional: true },
  { resource: resourceOf('MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings'), optional: true },
];

/** Where the API server says which of them it serves. */
export const DISCOVERY_PATH = `/apis/${GROUP}/${VERSION}`;

function resourceOf(kind: string, plural: string): Resource<AdmissionObject> {
  return { group: GROUP, version: VERSION, kind, plural, namespaced: false };
}

export function isBinding({ kind }: Pick<AdmissionObject, 'kind'>): boolean {
  return kind.endsWith('Binding');
}

/** What an object is known by among those that are compared. */
export function idOf({ kind, metadata }: Pick<AdmissionObject, 'kind' | 'metadata'>): string {
  return `${kind}/${metadata.name}`;
}

/** As a person reads it. */
export function nameOf(object: Pick<AdmissionObject, 'kind' | 'metadata'>): string {
  return `${isBinding(object) ? 'binding' : 'policy'} ${object.metadata.name}`;
}
