import type { Client } from '../../src/kube/client.ts';

import { accountName, clientOf } from './impersonate.ts';
import { clusterRoles, roleBindings, serviceAccounts } from './scraper.ts';

/**
 * Somebody who has Kubernetes's role `edit` (or another one) in a namespace, and no other right in the cluster.
 * @param roles cluster roles that they have there
 */
export async function clientWithRoles(
  admin: Client,
  namespace: string,
  user: string,
  roles: readonly string[] = ['edit'],
): Promise<Client> {
  for (const role of roles) {
    await admin.create(roleBindings, {
      metadata: { generateName: 'somebody-', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
  }
  return await clientOf(user);
}

/** The cluster role by which SECURITY.md has somebody act as the operator. */
export async function makeActAsRole(admin: Client, name: string): Promise<void> {
  const [apiGroups, resources, resourceNames] = [[''], ['serviceaccounts'], ['file-integrity-operator']];
  await admin.create(clusterRoles, {
    metadata: { name },
    rules: [{ apiGroups, resources, resourceNames, verbs: ['act-as'] }],
  });
}

/** Our two accounts and that of everybody else. */
export async function makeAccounts(admin: Client, namespace: string): Promise<void> {
  for (const name of ['default', 'file-integrity-daemon', 'file-integrity-operator']) {
    await admin.apply(serviceAccounts, { metadata: { name, namespace } }, { fieldManager: 'test' });
  }
}

/** The operator, as the API server knows it by a token of its pod, with every right that RBAC can give. */
export async function clientOfOperator(admin: Client, namespace: string): Promise<Client> {
  await admin.create(roleBindings, {
    metadata: { name: 'operator', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'file-integrity-operator', namespace }],
  });
  return await clientOf(accountName(namespace, 'file-integrity-operator'), { pod: 'file-integrity-operator-x' });
}
