import { API_VERSION } from '../api/group.ts';
import type { ObjectMeta, OwnerReference } from '../kube/types.ts';

/**
 * The controller reference to a FileIntegrity or a node status: deleting the owner deletes what carries it.
 * `blockOwnerDeletion` is left out: it would need the right to change the owner's finalizers on OpenShift.
 */
export function ownerReference(owner: { kind?: string; metadata: ObjectMeta }): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: owner.kind ?? 'FileIntegrity',
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
  };
}

/** Whether an object belongs to exactly this owner, and not to an earlier one of the same name. */
export function isOwnedBy(object: { metadata?: ObjectMeta }, owner: { metadata: ObjectMeta }): boolean {
  const uid = owner.metadata.uid;
  return uid !== undefined && (object.metadata?.ownerReferences ?? []).some((reference) => reference.uid === uid);
}

/** Name of the FileIntegrity that an object belongs to, by its owner reference: the label may be shortened. */
export function integrityNameOf(object: { metadata?: ObjectMeta }): string | undefined {
  return object.metadata?.ownerReferences?.find(({ kind }) => kind === 'FileIntegrity')?.name;
}
