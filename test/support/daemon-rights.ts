import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { Client } from '../../src/kube/client.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';

const rbac = (kind: string, plural: string): Resource<KubeObject> => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind,
  plural,
  namespaced: true,
});
const RESOURCES: Readonly<Record<string, Resource<KubeObject>>> = {
  ServiceAccount: { group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true },
  Role: rbac('Role', 'roles'),
  RoleBinding: rbac('RoleBinding', 'rolebindings'),
};

/** The daemons' service account and roles, as they are deployed. */
export async function giveRights(client: Client, namespace: string): Promise<void> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'file-integrity-daemon' } };
  const text = await readFile(new URL('../../deploy/operator/daemon-rbac.yaml', import.meta.url), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  for (const object of [account, ...objects]) {
    const resource = RESOURCES[object.kind ?? ''];
    if (resource === undefined) throw new Error(`No resource is known for ${object.kind}`);
    const placed = { ...object, metadata: { ...object.metadata, namespace } };
    // In a kustomization the subjects get their namespace too.
    if ('subjects' in placed) {
      placed.subjects = (placed.subjects as object[]).map((subject) => ({ ...subject, namespace }));
    }
    await client.apply(resource, placed, { fieldManager: 'test' });
  }
}
