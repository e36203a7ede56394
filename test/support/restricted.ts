import { readFile } from 'node:fs/promises';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import { parseAllDocuments } from 'yaml';
import type { Client } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import type { KubeObject, ObjectMeta } from '../../src/kube/types.ts';
import { issueToken } from './node-token.ts';
import { clusterRoleBindings, clusterRoles, makeAccount, roleBindings, roles } from './scraper.ts';

interface RoleDocument extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly rules?: PolicyRule[];
}

/**
 * The connection of the operator's own service account, with the rights of deploy/operator in one namespace.
 * @param may which of the rights are granted; default all
 * @param account how the account is called, of whose pod a token is used then; default a name of its own, which admission policies do not take for the operator's
 */
export async function connectAsOperator(
  client: Client,
  { server, credentials }: Pick<Connection, 'server' | 'credentials'>,
  namespace: string,
  may: (rule: PolicyRule) => boolean = () => true,
  account?: string,
): Promise<Connection> {
  const made = await makeAccount(client, namespace, account);
  const { name } = made;
  // The policies take for the operator who has the token of a pod of its.
  const owner = { namespace, serviceAccount: name, node: `node-of-${namespace}` };
  const { token } = account === undefined ? made : await issueToken(client, owner);
  const file = new URL('../../deploy/operator/operator-rbac.yaml', import.meta.url);
  const documents = parseAllDocuments(await readFile(file, 'utf8')).map((document) => document.toJS() as RoleDocument);
  const unique = `${namespace}-${name}`;
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const apiGroup = 'rbac.authorization.k8s.io';
  for (const { kind, rules = [] } of documents) {
    const granted = rules.filter(may);
    if (kind === 'Role') await client.create(roles, { metadata: { name: unique, namespace }, rules: granted });
    if (kind === 'ClusterRole') await client.create(clusterRoles, { metadata: { name: unique }, rules: granted });
  }
  const roleRef = (kind: string) => ({ apiGroup, kind, name: unique });
  await client.create(roleBindings, { metadata: { name: unique, namespace }, roleRef: roleRef('Role'), subjects });
  await client.create(clusterRoleBindings, { metadata: { name: unique }, roleRef: roleRef('ClusterRole'), subjects });

  const { tls } = await credentials();
  const own = { tls: { ca: tls.ca ?? '' }, headers: { authorization: `Bearer ${token}` } };
  return { server, namespace, credentials: async () => own, forget: () => {} };
}
